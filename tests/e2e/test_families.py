"""Families on a real cluster: the largest model is fitted once per split, and never seen in a result."""

from __future__ import annotations

from typing import Any

import crossfold
import crossfold.model_selection
import numpy as np
import pytest
import sklearn.model_selection
from sklearn.ensemble import (
    AdaBoostClassifier,
    ExtraTreesClassifier,
    GradientBoostingClassifier,
    RandomForestClassifier,
)
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import PolynomialFeatures
from sklearn.tree import DecisionTreeClassifier

from e2e.compare import assert_same, assert_same_observation, observe, search_view

pytestmark = pytest.mark.timeout(240)

_DRAW = np.random.default_rng(0)
# Enough that to fit even a single tree is worth keeping, also on a fast machine.
X = _DRAW.normal(size=(3000, 8))
Y = np.digitize(X[:, 0] * X[:, 1] + _DRAW.normal(scale=0.5, size=3000), [-0.5, 0.5])
FOLDS = 3


def search(
    ms: Any, estimator: Any, grid: dict[str, list[Any]], return_train_score: bool = True, **options: Any
) -> Any:
    found = ms.GridSearchCV(estimator, grid, cv=FOLDS, return_train_score=return_train_score, **options)
    return found.fit(X, Y)


def ways(ours: Any) -> list[str]:
    return list(crossfold.report(ours).history["ways"])


SEARCHES: dict[str, tuple[Any, dict[str, list[Any]]]] = {
    "forest": (RandomForestClassifier(random_state=0), {"n_estimators": [5, 40, 20]}),
    "extra trees": (ExtraTreesClassifier(random_state=0), {"n_estimators": [5, 40, 20]}),
    "boosting": (GradientBoostingClassifier(random_state=0, subsample=0.8), {"n_estimators": [3, 30, 9]}),
    "adaptive": (AdaBoostClassifier(random_state=0), {"n_estimators": [3, 30, 9]}),
    "tree": (DecisionTreeClassifier(random_state=0), {"ccp_alpha": [0.01, 0.0, 0.002]}),
}


@pytest.mark.parametrize("name", SEARCHES)
def test_the_largest_is_fitted_once_per_split(name: str) -> None:
    estimator, grid = SEARCHES[name]
    ours = search(crossfold.model_selection, estimator, grid)
    assert_same(search_view(ours, X), search_view(search(sklearn.model_selection, estimator, grid), X))
    seen = ways(ours)
    assert sum("family: fitted for all" in way for way in seen) == FOLDS
    assert sum("family: cut from the largest" in way for way in seen) == 2 * FOLDS


def test_neighbours_are_searched_for_once_per_split() -> None:
    grid = {"n_neighbors": [1, 50, 9], "weights": ["uniform", "distance"]}
    ours = search(crossfold.model_selection, KNeighborsClassifier(), grid)
    assert_same(
        search_view(ours, X), search_view(search(sklearn.model_selection, KNeighborsClassifier(), grid), X)
    )
    # Of one set of rows, since two fits of a split may each search for those of the other set first.
    once = search(crossfold.model_selection, KNeighborsClassifier(), grid, return_train_score=False)
    assert sum("family: neighbours for all" in way for way in ways(once)) == FOLDS


def test_families_behind_a_prefix() -> None:
    pipeline = Pipeline([("wide", PolynomialFeatures()), ("model", RandomForestClassifier(random_state=0))])
    grid = {"model__max_depth": [4, None], "model__n_estimators": [4, 30, 12]}
    ours = search(crossfold.model_selection, pipeline, grid)
    assert_same(search_view(ours, X), search_view(search(sklearn.model_selection, pipeline, grid), X))
    assert sum("family: fitted for all" in way for way in ways(ours)) == 2 * FOLDS


def test_models_that_are_handed_out_are_scikit_learns() -> None:
    def models(ms: Any) -> list[Any]:
        grid = sklearn.model_selection.ParameterGrid({"n_estimators": [4, 25]})
        return [
            ms.cross_validate(RandomForestClassifier(random_state=1, **given), X, Y, return_estimator=True)
            for given in grid
        ]

    for ours, theirs in zip(models(crossfold.model_selection), models(sklearn.model_selection), strict=True):
        assert np.array_equal(ours["test_score"], theirs["test_score"])
        for mine, other in zip(ours["estimator"], theirs["estimator"], strict=True):
            assert np.array_equal(mine.predict_proba(X), other.predict_proba(X))


@pytest.mark.parametrize(
    "estimator",
    [RandomForestClassifier(), GradientBoostingClassifier(random_state=0, n_iter_no_change=3)],
    ids=["unseeded", "stops early"],
)
def test_what_can_not_be_cut_is_fitted_for_itself(estimator: Any) -> None:
    ours = search(crossfold.model_selection, estimator, {"n_estimators": [5, 40, 20]})
    assert not any("family" in way for way in ways(ours))


def test_nothing_is_shared_when_that_is_asked_for() -> None:
    estimator, grid = SEARCHES["forest"]
    ours = search(crossfold.model_selection, estimator, grid, share_prefixes=False)
    assert not any("family" in way for way in ways(ours))


def test_an_error_of_a_member_reads_as_scikit_learns() -> None:
    def failing(ms: Any) -> Any:
        grid = {"n_neighbors": [1, 2]}
        return ms.GridSearchCV(KNeighborsClassifier(), grid, cv=2).fit(X, Y, sample_weight=np.ones(len(Y)))

    expected = observe(lambda: failing(sklearn.model_selection))
    assert expected.error is not None and "unexpected keyword argument 'sample_weight'" in expected.error[1]
    assert_same_observation(observe(lambda: failing(crossfold.model_selection)), expected)
