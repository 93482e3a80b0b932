"""Quick clones: what a search's fits get is what scikit-learn's own clone would give them."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from sklearn.base import BaseEstimator, clone
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC

from crossfold._cloning import quick_clones


class Plain(BaseEstimator):
    made = 0

    def __init__(self, level: Any = 1.5, name: str | None = None) -> None:
        type(self).made += 1
        self.level = level
        self.name = name


class Own(Plain):
    def __sklearn_clone__(self) -> Own:
        return type(self)(self.level + 1)


def search(estimator: Any) -> tuple[Any, Callable[[], Any]]:
    """As in scikit-learn's fit: a clone, and a function that knows it by this name."""
    base_estimator = clone(estimator)
    return base_estimator, lambda: base_estimator


def heard() -> Any:
    estimator = Plain()
    estimator._skl_callbacks = [object()]
    return estimator


QUICK: dict[str, Callable[[], Any]] = {
    "plain": Plain,
    "other values": lambda: Plain(np.float32(2), "ä"),
    "scikit-learn's": lambda: SVC(C=3, random_state=1),
}
SLOW: dict[str, Callable[[], Any]] = {
    "arrays": lambda: Plain(np.arange(3)),
    "random streams": lambda: Plain(np.random.RandomState(3)),
    "parts": lambda: make_pipeline(StandardScaler(), LogisticRegression()),
    "frames as output": lambda: StandardScaler().set_output(transform="pandas"),
    "callbacks": heard,
}


@pytest.mark.parametrize("make", {**QUICK, **SLOW}.values(), ids=[*QUICK, *SLOW])
def test_clones_are_scikit_learns(make: Callable[[], Any]) -> None:
    base, evaluate = search(make())
    expected = [clone(base) for _ in range(2)]
    with quick_clones(evaluate):
        found = [clone(base) for _ in range(2)]
    assert found[0] is not found[1] and found[0] is not base
    assert [type(it) for it in found] == [type(it) for it in expected]
    assert len({pickle.dumps(it) for it in (*found, *expected)}) == 1
    assert vars(base).keys() == vars(expected[0]).keys()


@pytest.mark.parametrize(("level", "made"), [(1.5, 0), (np.arange(3), 5)])
def test_only_plain_ones_are_copied(level: Any, made: int) -> None:
    base, evaluate = search(Plain(level))
    before = Plain.made
    with quick_clones(evaluate):
        clones = [clone(base) for _ in range(5)]
    assert Plain.made - before == made
    clones[0].set_params(name="other")
    assert [it.name for it in (*clones, base)] == ["other", *[None] * 5]


def test_a_clone_of_ones_own_is_asked_for_each_fit() -> None:
    base, evaluate = search(Own(1))
    with quick_clones(evaluate):
        assert [clone(base).level for _ in range(2)] == [base.level + 1] * 2


def test_clones_are_scikit_learns_again_after_an_error() -> None:
    base, evaluate = search(Plain())
    with pytest.raises(KeyError), quick_clones(evaluate):
        raise KeyError
    assert "__sklearn_clone__" not in vars(base) and clone(base) is not base


def test_a_search_of_another_kind_is_left_alone() -> None:
    base = Plain()
    with quick_clones(lambda: base):
        assert "__sklearn_clone__" not in vars(base)
