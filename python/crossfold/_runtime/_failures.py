"""Exceptions as messages."""

from __future__ import annotations

import pickle
import re
import traceback

from crossfold import _arrow
from crossfold._runtime import _objects
from crossfold.v1.task_pb2 import Failure

TEXT_LIMIT = 64 * 1024
"""Longest message or traceback in characters."""

# The frames that stand between scikit-learn and an estimator whose work is shared.
_WATCHERS = re.compile(
    r'  File "[^"]*/_runtime/_(?:prefix|families|cuts|neighbours|folds|solvers)\.py", line \d+, in \S+\n'
    r"(?:    .*\n)*"
)

_LAST_LINE = re.compile(r"^([A-Za-z_][\w.]*)(?:: (.*))?\Z", re.DOTALL | re.MULTILINE)


def from_exception(error: BaseException, store_dir: str) -> Failure:
    """Describe an exception; its pickle is added only when it comes back the same."""
    where = error.__traceback__
    while where is not None and where.tb_frame.f_globals.get("__package__") == __package__:
        where = where.tb_next  # the user's own frames start below ours
    lines = traceback.format_exception(type(error), error, where)
    failure = Failure(
        type=f"{type(error).__module__}.{type(error).__qualname__}",
        message=_short(_text(error)),
        traceback=_short(as_unwatched("".join(lines))),
    )
    data = _round_trip(error)
    if data is not None:
        failure.pickle.CopyFrom(_arrow.make_value(store_dir, data))
    return failure


def from_traceback(text: str) -> Failure:
    """Describe an exception of which only the printed traceback is left."""
    last = text.rstrip().rpartition("\n  File ")[2]
    found = next((m for m in _LAST_LINE.finditer(last) if m.start()), None)
    kind, message = found.groups(default="") if found else ("Exception", "")
    return Failure(type=kind, message=_short(message), traceback=_short(text))


def as_unwatched(traceback_text: str) -> str:
    """Take the frames that watch a fit out of a printed traceback: it reads as scikit-learn's alone."""
    return _WATCHERS.sub("", traceback_text)


def _round_trip(error: BaseException) -> bytes | None:
    """Pickle an exception, if it unpickles to the same type and text: some only raise then."""
    try:
        data = _objects.dumps(error)
        copy = pickle.loads(data)
        return data if type(copy) is type(error) and _text(copy) == _text(error) else None
    except Exception:
        return None


def _text(error: BaseException) -> str:
    try:
        return str(error)
    except Exception as broken:
        return f"<str() of the exception raised {type(broken).__name__}>"


def _short(text: str) -> str:
    if len(text) > TEXT_LIMIT:
        half = TEXT_LIMIT // 2
        text = f"{text[:half]}\n[crossfold: cut from {len(text)} characters]\n{text[-half:]}"
    return text.encode(errors="backslashreplace").decode()
