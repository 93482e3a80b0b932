"""What a process keeps of the memory its fits free: in a process of its own, since it is the C library's."""

from __future__ import annotations

import subprocess
import sys

SCRIPT = """
import socket
import numpy as np
from crossfold._runtime import _memory

MB = 1 << 20

def resident():
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * 4096 // MB

def fit(megabytes):
    np.ones(megabytes * MB, np.uint8)
    memory.after_fit()
    return resident() - before

memory = _memory.Memory()
before = resident()
print(fit(200), end=" ")  # nothing is known of the data
memory.expect(100 * MB)
print(fit(200), end=" ")
print(fit(900), end=" ")  # more than thrice the data
print(fit(200), end=" ")
one, other = socket.socketpair()
other.send(b"task")
memory.wait(one)
print(resident() - before, end=" ")
one.recv(4)
_memory._IDLE_SECONDS = 0.01
memory.wait(one)
print(resident() - before, end=" ")
print(fit(200), end=" ")
memory.expect(MB)
print(resident() - before, fit(200))
"""


def test_free_memory_is_kept_for_fits_on_large_data_and_not_for_ever() -> None:
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT], capture_output=True, text=True, check=True, timeout=60
    )
    kept = [int(megabytes) > 150 for megabytes in done.stdout.split()]
    names = "unknown, large, much_larger, again, busy, idle, next, small, small_fit".split(", ")
    assert dict(zip(names, kept, strict=True)) == {
        "unknown": False,
        "large": True,
        "much_larger": False,
        "again": True,
        "busy": True,
        "idle": False,
        "next": True,
        "small": False,
        "small_fit": False,
    }, done.stdout
