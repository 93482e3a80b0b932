"""share_solver=True on a real cluster: linear models help each other, and the report says which."""

from __future__ import annotations

from collections import Counter
from typing import Any

import crossfold
import crossfold.model_selection
import numpy as np
import pytest
import sklearn.model_selection
from sklearn.datasets import make_classification, make_regression
from sklearn.linear_model import Lasso, LogisticRegression, Ridge, RidgeClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from e2e.compare import assert_same, search_view

pytestmark = pytest.mark.timeout(240)

# Large enough that a fit is worth a file.
X, VALUES = make_regression(2000, 200, n_informative=60, noise=20.0, random_state=0)
_, CLASSES = make_classification(2000, 200, n_informative=40, n_classes=3, random_state=0)
ALPHAS = [0.1, 1.0, 10.0, 100.0]
FOLDS = 3


def search(ms: Any, estimator: Any, grid: dict[str, list[Any]], y: Any, **options: Any) -> Any:
    return ms.GridSearchCV(estimator, grid, cv=FOLDS, return_train_score=True, **options).fit(X, y)


def ways(ours: Any) -> Counter[str]:
    history = crossfold.report(ours).history["ways"]
    return Counter(part for way in history for part in way.split("; ") if part.startswith("solver"))


def assert_close(ours: Any, theirs: Any, rtol: float) -> None:
    for key in ("mean_test_score", "mean_train_score"):
        np.testing.assert_allclose(ours.cv_results_[key], theirs.cv_results_[key], rtol=rtol)


@pytest.mark.parametrize(
    ("estimator", "y"),
    [(Ridge(), VALUES), (RidgeClassifier(), CLASSES)],
    ids=lambda it: type(it).__name__,
)
def test_one_factorisation_per_split(estimator: Any, y: Any) -> None:
    ours = search(crossfold.model_selection, estimator, {"alpha": ALPHAS}, y, share_solver=True)
    theirs = search(sklearn.model_selection, estimator, {"alpha": ALPHAS}, y)
    assert_close(ours, theirs, 1e-6)
    assert ways(ours) == {
        "solver: factorisation for all": FOLDS,
        "solver: factorisation taken over": FOLDS * (len(ALPHAS) - 1),
    }
    # The refit is scikit-learn's, as ever.
    np.testing.assert_array_equal(ours.best_estimator_.coef_, theirs.best_estimator_.coef_)


@pytest.mark.parametrize(
    ("estimator", "grid", "y"),
    [
        (Lasso(), {"lasso__alpha": [0.5, 0.45, 0.4, 0.35, 0.3, 0.25]}, VALUES),
        (LogisticRegression(), {"logisticregression__C": [1.0, 2.0, 3.0, 4.0, 5.0, 6.0]}, CLASSES),
    ],
    ids=lambda it: type(it).__name__,
)
def test_warm_starts_behind_a_shared_prefix(estimator: Any, grid: dict[str, list[Any]], y: Any) -> None:
    pipeline = make_pipeline(StandardScaler(), estimator)
    ours = search(crossfold.model_selection, pipeline, grid, y, share_solver=True)
    assert_close(ours, search(sklearn.model_selection, pipeline, grid, y), 1e-2)
    # The first fits of a split may run side by side, without a solution to start from.
    assert ways(ours).total() >= FOLDS
    assert all(way.startswith("solver: warm start from ") for way in ways(ours))


def test_without_the_option_results_are_scikit_learns() -> None:
    ours = search(crossfold.model_selection, Ridge(), {"alpha": ALPHAS}, VALUES)
    assert_same(
        search_view(ours, X),
        search_view(search(sklearn.model_selection, Ridge(), {"alpha": ALPHAS}, VALUES), X),
    )
    assert not ways(ours)
