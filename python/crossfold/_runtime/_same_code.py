"""Whether this host's copies of the user's modules are those that a job was submitted with."""

from __future__ import annotations

import contextlib
import importlib
import importlib.util
import socket
from collections.abc import Callable, Mapping

from crossfold._errors import EnvironmentMismatch
from crossfold._sources import digest_of


class SameCode:
    """Compares the modules of each job once."""

    def __init__(self) -> None:
        self._compared: dict[str, str] = {}
        self._error: EnvironmentMismatch | None = None

    def refusal(self, modules: Mapping[str, str]) -> Callable[[object], None] | None:
        """What to do instead of a fit or call: raise EnvironmentMismatch, when a module's source differs
        from the client's; None when none does.

        A module that is not found is left to the fit: it may never import it.
        """
        if modules != self._compared:
            self._compared, self._error = dict(modules), _compare(modules)
        return self._refuse if self._error is not None else None

    def _refuse(self, _result: object) -> None:
        assert self._error is not None
        raise self._error


def _compare(modules: Mapping[str, str]) -> EnvironmentMismatch | None:
    importlib.invalidate_caches()
    for name, wanted in modules.items():
        file = _source_of(name)
        found = digest_of(file) if file else None
        if found is not None and found != wanted:
            return EnvironmentMismatch(
                f"the client's module {name} has SHA-256 {wanted[:12]}, but {file} on {socket.gethostname()} "
                f"has {found[:12]}: bring both hosts to the same version of it and run it again"
            )
    return None


def _source_of(name: str) -> str | None:
    # Looking for a submodule imports its package, which may fail in any way.
    with contextlib.suppress(Exception, SystemExit):
        spec = importlib.util.find_spec(name)
        return spec.origin if spec is not None and spec.has_location else None
    return None
