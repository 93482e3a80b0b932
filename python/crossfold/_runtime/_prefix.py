"""Sharing: equal work on equal data is done once for all fits of a split, where no bit can change.

While a fit runs, the transformers that lead its pipeline, and those in their branches, are watched:
a call of ``fit_transform`` or ``transform`` whose input is known, by where it came from, and whose
transformer is known to be safe (see `_safe`) has a key. What was made under that key by any process
of the host is taken over: attributes, output and warnings. Everything around it is scikit-learn's own.
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
import sys
import threading
import time
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import scipy.sparse
import sklearn
from sklearn.compose import ColumnTransformer, _column_transformer
from sklearn.metrics import _scorer
from sklearn.model_selection import _validation
from sklearn.pipeline import FeatureUnion, Pipeline
from sklearn.utils import get_tags, validation

from crossfold import _safe
from crossfold._environment import environment
from crossfold._runtime import _ways
from crossfold._runtime._families import Desk, Family
from crossfold._runtime._folds import Folds, SmallRows
from crossfold._runtime._parts import FOLDER, Made, Part, Parts, alone, size_of
from crossfold._runtime._solvers import Solver
from crossfold.v1 import task_pb2
from crossfold.v1.task_pb2 import Task

# Work below this is not worth a file, and neither is work quicker than reading its output.
_LEAST_SECONDS = 0.003
_BYTES_PER_SECOND = 2e9
# How many keys of such work are remembered.
_MOST_CHEAP = 100_000

_ARRAYS = (
    np.ndarray,
    scipy.sparse.csr_matrix,
    scipy.sparse.csr_array,
    scipy.sparse.csc_matrix,
    scipy.sparse.csc_array,
)
_COMPOSITES = (ColumnTransformer, FeatureUnion)
_SCORERS = (_scorer._Scorer, _scorer._PassthroughScorer)

_Call = Callable[..., Any]


def _phases() -> dict[str, float]:
    return {"fit": 0.0, "score": 0.0}


@dataclass(slots=True)
class Bill:
    """Who did the work of a fit, in seconds: while it fitted, and while it scored."""

    taken: dict[str, float] = field(default_factory=_phases)
    """Done by another fit."""
    given: dict[str, float] = field(default_factory=_phases)
    """Done by this one for all."""
    share: dict[str, float] = field(default_factory=_phases)
    """This fit's share of both."""
    waited: dict[str, float] = field(default_factory=_phases)
    """Spent waiting for another fit to finish it."""

    def settle(self, phase: str, wall: float) -> float:
        """The time to report: the fit's own part, and its share of what was done once for all."""
        return max(wall - self.waited[phase] - self.given[phase], 0.0) + self.share[phase]


class Sharing:
    """What one process takes over from others and leaves to them."""

    def __init__(self) -> None:
        self._parts = Parts()
        self._small = SmallRows()
        self._cheap: set[str] = set()
        self._latest: tuple[Task, tuple[Path, str]] | None = None

    @contextlib.contextmanager
    def fit(
        self,
        task: Task,
        sharers: int,
        store_dir: str,
        X: Any,
        scorer: Any,
        family: task_pb2.Family | None = None,
    ) -> Iterator[Bill]:
        """Watch one call of scikit-learn's fold fit on the split of ``task``.

        ``X`` is what the fit will cut its train and test parts from, ``sharers`` how many fits are known
        to share its prefix, ``family`` what is known of those whose models are cut from one. Nothing
        happens when the job says that it doesn't share prefixes.
        """
        if task.code.HasField("sharing") and not task.code.sharing.prefixes:
            yield Bill()
            return
        if len(self._cheap) > _MOST_CHEAP:
            self._cheap.clear()
        (folder, data_key), bill = self._place(task, store_dir), Bill()
        folds = Folds(self._parts, self._small, folder, data_key, task.split_fits, bill.waited)
        terms = _Terms(
            sharers=max(sharers, 1),
            family=family or task_pb2.Family(),
            solvers=task.code.sharing.solver,
            hasty=task.attempt > 0 or task.HasField("limits"),
        )
        watched = _Fit(self._parts, self._cheap, folder, data_key, bill, folds, X, scorer, terms)
        with contextlib.ExitStack() as stack:
            watched.watch(stack)
            yield bill

    def _place(self, task: Task, store_dir: str) -> tuple[Path, str]:
        """The folder of the session's parts, and the name of a task's data; asked for every fit of it."""
        if self._latest is None or self._latest[0] is not task:
            self._latest = (task, (Path(store_dir, FOLDER, task.session_id), _data_key(task)))
        return self._latest[1]


