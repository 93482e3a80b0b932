"""predictions= of the drop-in searches: what cross_val_predict gives, without a fit more."""

from __future__ import annotations

from typing import Any

import crossfold
import numpy as np
import pytest
from crossfold.model_selection import GridSearchCV, HalvingGridSearchCV
from sklearn.base import clone
from sklearn.datasets import load_diabetes, load_iris
from sklearn.linear_model import Ridge
from sklearn.model_selection import KFold, RepeatedKFold, StratifiedKFold, cross_val_predict
from sklearn.naive_bayes import GaussianNB
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import LinearSVC

CV = StratifiedKFold(3, shuffle=True, random_state=0)
SMOOTHING = [1e-9, 1e-2, 1e-1]


@pytest.fixture(scope="module")
def iris() -> tuple[np.ndarray, np.ndarray]:
    X, y = load_iris(return_X_y=True)
    return X, np.array(["setosa", "versicolor", "virginica"])[y]


def test_each_candidates_predictions_are_those_of_cross_val_predict(iris: Any) -> None:
    X, y = iris
    pipeline = make_pipeline(StandardScaler(), GaussianNB())
    grid = {"gaussiannb__var_smoothing": SMOOTHING}
    before = crossfold.stats()["fits_completed"]
    search = GridSearchCV(pipeline, grid, cv=CV, predictions=["predict", "predict_proba"]).fit(X, y)
    assert crossfold.stats()["fits_completed"] - before == 3 * 3
    plain = GridSearchCV(pipeline, grid, cv=CV).fit(X, y)
    np.testing.assert_array_equal(search.cv_results_["mean_test_score"], plain.cv_results_["mean_test_score"])
    assert clone(search).get_params()["predictions"] == ["predict", "predict_proba"]

    report = crossfold.report(search)
    for candidate, params in enumerate(search.cv_results_["params"]):
        alone = clone(pipeline).set_params(**params)
        proba = cross_val_predict(alone, X, y, cv=CV, method="predict_proba")
        np.testing.assert_array_equal(report.predictions(candidate, "predict_proba"), proba)
        labels = report.predictions(candidate, "predict").astype(int)
        np.testing.assert_array_equal(np.unique(y)[labels], cross_val_predict(alone, X, y, cv=CV))
    for wrong in (None, "decision_function"):
        with pytest.raises(ValueError, match="predict_proba"):
            report.predictions(0, wrong)
    with pytest.raises(KeyError, match="candidate 3"):
        report.predictions(3, "predict")
    with pytest.raises(ValueError, match="were not kept"):
        crossfold.report(plain).predictions(0)


def test_values_rows_in_no_test_set_and_missing_classes(iris: Any) -> None:
    X, y = load_diabetes(return_X_y=True)
    splits = list(KFold(3).split(X))[:2]
    search = GridSearchCV(Ridge(), {"alpha": [0.1, 1.0]}, cv=splits, predictions="predict").fit(X, y)
    found = crossfold.report(search).predictions(1)
    for train, test in splits:
        np.testing.assert_array_equal(found[test], Ridge(alpha=1.0).fit(X[train], y[train]).predict(X[test]))
    assert np.isnan(found).sum() == len(y) - sum(len(test) for _, test in splits)

    X, y = iris
    search = GridSearchCV(GaussianNB(), {}, cv=KFold(3), predictions="predict_proba").fit(X, y)
    found = crossfold.report(search).predictions(0)
    assert (found[np.arange(50), 0] == 0).all() and (found.sum(axis=1) == pytest.approx(1))


def test_rows_of_later_iterations_have_their_own(iris: Any) -> None:
    X, y = iris
    grid = {"var_smoothing": SMOOTHING}
    search = HalvingGridSearchCV(
        GaussianNB(), grid, cv=3, random_state=0, factor=2, min_resources=60, predictions="predict_proba"
    )
    search.fit(X, y)
    rows = len(search.cv_results_["params"])
    assert rows > 3
    found = crossfold.report(search).predictions(rows - 1)
    assert found.shape[1] == 3 and np.isfinite(found).any()


def test_what_can_not_be_had_is_said(iris: Any) -> None:
    X, y = iris
    for wrong in ("probabilities", [], ["predict", "predict"], 3):
        with pytest.raises(ValueError, match="predictions=.*predict_proba"):
            GridSearchCV(GaussianNB(), {}, predictions=wrong).fit(X, y)
    search = GridSearchCV(LinearSVC(), {}, cv=CV, predictions="predict_proba").fit(X, y)
    with pytest.raises(ValueError, match="candidate 0, split 0 gave no predict_proba: AttributeError"):
        crossfold.report(search).predictions(0)
    repeated = RepeatedKFold(n_splits=2, n_repeats=2, random_state=0)
    search = GridSearchCV(GaussianNB(), {}, cv=repeated, predictions="predict").fit(X, y)
    with pytest.raises(ValueError, match="in two splits"):
        crossfold.report(search).predictions(0)
