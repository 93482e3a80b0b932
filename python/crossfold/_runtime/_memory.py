"""Memory: what a fit on large data frees, the next fit takes over.

The C library gives large arrays back to the system at once, and the system clears every page before it
hands it out again: that is half the time of a fit that copies a gigabyte a few times. So a process that
is handed large data keeps what its fits free: a few times the data at most, and not while it idles.
"""

from __future__ import annotations

import ctypes
import functools
import select
import socket
from typing import Any

# From so many bytes of data on: smaller arrays the C library keeps by itself.
_LEAST_BYTES = 32 << 20
# How much free memory is kept, as a multiple of the data.
_KEPT = 3
# After so long without a task everything that is free goes back.
_IDLE_SECONDS = 1.0

# Of <malloc.h>: free memory at the top above which it is given back, and how many arrays may be
# mappings of their own, with the C library's defaults.
_TRIM_THRESHOLD, _MMAP_MAX = -1, -4
_DEFAULTS = {_TRIM_THRESHOLD: 128 << 10, _MMAP_MAX: 65536}
_KEEPING = {_TRIM_THRESHOLD: -1, _MMAP_MAX: 0}


class _Info(ctypes.Structure):
    """glibc's struct mallinfo2."""

    _fields_ = [
        (name, ctypes.c_size_t)
        for name in (
            "arena", "ordblks", "smblks", "hblks", "hblkhd", "usmblks", "fsmblks", "uordblks", "fordblks",
            "keepcost",
        )
    ]  # fmt: skip


class Memory:
    """The memory of one process between its fits."""

    def __init__(self) -> None:
        self._kept = 0

    def expect(self, data_bytes: int) -> None:
        """The next fits work on so many bytes of data."""
        kept = _KEPT * data_bytes if data_bytes >= _LEAST_BYTES and _library() is not None else 0
        if bool(kept) != bool(self._kept):
            for option, value in (_KEEPING if kept else _DEFAULTS).items():
                _library().mallopt(option, value)
            if not kept:
                _trim()
        self._kept = kept

    def after_fit(self) -> None:
        """Give back what is free, if it is more than the next fit of the kind may need."""
        if self._kept and _free_bytes() > self._kept:
            _trim()

    def wait(self, connection: socket.socket) -> None:
        """Wait for the next task without memory that nobody uses."""
        if self._kept and not select.select([connection], [], [], _IDLE_SECONDS)[0]:
            _trim()


@functools.cache
def _library() -> Any:
    """The C library, if it is one that can do this."""
    library = ctypes.CDLL(None)
    if not all(hasattr(library, name) for name in ("mallopt", "mallinfo2", "malloc_trim")):
        return None
    library.mallinfo2.restype = _Info
    library.malloc_trim.argtypes = [ctypes.c_size_t]
    return library


def _free_bytes() -> int:
    free: int = _library().mallinfo2().fordblks
    return free


def _trim() -> None:
    _library().malloc_trim(0)
