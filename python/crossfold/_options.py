"""What the drop-ins can do beyond scikit-learn: options; by default none changes what is run."""

from __future__ import annotations

import functools
import inspect
import math
import numbers
import os
from collections.abc import Callable, Iterable
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from crossfold.v1 import task_pb2

# Thirty years: what is longer is not a limit, and the cluster refuses it.
_LONGEST = 1e9

#: The options of cross_validate and its siblings; a search has all of them.
FOR_FUNCTIONS = ("name", "fit_timeout", "fit_memory", "share_prefixes", "compiled_keras", "share_solver")

# They hold for any call; the others need to know what a fit is.
_FOR_CALLS = ("name", "fit_timeout", "fit_memory", "share_prefixes")

# They change nothing of what a fit is: without a cluster they have nothing to do.
_IDLE_AT_HOME = ("name", "share_prefixes")


@dataclass(frozen=True, kw_only=True)
class Options:
    """The options of one search or cross validation; see `DOCUMENTATION`.

    Raises
    ------
    ValueError
        An option has no such value; the message names it.
    """

    name: str | None = None
    fit_timeout: float | None = None
    fit_memory: int | None = None
    share_prefixes: bool = True
    budget: float | None = None
    stop_at: float | None = None
    keep_models: str | os.PathLike[str] | None = None
    eval_set: bool = False
    predictions: str | Iterable[str] | None = None
    compiled_keras: bool = False
    share_solver: bool = False

    def __post_init__(self) -> None:
        for name, (holds, wanted) in _RULES.items():
            value = getattr(self, name)
            if value is not None and not holds(value):
                raise ValueError(f"{name}={value!r} is not {wanted}.")

    @property
    def active(self) -> list[str]:
        """The options that are on and need the cluster."""
        given = {name: getattr(self, name) for name in ALL if name not in _IDLE_AT_HOME}
        return [name for name, value in given.items() if value is not None and value is not False]

    @functools.cached_property
    def needs_fits(self) -> list[str]:
        """Those that need to know what a fit is; the limits hold for any call. Asked for every call."""
        return [name for name in self.active if name not in _FOR_CALLS]

    @property
    def limits(self) -> task_pb2.Limits | None:
        """What a fit may use, for the workers; None without a limit."""
        if self.fit_timeout is None and self.fit_memory is None:
            return None
        return task_pb2.Limits(fit_seconds=self.fit_timeout or 0.0, fit_bytes=self.fit_memory or 0)

    @property
    def may_end_early(self) -> bool:
        """Whether candidates are to be finished one by one."""
        return self.budget is not None or self.stop_at is not None

    @property
    def methods(self) -> list[str]:
        """What every fit predicts for its test rows."""
        if self.predictions is None:
            return []
        return [self.predictions] if isinstance(self.predictions, str) else list(self.predictions)

    @property
    def folder(self) -> Path | None:
        """Where the models go."""
        return None if self.keep_models is None else Path(self.keep_models)


def _is_number(value: Any) -> bool:
    return isinstance(value, numbers.Real) and not isinstance(value, bool)


def _are_seconds(value: Any) -> bool:
    return _is_number(value) and 0 < value <= _LONGEST


def _are_bytes(value: Any) -> bool:
    return _is_number(value) and isinstance(value, numbers.Integral) and 0 < int(value) < 1 << 63


_METHODS = ("predict", "predict_proba", "decision_function")


def _are_methods(value: Any) -> bool:
    if isinstance(value, str):
        return value in _METHODS
    return (
        isinstance(value, list | tuple) and 0 < len(value) == len(set(value)) and set(value) <= set(_METHODS)
    )


