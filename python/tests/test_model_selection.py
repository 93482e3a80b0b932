"""The drop-ins give what scikit-learn gives, and lift what they run."""

from __future__ import annotations

import inspect
import pickle
import re
import signal
import subprocess
import sys
import threading
import time
import warnings
from collections.abc import Callable
from typing import Any

import joblib
import numpy as np
import pytest
import sklearn
from double import Cluster
from sklearn import model_selection as reference
from sklearn.base import BaseEstimator, ClassifierMixin, clone
from sklearn.datasets import load_iris
from sklearn.ensemble import RandomForestClassifier
from sklearn.exceptions import FitFailedWarning
from sklearn.experimental import enable_halving_search_cv  # noqa: F401
from sklearn.linear_model import LogisticRegression
from sklearn.naive_bayes import GaussianNB
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC
from sklearn.utils import get_tags

import crossfold
from crossfold import model_selection

X, y = load_iris(return_X_y=True)
GRID = {"C": [0.5, 1, 10.0], "gamma": [0.1, 1]}


def assert_same_results(ours: dict[str, Any], theirs: dict[str, Any]) -> None:
    assert list(ours) == list(theirs)
    for key, value in theirs.items():
        if "time" in key:
            continue
        if isinstance(value, np.ma.MaskedArray):
            np.testing.assert_array_equal(np.ma.getmaskarray(ours[key]), np.ma.getmaskarray(value))
        if isinstance(value, np.ndarray):
            assert ours[key].dtype == value.dtype
            np.testing.assert_array_equal(ours[key], value)
        else:
            assert ours[key] == value


def html(estimator: Any, without: list[str] | None = None) -> str:
    """What a notebook shows, without the rows of some parameters."""
    text = re.sub(r"sk-(container|estimator)-id-\d+", "id", estimator._repr_html_())
    for name in without or []:
        text = re.sub(rf'\s*<tr class="default">(?:(?!</tr>).)*"Copy {name} to.*?</tr>', "", text, flags=re.S)
    return re.sub(r"\s+", " ", text)


class Stub(ClassifierMixin, BaseEstimator):
    """Fails where it is told to, and can hold anything."""

    def __init__(self, fail: bool = False, payload: Any = None) -> None:
        self.fail = fail
        self.payload = payload

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> Stub:
        if self.fail:
            raise RuntimeError("told to fail")
        self.classes_ = np.unique(y)
        return self

    def predict(self, X: Any) -> Any:
        return np.zeros(len(X), dtype=int)


def test_grid_search_equals_scikit_learn(cluster: Cluster) -> None:
    ours = model_selection.GridSearchCV(SVC(), GRID, return_train_score=True).fit(X, y)
    theirs = reference.GridSearchCV(SVC(), GRID, return_train_score=True).fit(X, y)
    assert_same_results(ours.cv_results_, theirs.cv_results_)
    assert (ours.best_index_, ours.best_score_, ours.best_params_) == (
        theirs.best_index_,
        theirs.best_score_,
        theirs.best_params_,
    )
    np.testing.assert_array_equal(ours.predict(X), theirs.predict(X))


def test_randomized_multimetric_search_equals_scikit_learn(cluster: Cluster) -> None:
    options: dict[str, Any] = dict(
        param_distributions={"logisticregression__C": np.logspace(-2, 2, 20)},
        n_iter=5,
        random_state=3,
        scoring=["accuracy", "f1_macro"],
        refit="f1_macro",
        cv=reference.StratifiedKFold(4, shuffle=True, random_state=0),
    )
    pipeline = make_pipeline(StandardScaler(), LogisticRegression())
    ours = model_selection.RandomizedSearchCV(pipeline, **options).fit(X, y)
    theirs = reference.RandomizedSearchCV(pipeline, **options).fit(X, y)
    assert_same_results(ours.cv_results_, theirs.cv_results_)


def test_cross_validation_functions_equal_scikit_learn(cluster: Cluster) -> None:
    forest = RandomForestClassifier(8, random_state=1)
    weight = {"sample_weight": np.linspace(1, 2, len(y))}
    ours = model_selection.cross_validate(
        forest, X, y, return_estimator=True, return_indices=True, params=weight
    )
    theirs = reference.cross_validate(forest, X, y, return_estimator=True, return_indices=True, params=weight)
    assert list(ours) == list(theirs)
    np.testing.assert_array_equal(ours["test_score"], theirs["test_score"])
    for mine, other in zip(ours["estimator"], theirs["estimator"], strict=True):
        np.testing.assert_array_equal(mine.predict_proba(X), other.predict_proba(X))
    np.testing.assert_array_equal(
        model_selection.cross_val_score(SVC(), X, y, cv=4), reference.cross_val_score(SVC(), X, y, cv=4)
    )
    for method in ("predict", "predict_proba"):
        np.testing.assert_array_equal(
            model_selection.cross_val_predict(forest, X, y, method=method),
            reference.cross_val_predict(forest, X, y, method=method),
        )


