"""XGBoost and LightGBM: the answers of one process, and no more threads than a slot has."""

from __future__ import annotations

import os
from typing import Any

import crossfold.model_selection
import numpy as np
import pytest
import sklearn.model_selection
from lightgbm import LGBMClassifier, LGBMRegressor
from sklearn.base import BaseEstimator
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.model_selection import ShuffleSplit
from xgboost import XGBClassifier, XGBRegressor

from e2e.cases import classes, numbers
from e2e.compare import assert_same_observation, observe, search_view

pytestmark = pytest.mark.timeout(60)

SMALL = {"n_estimators": 8, "max_depth": 3, "random_state": 0}
QUIET = {**SMALL, "verbose": -1, "min_child_samples": 5}


class Threads(BaseEstimator):
    """Fits another estimator; its score is how many threads that started and kept."""

    def __init__(self, estimator: Any = None, n_jobs: int | None = None) -> None:
        self.estimator = estimator
        self.n_jobs = n_jobs

    def fit(self, X: np.ndarray, y: np.ndarray) -> Threads:
        before = _threads()
        self.estimator.set_params(n_jobs=self.n_jobs).fit(X, y)
        self.started_ = _threads() - before
        return self

    def score(self, X: np.ndarray, y: np.ndarray) -> float:
        return self.started_


def _threads() -> int:
    return len(os.listdir("/proc/self/task"))


@pytest.mark.parametrize(
    ("estimator", "data"),
    [
        (XGBClassifier(**SMALL, subsample=0.7), classes),
        (XGBRegressor(**SMALL, colsample_bytree=0.6, tree_method="hist"), numbers),
        (LGBMClassifier(**QUIET, subsample=0.7, subsample_freq=1), classes),
        (LGBMRegressor(**QUIET, colsample_bytree=0.6), numbers),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, BaseEstimator) else "",
)
@pytest.mark.parametrize("n_jobs", [None, -1])
def test_a_grid_equals_one_process_with_one_thread(estimator: Any, data: Any, n_jobs: int | None) -> None:
    X, y = data()
    grid = {"learning_rate": [0.1, 0.3], "max_depth": [2, 3]}

    def run(ms: Any, threads: int | None) -> Any:
        model = sklearn.clone(estimator).set_params(n_jobs=threads)
        search = ms.GridSearchCV(model, grid, cv=3, return_train_score=True).fit(X, y)
        return search_view(search, X)

    expected = observe(lambda: run(sklearn.model_selection, 1))
    assert expected.error is None
    assert_same_observation(observe(lambda: run(crossfold.model_selection, n_jobs)), expected)


@pytest.mark.parametrize("estimator", [XGBClassifier(**SMALL), LGBMClassifier(**QUIET)], ids=["XGB", "LGBM"])
@pytest.mark.parametrize("n_jobs", [None, -1])
def test_a_slot_starts_no_thread_per_core(estimator: Any, n_jobs: int | None) -> None:
    started = crossfold.model_selection.cross_val_score(Threads(estimator, n_jobs), *classes(), cv=4)
    assert started.tolist() == [0.0] * 4


def test_the_count_of_threads_sees_those_that_a_fit_starts() -> None:
    # One fit: a second one in the same process would find the threads of the first.
    once = ShuffleSplit(1, random_state=0)
    threads = Threads(LGBMClassifier(**QUIET), 3)
    started = crossfold.model_selection.cross_val_score(threads, *classes(), cv=once)
    assert (started >= 2).all()


def test_one_session_mixes_libraries_that_each_bring_their_openmp() -> None:
    X, y = classes()
    models = [
        HistGradientBoostingClassifier(max_iter=5, random_state=0),
        XGBClassifier(**SMALL),
        LGBMClassifier(**QUIET, n_jobs=1),
    ]
    expected = [sklearn.model_selection.cross_val_score(model, X, y, cv=4).tolist() for model in models]
    for _ in range(2):
        found = [crossfold.model_selection.cross_val_score(model, X, y, cv=4).tolist() for model in models]
        assert found == expected
