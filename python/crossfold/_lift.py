"""Lifting: recognising scikit-learn's fold fits among joblib's opaque calls.

A lifted call is taken apart into what all fits of a search share, what a candidate is, and which
split it fits. The worker puts the same arguments together and calls the very same function.
"""

from __future__ import annotations

import functools
import inspect
import math
import numbers
import sys
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np

# The signatures this module knows. Another one is not lifted: the call runs opaque, still right.
_SIGNATURES = {
    "_fit_and_score": (
        "estimator", "X", "y", "scorer", "train", "test", "verbose", "parameters", "fit_params",
        "score_params", "return_train_score", "return_parameters", "return_n_test_samples",
        "return_times", "return_estimator", "split_progress", "candidate_progress", "error_score",
        "caller", "callback_ctx",
    ),
    "_fit_and_predict": ("estimator", "X", "y", "train", "test", "fit_params", "method"),
    "_incremental_fit_estimator": (
        "estimator", "X", "y", "classes", "train", "test", "train_sizes", "scorer", "return_times",
        "error_score", "fit_params", "score_params",
    ),
}  # fmt: skip

_NEEDED = ("estimator", "X", "y", "train", "test")
_CANDIDATE = ("estimator", "parameters")
_PER_FIT = ("split_progress", "candidate_progress")
# The search object and a fit's context only matter to callbacks: without one they don't travel.
_CALLER, _CONTEXT = "caller", "callback_ctx"
_ELSEWHERE = frozenset({"X", "y", "train", "test", *_CANDIDATE, *_PER_FIT, _CALLER, _CONTEXT})

_PLAIN = (type(None), bool, int, float, complex, str, bytes, np.generic)


@dataclass(slots=True)
class Fit:
    """One lifted call."""

    function: Any
    """scikit-learn's _FuncWrapper around the fit function: it carries configuration and warning filters."""
    X: Any
    y: Any
    train: np.ndarray[Any, Any]
    test: np.ndarray[Any, Any]
    shared: dict[str, Any]
    candidate: dict[str, Any]
    extra: dict[str, Any]
    is_heard: bool
    """Whether a callback listens."""

    @property
    def may_fail(self) -> bool:
        """Whether a fit that fails has a score, and is no error."""
        scored = self.function.function.__name__ == "_fit_and_score"
        return scored and isinstance(self.shared.get("error_score"), numbers.Number)

    @property
    def key(self) -> tuple[Any, ...]:
        """Equal for fits that can share a job; only as long as the objects in it live."""
        wrapper = self.function
        parts = (self.X, self.y, wrapper.config, wrapper.warning_filters, *self.shared.values())
        return (wrapper.function, *self.shared, *map(id, parts))


def lift(items: list[tuple[Any, tuple[Any, ...], dict[str, Any]]]) -> list[Fit] | None:
    """The fits that a batch of joblib calls stands for; None when one of them is not a fold fit."""
    fits = []
    for function, args, kwargs in items:
        fit = _lift_one(function, args, kwargs)
        if fit is None:
            return None
        fits.append(fit)
    return fits


