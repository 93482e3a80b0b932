"""Successive halving: every round's fits, and what is left at the end."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy.stats import loguniform, randint
from sklearn.ensemble import RandomForestClassifier
from sklearn.experimental import enable_halving_search_cv  # noqa: F401 - scikit-learn's own need it
from sklearn.linear_model import Ridge
from sklearn.model_selection import GroupKFold, KFold
from sklearn.svm import SVC
from sklearn.tree import DecisionTreeClassifier
from sklearn.utils._param_validation import InvalidParameterError

from e2e.cases import case, classes, failing_case, numbers
from e2e.compare import search_view

_ROUNDS = (
    "n_resources_", "n_candidates_", "n_iterations_", "n_possible_iterations_", "n_required_iterations_",
    "n_remaining_candidates_", "min_resources_", "max_resources_", "best_score_",
)  # fmt: skip


def _view(search: Any, X: Any) -> Any:
    return search_view(search, X), {name: getattr(search, name) for name in _ROUNDS}


@case
def halving_over_a_grid(ms: Any) -> Any:
    X, y = classes(200)
    grid = {"C": [0.1, 1.0, 10.0], "gamma": [0.01, 0.1, 1.0]}
    return _view(ms.HalvingGridSearchCV(SVC(), grid, cv=3, random_state=0).fit(X, y), X)


@case
def halving_over_distributions(ms: Any) -> Any:
    X, y = numbers(120)
    space = {"alpha": loguniform(1e-3, 1e3), "fit_intercept": [True, False]}
    search = ms.HalvingRandomSearchCV(Ridge(), space, cv=KFold(3), random_state=1, min_resources=20)
    return _view(search.fit(X, y), X)


@case
def halving_with_trees_as_the_resource(ms: Any) -> Any:
    X, y = classes()
    search = ms.HalvingGridSearchCV(
        RandomForestClassifier(random_state=0),
        {"max_depth": [2, 3, None], "min_samples_split": [2, 5]},
        resource="n_estimators", max_resources=12, min_resources=3, factor=2, cv=2, scoring="f1_macro",
    )  # fmt: skip
    return _view(search.fit(X, y), X)


@case
def halving_with_aggressive_elimination_and_weights(ms: Any) -> Any:
    X, y = classes(60, count=2)
    space = {"max_depth": randint(1, 9), "min_samples_leaf": [1, 2, 4]}
    search = ms.HalvingRandomSearchCV(
        DecisionTreeClassifier(random_state=0), space, n_candidates=8, factor=2, cv=2, max_resources=40,
        aggressive_elimination=True, random_state=3, return_train_score=False,
    )  # fmt: skip
    return _view(search.fit(X, y, sample_weight=np.linspace(0.5, 1.5, 60)), X)


@case
def halving_within_groups(ms: Any) -> Any:
    X, y = classes(120)
    search = ms.HalvingGridSearchCV(
        SVC(), {"C": [0.1, 1.0, 10.0]}, cv=GroupKFold(2), random_state=0, min_resources=40, factor=2
    )
    return _view(search.fit(X, y, groups=np.arange(120) % 3), X)


@failing_case(ValueError)
def halving_with_splits_that_change(ms: Any) -> Any:
    return ms.HalvingGridSearchCV(SVC(), {"C": [1.0]}, cv=KFold(3, shuffle=True)).fit(*classes())


@failing_case(InvalidParameterError)
def halving_with_two_metrics(ms: Any) -> Any:
    search = ms.HalvingGridSearchCV(SVC(), {"C": [1.0]}, scoring=["accuracy", "f1_macro"])
    return search.fit(*classes())