def test_a_search_is_one_lifted_job(cluster: Cluster) -> None:
    model_selection.GridSearchCV(SVC(), GRID, cv=4, n_jobs=3).fit(X, y)
    (spec,) = cluster.specs
    assert spec.dataset_id.startswith("ds-")
    assert spec.code.blob_id.startswith("bl-")
    assert spec.name == "GridSearchCV(SVC)"
    assert spec.max_parallel == 3
    assert "sklearn.svm._classes" in spec.code.preload
    assert sum(len(append.candidates) for append in cluster.appends) == 6
    assert sum(len(append.splits) for append in cluster.appends) == 4
    fits = [fit for append in cluster.appends for fit in append.fits]
    assert [(fit.candidate, fit.split) for fit in fits] == [(c, s) for c in range(6) for s in range(4)]
    assert not any(fit.extra for fit in fits)
    assert cluster.closed.wait(5)


def test_equal_folds_of_a_cross_validation_share_one_candidate(cluster: Cluster) -> None:
    model_selection.cross_validate(SVC(), X, y, cv=4)
    assert sum(len(append.candidates) for append in cluster.appends) == 1
    assert sum(len(append.splits) for append in cluster.appends) == 4


def test_every_name_of_scikit_learns_model_selection_is_there() -> None:
    assert set(model_selection.__all__) >= set(reference.__all__)
    runs = {name for name in reference.__all__ if name.endswith("SearchCV")} | set(FUNCTIONS)
    for name in set(reference.__all__) - runs:
        assert getattr(model_selection, name) is getattr(reference, name)


def test_halving_needs_no_import_that_enables_it() -> None:
    script = """
import pickle
import sklearn.model_selection
from crossfold.model_selection import HalvingGridSearchCV, HalvingRandomSearchCV
from sklearn.base import clone
from sklearn.svm import SVC
for kind in (HalvingGridSearchCV, HalvingRandomSearchCV):
    print(clone(pickle.loads(pickle.dumps(kind(SVC(), {"C": [1, 2]})))))
print("HalvingGridSearchCV" in vars(sklearn.model_selection))
"""
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, timeout=50, check=True
    )
    *shown, enabled = done.stdout.splitlines()
    assert shown == [
        "HalvingGridSearchCV(estimator=SVC(), param_grid={'C': [1, 2]})",
        "HalvingRandomSearchCV(estimator=SVC(), param_distributions={'C': [1, 2]})",
    ]
    assert enabled == "False"


@pytest.mark.parametrize(
    ("kind", "space"),
    [
        (model_selection.HalvingGridSearchCV, GRID),
        (model_selection.HalvingRandomSearchCV, {"C": np.logspace(-2, 2, 30)}),
    ],
)
def test_a_halving_search_is_reported_whole(cluster: Cluster, kind: Any, space: dict[str, Any]) -> None:
    search = kind(SVC(), space, cv=3, random_state=0).fit(X, y)
    assert len(crossfold.report(search).history) == 3 * sum(search.n_candidates_)


def test_curves_are_lifted(cluster: Cluster) -> None:
    model_selection.learning_curve(SVC(), X, y, cv=4, train_sizes=[0.5, 1.0], shuffle=True)
    model_selection.validation_curve(SVC(), X, y, cv=3, param_name="C", param_range=[1.0, 2.0])
    model_selection.learning_curve(
        GaussianNB(), X, y, cv=5, exploit_incremental_learning=True, shuffle=True, random_state=0
    )
    assert (cluster.fits(), cluster.calls()) == (4 * 2 + 3 * 2 + 5, 0)


def test_a_poison_fit_of_an_incremental_curve_is_an_error(cluster: Cluster) -> None:
    cluster.poison = lambda arguments: True
    with pytest.raises(crossfold.PoisonFitError, match="killed by signal 11"):
        model_selection.learning_curve(GaussianNB(), X, y, exploit_incremental_learning=True)


