"""Parts: what one fit made and others take over, as files that every slot of a host maps.

A part lies beside the store's objects, in a folder of its session, and is read by private mapping:
whoever takes it may write into it, and nobody else sees that. Nothing here fails a fit: a part that
can't be kept is made again.
"""

from __future__ import annotations

import contextlib
import fcntl
import io
import mmap
import os
import pickle
import struct
import time
from collections import OrderedDict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import scipy.sparse

from crossfold._runtime._files import whole

if TYPE_CHECKING:
    from numpy.typing import NDArray

FOLDER = ".parts"
"""Where parts are, inside the store folder: one folder a session."""

LIMIT = 4 << 30
"""Most bytes of all parts of a host; also at most half of what its disk has left."""

_LENGTH = struct.Struct("<Q")
# As numpy's own large arrays, so that loops that look at the alignment run the same way.
_ALIGNMENT = 64
# A part that was used just now is worth more than a new one: else a cycle of parts that is larger
# than the limit would only ever replace each other.
_IN_USE_SECONDS = 20.0
# What a process keeps of parts beside the mappings: unpickled attributes and open files.
_KEPT_BYTES = 128 << 20
_KEPT_PARTS = 256


@dataclass(slots=True)
class Made:
    """What is worth keeping of a piece of work."""

    value: Any
    """What it returned."""
    state: dict[str, Any]
    """The attributes that it set."""
    notes: list[Any]
    """The warnings it gave."""
    seconds: float
    """How long it took."""
    kept: float
    """The seconds that its maker is charged with; those who take it over share the rest."""


class Part:
    """One published piece of work."""

    @classmethod
    def open(cls, file: Path) -> Part | None:
        """Open a part; None when there is none."""
        try:
            return cls(file)
        except (OSError, pickle.UnpicklingError, EOFError, struct.error, ValueError):
            return None  # not there, or cut off by a full disk or a crash: it is made again

    def __init__(self, file: Path) -> None:
        self._file = file
        self._fd = os.open(file, os.O_RDONLY)
        self._loaded: dict[str, Any] | None = None
        with self._map() as mapped:
            (length,) = _LENGTH.unpack_from(mapped)
            head = pickle.loads(mapped[_LENGTH.size : _LENGTH.size + length])
        self._state, self._shell, spans, notes, self.seconds, self.kept = head
        self.notes: list[Any] = pickle.loads(notes)
        base = _aligned(_LENGTH.size + length)
        self._spans = [(base + start, base + end) for start, end in spans]

    @property
    def held_bytes(self) -> int:
        """About what it takes in this process, mappings apart."""
        return 4 * len(self._state) + len(self._shell)

    def value(self) -> Any:
        """The value, the taker's own: its large arrays are fresh private mappings."""
        if not self._spans:
            return pickle.loads(self._shell)
        view = memoryview(self._map())
        return pickle.loads(self._shell, buffers=[view[start:end] for start, end in self._spans])

    def state(self, fresh: bool) -> dict[str, Any]:
        """The attributes; ``fresh`` ones are the taker's own, others are shared in this process."""
        if fresh:
            state: dict[str, Any] = pickle.loads(self._state)
            return state
        if self._loaded is None:
            self._loaded = pickle.loads(self._state)
        return self._loaded

    def used(self) -> None:
        """Remember that it was used just now."""
        with contextlib.suppress(OSError):
            os.utime(self._file)

    def close(self) -> None:
        """Give the file back; mappings of it stay."""
        os.close(self._fd)

    def _map(self) -> mmap.mmap:
        return mmap.mmap(self._fd, 0, access=mmap.ACCESS_COPY)


