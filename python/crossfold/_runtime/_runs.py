"""Runs: rows that lie together in the store are mapped, not copied.

Without shuffling, most train and test rows of a fold are one or two runs of a dataset's rows. The longest
run is mapped from the dataset's file a second time, privately, and only the others are copied next to it:
of ten folds of a gigabyte that is a fifth of what copying all would take, in time and in memory.
"""

from __future__ import annotations

import contextlib
import ctypes
import mmap
import os
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

# About how many rows are looked at before all are.
_LOOKED_AT = 1024
# Of <sys/mman.h>: Python's mmap module does not name it.
_MAP_FIXED = 0x10
# Arrays of numpy's own begin where malloc lets them: anywhere else, loops that look at the alignment could
# run another way.
_ALIGNMENT = 16

_mmap = ctypes.CDLL(None, use_errno=True).mmap
_mmap.restype = ctypes.c_void_p
_mmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t, *[ctypes.c_int] * 3, ctypes.c_long]


@dataclass(frozen=True, slots=True)
class _File:
    """Where memory comes from: the open file, and the position of the memory's first byte."""

    descriptor: int
    position: int


def take(X: NDArray[Any], rows: NDArray[np.int64], most_copied: float) -> NDArray[Any] | None:
    """Return ``X[rows]``, the taker's own: it may be written to, and nobody else sees that.

    None where more than a share ``most_copied`` of the rows would have to be copied, or X is not the
    memory of a file.
    """
    least = len(rows) - int(most_copied * len(rows))
    if not X.flags.c_contiguous or not len(rows) or not _may_hold(rows, least):
        return None
    run = _longest_run(rows)
    if len(run) < least or rows.min() < 0 or rows.max() >= len(X):
        return None
    with contextlib.suppress(OSError), contextlib.ExitStack() as stack:
        file = _file_of(X, stack)
        return None if file is None else _composed(X, rows, run, file)
    return None


def _may_hold(rows: NDArray[np.int64], least: int) -> bool:
    """Whether there can be a run of so many rows, by a look at some: of most rows that are in no order,
    and are cheap to copy, all would cost more."""
    step = max(len(rows) // _LOOKED_AT, 1)
    return bool(np.count_nonzero(np.diff(rows[::step]) == step) >= least // step - 1)


def _longest_run(rows: NDArray[np.int64]) -> range:
    """Where most rows follow each other."""
    places = np.r_[0, np.flatnonzero(np.diff(rows) != 1) + 1, len(rows)]
    longest = int(np.diff(places).argmax())
    return range(int(places[longest]), int(places[longest + 1]))


def _composed(X: NDArray[Any], rows: NDArray[np.int64], run: range, file: _File) -> NDArray[Any] | None:
    row = X.nbytes // len(X)
    position = file.position + int(rows[run.start]) * row
    # The run lies on its pages as in the file, and everything else around it.
    start = (position - run.start * row) % mmap.PAGESIZE
    if start % _ALIGNMENT:
        return None
    room = mmap.mmap(-1, start + len(rows) * row, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    with contextlib.suppress(AttributeError, OSError):  # where there are none; numpy asks for them, too
        room.madvise(mmap.MADV_HUGEPAGE)
    begin, end = start + run.start * row, start + run.stop * row
    before = begin % mmap.PAGESIZE
    _overlay(room, begin - before, end, file.descriptor, position - before)
    taken = np.frombuffer(room, X.dtype, len(rows) * row // X.itemsize, start).reshape(-1, *X.shape[1:])
    for rest in (slice(run.start), slice(run.stop, None)):
        np.take(X, rows[rest], axis=0, out=taken[rest], mode="clip")
    return taken


def _overlay(room: mmap.mmap, begin: int, end: int, descriptor: int, position: int) -> None:
    """Put a private mapping of a file over a part of anonymous memory; both go when ``room`` does."""
    base = ctypes.addressof(ctypes.c_char.from_buffer(room))
    access, kind = mmap.PROT_READ | mmap.PROT_WRITE, mmap.MAP_PRIVATE | _MAP_FIXED
    if _mmap(base + begin, end - begin, access, kind, descriptor, position) != base + begin:
        raise OSError(ctypes.get_errno(), "mmap")


def _file_of(X: NDArray[Any], stack: contextlib.ExitStack) -> _File | None:
    """Open the file whose unchanged content an array is; None if there is none."""
    begin, end = X.ctypes.data, X.ctypes.data + X.nbytes
    with open("/proc/self/maps", encoding="utf-8", errors="surrogateescape") as mappings:
        for line in mappings:
            addresses, access, offset, _, inode, *path = line.split(maxsplit=5)
            low, high = (int(address, 16) for address in addresses.split("-"))
            if low <= begin and end <= high:
                if "w" in access or not path:
                    return None
                descriptor = os.open(path[0].rstrip("\n"), os.O_RDONLY)
                stack.callback(os.close, descriptor)
                if os.fstat(descriptor).st_ino != int(inode):
                    return None
                return _File(descriptor, int(offset, 16) + begin - low)
    return None
