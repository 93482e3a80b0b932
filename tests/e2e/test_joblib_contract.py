"""What joblib promises beside results: threads, nesting, managers, aborts, and scikit-learn on top."""

from __future__ import annotations

import multiprocessing
import operator
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import crossfold.joblib
import numpy as np
import psutil
import pytest
from joblib import Parallel, delayed, parallel_config
from sklearn.calibration import CalibratedClassifierCV
from sklearn.datasets import make_classification
from sklearn.ensemble import StackingClassifier
from sklearn.feature_selection import SequentialFeatureSelector
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.multiclass import OneVsRestClassifier
from sklearn.multioutput import MultiOutputRegressor
from sklearn.naive_bayes import GaussianNB
from sklearn.svm import LinearSVC

from e2e.cluster import wait_until

pytestmark = pytest.mark.timeout(90)


@pytest.fixture(autouse=True)
def backend() -> Iterator[None]:
    """Everything in this file runs inside ``parallel_config(backend="crossfold")``."""
    with parallel_config(backend="crossfold"):
        yield


def threads() -> tuple[int, str]:
    """The most threads that a loaded library may use, and what one loaded later would look at."""
    from threadpoolctl import threadpool_info

    return max(library["num_threads"] for library in threadpool_info()), os.environ["OMP_NUM_THREADS"]


def test_threads_inside_a_call_are_those_asked_for() -> None:
    for asked, expected in ((None, 1), (2, 2), (None, 1)):
        with parallel_config(backend="crossfold", inner_max_num_threads=asked):
            assert set(Parallel(n_jobs=2)(delayed(threads)() for _ in range(4))) == {
                (expected, str(expected))
            }


@pytest.mark.parametrize("threads", [0, "2"])
def test_what_is_no_number_of_threads_is_refused(threads: Any) -> None:
    with (
        parallel_config(backend="crossfold", inner_max_num_threads=threads),
        pytest.raises(ValueError, match=f"inner_max_num_threads={threads!r}"),
    ):
        Parallel(n_jobs=2)(delayed(abs)(i) for i in range(2))


def test_what_the_backend_does_not_know_is_refused() -> None:
    with pytest.raises(TypeError, match="initializer"):
        parallel_config(backend="crossfold", initializer=print)
    with pytest.raises(TypeError, match="initializer"):
        Parallel(n_jobs=2, initializer=print)(delayed(abs)(i) for i in range(2))


def nested(number: int) -> tuple[list[int], bool]:
    """A call that names the backend it runs on."""
    found = Parallel(backend="crossfold", n_jobs=2)(delayed(process_id)(i) for i in range(3))
    return [value * number for value, _ in found], {process for _, process in found} == {os.getpid()}


def process_id(number: int) -> tuple[int, int]:
    """The number, and where it was handled."""
    return number, os.getpid()


def test_a_call_may_name_the_backend_it_runs_on() -> None:
    assert Parallel(n_jobs=2)(delayed(nested)(i) for i in (1, 2)) == [([0, 1, 2], True), ([0, 2, 4], True)]


def test_calls_reach_the_callers_manager() -> None:
    with multiprocessing.Manager() as manager:
        seen = manager.list()
        Parallel(n_jobs=2)(delayed(seen.append)(i) for i in range(5))
        assert sorted(seen) == [0, 1, 2, 3, 4]


def interrupt(number: int) -> int:
    """Raise what is no Exception for 1."""
    if number == 1:
        raise KeyboardInterrupt
    return number


def test_a_managed_parallel_goes_on_after_an_interrupt_in_a_worker() -> None:
    with Parallel(n_jobs=2) as parallel:
        for _ in range(2):
            with pytest.raises(KeyboardInterrupt):
                parallel(delayed(interrupt)(i) for i in range(4))
        assert parallel(delayed(operator.neg)(i) for i in range(4)) == [0, -1, -2, -3]


def work_for_ever(path: Path) -> None:
    """Tell the process, then stay in C code."""
    part = path.with_suffix(".part")
    part.write_text(str(os.getpid()))
    part.rename(path)
    sum(range(10**15))


def test_an_abort_kills_calls_that_are_stuck_in_c(tmp_path: Path) -> None:
    paths = [tmp_path / str(i) for i in range(2)]
    results = Parallel(n_jobs=2, return_as="generator")(delayed(work_for_ever)(path) for path in paths)
    wait_until(lambda: all(path.exists() for path in paths), 30, lambda: f"started: {os.listdir(tmp_path)}")
    processes = [int(path.read_text()) for path in paths]
    began = time.monotonic()
    with pytest.warns(UserWarning, match="have been cancelled"):
        results.close()
    wait_until(lambda: not any(map(psutil.pid_exists, processes)), 10, lambda: f"alive: {processes}")
    assert time.monotonic() - began < 10


X, Y = make_classification(80, n_features=6, n_informative=4, random_state=0)
TARGETS = np.random.RandomState(0).rand(80, 3)

MODELS: dict[str, tuple[Callable[[int | None], Any], Any]] = {
    # A model for a number of jobs, and its target.
    "stacking": (
        lambda n_jobs: StackingClassifier(
            [("nb", GaussianNB()), ("svc", LinearSVC(random_state=0))], cv=3, n_jobs=n_jobs
        ),
        Y,
    ),
    "one versus rest": (lambda n_jobs: OneVsRestClassifier(LogisticRegression(), n_jobs=n_jobs), Y),
    "many outputs": (lambda n_jobs: MultiOutputRegressor(Ridge(), n_jobs=n_jobs), TARGETS),
    "calibrated": (lambda n_jobs: CalibratedClassifierCV(GaussianNB(), cv=3, n_jobs=n_jobs), Y),
}


@pytest.mark.parametrize("name", MODELS)
def test_models_of_unmodified_scikit_learn_are_equal(name: str) -> None:
    make, target = MODELS[name]
    with parallel_config(backend="sequential"):
        expected = make(None).fit(X, target)
    before = crossfold.stats()
    actual = make(2).fit(X, target)
    assert crossfold.stats()["calls_completed"] > before["calls_completed"]
    predict = "predict_proba" if hasattr(expected, "predict_proba") else "predict"
    assert getattr(actual, predict)(X).tobytes() == getattr(expected, predict)(X).tobytes()


def test_fold_fits_deep_inside_scikit_learn_are_lifted() -> None:
    def select(n_jobs: int | None) -> list[bool]:
        selector = SequentialFeatureSelector(GaussianNB(), n_features_to_select=2, cv=3, n_jobs=n_jobs)
        return selector.fit(X, Y).get_support().tolist()

    with parallel_config(backend="sequential"):
        expected = select(None)
    before = crossfold.stats()["fits_completed"]
    assert select(2) == expected
    # Six features, then five more beside the first, in three folds each.
    assert crossfold.stats()["fits_completed"] - before == (6 + 5) * 3