def _data_key(task: Task) -> str:
    """Everything that X, y and the split of a fit depend on, and the job: what is shared is its own."""
    code = task.code
    names = (code.recipe.target, *code.recipe.features)
    return _digest(task.job_id, task.dataset_id, task.split.id, str(code.threads), *names)


@dataclass(frozen=True, slots=True)
class _Terms:
    """What the task says about sharing the work of a fit."""

    sharers: int
    """How many fits are known to share its prefix."""
    family: task_pb2.Family
    """What is known of those whose models are cut from one."""
    solvers: bool
    """Whether candidates may share a solver's work."""
    hasty: bool
    """Whether the fit does not stop to do more than its own: it was lost before, or it has limits."""


class _Fit:
    """One fit: which of its values are known, and by what name."""

    def __init__(
        self,
        parts: Parts,
        cheap: set[str],
        folder: Path,
        data_key: str,
        bill: Bill,
        folds: Folds,
        X: Any,
        scorer: Any,
        terms: _Terms,
    ) -> None:
        self.bill = bill
        self._terms = terms
        self._folds = folds
        self._parts = parts
        self._cheap = cheap
        self._folder = folder
        self._data_key = data_key
        self._X = X
        # A scorer of the person's own is handed the estimator and X: it could change both.
        self._exposed = not _is_plain(scorer)
        self._thread = threading.get_ident()
        self._climate: tuple[Any, ...] = ()
        # By id; the objects are kept alive, so that an id stays what it is.
        self._values: dict[int, tuple[Any, str]] = {}
        self._fitted: dict[int, tuple[Any, str]] = {}
        self._last: Any = None
        self._family: Family | Solver | None = None
        self._target: Any = None
        self._sides = 0
        self._converts = False
        self._stack: contextlib.ExitStack | None = None

    def watch(self, stack: contextlib.ExitStack) -> None:
        """Look on from where the data is split until the stack is closed."""
        self._stack = stack
        _replace(stack, _validation, "_safe_split", self._split)
        stack.callback(self._folds.close)

    def _split(self, original: _Call, estimator: Any, X: Any, y: Any, *rows: Any) -> Any:
        if X is not self._X or self._sides == 2 or threading.get_ident() != self._thread:
            return original(estimator, X, y, *rows)
        values, target = self._folds.split(original, estimator, X, y, *rows)
        self._sides += 1
        if self._folds.may_convert and not self._converts:
            # Small rows are never converted for others: their fits are spared the detour.
            self._converts = True
            assert self._stack is not None
            _replace(self._stack, validation, "_asarray_with_order", self._folds.convert)
        if self._sides == 1:
            self._begin(estimator, values, target)
        elif (self._last is not None or self._family is not None) and not self._exposed:
            self._name(values, _digest("test", self._data_key))
        return values, target

    def _begin(self, estimator: Any, values: Any, target: Any) -> None:
        """Watch the transformers that lead a pipeline, and its last step if it is of a family or solver."""
        leading = [step for _, step in _safe.leading_steps(estimator)]
        self._family = Family.of(estimator, leading, self._terms.family, target, self._desk())
        if self._family is None and self._terms.solvers:
            self._family = Solver.of(estimator, leading, target, self._desk())
        if not leading and self._family is None:
            return
        self._climate = _climate()
        self._data_key = _digest(
            self._data_key, _versions(), repr(self._climate), repr(get_tags(estimator).input_tags.pairwise)
        )
        self._last, self._target = leading[-1] if leading else None, target
        self._name(values, _digest("train", self._data_key))
        assert self._stack is not None
        for kind in set(_kinds(leading)):
            _replace(self._stack, kind, "fit_transform", self._fit_transform)
            _replace(self._stack, kind, "transform", self._transform)
            if kind is ColumnTransformer:
                _replace(self._stack, _column_transformer, "_safe_indexing", self._columns)
        if self._family is not None:
            self._family.watch(functools.partial(_replace, self._stack))

    def _desk(self) -> Desk:
        """What a family is handed."""
        return Desk(
            self._parts,
            self._cheap,
            self._folder,
            self.bill,
            self._named,
            _digest,
            _is_worth,
            self._terms.hasty,
        )

    # What the watched functions do instead. All of them begin with the function they replace.

    def _columns(self, original: _Call, X: Any, columns: Any, **kwargs: Any) -> Any:
        values = original(X, columns, **kwargs)
        known, text = self._named(X), _safe.describe_value(columns)
        if known is not None and text is not None:
            self._name(values, _digest("columns", known, text))
        return values

    def _fit_transform(self, original: _Call, transformer: Any, X: Any, y: Any = None, **params: Any) -> Any:
        call = functools.partial(original, transformer, X, y, **params)
        known = self._named(X)
        text = _safe.describe(transformer) if known is not None and not params else None
        if known is None or text is None or (y is not None and y is not self._target):
            return call()
        key = _digest("fit_transform", known, text, repr(y is None))
        values = self._once(key, "fit", transformer, call, X)
        if not _safe.is_settled(transformer):
            self._forget(values)
        elif self._named(values) is not None:
            self._fitted[id(transformer)] = (transformer, key)
        if transformer is self._last and self._family is None:
            # The next one is the person's own: it may change in place what it is given.
            self._forget(values)
        return values

    def _transform(self, original: _Call, transformer: Any, X: Any, **params: Any) -> Any:
        call = functools.partial(original, transformer, X, **params)
        known, fitted = self._named(X), self._fitted.get(id(transformer))
        if known is None or fitted is None or params:
            return call()
        values = self._once(_digest("transform", known, fitted[1]), "score", transformer, call, X)
        if transformer is self._last and self._family is None:
            self._forget(values)
        return values

    # Doing work once.

    def _once(self, key: str, phase: str, transformer: Any, call: _Call, X: Any) -> Any:
        """Return what a call returns, and name it. Its work is done, or taken over."""
        if key in self._cheap or type(transformer) in _COMPOSITES:
            values = call()
            self._name(values, key)
            return values
        file = self._folder / f"{key}.part"
        part = self._parts.find(file)
        if part is None:
            with alone(file) as waited:
                self.bill.waited[phase] += waited
                part = self._parts.find(file)
                if part is None:
                    return self._make(file, key, phase, transformer, call, X)
        return self._take(part, key, phase, transformer)

    def _make(self, file: Path, key: str, phase: str, transformer: Any, call: _Call, X: Any) -> Any:
        before = dict(vars(transformer))
        began = time.perf_counter()
        with _overheard() as notes:
            values = call()
        seconds = time.perf_counter() - began
        if not _is_own(values, X):
            return values
        self._name(values, key)
        size = size_of(values)
        if not _is_worth(seconds, size):
            self._cheap.add(key)
        elif _safe.is_settled(transformer):
            state = {name: it for name, it in vars(transformer).items() if before.get(name, before) is not it}
            kept = seconds / self._terms.sharers
            self._parts.publish(file, Made(values, state, notes, seconds, kept))
            self.bill.given[phase] += seconds
            self.bill.share[phase] += kept
            _ways.note("prefix: fitted for all")
        return values

    def _take(self, part: Part, key: str, phase: str, transformer: Any) -> Any:
        vars(transformer).update(part.state(fresh=self._exposed))
        for note in part.notes:
            _repeat(note)
        values = part.value()
        self.bill.taken[phase] += part.seconds
        # More fits may be known to share it now than when it was made.
        self.bill.share[phase] += (part.seconds - part.kept) / max(self._terms.sharers - 1, 1)
        _ways.note("prefix: taken over")
        self._name(values, key)
        return values

    # Names of values.

    def _name(self, value: Any, name: str) -> None:
        self._values[id(value)] = (value, name)

    def _forget(self, value: Any) -> None:
        self._values.pop(id(value), None)

    def _named(self, value: Any) -> str | None:
        """The name of a value; None for an unknown one, and where what holds around the call has changed."""
        known = self._values.get(id(value))
        if known is None or threading.get_ident() != self._thread or _climate() != self._climate:
            return None
        return known[1]