class Changing(BaseEstimator):
    """Can't be cloned: what it was made with is not what it has."""

    def __init__(self, value: float = 1.0) -> None:
        self.value = value + 1.0

    def fit(self, X: Any, y: Any) -> None: ...


def test_an_error_before_the_first_fit_of_a_curve_is_raised(cluster: Cluster) -> None:
    with pytest.raises(RuntimeError, match="Cannot clone object"):
        model_selection.learning_curve(Changing(), X, y, scoring=lambda *_: 0.0)


def test_only_permutations_go_to_the_cluster(cluster: Cluster) -> None:
    """The unpermuted target is fitted here, by an estimator that is parallel in its own right."""
    here: list[str] = []

    def scorer(estimator: Any, X: Any, y: Any) -> float:
        if threading.current_thread() is threading.main_thread():
            here.append(type(joblib.parallel.get_active_backend()[0]).__name__)
        return float(estimator.score(X, y))

    forest = RandomForestClassifier(3, random_state=0, n_jobs=2)
    arguments: dict[str, Any] = {"cv": 2, "n_permutations": 4}
    ours = model_selection.permutation_test_score(forest, X, y, scoring=scorer, **arguments)
    assert here == ["LokyBackend"] * 2
    assert (cluster.fits(), cluster.calls()) == (0, 4)
    theirs = reference.permutation_test_score(forest, X, y, **arguments)
    assert ours[1].tolist() == theirs[1].tolist()


def test_halving_search_through_the_backend_lifts_every_round(cluster: Cluster) -> None:
    options: dict[str, Any] = dict(param_grid=GRID, cv=3, random_state=0)
    theirs = reference.HalvingGridSearchCV(SVC(), **options).fit(X, y)
    with joblib.parallel_config("crossfold"):
        ours = reference.HalvingGridSearchCV(SVC(), **options).fit(X, y)
    assert_same_results(ours.cv_results_, theirs.cv_results_)
    assert all(spec.dataset_id for spec in cluster.specs)


def test_splits_that_are_masks_run_as_opaque_calls(cluster: Cluster) -> None:
    mask = np.arange(len(y)) % 3 == 0
    ours = model_selection.cross_val_score(SVC(), X, y, cv=[(~mask, mask)] * 2)
    np.testing.assert_array_equal(ours, reference.cross_val_score(SVC(), X, y, cv=[(~mask, mask)] * 2))
    assert [spec.dataset_id for spec in cluster.specs] == [""]


def test_an_unknown_signature_is_not_lifted(cluster: Cluster, monkeypatch: pytest.MonkeyPatch) -> None:
    from crossfold import _lift

    monkeypatch.setitem(_lift._SIGNATURES, "_fit_and_score", ("estimator", "X", "y"))
    _lift._liftable.cache_clear()
    try:
        ours = model_selection.cross_val_score(SVC(), X, y)
    finally:
        monkeypatch.undo()
        _lift._liftable.cache_clear()
    np.testing.assert_array_equal(ours, reference.cross_val_score(SVC(), X, y))


def test_configuration_holds_where_the_fits_run(cluster: Cluster) -> None:
    def scorer(estimator: Any, X: Any, y: Any) -> float:
        return float(sklearn.get_config()["working_memory"])

    with sklearn.config_context(working_memory=77):
        scores = model_selection.cross_val_score(SVC(), X, y, scoring=scorer)
    assert list(scores) == [77.0] * 5


def test_failing_candidates_follow_a_numeric_error_score(cluster: Cluster) -> None:
    search = model_selection.GridSearchCV(Stub(), {"fail": [False, True]}, error_score=-1.0, cv=3)
    with pytest.warns(FitFailedWarning, match="told to fail"):
        search.fit(X, y)
    assert list(search.cv_results_["mean_test_score"])[1] == -1.0
    history = crossfold.report(search).history
    assert len(history) == 6


def test_error_score_raise_raises_the_original_with_the_remote_traceback(cluster: Cluster) -> None:
    search = model_selection.GridSearchCV(Stub(fail=True), {"payload": [1, 2]}, error_score="raise")
    with pytest.raises(RuntimeError, match="told to fail") as caught:
        search.fit(X, y)
    assert "in fit" in str(caught.value.__cause__)


