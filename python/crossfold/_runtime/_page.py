"""Memory that a child shares with Go: Go reads it when the child is dead, whatever way it died.

Little-endian: three unsigned 64-bit numbers, then bytes. The numbers are the index of the unit that
runs plus one, 0 for none; the position in the child's stream of messages of the first byte kept here;
and how many bytes are kept. What is kept is the end of the stream, which was not sent yet.
"""

from __future__ import annotations

import mmap
import os
import socket
import struct

_NUMBER = struct.Struct("<Q")
_RUNNING, _POSITION, _KEPT, _BYTES = 0, 8, 16, 24


class Page:
    """The page, and the stream whose end it keeps."""

    def __init__(self, descriptor: int, stream: socket.socket) -> None:
        self._memory = mmap.mmap(descriptor, os.fstat(descriptor).st_size)
        os.close(descriptor)
        self._stream = stream
        self._position = 0
        self._kept = 0

    def __enter__(self) -> Page:
        return self

    def __exit__(self, *_exception: object) -> None:
        self._memory.close()

    def begin(self, index: int) -> None:
        """Say which unit runs."""
        _NUMBER.pack_into(self._memory, _RUNNING, index + 1)

    def clear(self) -> None:
        """Say that none runs."""
        _NUMBER.pack_into(self._memory, _RUNNING, 0)

    @property
    def keeps(self) -> bool:
        """Whether something waits to be sent."""
        return self._kept > 0

    def add(self, data: bytes) -> None:
        """Keep bytes until they are sent: from now on they are safe. What is too long is sent at once."""
        if _BYTES + self._kept + len(data) > len(self._memory):
            self.send()
        if _BYTES + len(data) > len(self._memory):
            self._stream.sendall(data)
            self._move(len(data))
            return
        start = _BYTES + self._kept
        self._memory[start : start + len(data)] = data
        self._keep(self._kept + len(data))

    def send(self) -> None:
        """Send what is kept."""
        kept = self._kept
        self._stream.sendall(self._memory[_BYTES : _BYTES + kept])
        # In this order the page is right between the two, too: nothing is kept that Go has.
        self._keep(0)
        self._move(kept)

    def _keep(self, size: int) -> None:
        self._kept = size
        _NUMBER.pack_into(self._memory, _KEPT, size)

    def _move(self, size: int) -> None:
        self._position += size
        _NUMBER.pack_into(self._memory, _POSITION, self._position)
