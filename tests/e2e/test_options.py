"""What the drop-ins can do beyond scikit-learn: each option as a user would notice it."""

from __future__ import annotations

import json
import os
import pickle
import signal
import subprocess
import time
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import crossfold
import numpy as np
import pytest
import sklearn.model_selection
from crossfold.model_selection import (
    GridSearchCV,
    HalvingGridSearchCV,
    RandomizedSearchCV,
    cross_val_score,
    cross_validate,
)
from faults.gate import Gate
from sklearn.base import BaseEstimator, ClassifierMixin, clone
from sklearn.datasets import load_iris
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.exceptions import FitFailedWarning
from sklearn.model_selection import StratifiedKFold
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC

from e2e.cluster import PrivateCluster

pytestmark = pytest.mark.timeout(90)

X, Y = load_iris(return_X_y=True)

# Far above any time limit of these tests.
FOR_EVER = 3600.0


class Sleeper(ClassifierMixin, BaseEstimator):
    """Takes its time, or all memory there is; scores its own `score_`."""

    def __init__(self, seconds: float = 0.0, megabytes: int = 0, score_: float = 0.5) -> None:
        self.seconds = seconds
        self.megabytes = megabytes
        self.score_ = score_

    def fit(self, X: Any, y: Any) -> Sleeper:
        self.classes_ = np.unique(y)
        self.held_ = [b"x" * 1_000_000 for _ in range(self.megabytes)]
        time.sleep(self.seconds)
        return self

    def score(self, X: Any, y: Any) -> float:
        return self.score_


class StuckInC(Sleeper):
    """Never gives Python's lock back."""

    def fit(self, X: Any, y: Any) -> StuckInC:
        if self.seconds:
            sum(range(10**15))
        return self


def mean_scores(search: Any) -> list[float]:
    return search.cv_results_["mean_test_score"].tolist()


# fit_timeout and fit_memory


def test_a_fit_stuck_in_c_is_ended_within_a_second_of_its_limit() -> None:
    with pytest.warns(FitFailedWarning, match="FitTimeout: it ran for more than 1 s"):
        with pytest.warns(UserWarning, match="non-finite"):
            search = GridSearchCV(StuckInC(), {"seconds": [0, FOR_EVER]}, cv=2, fit_timeout=1).fit(X, Y)
    assert search.best_params_ == {"seconds": 0}
    np.testing.assert_equal(mean_scores(search), [0.5, np.nan])
    assert 1 <= search.cv_results_["mean_fit_time"][1] <= 2
    history = crossfold.report(search).history
    assert history["error"].notna().sum() == 2
    assert set(history["attempt"]) == {0}


def test_a_fit_that_allocates_without_end_leaves_machine_and_search_alive() -> None:
    grid = {"megabytes": [0, 1_000_000]}
    with pytest.warns(FitFailedWarning, match="FitMemoryExceeded: it took .* MB .* more than its 200 MB"):
        with pytest.warns(UserWarning, match="non-finite"):
            search = GridSearchCV(Sleeper(), grid, cv=2, fit_memory=200_000_000).fit(X, Y)
    np.testing.assert_equal(mean_scores(search), [0.5, np.nan])
    within = GridSearchCV(Sleeper(), {"megabytes": [100]}, cv=2, fit_memory=200_000_000).fit(X, Y)
    assert mean_scores(within) == [0.5]


def test_limits_raise_when_errors_are_asked_for() -> None:
    with pytest.raises(crossfold.FitTimeout, match="1 s"):
        cross_validate(Sleeper(FOR_EVER), X, Y, cv=2, fit_timeout=1, error_score="raise")
    with pytest.raises(crossfold.FitMemoryExceeded, match="100 MB"):
        cross_validate(Sleeper(megabytes=10_000), X, Y, cv=2, fit_memory=100_000_000, error_score="raise")


def test_limits_hold_with_one_job() -> None:
    with pytest.raises(crossfold.FitTimeout):
        cross_val_score(Sleeper(FOR_EVER), X, Y, cv=2, n_jobs=1, fit_timeout=0.3, error_score="raise")


