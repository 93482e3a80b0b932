"""Files that processes of a host hand each other."""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO


@contextlib.contextmanager
def whole(file: Path) -> Iterator[BinaryIO]:
    """Yield a file to write to that appears under its name when the block has succeeded."""
    fd, temporary = tempfile.mkstemp(prefix=f".tmp-{os.getpid()}-", dir=file.parent)
    try:
        with open(fd, "wb") as target:
            yield target
        os.rename(temporary, file)
    except BaseException:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(temporary)
        raise
