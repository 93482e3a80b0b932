"""The joblib backend, used as joblib's own users use it."""

from __future__ import annotations

import operator
import os
import threading
import time
import warnings
from collections.abc import Iterator
from typing import Any

import crossfold.joblib  # noqa: F401  (registers the backend)
import joblib
import numpy as np
import pytest
from joblib import Parallel, delayed, parallel_config
from sklearn.datasets import make_classification
from sklearn.ensemble import RandomForestClassifier
from sklearn.feature_selection import RFECV
from sklearn.inspection import permutation_importance
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, learning_curve
from sklearn.multiclass import OneVsRestClassifier
from sklearn.svm import SVC

from e2e.compare import assert_same, search_view

pytestmark = pytest.mark.timeout(60)


@pytest.fixture(autouse=True)
def backend() -> Iterator[None]:
    """Everything in this file runs inside ``parallel_config(backend="crossfold")``."""
    with parallel_config(backend="crossfold"):
        yield


def process_id(_: Any = None) -> int:
    """Where a call runs."""
    return os.getpid()


def fail_on(number: int) -> int:
    """Raise for 3, with a frame of its own in the traceback."""
    if number == 3:
        raise LookupError("three is not there")
    return number


def wait_for(seconds: float) -> float:
    """A call that takes its time."""
    time.sleep(seconds)
    return seconds


def test_results_come_in_the_order_of_the_calls() -> None:
    assert Parallel()(delayed(operator.mul)(i, i) for i in range(300)) == [i * i for i in range(300)]


def test_calls_run_in_the_clusters_processes() -> None:
    found = set(Parallel()(delayed(process_id)() for _ in range(20)))
    assert os.getpid() not in found


def test_keyword_arguments_lambdas_and_closures() -> None:
    offset = 7
    calls = [delayed(lambda x, *, y: x + y + offset)(i, y=2 * i) for i in range(5)]
    assert Parallel()(calls) == [3 * i + 7 for i in range(5)]


def test_no_calls_at_all() -> None:
    assert Parallel()([]) == []


def test_a_parallel_object_is_reused() -> None:
    with Parallel() as parallel:
        first = parallel(delayed(operator.neg)(i) for i in range(10))
        second = parallel(delayed(operator.neg)(i) for i in first)
    assert second == list(range(10))


def test_generator_gives_results_in_order_and_early() -> None:
    results = Parallel(return_as="generator")(delayed(operator.add)(i, 1) for i in range(50))
    assert next(results) == 1
    assert list(results) == list(range(2, 51))


def test_unordered_generator_gives_the_quick_first() -> None:
    results = Parallel(n_jobs=2, return_as="generator_unordered")(delayed(wait_for)(s) for s in (2.0, 0.0))
    assert list(results) == [0.0, 2.0]


def test_an_abandoned_generator_stops_its_calls() -> None:
    began = time.monotonic()
    results = Parallel(n_jobs=2, return_as="generator")(delayed(wait_for)(s) for s in (0, 50, 50, 50))
    next(results)
    with pytest.warns(UserWarning, match="have been cancelled"):
        results.close()
    assert Parallel()(delayed(operator.neg)(i) for i in range(4)) == [0, -1, -2, -3]
    assert time.monotonic() - began < 20


def test_an_exception_keeps_its_type_and_its_remote_traceback() -> None:
    with pytest.raises(LookupError, match="three is not there") as caught:
        Parallel()(delayed(fail_on)(i) for i in range(8))
    assert "in fail_on" in str(caught.value.__cause__)


def test_a_failed_parallel_leaves_the_backend_usable() -> None:
    with pytest.raises(LookupError):
        Parallel()(delayed(fail_on)(i) for i in range(8))
    assert Parallel()(delayed(fail_on)(i) for i in range(3)) == [0, 1, 2]


class Awkward(Exception):
    """An exception that can't be unpickled: its constructor wants more than its arguments."""

    def __init__(self, name: str, place: str) -> None:
        super().__init__(f"{name} at {place}")


def raise_awkward() -> None:
    """Raise what can't be unpickled."""
    raise Awkward("stone", "door")


def test_an_exception_that_cannot_be_unpickled_keeps_its_name_and_text() -> None:
    with pytest.raises(Exception, match="stone at door") as caught:
        Parallel()(delayed(raise_awkward)() for _ in range(2))
    assert "Awkward" in f"{type(caught.value).__name__} {caught.value}"


def test_timeout_raises_and_cancels() -> None:
    began = time.monotonic()
    with pytest.raises((TimeoutError, joblib.parallel.TimeoutError)):
        Parallel(n_jobs=2, timeout=0.5)(delayed(wait_for)(60) for _ in range(2))
    assert Parallel(n_jobs=2)(delayed(wait_for)(0) for _ in range(4)) == [0] * 4
    assert time.monotonic() - began < 20


def test_an_argument_that_cannot_be_pickled_is_named() -> None:
    with pytest.raises(Exception, match="lock"):
        Parallel(n_jobs=2)(delayed(operator.is_)(threading.Lock(), i) for i in range(2))


def test_big_arrays_arrive_equal_and_go_back_equal() -> None:
    big = np.random.RandomState(0).rand(1_000, 300)
    doubled = Parallel()(delayed(operator.mul)(big, i) for i in range(4))
    for factor, array in enumerate(doubled):
        assert array.dtype == big.dtype
        assert np.array_equal(array, big * factor)


def test_big_arrays_of_every_layout() -> None:
    big = np.arange(600_000.0).reshape(600, 1000)
    for array in (np.asfortranarray(big), big[::2], big.astype(">f8"), big.astype(np.float32)):
        assert Parallel()(delayed(np.sum)(array, axis=axis) for axis in (0, 1))[1].tolist() == (
            array.sum(axis=1).tolist()
        )