def test_with_wide_limits_results_are_scikit_learns() -> None:
    grid = {"C": [0.1, 1.0, 10.0]}
    ours = GridSearchCV(SVC(), grid, fit_timeout=60, fit_memory=1 << 30, budget=60, stop_at=2.0).fit(X, Y)
    theirs = sklearn.model_selection.GridSearchCV(SVC(), grid).fit(X, Y)
    assert list(ours.cv_results_) == list(theirs.cv_results_)
    assert mean_scores(ours) == mean_scores(theirs)
    assert not crossfold.report(ours).partial
    added = set(vars(ours)) - set(vars(theirs)) - {"prune", "policy"}
    assert added == {
        "name",
        "fit_timeout",
        "fit_memory",
        "share_prefixes",
        "budget",
        "stop_at",
        "keep_models",
        "eval_set",
        "predictions",
        "compiled_keras",
        "share_solver",
    }


# budget and stop_at


@pytest.fixture
def five_slots(shared_cluster: PrivateCluster) -> Iterator[None]:
    """A cluster on which four fits that hang leave a slot for the others, in whatever order they come."""
    with PrivateCluster(idle_timeout="60s", slots=5) as cluster:
        with pytest.MonkeyPatch.context() as patch:
            cluster.use(patch)
            crossfold.connect()
            # Every slot has its process before a budget begins.
            GridSearchCV(Sleeper(), {"score_": [0.1] * 10}, cv=2, refit=False).fit(X, Y)
            yield
        crossfold.connect()


@pytest.mark.usefixtures("five_slots")
def test_a_budget_ends_the_search_and_refits_the_best_that_is_finished() -> None:
    grid = [{"score_": [0.2, 0.7, 0.4]}, {"seconds": [FOR_EVER], "score_": [0.8, 0.9]}]
    began = time.monotonic()
    with pytest.warns(crossfold.PartialSearchWarning, match="4 of 10 .* not run, .* budget=4 s") as warned:
        search = GridSearchCV(Sleeper(), grid, cv=2, budget=4).fit(X, Y)
    assert time.monotonic() - began < 10
    assert [warning.filename for warning in warned] == [__file__]
    np.testing.assert_equal(mean_scores(search), [0.2, 0.7, 0.4, np.nan, np.nan])
    assert search.cv_results_["rank_test_score"].tolist() == [3, 1, 2, 4, 4]
    assert np.isnan(search.cv_results_["mean_fit_time"]).tolist() == [False] * 3 + [True] * 2
    assert (search.best_index_, search.best_estimator_.score_) == (1, 0.7)
    assert crossfold.report(search).partial


def test_a_budget_in_which_nothing_finishes_says_what_to_do() -> None:
    with pytest.raises(crossfold.NothingFinished, match=r"0 of 4 fits were run.*more time"):
        GridSearchCV(Sleeper(), {"seconds": [FOR_EVER, FOR_EVER + 1]}, cv=2, budget=0.5).fit(X, Y)


@pytest.mark.usefixtures("five_slots")
@pytest.mark.parametrize(
    "scoring", [None, ["accuracy", "f1_macro"], lambda e, X, y: {"a": 1.0, "accuracy": 0.0}]
)
def test_missing_scores_have_the_form_of_the_others(scoring: Any) -> None:
    grid = {"kernel": ["linear", hang]}
    refit = "accuracy" if scoring else True
    with pytest.warns(crossfold.PartialSearchWarning):
        search = GridSearchCV(
            SVC(), grid, cv=2, scoring=scoring, refit=refit, return_train_score=True, budget=4
        ).fit(X, Y)
    names = [name for name in search.cv_results_ if name.startswith(("mean_test", "mean_train"))]
    assert len(names) == (4 if scoring else 2)
    for name in names:
        assert np.isnan(search.cv_results_[name]).tolist() == [False, True]


def hang(X: Any, Y: Any) -> Any:
    """A kernel that takes for ever."""
    time.sleep(FOR_EVER)


def test_a_search_ends_at_the_score_that_is_good_enough() -> None:
    grid = {"score_": [0.1, 0.6, 0.95], "seconds": [0]}
    with pytest.warns(crossfold.PartialSearchWarning, match="stop_at=0.9"):
        search = RandomizedSearchCV(
            Sleeper(), [grid, {"seconds": [FOR_EVER]}], n_iter=4, cv=2, stop_at=0.9, random_state=0
        ).fit(X, Y)
    assert search.best_score_ == 0.95


