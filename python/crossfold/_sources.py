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
    os.path.join(resolve(sysconfig.get_path(kind)), "")
    for kind in ("stdlib", "platstdlib", "purelib", "platlib")
    for resolve in (os.path.abspath, os.path.realpath)
)

# What this process has sent: the next job says it again, so that processes which have it imported suit.
_sent: set[str] = set()

# What was found of each module that was ever imported here: there are thousands. Those of an installed
# package are not looked at one by one.
_is_own: dict[str, bool] = {}
_is_installed: dict[str, bool] = {}


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
    for name in set(sys.modules) - _is_own.keys():
        package = name.partition(".")[0]
        if package not in _is_installed:
            _is_installed[package] = _lies_in_installed(package)
        _is_own[name] = not _is_installed[package] and is_own(name, _file_of(name))
    return {name: _file_of(name) for name, own in list(_is_own.items()) if own and name in sys.modules}


def _lies_in_installed(package: str) -> bool:
    """Whether all of a package is where installations put it."""
    folders = getattr(sys.modules.get(package), "__dict__", {}).get("__path__")
    return isinstance(folders, list) and bool(folders) and all(map(_is_put_there, folders))


def _file_of(name: str) -> str:
    # Not getattr: a module that is loaded lazily would be loaded by the question.
    file = getattr(sys.modules.get(name), "__dict__", {}).get("__file__")
    return file if isinstance(file, str) else ""


def is_own(name: str, file: str) -> bool:
    """Whether a module is the user's own: a source file that no installation put where it is."""
    if name == "__main__" or name.partition(".")[0] == "crossfold" or not file.endswith(".py"):
        return False
    return not _is_put_there(file)


def _is_put_there(file: str) -> bool:
    # Not only this environment's: one may see the packages of another.
    if file.startswith(_INSTALLED) or {"site-packages", "dist-packages"} & set(file.split(os.sep)):
        return True
    return os.path.realpath(file).startswith(_INSTALLED)


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
        pending.extend(map(_origin, list(vars(sys.modules[name]).values())))
    return found


def _origin(value: object) -> str:
    """The module that a value is, or that it or its class comes from."""
    if isinstance(value, types.ModuleType):
        return str(vars(value).get("__name__", ""))
    owner = value if isinstance(value, type | types.FunctionType) else type(value)
    return str(getattr(owner, "__module__", ""))
