"""What a fit prints and warns, kept for its result."""

from __future__ import annotations

import io
import pickle
import sys
import warnings
from typing import TYPE_CHECKING, TextIO

import cloudpickle

from crossfold.v1.task_pb2 import Warning as WarningMessage

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer

OUTPUT_LIMIT = 512 * 1024
"""Most output of one unit in bytes: its result must fit a message of 1 MiB."""

WARNING_LIMIT = 100
"""Most warnings of one unit."""

TEXT_LIMIT = 8 * 1024
"""Longest text of one warning in characters."""


class Capture:
    """Stands in for sys.stdout, sys.stderr and the showing of warnings, for the whole process."""

    def __init__(self) -> None:
        self._sink = _Sink()
        self._warnings: list[WarningMessage] = []
        self._skipped_warnings = 0
        self._streams = [_Stream(self._sink, descriptor) for descriptor in (1, 2)]

    def install(self) -> None:
        """Replace the streams, and the hook through which Python shows a warning.

        Code that records warnings itself (``catch_warnings(record=True)``) keeps doing so: Python
        puts its own hook back for the time of the block.
        """
        sys.stdout, sys.stderr = self._streams
        warnings.showwarning = self._show

    def take(self) -> tuple[str, list[WarningMessage]]:
        """Return the output and the warnings since the last call."""
        if not self._sink.size and not self._warnings:
            return "", []
        output, shown = self._sink.take(), self._warnings
        if self._skipped_warnings:
            output += f"\n[crossfold: {self._skipped_warnings} more warnings were not kept]\n"
        self._warnings, self._skipped_warnings = [], 0
        return output, shown

    def _show(
        self,
        message: Warning | str,
        category: type[Warning],
        filename: str,
        lineno: int,
        file: TextIO | None = None,
        line: str | None = None,
    ) -> None:
        if file is not None:
            file.write(warnings.formatwarning(message, category, filename, lineno, line))
        elif len(self._warnings) < WARNING_LIMIT:
            text = str(message)
            if len(text) > TEXT_LIMIT:
                text = text[:TEXT_LIMIT] + f" [crossfold: cut from {len(text)} characters]"
            self._warnings.append(
                WarningMessage(
                    category=_pickle_category(category),
                    message=_encodable(text),
                    filename=_encodable(filename),
                    line=lineno,
                )
            )
        else:
            self._skipped_warnings += 1


class _Sink(io.BufferedIOBase):
    """Keeps the first bytes written and counts the rest."""

    def __init__(self) -> None:
        self.size = 0
        self._kept = bytearray()

    def writable(self) -> bool:
        return True

    def write(self, data: ReadableBuffer, /) -> int:
        size = memoryview(data).nbytes
        room = OUTPUT_LIMIT - len(self._kept)
        if room > 0:
            self._kept += memoryview(data).cast("B")[:room]
        self.size += size
        return size

    def take(self) -> str:
        text = self._kept.decode(errors="replace")
        if self.size > len(self._kept):
            text += f"\n[crossfold: output cut from {self.size} bytes]\n"
        self.size = 0
        self._kept = bytearray()
        return text


class _Stream(io.TextIOWrapper):
    """A text stream into the sink; its descriptor is the log, for code that passes it on."""

    def __init__(self, sink: _Sink, descriptor: int) -> None:
        super().__init__(sink, encoding="utf-8", errors="backslashreplace", write_through=True)  # type: ignore[arg-type]
        self._descriptor = descriptor

    def fileno(self) -> int:
        return self._descriptor


def _pickle_category(category: type[Warning]) -> bytes:
    for dumps in (pickle.dumps, cloudpickle.dumps):
        try:
            return dumps(category, protocol=5)
        except Exception:
            continue
    return pickle.dumps(UserWarning, protocol=5)


def _encodable(text: str) -> str:
    """Replace lone surrogates: a message holds UTF-8."""
    return text.encode(errors="backslashreplace").decode()