def _kinds(transformers: list[Any]) -> Iterator[type]:
    """The classes to watch. A pipeline in a branch only calls its steps."""
    for transformer in transformers:
        if type(transformer) is not Pipeline:
            yield type(transformer)
        yield from _kinds(list(_safe.parts(transformer)))


def _is_plain(scorer: Any) -> bool:
    """Whether a scorer shows the estimator and X to nothing but scikit-learn."""
    if type(scorer) is _scorer._MultimetricScorer:
        return all(map(_is_plain, scorer._scorers.values()))
    return scorer is None or type(scorer) in _SCORERS


def _is_own(values: Any, X: Any) -> bool:
    """Whether values can be kept and come back equal: arrays that are no view of what they were made from."""
    if type(values) not in _ARRAYS or values is X:
        return False
    if scipy.sparse.issparse(values):
        return not any(_overlap(part, X) for part in (values.data, values.indices, values.indptr))
    plain = values.dtype.kind in "biufc" and (values.flags.c_contiguous or values.flags.f_contiguous)
    return plain and not _overlap(values, X)


def _overlap(array: Any, X: Any) -> bool:
    sources = (X.data, X.indices, X.indptr) if scipy.sparse.issparse(X) else (X,)
    return any(isinstance(source, np.ndarray) and np.may_share_memory(array, source) for source in sources)