def _lift_one(function: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Fit | None:
    names = _known(function)
    if names is None or len(args) > len(names):
        return None
    given = dict(zip(names, args, strict=False))
    given.update(kwargs)
    if any(name not in given for name in _NEEDED):
        return None
    train, test = _rows(given["train"]), _rows(given["test"])
    if train is None or test is None:
        return None
    shared = {name: value for name, value in given.items() if name not in _ELSEWHERE}
    # They only number what is printed.
    extra = {name: given[name] for name in _PER_FIT if name in given} if given.get("verbose") else {}
    is_heard = _is_heard(given)
    if is_heard and given.get(_CONTEXT) is not None:
        shared[_CALLER] = given.get(_CALLER)
        extra[_CONTEXT] = given[_CONTEXT]
    candidate = {name: given[name] for name in _CANDIDATE if name in given}
    return Fit(function, given["X"], given["y"], train, test, shared, candidate, extra, is_heard)


def _known(function: Any) -> tuple[str, ...] | None:
    """The parameter names of a fold fit; None for any other function."""
    parallel = sys.modules.get("sklearn.utils.parallel")
    if parallel is None or type(function) is not parallel._FuncWrapper:
        return None
    if not hasattr(function, "config") or not hasattr(function, "warning_filters"):
        return None
    return _liftable().get(function.function)


@functools.cache
def _liftable() -> dict[Callable[..., Any], tuple[str, ...]]:
    from sklearn.model_selection import _validation

    found = {}
    for name, expected in _SIGNATURES.items():
        function = getattr(_validation, name, None)
        if function is not None and tuple(inspect.signature(function).parameters) == expected:
            found[function] = expected
    return found


def _is_heard(given: dict[str, Any]) -> bool:
    """Whether a callback listens: a search of scikit-learn 1.9 always passes a context."""
    context = given.get(_CONTEXT)
    if context is not None and context._callbacks:
        return True
    estimator, settings = given["estimator"], given.get("parameters") or {}
    listening = (estimator, *_parts(estimator), *settings.values())
    return any([getattr(part, "_skl_callbacks", None) for part in listening])


def _parts(estimator: Any) -> Iterable[Any]:
    """The parameters of an estimator and of those in it. To ask costs as much as a small fit, so one
    that holds plain values only is not asked."""
    if not hasattr(estimator, "get_params") or holds_plain_values(estimator):
        return ()
    values: Iterable[Any] = estimator.get_params(deep=True).values()
    return values


def holds_plain_values(estimator: Any) -> bool:
    """Whether all of an estimator's attributes, and so its parameters, are values that can't be changed."""
    asked = getattr(type(estimator), "get_params", None)
    usual = asked is sys.modules["sklearn.base"].BaseEstimator.get_params
    return usual and all([isinstance(value, _PLAIN) for value in vars(estimator).values()])


def _rows(indices: Any) -> np.ndarray[Any, Any] | None:
    """Row numbers as an array; None for masks and whatever else scikit-learn accepts."""
    try:
        rows = np.asarray(indices)
    except Exception:
        return None
    return rows if rows.ndim == 1 and rows.dtype.kind in "iu" else None


def failed_score(
    shared: dict[str, Any], candidate: dict[str, Any], test_rows: int, text: str
) -> dict[str, Any]:
    """What `_fit_and_score` returns for a fit that failed under a numeric error_score."""
    return _without_scores(shared, candidate, shared["error_score"], test_rows, text, 0.0, None)


def missing_score(
    shared: dict[str, Any], candidate: dict[str, Any], test_rows: int, metrics: list[str] | None
) -> dict[str, Any]:
    """What stands for a fit that was not run: NaN everywhere, and no error. `metrics` are the names
    that a callable scoring turned out to give; None for a single one."""
    return _without_scores(shared, candidate, math.nan, test_rows, None, math.nan, metrics)


def scores_of(scores: Any) -> dict[str, float]:
    """Test scores by metric; a single one is called "score"."""
    return scores if isinstance(scores, dict) else {"score": scores}


def _without_scores(
    shared: dict[str, Any],
    candidate: dict[str, Any],
    score: float,
    test_rows: int,
    error: str | None,
    seconds: float,
    metrics: list[str] | None,
) -> dict[str, Any]:
    from sklearn.metrics._scorer import _MultimetricScorer

    scorer = shared["scorer"]
    names = list(scorer._scorers) if isinstance(scorer, _MultimetricScorer) else metrics

    def scores() -> Any:
        return score if names is None else dict.fromkeys(names, score)

    result: dict[str, Any] = {"fit_error": error, "test_scores": scores()}
    if shared.get("return_train_score"):
        result["train_scores"] = scores()
    if shared.get("return_n_test_samples"):
        result["n_test_samples"] = test_rows
    if shared.get("return_times"):
        result.update(fit_time=seconds, score_time=seconds)
    if shared.get("return_parameters"):
        result["parameters"] = candidate["parameters"]
    if shared.get("return_estimator"):
        result["estimator"] = candidate["estimator"]
    return result