def test_a_halving_search_refits_the_best_of_its_last_finished_iteration() -> None:
    class SlowLater(Sleeper):
        def fit(self, X: Any, y: Any) -> Any:
            time.sleep(FOR_EVER if self.megabytes >= 9 else 0)
            return self

    search = HalvingGridSearchCV(
        SlowLater(), {"score_": [0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9]}, cv=2, budget=2,
        resource="megabytes", min_resources=1, max_resources=9,
    )  # fmt: skip
    with pytest.warns(crossfold.PartialSearchWarning, match="2 of 26 fits were not run"):
        search.fit(X, Y)
    assert search.cv_results_["iter"].tolist() == [0] * 9 + [1] * 3 + [2]
    assert np.isnan(mean_scores(search)).tolist() == [False] * 12 + [True]
    assert search.best_params_ == {"score_": 0.9, "megabytes": 3}


# Ctrl-C

INTERRUPTED = """
import sys
import crossfold
import numpy as np
from crossfold.model_selection import GridSearchCV
from faults.gate import GatedSVC
from sklearn.datasets import load_iris

class Sometimes(GatedSVC):
    def fit(self, X, y):
        return super().fit(X, y) if self.C > 5 else super(GatedSVC, self).fit(X, y)

search = GridSearchCV(Sometimes(sys.argv[1]), {"C": [0.1, 1.0, 10.0, 100.0]}, cv=2)
try:
    search.fit(*load_iris(return_X_y=True))
except KeyboardInterrupt:
    report = crossfold.report(search)
    print(np.isnan(search.cv_results_["mean_test_score"]).tolist(), hasattr(search, "best_estimator_"))
    print(report.partial, len(report.history))
    raise
"""


def test_ctrl_c_keeps_what_is_finished(
    cluster: PrivateCluster, script: Callable[..., Path], tmp_path: Path
) -> None:
    gate = Gate(tmp_path)
    client: subprocess.Popen[str] = cluster.start(script(INTERRUPTED), str(tmp_path))
    gate.wait_for_fit()
    gate.wait_for_fit()
    os.killpg(client.pid, signal.SIGINT)
    printed, errors = client.communicate(timeout=20)
    gate.close()
    assert printed.splitlines() == ["[False, False, True, True] False", "True 4"], errors
    assert errors.rstrip().endswith("KeyboardInterrupt")


# keep_models


def test_every_model_is_on_disk(tmp_path: Path) -> None:
    folder = tmp_path / "models"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        search = GridSearchCV(SVC(), {"C": [1.0, -1.0, 10.0]}, cv=3, keep_models=folder).fit(X, Y)
    report = crossfold.report(search)
    _, test = list(StratifiedKFold(3).split(X, Y))[1]
    assert report.model(2, 1).score(X[test], Y[test]) == search.cv_results_["split1_test_score"][2]
    with pytest.raises(KeyError, match=r"candidate 1, split 0: its fit failed or was not run"):
        report.model(1, 0)

    index = json.loads((folder / "index.json").read_text())
    assert [(row["candidate"], row["split"]) for row in index] == [(c, s) for c in (0, 2) for s in range(3)]
    assert index[-1]["params"] == {"C": "10.0"}
    assert index[-1]["scores"] == {"score": search.cv_results_["split2_test_score"][2]}
    assert {path.name for path in folder.iterdir()} == {"index.json", *(row["file"] for row in index)}

    with pytest.raises(crossfold.CrossfoldError, match="holds files already. Name a new folder"):
        GridSearchCV(SVC(), {"C": [1.0]}, keep_models=folder).fit(X, Y)


def test_models_that_were_not_kept_are_not_there() -> None:
    search = GridSearchCV(SVC(), {"C": [1.0]}, cv=2).fit(X, Y)
    with pytest.raises(ValueError, match="keep_models=folder"):
        crossfold.report(search).model(0, 0)


# eval_set


class TakesEvalSet(ClassifierMixin, BaseEstimator):
    """Scores how many validation rows it was given, and how they are scaled."""

    def __init__(self, flavour: int = 0) -> None:
        self.flavour = flavour

    def fit(self, X: Any, y: Any, eval_set: Any = None) -> TakesEvalSet:
        ((X_val, y_val),) = eval_set
        self.seen_ = (len(X), len(X_val), len(y_val), float(np.abs(X_val.mean())))
        return self

    def score(self, X: Any, y: Any) -> float:
        train, test, labels, mean = self.seen_
        assert (train, test, labels) == (100, 50, 50) and test == len(X) == len(y)
        return 1.0 if mean < 0.5 else 0.0


