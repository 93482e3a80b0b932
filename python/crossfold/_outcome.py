"""What came back from a fit or call, turned into what the caller would have seen run at home."""

from __future__ import annotations

import importlib
import pickle
import sys
import warnings
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from crossfold._errors import CrossfoldError, PoisonFitError, RemoteError
from crossfold._objects import Objects
from crossfold.v1 import task_pb2 as pb


@dataclass(slots=True)
class Outcome:
    """How a unit ended: what it returned, or what it raised."""

    value: Any = None
    error: BaseException | None = None

    def get(self) -> Any:
        """Return the value or raise the error."""
        if self.error is not None:
            raise self.error
        return self.value


class _RemoteTraceback(Exception):
    """Shows the worker's traceback as the cause of an exception."""

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self.text = text

    def __str__(self) -> str:
        return f'\n"""\n{self.text.rstrip()}\n"""'


def outcome_of(result: pb.Result, objects: Objects) -> Outcome:
    """The outcome of a finished unit; its exception has the remote traceback as its cause."""
    if result.outcome == pb.OUTCOME_OK:
        return _returned(result, objects)
    failure = result.failure
    poison = result.outcome == pb.OUTCOME_POISON
    error = PoisonFitError(failure.message) if poison else _exception(failure, objects)
    if failure.traceback:
        error.__cause__ = _RemoteTraceback(failure.traceback)
    return Outcome(error=error)


def _returned(result: pb.Result, objects: Objects) -> Outcome:
    try:
        return Outcome(value=pickle.loads(objects.read(result.value)))
    except CrossfoldError as unreadable:
        return Outcome(error=unreadable)
    except Exception as cause:
        error = RemoteError(
            f"{type(cause).__name__}: what the worker returned can't be loaded here: {cause}. "
            "Import the modules that define its classes first, or return plain data."
        )
        error.__cause__ = cause
        return Outcome(error=error)


def _exception(failure: pb.Failure, objects: Objects) -> BaseException:
    if failure.HasField("pickle"):
        try:
            error = pickle.loads(objects.read(failure.pickle))
        except Exception:
            # Not every exception survives pickling: its type and text travelled apart.
            error = None
        if isinstance(error, BaseException):
            return error
    kind = _class(failure.type)
    if kind is None:
        return RemoteError(f"{failure.type}: {failure.message}")
    error = kind.__new__(kind, failure.message)
    # A __str__ of its own may need attributes that only __init__ sets.
    return error if _shows(error, failure.message) else RemoteError(f"{failure.type}: {failure.message}")


def _class(name: str) -> type[BaseException] | None:
    module, _, qualname = name.rpartition(".")
    try:
        kind = getattr(importlib.import_module(module), qualname)
    except Exception:
        return None
    return kind if isinstance(kind, type) and issubclass(kind, BaseException) else None


def _shows(error: BaseException, text: str) -> bool:
    try:
        return str(error) == text
    except Exception:
        return False


def show(output: str) -> None:
    """Write what a unit printed to the caller's standard output."""
    try:
        sys.stdout.write(output)
        sys.stdout.flush()
    except (OSError, ValueError, AttributeError):
        # A closed or missing stdout is no reason to lose results.
        return


def warn_again(remote: Iterable[pb.Warning]) -> None:
    """Issue workers' warnings in this thread, under the filters that hold here."""
    for warning in remote:
        try:
            category = pickle.loads(warning.category)
            message = category(warning.message)
        except Exception:
            category, message = UserWarning, UserWarning(warning.message)
        warnings.warn_explicit(message, category, warning.filename, warning.line)
