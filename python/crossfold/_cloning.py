"""Clones of an estimator that holds plain values only: copies of its attributes.

scikit-learn clones a search's estimator for each fit, by calling its constructor with parameters whose names
it reads from the constructor's signature, twice: of many quick fits that is a third of a client's work.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from sklearn.base import BaseEstimator

from crossfold._lift import holds_plain_values


@contextmanager
def quick_clones(evaluate_candidates: Callable[..., Any]) -> Iterator[None]:
    """Clone quickly while a search of scikit-learn evaluates candidates by this function of its fit."""
    base = inspect.getclosurevars(evaluate_candidates).nonlocals.get("base_estimator")
    if not _clones_as_usual(base) or not holds_plain_values(base):
        yield
        return
    # It is a clone itself: another one would have the same attributes.
    kind, attributes = type(base), dict(vars(base))

    def copy_of_it() -> Any:
        copy: Any = object.__new__(kind)
        vars(copy).update(attributes)
        return copy

    # Where `clone` asks first. Clones don't have it, and the search uses this one for nothing else.
    vars(base)["__sklearn_clone__"] = copy_of_it
    try:
        yield
    finally:
        del vars(base)["__sklearn_clone__"]


def _clones_as_usual(estimator: Any) -> bool:
    kind = type(estimator)
    names = ("__new__", "__sklearn_clone__")
    return all(getattr(kind, name, None) is getattr(BaseEstimator, name) for name in names)