def test_a_fit_gets_its_test_rows_to_validate_on() -> None:
    search = GridSearchCV(
        TakesEvalSet(), {"flavour": [1, 2]}, cv=3, eval_set=True, refit=False, error_score="raise"
    )
    assert mean_scores(search.fit(X, Y)) == [0.0, 0.0]


def test_the_steps_before_transform_the_validation_rows() -> None:
    steps = Pipeline([("scale", StandardScaler()), ("model", SVC())])
    grid = {"model": [TakesEvalSet()]}
    search = GridSearchCV(steps, grid, cv=3, eval_set=True, refit=False, error_score="raise")
    assert mean_scores(search.fit(X, Y)) == [1.0]


def test_boosting_stops_early_on_its_test_rows(tmp_path: Path) -> None:
    model = HistGradientBoostingClassifier(early_stopping=True, n_iter_no_change=2, max_iter=40)
    search = GridSearchCV(
        model, {"learning_rate": [0.5]}, cv=2, eval_set=True, keep_models=tmp_path / "m", error_score="raise"
    ).fit(X, Y)
    train, test = next(StratifiedKFold(2).split(X, Y))
    alone = clone(model).set_params(learning_rate=0.5).fit(X[train], Y[train], X_val=X[test], y_val=Y[test])
    kept = crossfold.report(search).model(0, 0)
    assert kept.validation_score_.tolist() == alone.validation_score_.tolist()
    assert "fit" not in vars(kept)


def test_an_estimator_that_takes_no_validation_data_is_refused() -> None:
    before = crossfold.stats()["fits_completed"]
    with pytest.raises(ValueError, match="eval_set=True: SVC takes no validation data"):
        GridSearchCV(SVC(), {"C": [1.0]}, eval_set=True).fit(X, Y)
    with pytest.raises(ValueError, match="eval_set=True: SVC takes no validation data"):
        GridSearchCV(Pipeline([("m", TakesEvalSet())]), {"m": [SVC()]}, eval_set=True).fit(X, Y)
    assert crossfold.stats()["fits_completed"] == before


# What they are on the estimator


def test_options_survive_clones_pickles_and_are_shown() -> None:
    search = GridSearchCV(SVC(), {"C": [1.0]}, name="mine", fit_timeout=5)
    for copy in (clone(search), pickle.loads(pickle.dumps(search))):
        assert copy.get_params()["fit_timeout"] == 5
        assert "fit_timeout=5" in repr(copy) and "budget" not in repr(copy)
    assert search.set_params(fit_timeout=None).fit_timeout is None


def test_a_search_has_its_name() -> None:
    search = GridSearchCV(SVC(), {"C": [1.0]}, cv=2, name="spring").fit(X, Y)
    assert crossfold.report(search).name == "spring"


@pytest.mark.parametrize(
    "option",
    [
        {"name": 3},
        {"fit_timeout": 0},
        {"fit_timeout": float("inf")},
        {"fit_memory": 1.5},
        {"fit_memory": -1},
        {"budget": "1h"},
        {"stop_at": float("nan")},
        {"keep_models": 1},
        {"eval_set": "yes"},
    ],
)
def test_a_bad_value_is_refused(option: dict[str, Any]) -> None:
    ((name, value),) = option.items()
    with pytest.raises(ValueError, match=f"{name}={value!r} is not"):
        GridSearchCV(SVC(), {"C": [1.0]}, **option).fit(X, Y)


def test_stop_at_needs_to_know_its_metric_before_a_fit() -> None:
    before = crossfold.stats()["fits_completed"]
    with pytest.raises(ValueError, match=r"set refit to one of \['accuracy', 'f1'\], not False"):
        GridSearchCV(SVC(), {"C": [1.0]}, scoring=["accuracy", "f1"], refit=False, cv=2, stop_at=0.9).fit(
            X, Y
        )
    assert crossfold.stats()["fits_completed"] == before


def test_a_search_inside_a_fit_has_no_options_of_its_own() -> None:
    inner = GridSearchCV(SVC(), {"C": [1.0]}, cv=2, fit_timeout=5)
    with pytest.raises(crossfold.CrossfoldError, match="fit_timeout can't be used .* inside a fit"):
        cross_val_score(inner, X, Y, cv=2, error_score="raise")
    assert len(cross_val_score(inner.set_params(fit_timeout=None), X, Y, cv=2, fit_timeout=30)) == 2