_RULES: dict[str, tuple[Callable[[Any], bool], str]] = {
    "name": (lambda value: isinstance(value, str), "a name: use a str"),
    "fit_timeout": (_are_seconds, f"a number of seconds above 0, at most {_LONGEST:g}"),
    "fit_memory": (_are_bytes, "a whole number of bytes above 0, such as 2 * 1024**3"),
    "share_prefixes": (lambda value: isinstance(value, bool), "True or False"),
    "budget": (_are_seconds, f"a number of seconds above 0, at most {_LONGEST:g}"),
    "stop_at": (lambda value: _is_number(value) and not math.isnan(value), "a score: use a number"),
    "keep_models": (lambda value: isinstance(value, str | os.PathLike), "a folder: use its path"),
    "eval_set": (lambda value: isinstance(value, bool), "True or False"),
    "predictions": (_are_methods, f"one of {', '.join(_METHODS)}, or a list of them"),
    "compiled_keras": (lambda value: isinstance(value, bool), "True or False"),
    "share_solver": (lambda value: isinstance(value, bool), "True or False"),
}

DOCUMENTATION = {
    "name": """str, default=None
        What the job is called in `crossfold jobs`.""",
    "fit_timeout": """float, default=None
        Seconds that one fit may take, scoring included. One that takes longer is killed and counts as
        a failed fit: it gets `error_score`, or raises `crossfold.FitTimeout` when that is "raise".""",
    "fit_memory": """int, default=None
        Bytes that one fit may add to the memory of its process. One that takes more is killed and
        counts as a failed fit: it gets `error_score`, or raises `crossfold.FitMemoryExceeded`.""",
    "share_prefixes": """bool, default=True
        Whether fits take over equal fitted leading steps of pipelines and large train and test rows from
        each other, and cut their models from the largest of their family, where that can't change a
        result. `crossfold.report` shows what was shared.""",
    "budget": """float, default=None
        Seconds for the search, without the refit. At its end the best candidate that is finished is
        refitted; fits that were not run score NaN, with a `crossfold.PartialSearchWarning`.""",
    "stop_at": """float, default=None
        Mean test score at which the search ends in the same way: as soon as one candidate has it.""",
    "keep_models": """str or path, default=None
        Folder for the fitted models of all folds, new or empty. `crossfold.report(search).model(candidate,
        split)` loads one.""",
    "eval_set": """bool, default=False
        Whether fits get their test rows as validation data: of HistGradientBoosting, LightGBM, XGBoost
        and Keras's wrappers, also as the last step of a Pipeline.""",
    "predictions": """str or list of str, default=None
        "predict", "predict_proba" or "decision_function": what every fit predicts for its test rows is
        kept; `crossfold.report(search).predictions(candidate)` gives it, with a row for each row of X.""",
    "compiled_keras": """bool, default=False
        Whether plain Keras networks train in a compiled loop: sooner, and close to what Keras' own fit
        gives, not equal to the bit. `crossfold.report` shows which fits did, and why others did not.""",
    "share_solver": """bool, default=False
        Whether linear models that differ in their penalty help each other: Ridge and RidgeClassifier by
        one factorisation for all alphas, Lasso, ElasticNet and LogisticRegression by warm starts. Results
        are equal within the solver's tolerance, not to the bit; `crossfold.report` shows whose.""",
}
"""What each option is, in numpydoc's form."""


def documented(text: str | None, names: Iterable[str]) -> str:
    """scikit-learn's docstring, with the options after it."""
    described = "".join(f"\n    {name} : {DOCUMENTATION[name]}\n" for name in names)
    # Without a heading: scikit-learn's HTML warns of a section that it does not know.
    return f"{text or ''}{described}    "


def extended(function: Callable[..., Any], names: Iterable[str]) -> inspect.Signature:
    """The signature of a function that takes options as well."""
    signature = inspect.signature(function)
    own = [
        inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=getattr(Options, name))
        for name in names
    ]
    return signature.replace(parameters=[*signature.parameters.values(), *own])


ALL = tuple(field.name for field in fields(Options))
"""The names of all options, in their order."""

DEFAULTS = Options()
"""Every option off."""