def _is_worth(seconds: float, size: int) -> bool:
    """Whether work of some seconds is worth a file of some bytes."""
    return seconds >= _LEAST_SECONDS + size / _BYTES_PER_SECOND


def _climate() -> tuple[Any, ...]:
    """What scikit-learn's and numpy's functions depend on beside their arguments."""
    filters = [tuple(getattr(part, "pattern", part) for part in each) for each in warnings.filters]
    return (sklearn.get_config(), np.geterr(), filters)


@functools.cache
def _versions() -> str:
    return repr(environment())


def _digest(*parts: str) -> str:
    return hashlib.sha256("\0".join(parts).encode(errors="surrogatepass")).hexdigest()


def _replace(stack: contextlib.ExitStack, owner: Any, name: str, instead: _Call) -> None:
    """Let ``instead(original, ...)`` answer calls of a function until the stack is closed."""
    original = getattr(owner, name)
    own = vars(owner).get(name)
    setattr(owner, name, _answer(owner, original, instead))
    stack.callback(delattr, owner, name) if own is None else stack.callback(setattr, owner, name, own)


def _answer(owner: Any, original: _Call, instead: _Call) -> _Call:
    if not isinstance(owner, type):
        return functools.partial(instead, original)

    # Others may look at the signature of a method.
    @functools.wraps(original)
    def answer(*args: Any, **kwargs: Any) -> Any:
        if type(args[0]) is not owner:
            return original(*args, **kwargs)
        return instead(original, *args, **kwargs)

    return answer


# Warnings: what a call showed is shown again for every fit that takes its work over.


@contextlib.contextmanager
def _overheard() -> Iterator[list[Any]]:
    """Yield a list that gets every warning shown in the block; it is shown all the same."""
    notes: list[Any] = []
    show = warnings.showwarning

    def note(message: Any, category: Any, filename: str, lineno: int, *rest: Any, **more: Any) -> None:
        notes.append((message, category, filename, lineno))
        show(message, category, filename, lineno, *rest, **more)

    warnings.showwarning = note
    try:
        yield notes
    finally:
        warnings.showwarning = show


def _repeat(note: Any) -> None:
    """Give a warning as the module gave it that it came from: "once per place" holds as it would have."""
    message, category, filename, lineno = note
    module = _modules().get(filename)
    name = None if module is None else module.__name__
    registry = None if module is None else module.__dict__.setdefault("__warningregistry__", {})
    warnings.warn_explicit(message, category, filename, lineno, module=name, registry=registry)


def _modules() -> dict[str, Any]:
    return {getattr(module, "__file__", None) or "": module for module in list(sys.modules.values())}
