"""scikit-learn's own checks of its estimators, on every drop-in class."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from crossfold.ensemble import (
    BaggingClassifier,
    BaggingRegressor,
    StackingClassifier,
    StackingRegressor,
    VotingClassifier,
    VotingRegressor,
)
from crossfold.model_selection import (
    GridSearchCV,
    HalvingGridSearchCV,
    HalvingRandomSearchCV,
    RandomizedSearchCV,
)
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor
from sklearn.utils._test_common.instance_generator import PER_ESTIMATOR_XFAIL_CHECKS
from sklearn.utils.estimator_checks import parametrize_with_checks

# The checks feed every estimator with data that it must warn about.
pytestmark = [pytest.mark.timeout(60), pytest.mark.filterwarnings("ignore")]

_CLASSIFIERS = [(f"tree{seed}", DecisionTreeClassifier(max_depth=3, random_state=seed)) for seed in (0, 1)]
_REGRESSORS = [("tree", DecisionTreeRegressor(max_depth=3, random_state=0)), ("ridge", Ridge())]
_SEARCH: dict[str, Any] = {"cv": 2, "error_score": "raise"}
_ALPHAS = {"alpha": [0.1, 1.0]}
_CS = {"C": [0.1, 1.0]}

ESTIMATORS = [
    GridSearchCV(LogisticRegression(), _CS, **_SEARCH),
    RandomizedSearchCV(Ridge(), _ALPHAS, n_iter=2, random_state=0, **_SEARCH),
    HalvingGridSearchCV(Ridge(), _ALPHAS, min_resources="smallest", random_state=0, **_SEARCH),
    HalvingRandomSearchCV(LogisticRegression(), _CS, random_state=0, **_SEARCH),
    VotingClassifier(_CLASSIFIERS),
    VotingRegressor(_REGRESSORS),
    StackingClassifier(_CLASSIFIERS, cv=3),
    StackingRegressor(_REGRESSORS, cv=3),
    BaggingClassifier(n_estimators=3),
    BaggingRegressor(n_estimators=3),
]


def expected_failures(estimator: Any) -> dict[str, str]:
    """The checks that scikit-learn excuses the same class of its own from."""
    known = [kind for kind in type(estimator).__mro__ if kind in PER_ESTIMATOR_XFAIL_CHECKS]
    return PER_ESTIMATOR_XFAIL_CHECKS[known[0]] if known else {}


@parametrize_with_checks(ESTIMATORS, expected_failed_checks=expected_failures)
def test_is_an_estimator_as_scikit_learn_checks_it(estimator: Any, check: Callable[[Any], None]) -> None:
    check(estimator)
