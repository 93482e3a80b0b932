"""The options prune= and policy= of the drop-in searches."""

from __future__ import annotations

import functools
import inspect
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, TypeVar

from crossfold._policies import PolicyFile, Select
from crossfold._pruning import pruning
from crossfold.v1 import job_pb2 as pb

C = TypeVar("C", bound=type)

_DOCUMENTATION = """
    prune : str or dict, default=None
        Ends candidates after a fold when they are not worth their remaining ones: "median", "percentile",
        "halving" or "race", or a dict of "rule" and its settings, such as
        {"rule": "percentile", "keep": 25.0}. Folds that were not run score NaN; what was run is exact.

    policy : path, default=None
        A file of rules, docs/policies.md: its `prune(trial, history)` prunes, unless `prune` says how, and
        its `select(results)` chooses the best candidate, unless `refit` is a callable or False.
    """

_wanted: ContextVar[pb.Pruning | None] = ContextVar("pruning", default=None)


def take_pruning() -> pb.Pruning | None:
    """What prunes the run that begins now; the next one in this thread is not the search's own."""
    wanted = _wanted.get()
    _wanted.set(None)
    return wanted


def takes_rules(search: C) -> C:
    """Give a search class the keyword-only parameters prune and policy."""
    plain_init, plain_fit = search.__init__, search.fit  # type: ignore[misc, attr-defined]

    @functools.wraps(plain_init)
    def init(self: Any, *args: Any, prune: Any = None, policy: Any = None, **options: Any) -> None:
        plain_init(self, *args, **options)
        self.prune = prune
        self.policy = policy

    signature = inspect.signature(plain_init)
    own = [
        inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=None) for name in ("prune", "policy")
    ]
    init.__signature__ = signature.replace(parameters=[*signature.parameters.values(), *own])  # type: ignore[attr-defined]

    @functools.wraps(plain_fit)
    def fit(self: Any, X: Any, y: Any = None, **params: Any) -> Any:
        with _deciding(self):
            return plain_fit(self, X, y, **params)

    search.__init__ = init  # type: ignore[misc]
    search.fit = fit  # type: ignore[attr-defined]
    search.__doc__ = f"{search.__doc__ or ''}{_DOCUMENTATION}"
    return search


@contextmanager
def _deciding(search: Any) -> Iterator[None]:
    """Tell the run of a fit what prunes it; meanwhile the policy's `select` stands in for refit."""
    if search.prune is None and search.policy is None:
        yield
        return
    metric = search.refit if isinstance(search.refit, str) else "score"
    wanted = pruning(search.prune, search.policy, metric)
    token = _wanted.set(wanted)
    try:
        with warnings.catch_warnings(), _selecting(search, metric):
            if wanted is not None:
                # They are what was asked for.
                warnings.filterwarnings("ignore", "One or more of the test scores are non-finite")
            yield
    finally:
        _wanted.reset(token)


@contextmanager
def _selecting(search: Any, metric: str) -> Iterator[None]:
    file = PolicyFile(search.policy) if search.policy is not None else None
    if file is None or not file.has("select") or not search.refit or callable(search.refit):
        yield
        return
    refit, select = search.refit, Select(file, metric)
    search.refit = select
    try:
        yield
    except BaseException:
        if select.results is not None:
            # The fits are done: a policy that fails must not lose them.
            search.cv_results_ = select.results
        raise
    finally:
        search.refit = refit
