"""The page that a child shares with Go: with what was sent it holds the whole stream at any time."""

from __future__ import annotations

import os
import socket
import struct

from hypothesis import given
from hypothesis import strategies as st

from crossfold._runtime._page import Page

SIZE = 256
LONG = 3 * SIZE


@given(st.lists(st.one_of(st.none(), st.binary(max_size=LONG)), max_size=40))
def test_what_was_sent_and_what_is_kept_are_all_that_was_added(steps: list[bytes | None]) -> None:
    descriptor = os.memfd_create("page")
    os.ftruncate(descriptor, SIZE)
    mine, theirs = socket.socketpair()
    mine.setblocking(False)
    added = received = b""
    with mine, theirs, Page(os.dup(descriptor), theirs) as page:
        for step in steps:
            if step is None:
                page.send()
            else:
                page.add(step)
                added += step
            received += _arrived(mine)
            _, position, kept = struct.unpack("<QQQ", os.pread(descriptor, 24, 0))
            assert position == len(received)
            assert received + os.pread(descriptor, kept, 24) == added
            assert page.keeps == bool(kept)
    os.close(descriptor)


def _arrived(connection: socket.socket) -> bytes:
    try:
        return connection.recv(1 << 20)
    except BlockingIOError:
        return b""