def test_warnings_arrive_with_their_category() -> None:
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        Parallel(n_jobs=2)(delayed(warnings.warn)(f"call {i}", UserWarning) for i in range(3))
    assert sorted(str(w.message) for w in caught) == ["call 0", "call 1", "call 2"]
    assert {w.category for w in caught} == {UserWarning}


def test_printed_text_arrives(capsys: pytest.CaptureFixture[str]) -> None:
    Parallel(n_jobs=2)(delayed(print)(f"hello from call {i}") for i in range(3))
    lines = capsys.readouterr().out.splitlines()
    assert sorted(lines) == [f"hello from call {i}" for i in range(3)]


def inner_sum(number: int) -> int:
    """A call that is itself parallel."""
    return sum(Parallel(n_jobs=2)(delayed(operator.mul)(number, i) for i in range(4)))


def test_nested_parallel_calls() -> None:
    assert Parallel(n_jobs=2)(delayed(inner_sum)(i) for i in range(4)) == [0, 6, 12, 18]


def test_number_of_jobs() -> None:
    slots = int(os.environ["CROSSFOLD_SLOTS"])
    assert joblib.effective_n_jobs(-1) == slots
    assert joblib.effective_n_jobs(3) == 3
    assert joblib.effective_n_jobs(1) == 1
    with pytest.raises(ValueError, match="n_jobs"):
        Parallel(n_jobs=0)(delayed(process_id)() for _ in range(2))


def test_one_job_runs_in_process() -> None:
    assert set(Parallel(n_jobs=1)(delayed(process_id)() for _ in range(3))) == {os.getpid()}


def test_shared_memory_falls_back_to_threads() -> None:
    seen: list[int] = []
    Parallel(n_jobs=2, require="sharedmem")(delayed(seen.append)(i) for i in range(5))
    assert sorted(seen) == [0, 1, 2, 3, 4]


def test_two_threads_use_the_backend_at_once() -> None:
    found: dict[int, list[int]] = {}

    def work(key: int) -> None:
        with parallel_config(backend="crossfold"):
            found[key] = Parallel()(delayed(operator.mul)(key, i) for i in range(50))

    threads = [threading.Thread(target=work, args=(key,)) for key in (2, 3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=30)
    assert found == {key: [key * i for i in range(50)] for key in (2, 3)}


def test_explicit_pre_dispatch_takes_calls_lazily() -> None:
    taken = []

    def calls() -> Iterator[Any]:
        for i in range(40):
            taken.append(i)
            yield delayed(operator.neg)(i)

    results = Parallel(n_jobs=2, pre_dispatch=4, batch_size=1, return_as="generator")(calls())
    assert next(results) == 0
    assert len(taken) < 40
    assert list(results) == [-i for i in range(1, 40)]


def both_ways(run: Any) -> tuple[Any, Any]:
    """What `run(n_jobs)` gives on the cluster and what it gives alone in this process."""
    with parallel_config(backend="sequential"):
        expected = run(None)
    return run(2), expected


X, Y = make_classification(120, n_features=8, n_informative=4, random_state=0)


def test_forest_of_unmodified_scikit_learn() -> None:
    def run(n_jobs: int | None) -> np.ndarray:
        forest = RandomForestClassifier(20, oob_score=True, random_state=0, n_jobs=n_jobs).fit(X, Y)
        return np.column_stack([forest.predict_proba(X), forest.oob_decision_function_])

    actual, expected = both_ways(run)
    assert actual.tobytes() == expected.tobytes()


def test_permutation_importance_of_unmodified_scikit_learn() -> None:
    model = SVC().fit(X, Y)
    actual, expected = both_ways(
        lambda n_jobs: permutation_importance(model, X, Y, n_repeats=3, random_state=0, n_jobs=n_jobs)
    )
    assert actual.importances.tobytes() == expected.importances.tobytes()


def test_feature_elimination_of_unmodified_scikit_learn() -> None:
    actual, expected = both_ways(
        lambda n_jobs: RFECV(LogisticRegression(max_iter=200), cv=3, n_jobs=n_jobs).fit(X, Y)
    )
    assert actual.ranking_.tolist() == expected.ranking_.tolist()
    assert (
        actual.cv_results_["mean_test_score"].tobytes() == expected.cv_results_["mean_test_score"].tobytes()
    )


def test_learning_curve_and_one_versus_rest_of_unmodified_scikit_learn() -> None:
    def run(n_jobs: int | None) -> Any:
        model = OneVsRestClassifier(SVC(), n_jobs=None)
        _, *scores = learning_curve(model, X, Y, train_sizes=[0.3, 1.0], cv=3, n_jobs=n_jobs)
        return np.hstack(scores)

    actual, expected = both_ways(run)
    assert actual.tobytes() == expected.tobytes()


def test_grid_search_of_unmodified_scikit_learn() -> None:
    actual, expected = both_ways(
        lambda n_jobs: search_view(GridSearchCV(SVC(), {"C": [0.1, 1.0]}, n_jobs=n_jobs).fit(X, Y), X)
    )
    assert_same(actual, expected)


def test_lifted_fits_are_counted_as_fits_and_calls_as_calls() -> None:
    before = crossfold.stats()
    learning_curve(SVC(), X, Y, train_sizes=[0.5, 1.0], cv=3, n_jobs=2)
    Parallel(n_jobs=2)(delayed(operator.neg)(i) for i in range(10))
    after = crossfold.stats()
    assert after["fits_completed"] - before["fits_completed"] == 6
    assert after["calls_completed"] - before["calls_completed"] == 10