@pytest.mark.parametrize("return_train_score", [False, True])
def test_a_poison_candidate_scores_as_a_failed_fit(cluster: Cluster, return_train_score: bool) -> None:
    cluster.poison = lambda arguments: arguments["parameters"]["C"] == 1
    search = model_selection.GridSearchCV(
        SVC(), {"C": [0.5, 1, 2]}, cv=3, return_train_score=return_train_score
    )
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        search.fit(X, y)
    assert any("killed by signal 11" in str(w.message) for w in caught if w.category is FitFailedWarning)
    assert list(np.isnan(search.cv_results_["mean_test_score"])) == [False, True, False]


def test_a_poison_candidate_under_raise_is_a_poison_fit_error(cluster: Cluster) -> None:
    cluster.poison = lambda arguments: True
    search = model_selection.GridSearchCV(SVC(), {"C": [1, 2]}, error_score="raise")
    with pytest.raises(crossfold.PoisonFitError, match="killed by signal 11"):
        search.fit(X, y)


def test_verbose_output_is_scikit_learns(cluster: Cluster, capsys: pytest.CaptureFixture[str]) -> None:
    model_selection.GridSearchCV(SVC(), {"C": [1, 2]}, cv=2, verbose=10).fit(X, y)
    lines = [line.split(";")[0] for line in capsys.readouterr().out.splitlines() if "START" in line]
    assert lines == ["[CV 1/2", "[CV 2/2", "[CV 1/2", "[CV 2/2"]


def test_report_has_a_row_per_fit(cluster: Cluster) -> None:
    search = model_selection.GridSearchCV(SVC(), GRID, cv=3).fit(X, y)
    report = crossfold.report(search)
    assert list(report.history.columns) == [
        "job_id",
        "candidate",
        "split",
        "worker",
        "attempt",
        "seconds",
        "shared_seconds",
        "error",
        "ways",
    ]
    assert len(report.history) == 18
    assert set(report.history["job_id"]) == {report.job_id}


def test_report_of_an_unfitted_search_says_what_to_do(disconnected: None) -> None:
    with pytest.raises(ValueError, match="Fit a search of crossfold.model_selection first"):
        crossfold.report(model_selection.GridSearchCV(SVC(), GRID))


OPTIONS = [
    "name", "fit_timeout", "fit_memory", "share_prefixes", "budget", "stop_at", "keep_models",
    "eval_set", "predictions", "compiled_keras", "share_solver",
]  # fmt: skip


def assert_only_options_are_added(ours: Any, theirs: Any, options: list[str]) -> None:
    mine, other = list(inspect.signature(ours).parameters.values()), inspect.signature(theirs).parameters
    assert list(map(str, mine[: len(other)])) == list(map(str, other.values()))
    assert [option.name for option in mine[len(other) :]] == options
    on = [option.name for option in mine[len(other) :] if option.default]
    assert on == [name for name in options if name == "share_prefixes"]
    assert ours.__doc__.startswith(theirs.__doc__)


@pytest.mark.parametrize(
    "name", ["GridSearchCV", "RandomizedSearchCV", "HalvingGridSearchCV", "HalvingRandomSearchCV"]
)
def test_classes_look_like_scikit_learns(name: str) -> None:
    ours, theirs = getattr(model_selection, name), getattr(reference, name)
    assert ours.__name__ == theirs.__name__
    rules = [] if name.startswith("Halving") else ["prune", "policy"]
    assert_only_options_are_added(ours, theirs, [*rules, *OPTIONS])
    assert inspect.signature(ours.fit) == inspect.signature(theirs.fit)
    mine, other = ours(SVC(), GRID), theirs(SVC(), GRID)
    assert repr(mine) == repr(other)
    assert mine.get_params().keys() - other.get_params().keys() == {*rules, *OPTIONS}
    assert get_tags(mine) == get_tags(other)
    assert html(mine, without=[*rules, *OPTIONS]) == html(other)
    assert repr(clone(mine)) == repr(mine)
    assert repr(pickle.loads(pickle.dumps(mine))) == repr(mine)
    assert isinstance(mine, theirs)


FUNCTIONS = [
    "cross_validate", "cross_val_score", "cross_val_predict", "learning_curve", "permutation_test_score",
    "validation_curve",
]  # fmt: skip


@pytest.mark.parametrize("name", FUNCTIONS)
def test_functions_look_like_scikit_learns(name: str) -> None:
    ours: Callable[..., Any] = getattr(model_selection, name)
    theirs = getattr(reference, name)
    assert ours.__name__ == name
    options = [] if name == "permutation_test_score" else [*OPTIONS[:4], *OPTIONS[-2:]]
    assert_only_options_are_added(ours, theirs, options)
    assert pickle.loads(pickle.dumps(ours)) is ours