class Parts:
    """The parts that a process knows. Not safe for use by several threads."""

    def __init__(self, limit: int = LIMIT) -> None:
        self._limit = limit
        self._known: OrderedDict[Path, Part] = OrderedDict()
        self._held = 0

    def find(self, file: Path) -> Part | None:
        """Return a published part, or None."""
        part = self._known.get(file)
        if part is None:
            part = Part.open(file)
            if part is None:
                return None
            self._keep(file, part)
        self._known.move_to_end(file)
        part.used()
        return part

    def publish(self, file: Path, made: Made, content: Iterable[Any] | None = None) -> None:
        """Write a part, unless it can't be pickled or there is no room.

        ``content`` is the bytes of the value in pieces, for a large array that is not filled in itself.
        """
        buffers: list[memoryview] = []
        try:
            state = _dumps(made.state)
            least = mmap.PAGESIZE if content is None else 0
            shell = pickle.dumps(
                made.value, protocol=5, buffer_callback=lambda buffer: _in_band(buffer, buffers, least)
            )
            notes = pickle.dumps(made.notes)
        except Exception:
            return
        spans: list[tuple[int, int]] = []
        placed: list[tuple[int, Iterable[Any]]] = []
        end = 0
        for buffer in buffers:
            spans.append((end, end + buffer.nbytes))
            placed.append((end, [buffer] if content is None else content))
            end = _aligned(end + buffer.nbytes)
        head = pickle.dumps((state, shell, spans, notes, made.seconds, made.kept), protocol=5)
        with contextlib.suppress(OSError):
            if self.make_room(file, _aligned(_LENGTH.size + len(head)) + end):
                _write(file, head, placed)

    def _keep(self, file: Path, part: Part) -> None:
        self._known[file] = part
        self._held += part.held_bytes
        while len(self._known) > 1 and (self._held > _KEPT_BYTES or len(self._known) > _KEPT_PARTS):
            _, oldest = self._known.popitem(last=False)
            self._held -= oldest.held_bytes
            oldest.close()

    def make_room(self, file: Path, size: int) -> bool:
        """Evict what was not used lately until a file of ``size`` bytes fits."""
        folder = file.parent.parent
        disk = os.statvfs(folder)
        files = [(status.st_mtime, status.st_size, path) for path, status in _files(folder)]
        held = sum(size for _, size, _ in files)
        limit = min(self._limit, (held + disk.f_bavail * disk.f_frsize) // 2)
        old = time.time() - _IN_USE_SECONDS
        for used, freed, path in sorted(files):
            if held + size <= limit or used > old:
                break
            with contextlib.suppress(FileNotFoundError):
                path.unlink()
            held -= freed
        return held + size <= limit


@contextlib.contextmanager
def alone(file: Path) -> Iterator[float]:
    """Hold a part's lock against all processes of the host; yields the seconds waited for it.

    Where there can't be a lock, all go on: the work is done more than once.
    """
    lock = file.with_suffix(".lock")
    began = time.perf_counter()
    fd = None
    try:
        with contextlib.suppress(OSError):
            file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            fd = os.open(lock, os.O_RDWR | os.O_CREAT, 0o600)
            fcntl.flock(fd, fcntl.LOCK_EX)
        yield time.perf_counter() - began
    finally:
        if fd is not None:
            # Who waits on the removed file goes on alone, and finds the part.
            lock.unlink(missing_ok=True)
            os.close(fd)


def size_of(values: Any) -> int:
    """The bytes of an array or a sparse matrix with compressed rows or columns."""
    if scipy.sparse.issparse(values):
        return int(values.data.nbytes + values.indices.nbytes + values.indptr.nbytes)
    return int(values.nbytes)


class _Pickler(pickle.Pickler):
    """Keeps the strides of arrays, where pickle would close the gaps: loops may add up in another order."""

    def reducer_override(self, value: Any) -> Any:
        if type(value) is not np.ndarray or value.flags.forc or value.dtype.hasobject:
            return NotImplemented
        if min(value.strides) < 0:
            raise pickle.PicklingError(f"strides {value.strides} go backwards")
        return _with_strides, (np.ascontiguousarray(value), value.strides)


def _dumps(value: Any) -> bytes:
    stream = io.BytesIO()
    _Pickler(stream, protocol=5).dump(value)
    return stream.getvalue()


def _with_strides(values: NDArray[Any], strides: tuple[int, ...]) -> NDArray[Any]:
    extent = sum((size - 1) * stride for size, stride in zip(values.shape, strides, strict=True))
    room = np.empty(extent + values.itemsize, np.uint8)
    array: NDArray[Any] = np.ndarray(values.shape, values.dtype, room, strides=strides)
    array[...] = values
    return array


def _in_band(buffer: pickle.PickleBuffer, buffers: list[memoryview], least: int) -> bool:
    """Keep buffers below ``least`` bytes in the pickle."""
    raw = buffer.raw()
    if raw.nbytes < least:
        return True
    buffers.append(raw)
    return False


def _write(file: Path, head: bytes, buffers: list[tuple[int, Iterable[Any]]]) -> None:
    base = _aligned(_LENGTH.size + len(head))
    with whole(file) as target:
        target.write(_LENGTH.pack(len(head)) + head)
        for start, pieces in buffers:
            target.seek(base + start)
            for piece in pieces:
                target.write(piece)


def _files(folder: Path) -> Iterator[tuple[Path, os.stat_result]]:
    for path in folder.glob("*/*.part"):
        with contextlib.suppress(FileNotFoundError):
            yield path, path.stat()


def _aligned(size: int) -> int:
    return -(-size // _ALIGNMENT) * _ALIGNMENT
