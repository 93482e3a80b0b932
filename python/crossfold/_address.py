"""The content address of an object: as `arrowipc/store/digest.go` computes it, too.

It is the SHA-256 over the SHA-256 digests of the object's pieces of 4 MiB, each with a first byte that
says which of the two it is: without it, a piece could be made that looks like a list of digests. So all
cores can work on a large object.
"""

from __future__ import annotations

import hashlib
import os
from concurrent.futures import Future, ThreadPoolExecutor

LEAF_BYTES = 4 << 20

_OF_LEAF = b"\0"
_OF_ROOT = b"\1"


class Address:
    """The address of the bytes it is updated with."""

    def __init__(self) -> None:
        self._leaf = hashlib.sha256(_OF_LEAF)
        self._leaf_bytes = 0
        self._leaves: list[bytes] = []
        self._pool: ThreadPoolExecutor | None = None

    def update(self, view: memoryview) -> list[Future[None]]:
        """Add bytes. They are still read until all of what is returned is done."""
        pending = []
        while view:
            piece = view[: LEAF_BYTES - self._leaf_bytes]
            view = view[len(piece) :]
            if len(piece) == LEAF_BYTES:
                pending.append(self._add_later(piece))
                continue
            self._leaf.update(piece)
            self._leaf_bytes += len(piece)
            if self._leaf_bytes == LEAF_BYTES:
                self._seal()
        return pending

    def hexdigest(self) -> str:
        """End the object; every update must be done."""
        if self._leaf_bytes or not self._leaves:
            self._seal()
        if self._pool is not None:
            self._pool.shutdown()
        return hashlib.sha256(_OF_ROOT + b"".join(self._leaves)).hexdigest()

    def _seal(self) -> None:
        self._leaves.append(self._leaf.digest())
        self._leaf, self._leaf_bytes = hashlib.sha256(_OF_LEAF), 0

    def _add_later(self, leaf: memoryview) -> Future[None]:
        if self._pool is None:
            self._pool = ThreadPoolExecutor(os.cpu_count() or 1, "crossfold-hash")
        position = len(self._leaves)
        self._leaves.append(b"")
        return self._pool.submit(self._add, position, leaf)

    def _add(self, position: int, leaf: memoryview) -> None:
        digest = hashlib.sha256(_OF_LEAF)
        digest.update(leaf)
        self._leaves[position] = digest.digest()
