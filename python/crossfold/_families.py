"""Families: candidates that differ in one size only, and of which a larger one holds the smaller ones.

The first 10 trees of a forest of 300 are the forest of 10, the 5 nearest of 50 neighbours are the 5
nearest. A list of what is known to be so, to the bit: scikit-learn's own classes, exactly, without
unseeded randomness, output, callbacks, warm starts or stops that depend on more than the size.
"""

from __future__ import annotations

import math
import numbers
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from crossfold import _safe

_Params = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Rule:
    """What makes a family of the candidates of one class."""

    size: str
    """The parameter they differ in."""
    holds: Callable[[_Params], bool]
    """Whether the other parameters allow it."""
    free: frozenset[str] = frozenset()
    """Parameters that change nothing of what is shared."""
    equal: bool = False
    """Whether all members are of one size: each is made from the same whole."""


@dataclass(frozen=True, slots=True)
class Member:
    """One candidate as a member of its family."""

    rule: Rule
    text: str
    """Equal for the members of one family."""
    size: int


def _forest(params: _Params) -> bool:
    return not params["oob_score"] and not params["warm_start"] and _plain(params)


def _boosting(params: _Params) -> bool:
    """Huber's loss is another one after each stage."""
    starts = params["init"] is None or (type(params["init"]) is str and params["init"] == "zero")
    starts = starts and params["loss"] != "huber"
    return starts and params["n_iter_no_change"] is None and not params["warm_start"] and _plain(params)


def _histograms(params: _Params) -> bool:
    """Whether "auto" stops early is seen after the fit. A share of the features would draw numbers."""
    whole = type(params["max_features"]) is float and params["max_features"] == 1.0
    return whole and params["early_stopping"] in (False, "auto") and _forest({**params, "oob_score": False})


def _neighbours(params: _Params) -> bool:
    return params["n_jobs"] in (None, 1) and type(params["metric"]) is str


def _plain(params: _Params) -> bool:
    return _safe.is_seeded(params) and not params.get("verbose", 0) and params.get("n_jobs") in (None, 1)


_FOREST = Rule("n_estimators", _forest)
_BOOSTING = Rule("n_estimators", _boosting)
_HISTOGRAMS = Rule("max_iter", _histograms)
_TREE = Rule("ccp_alpha", _plain, equal=True)
_NEIGHBOURS = Rule("n_neighbors", _neighbours, free=frozenset({"weights"}))

_RULES = {
    "sklearn.ensemble._bagging.BaggingClassifier": _FOREST,
    "sklearn.ensemble._bagging.BaggingRegressor": _FOREST,
    "sklearn.ensemble._forest.ExtraTreesClassifier": _FOREST,
    "sklearn.ensemble._forest.ExtraTreesRegressor": _FOREST,
    "sklearn.ensemble._forest.RandomForestClassifier": _FOREST,
    "sklearn.ensemble._forest.RandomForestRegressor": _FOREST,
    "sklearn.ensemble._gb.GradientBoostingClassifier": _BOOSTING,
    "sklearn.ensemble._gb.GradientBoostingRegressor": _BOOSTING,
    "sklearn.ensemble._hist_gradient_boosting.gradient_boosting.HistGradientBoostingClassifier": _HISTOGRAMS,
    "sklearn.ensemble._hist_gradient_boosting.gradient_boosting.HistGradientBoostingRegressor": _HISTOGRAMS,
    "sklearn.ensemble._weight_boosting.AdaBoostClassifier": Rule("n_estimators", _plain),
    "sklearn.ensemble._weight_boosting.AdaBoostRegressor": Rule("n_estimators", _plain),
    "sklearn.neighbors._classification.KNeighborsClassifier": _NEIGHBOURS,
    "sklearn.neighbors._regression.KNeighborsRegressor": _NEIGHBOURS,
    "sklearn.tree._classes.DecisionTreeClassifier": _TREE,
    "sklearn.tree._classes.DecisionTreeRegressor": _TREE,
    "sklearn.tree._classes.ExtraTreeClassifier": _TREE,
    "sklearn.tree._classes.ExtraTreeRegressor": _TREE,
}

# What an ensemble may be made of, beside what it takes by default.
_BASES = frozenset(name for name, rule in _RULES.items() if rule is _TREE)


def member(estimator: Any, changes: _Params | None = None) -> Member | None:
    """Return an unfitted estimator, some parameters changed, as a member of its family; None without one."""
    try:
        return _member(estimator, changes or {})
    except Exception:  # also whatever a person's get_params or an odd parameter raises
        return None


def final_step(estimator: Any, leading: int) -> tuple[str, Any]:
    """The name and the last step of a Pipeline of which all ``leading`` others are known to be safe.

    Any other estimator is itself its last step, without a name. The step is None where others go before it.
    """
    if f"{type(estimator).__module__}.{type(estimator).__qualname__}" != "sklearn.pipeline.Pipeline":
        return "", estimator
    steps = estimator.steps
    if not isinstance(steps, list) or not _safe.without_memory(vars(estimator)):
        return "", None
    if not all(isinstance(entry, tuple) and len(entry) == 2 for entry in steps):
        return "", None
    fitted = [step for _, step in steps[:-1] if not isinstance(step, str | None)]
    return steps[-1] if len(fitted) == leading else ("", None)


def _member(estimator: Any, changes: _Params) -> Member | None:
    name = _safe.name_of(type(estimator))
    rule = _RULES.get(name)
    if rule is None:
        return None
    own = estimator.get_params(deep=False)
    if not changes.keys() <= own.keys():
        return None  # of what is inside of it, or wrong
    params = {**own, **changes}
    strange = vars(estimator).keys() - unfitted(estimator)
    size = _size(rule, params[rule.size])
    if strange or size is None or not rule.holds(params):
        return None
    rest = {key: value for key, value in params.items() if key != rule.size and key not in rule.free}
    base = rest.pop("estimator", None)
    text = _safe.describe_value(rest)
    return None if text is None else Member(rule, f"{name}({text},{_base(base)})", size)


def unfitted(estimator: Any) -> frozenset[str]:
    """The attributes that an estimator of this class may have before it is fitted."""
    return frozenset(vars(type(estimator)())) | _safe.EXTRA


def _size(rule: Rule, value: Any) -> int | None:
    if rule.equal:
        fair = isinstance(value, numbers.Real) and not isinstance(value, bool) and math.isfinite(value)
        return 1 if fair and value >= 0 else None
    whole = isinstance(value, int | np.integer) and not isinstance(value, bool)
    return int(value) if whole and 1 <= value < 1 << 31 else None


def _base(base: Any) -> str:
    """The text of what an ensemble is made of. Its seed is drawn from the ensemble's."""
    if base is None:
        return "None"
    name = _safe.name_of(type(base))
    text = _safe.describe_value(base.get_params(deep=False))
    if name not in _BASES or text is None or vars(base).keys() - unfitted(base):
        raise ValueError(f"{name} is not known")
    return f"{name}({text})"