def test_a_fitted_search_pickles(cluster: Cluster) -> None:
    search = model_selection.GridSearchCV(SVC(), GRID).fit(X, y)
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(search)).predict(X), search.predict(X))


def test_the_refit_and_callables_run_under_the_callers_own_configuration(cluster: Cluster) -> None:
    seen: list[str] = []

    def refit(results: Any) -> int:
        seen.append(type(joblib.parallel.get_active_backend()[0]).__name__)
        return 0

    model_selection.GridSearchCV(SVC(), GRID, refit=refit).fit(X, y)
    assert seen == ["LokyBackend"]
    assert type(joblib.parallel.get_active_backend()[0]).__name__ == "LokyBackend"


def test_a_search_inside_a_callable_refit_does_not_deadlock(cluster: Cluster) -> None:
    def refit(results: Any) -> int:
        return int(model_selection.GridSearchCV(SVC(), {"C": [1, 2]}).fit(X, y).best_index_)

    search = model_selection.GridSearchCV(SVC(), GRID, refit=refit).fit(X, y)
    assert search.best_index_ in (0, 1)


def test_n_jobs_1_runs_here(cluster: Cluster) -> None:
    model_selection.GridSearchCV(SVC(), GRID, n_jobs=1).fit(X, y)
    assert cluster.specs == []


@pytest.mark.filterwarnings("ignore:invalid value encountered in cast:RuntimeWarning")
@pytest.mark.parametrize(
    ("search", "words"),
    [
        (lambda: model_selection.GridSearchCV(SVC(), []).fit(X, y), "No fits were performed"),
        (lambda: model_selection.GridSearchCV(SVC(), {"nonsense": [1]}).fit(X, y), "nonsense"),
        (lambda: model_selection.GridSearchCV(SVC(), GRID, cv=1).fit(X, y), "n_splits"),
        (lambda: model_selection.GridSearchCV(SVC(), GRID, cv=reference.KFold(200)).fit(X, y), "200"),
        (lambda: model_selection.cross_val_score(SVC(), X, np.where(y == 1, np.nan, y)), "NaN"),
    ],
)
def test_bad_input_raises_what_scikit_learn_raises(
    cluster: Cluster, search: Callable[[], Any], words: str
) -> None:
    with pytest.raises(ValueError, match=words):
        search()


@pytest.mark.parametrize(
    "estimator",
    [Stub(payload=threading.Lock()), make_pipeline(StandardScaler(), Stub(payload=[threading.Lock()]))],
)
def test_an_estimator_that_cannot_be_pickled_is_named(
    cluster: Cluster, estimator: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Locks can't be deep-copied either, and scikit-learn clones estimators before it fits them.
    monkeypatch.setattr(Stub, "__sklearn_clone__", lambda self: self)
    with pytest.raises(crossfold.PicklingError, match=r"payload.*cannot pickle '_thread.lock'.*__getstate__"):
        model_selection.cross_val_score(estimator, X, y)


def test_ctrl_c_stops_the_job_and_leaves_the_cluster_usable(cluster: Cluster) -> None:
    cluster.gate.clear()

    def interrupt() -> None:
        cluster.received.wait(5)
        signal.raise_signal(signal.SIGINT)

    threading.Thread(target=interrupt).start()
    start = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        model_selection.GridSearchCV(SVC(), GRID).fit(X, y)
    assert time.monotonic() - start < 2
    assert cluster.stopped.is_set()
    cluster.gate.set()
    assert len(model_selection.cross_val_score(SVC(), X, y)) == 5


@pytest.mark.parametrize(("value", "shown"), [("1", True), ("0", False), (None, False)])
def test_progress_shows_when_asked(
    cluster: Cluster,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    value: str | None,
    shown: bool,
) -> None:
    if value is not None:
        monkeypatch.setenv("CROSSFOLD_PROGRESS", value)
    model_selection.GridSearchCV(SVC(), GRID, cv=3).fit(X, y)
    error = capsys.readouterr().err
    assert ("18/18" in error) is shown
    assert ("GridSearchCV(SVC)" in error) is shown


def test_a_search_in_a_worker_runs_in_place(cluster: Cluster, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CROSSFOLD_WORKER", "1")
    model_selection.GridSearchCV(SVC(), GRID).fit(X, y)
    assert cluster.sessions == 0


def test_tensorflow_is_not_imported() -> None:
    assert "tensorflow" not in sys.modules
