"""The user's own modules: they travel by name, so the copies on both sides must be equal."""

from __future__ import annotations

import contextlib
import functools
import hashlib
import os
import sys
import sysconfig
import types

from crossfold._errors import CrossfoldError
from crossfold._pickling import dumps

_INSTALLED = tuple(
    os.path.join(os.path.realpath(sysconfig.get_path(kind)), "")
    for kind in ("stdlib", "platstdlib", "purelib", "platlib")
)

# What this process has sent: the next job says it again, so that processes which have it imported suit.
_sent: set[str] = set()


def needed_by(value: object, pickled: bytes = b"") -> dict[str, str]:
    """The user's own modules that a value and a pickle name, and what those use in turn: name to the
    SHA-256 of the source in hex."""
    own = own_modules()
    if own:
        # One that can't be pickled is explained where it is sent.
        with contextlib.suppress(CrossfoldError):
            pickled += dumps(value, "The code", share=lambda array: "")
        _sent.update(_closure({name for name in own if _token(name) in pickled}, own))
    return {name: digest for name in sorted(_sent & own.keys()) if (digest := digest_of(own[name]))}


def own_modules() -> dict[str, str]:
    """Modules that are imported here and were not installed: name to source file."""
    found = {}
    for name, module in list(sys.modules.items()):
        file = getattr(module, "__file__", None)
        if file and is_own(name, file):
            found[name] = file
    return found


def is_own(name: str, file: str) -> bool:
    """Whether a module is the user's own: a source file that no installation put where it is."""
    if name == "__main__" or name.partition(".")[0] == "crossfold" or not file.endswith(".py"):
        return False
    return not _is_installed(file)


def digest_of(file: str) -> str | None:
    """The SHA-256 of a source file in hex; None when it can't be read."""
    try:
        state = os.stat(file)
        return _digest(file, state.st_mtime_ns, state.st_size)
    except OSError:
        return None


@functools.lru_cache(maxsize=4096)
def _digest(file: str, _changed: int, _size: int) -> str:
    with open(file, "rb") as source:
        return hashlib.file_digest(source, "sha256").hexdigest()


@functools.lru_cache(maxsize=16384)
def _is_installed(file: str) -> bool:
    path = _real_path(os.path.abspath(file))
    return path.startswith(_INSTALLED) or f"{os.sep}site-packages{os.sep}" in path


def _real_path(path: str) -> str:
    """os.path.realpath of an absolute path, asking for each folder once: a script has 1,500 modules."""
    if os.path.islink(path):
        return os.path.realpath(path)
    folder, name = os.path.split(path)
    return os.path.join(_real_folder(folder), name) if name else path


_real_folder = functools.lru_cache(maxsize=16384)(_real_path)


def _token(name: str) -> bytes:
    """How a pickle of protocol 4 and later holds a string: a name that is part of another one differs."""
    text = name.encode()
    return b"\x8c" + len(text).to_bytes(1) + text if len(text) < 256 else text


def _closure(names: set[str], own: dict[str, str]) -> set[str]:
    """Modules, the packages they are in, and what their globals come from."""
    found: set[str] = set()
    pending = list(names)
    while pending:
        name = pending.pop()
        if name in found or name not in own:
            continue
        found.add(name)
        pending.append(name.rpartition(".")[0])
        for value in list(vars(sys.modules[name]).values()):
            origin = (
                value.__name__ if isinstance(value, types.ModuleType) else getattr(value, "__module__", None)
            )
            if isinstance(origin, str):
                pending.append(origin)
    return found
