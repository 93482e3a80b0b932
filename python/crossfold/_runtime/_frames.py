"""Frames: a 4-byte little-endian length and that many bytes of one protobuf message."""

from __future__ import annotations

import socket
import struct
from typing import Protocol

HEADER = struct.Struct("<I")
MAX_FRAME = 256 << 20
"""Longest frame in bytes."""


class Message(Protocol):
    """What this module needs of a protobuf message."""

    def SerializeToString(self) -> bytes: ...


class Reader(Protocol):
    """What this module needs of a buffered stream."""

    def read(self, size: int, /) -> bytes: ...


def encode(message: Message) -> bytes:
    """Return the frame of a message. Raises ValueError above 256 MiB."""
    body = message.SerializeToString()
    if len(body) > MAX_FRAME:
        raise ValueError(f"a frame of {len(body)} bytes is above the limit of {MAX_FRAME}")
    return HEADER.pack(len(body)) + body


def read(stream: Reader) -> bytes | None:
    """Read one frame's body from a buffered stream; None at its end, also in mid-frame."""
    header = stream.read(HEADER.size)
    if len(header) < HEADER.size:
        return None
    (size,) = HEADER.unpack(header)
    body = stream.read(check_size(size))
    return body if len(body) == size else None


def check_size(size: int) -> int:
    """Return a frame's length. Raises ValueError above 256 MiB."""
    if size > MAX_FRAME:
        raise ValueError(f"a frame of {size} bytes is above the limit of {MAX_FRAME}: the peers disagree")
    return size


def receive_with_descriptors(connection: socket.socket) -> tuple[bytes, list[int]] | None:
    """Read one frame and the descriptors that came with it; None at the end of the stream.

    For a peer that sends its next frame only after an answer: what arrives is one frame.
    """
    data = b""
    descriptors: list[int] = []
    size = HEADER.size
    while len(data) < size:
        chunk, received, _flags, _address = socket.recv_fds(connection, 1 << 16, 8)
        descriptors += received
        if not chunk:
            return None
        data += chunk
        if len(data) >= HEADER.size:
            size = HEADER.size + check_size(HEADER.unpack_from(data)[0])
    return data[HEADER.size :], descriptors
