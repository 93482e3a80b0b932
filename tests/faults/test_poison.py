"""A fit that kills its process every time is set aside; the others are not touched."""

from __future__ import annotations

import os
import warnings

import crossfold
import crossfold.joblib  # noqa: F401  (registers the backend)
import numpy as np
import pytest
from crossfold.model_selection import GridSearchCV
from joblib import Parallel, delayed, parallel_config
from sklearn.datasets import load_iris
from sklearn.exceptions import FitFailedWarning
from sklearn.model_selection import GridSearchCV as OneProcess
from sklearn.svm import SVC

from faults.gate import DeadlySVC

pytestmark = pytest.mark.timeout(90)

X, Y = load_iris(return_X_y=True)
GRID = {"C": [0.1, 13, 10.0]}


@pytest.mark.parametrize(("way", "reason"), [("exit", "7"), ("segfault", "11|SEGV|segmentation")])
def test_a_poison_candidate_scores_error_score(way: str, reason: str) -> None:
    search = GridSearchCV(DeadlySVC(way), GRID, cv=3, refit=False)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        search.fit(X, Y)

    alone = OneProcess(SVC(), GRID, cv=3, refit=False).fit(X, Y)
    scores, expected = search.cv_results_["mean_test_score"], alone.cv_results_["mean_test_score"]
    assert np.isnan(scores).tolist() == [False, True, False]
    assert scores[[0, 2]].tobytes() == expected[[0, 2]].tobytes()
    message = next(str(w.message) for w in caught if w.category is FitFailedWarning)
    assert "3 fits failed out of a total of 9" in message
    assert "PoisonFitError" in message
    assert any(word in message for word in reason.split("|"))


def test_a_poison_candidate_is_raised_when_asked_for() -> None:
    with pytest.raises(crossfold.PoisonFitError, match="7"):
        GridSearchCV(DeadlySVC(), GRID, cv=3, error_score="raise").fit(X, Y)
    assert np.isfinite(GridSearchCV(DeadlySVC(), {"C": [1.0]}, cv=3).fit(X, Y).best_score_)


def end_process(number: int) -> int:
    """End the process for 5."""
    if number == 5:
        os._exit(9)
    return number


def test_a_poison_call_is_raised_and_the_backend_stays_usable() -> None:
    with parallel_config(backend="crossfold"):
        with pytest.raises(crossfold.PoisonFitError, match="9"):
            Parallel(n_jobs=2)(delayed(end_process)(i) for i in range(8))
        assert Parallel(n_jobs=2)(delayed(end_process)(i) for i in range(3)) == [0, 1, 2]


def test_every_attempt_is_counted_as_a_fault() -> None:
    before = crossfold.stats()["faults"]
    with pytest.raises(ValueError, match="All the 2 fits failed"):
        GridSearchCV(DeadlySVC(), {"C": [13]}, cv=2).fit(X, Y)
    assert crossfold.stats()["faults"] == before + 6
