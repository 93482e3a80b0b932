"""Estimators that misbehave: the search ends as scikit-learn's would, or says why, and no worker is lost."""

from __future__ import annotations

import os
import sys
import threading
import time
import warnings
from collections.abc import Callable, Iterator
from typing import Any

import crossfold
import numpy as np
import pytest
from crossfold.model_selection import GridSearchCV
from e2e.cluster import PrivateCluster
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.datasets import load_iris
from sklearn.model_selection import GridSearchCV as OneProcess
from sklearn.svm import SVC

pytestmark = pytest.mark.timeout(90)

X, Y = load_iris(return_X_y=True)
GRID = {"bad": [False, True]}


class Bad(ClassifierMixin, BaseEstimator):
    """Calls `act` in its fit, or returns what `act` returns as its score."""

    def __init__(self, act: Callable[[], Any] = dict, scores: bool = False, bad: bool = False) -> None:
        self.act = act
        self.scores = scores
        self.bad = bad

    def fit(self, X: Any, y: Any) -> Bad:
        self.classes_ = np.unique(y)
        if self.bad and not self.scores:
            self.act()
        return self

    def score(self, X: Any, y: Any) -> Any:
        return self.act() if self.bad and self.scores else 0.5


def leave() -> None:
    sys.exit("enough")


def interrupt() -> None:
    raise KeyboardInterrupt("from a fit")


def raise_base() -> None:
    raise BaseException("of no class one catches")


def die() -> None:
    os._exit(3)


def print_100_megabytes() -> None:
    for _ in range(100):
        print("x" * 1_000_000)


def write_100_megabytes() -> None:
    for _ in range(100):
        os.write(1, b"x" * 1_000_000)


def fork_and_leave_a_child() -> None:
    if os.fork() == 0:
        time.sleep(3600)


def fork_and_come_back_twice() -> None:
    os.fork()


def start_endless_threads() -> None:
    for _ in range(4):
        threading.Thread(target=time.sleep, args=(3600,)).start()


@pytest.fixture(autouse=True)
def no_worker_is_lost() -> Iterator[None]:
    """Before and after a test the cluster has all of its slots, and a plain search works."""
    before = {name: crossfold.stats()[name] for name in ("workers", "slots")}
    yield
    good = GridSearchCV(SVC(), {"C": [0.1, 1.0, 10.0]}, cv=4, refit=False).fit(X, Y)
    alone = OneProcess(SVC(), {"C": [0.1, 1.0, 10.0]}, cv=4, refit=False).fit(X, Y)
    assert good.cv_results_["mean_test_score"].tobytes() == alone.cv_results_["mean_test_score"].tobytes()
    assert {name: crossfold.stats()[name] for name in before} == before


@pytest.mark.parametrize(
    ("act", "error"), [(leave, SystemExit), (interrupt, KeyboardInterrupt), (raise_base, BaseException)]
)
def test_what_scikit_learn_lets_through_is_raised(act: Callable[[], Any], error: type[BaseException]) -> None:
    raised = []
    for search in (GridSearchCV, OneProcess):
        with pytest.raises(error) as caught:
            search(Bad(act), GRID, cv=2).fit(X, Y)
        raised.append((type(caught.value), caught.value.args))
    assert raised[0] == raised[1]


def test_a_fit_that_ends_its_process_is_a_failed_fit() -> None:
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        search = GridSearchCV(Bad(die), GRID, cv=2, refit=False).fit(X, Y)
    np.testing.assert_equal(search.cv_results_["mean_test_score"].tolist(), [0.5, np.nan])
    assert any("PoisonFitError" in str(warning.message) for warning in caught)


@pytest.mark.parametrize("act", [print_100_megabytes, write_100_megabytes])
def test_100_megabytes_of_output_are_cut(act: Callable[[], Any], capfd: pytest.CaptureFixture[str]) -> None:
    search = GridSearchCV(Bad(act), GRID, cv=2, refit=False).fit(X, Y)
    assert search.cv_results_["mean_test_score"].tolist() == [0.5, 0.5]
    assert len(capfd.readouterr().out) < 3_000_000


@pytest.mark.parametrize("act", [fork_and_leave_a_child, fork_and_come_back_twice, start_endless_threads])
def test_what_a_fit_leaves_running_does_not_disturb(
    act: Callable[[], Any], shared_cluster: PrivateCluster
) -> None:
    search = GridSearchCV(Bad(act), GRID, cv=4, refit=False).fit(X, Y)
    assert search.cv_results_["mean_test_score"].tolist() == [0.5, 0.5]
    assert len(crossfold.report(search).history) == 8


@pytest.mark.parametrize("score", ["good", None, np.array([0.1, 0.2]), {"a": "b"}], ids=repr)
def test_a_score_of_the_wrong_type_is_refused_as_scikit_learn_does(score: Any) -> None:
    messages = []
    for search in (GridSearchCV, OneProcess):
        with pytest.raises(Exception) as caught:  # noqa: PT011 - the classes are compared
            search(Bad(lambda: score, scores=True), {"bad": [True]}, cv=2).fit(X, Y)
        messages.append((type(caught.value), str(caught.value).split("(")[0]))
    assert messages[0] == messages[1]
