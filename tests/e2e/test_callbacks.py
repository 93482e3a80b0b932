"""scikit-learn's callbacks: the hooks are called as in one process, wherever the fits run."""

from __future__ import annotations

import threading
import time
import warnings
from collections import Counter
from typing import Any

import crossfold
import crossfold.model_selection
import numpy as np
import pytest
import sklearn.model_selection
from sklearn.callback import ProgressBar, ScoringMonitor
from sklearn.decomposition import PCA
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from e2e.cases import classes
from e2e.compare import assert_same, search_view

pytestmark = pytest.mark.timeout(60)

X, y = classes()
WEIGHTS = np.linspace(0.5, 1.5, len(y))
GRID = {"C": [0.1, 1.0]}


class Recorder:
    """Notes each call of a hook, in this process: its lock can't be pickled."""

    def __init__(self) -> None:
        self.calls: Counter[tuple[Any, ...]] = Counter()
        self.lock = threading.Lock()

    def setup(self, estimator: Any, context: Any) -> None:
        self._note("setup", estimator, context)

    def teardown(self, estimator: Any, context: Any) -> None:
        self._note("teardown", estimator, context)

    def on_fit_task_begin(self, estimator: Any, context: Any, *, X: Any = None, metadata: Any = None) -> None:
        self._note("begin", estimator, context, X, metadata)

    def on_fit_task_end(
        self, estimator: Any, context: Any, *, X: Any = None, y: Any = None, fitted_estimator: Any = None
    ) -> bool | None:
        coefficients = getattr(fitted_estimator, "coef_", None)
        self._note("end", estimator, context, X, y, coefficients)
        return None

    def _note(self, hook: str, estimator: Any, context: Any, *values: Any) -> None:
        names = [estimator.__class__.__name__, context.task_name, context.task_id, context.parent is None]
        with self.lock:
            self.calls[(hook, *names, *map(_digest, values))] += 1


class Propagated(Recorder):
    """Goes down to the estimators of a search, and stops them at their third iteration."""

    max_propagation_depth = None

    def on_fit_task_end(self, estimator: Any, context: Any, **values: Any) -> bool:
        self._note("end", estimator, context)
        return context.estimator_name == "LogisticRegression" and context.task_id == 2


def _digest(value: Any) -> Any:
    if isinstance(value, dict):
        return tuple((key, _digest(part)) for key, part in value.items())
    return value.tobytes() if isinstance(value, np.ndarray) else value


def search(ms: Any, callback: Any, **params: Any) -> tuple[Any, Any]:
    found = ms.GridSearchCV(LogisticRegression(), GRID, cv=2).set_callbacks(callback).fit(X, y, **params)
    return callback, search_view(found, X)


def model_with(callback: Any) -> LogisticRegression:
    return LogisticRegression().set_callbacks(callback)


@pytest.mark.parametrize("kind", [Recorder, Propagated])
@pytest.mark.parametrize("params", [{}, {"sample_weight": WEIGHTS}], ids=["", "weighted"])
def test_hooks_of_a_search_are_called_as_in_one_process(kind: type[Recorder], params: Any) -> None:
    expected, answer = search(sklearn.model_selection, kind(), **params)
    actual, found = search(crossfold.model_selection, kind(), **params)

    assert actual.calls == expected.calls
    assert sum(expected.calls.values()) >= 16
    assert_same(found, answer)


def test_hooks_of_an_estimator_in_a_search_are_called_as_in_one_process() -> None:
    expected, actual = Recorder(), Recorder()
    sklearn.model_selection.GridSearchCV(model_with(expected), GRID, cv=2).fit(X, y)
    crossfold.model_selection.GridSearchCV(model_with(actual), GRID, cv=2).fit(X, y)

    assert actual.calls == expected.calls


def test_an_estimator_with_a_callback_comes_back_with_that_callback() -> None:
    expected, actual = Recorder(), Recorder()
    sklearn.model_selection.cross_validate(model_with(expected), X, y, cv=2)
    found = crossfold.model_selection.cross_validate(model_with(actual), X, y, cv=2, return_estimator=True)

    assert actual.calls == expected.calls
    assert all(model._skl_callbacks == [actual] for model in found["estimator"])


def test_a_scoring_monitor_logs_what_it_logs_in_one_process() -> None:
    def logged(ms: Any) -> list[dict[str, Any]]:
        monitor = ScoringMonitor(scoring="accuracy")
        ms.GridSearchCV(model_with(monitor), GRID, cv=2).fit(X, y)
        ms.cross_validate(model_with(monitor), X, y, cv=2)
        logs = monitor.get_logs(select="all")
        return sorted((row for log in logs for row in log.data), key=repr)

    assert logged(crossfold.model_selection) == logged(sklearn.model_selection)


def test_a_progress_bar_shows_every_fit(capsys: pytest.CaptureFixture[str]) -> None:
    search(crossfold.model_selection, ProgressBar())
    printed = capsys.readouterr().out
    assert all(f"LogisticRegression - fit #{task}" in printed for task in range(4))
    assert "refit-with-best-params" in printed


class Slow(LogisticRegression):
    """Is stuck for one of its settings."""

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> Slow:
        if self.C == 2.0:
            time.sleep(60)
        return super().fit(X, y, sample_weight)


def test_options_and_the_report_work_as_without_callbacks() -> None:
    heard = Recorder()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of the fits that were killed
        found = crossfold.model_selection.GridSearchCV(Slow(), {"C": [1.0, 2.0]}, cv=2, fit_timeout=2)
        found.set_callbacks(heard).fit(X, y)

    assert np.isnan(found.cv_results_["mean_test_score"]).tolist() == [False, True]
    history = crossfold.report(found).history
    assert sorted(zip(history["candidate"], history["split"], strict=True)) == [
        (0, 0),
        (0, 1),
        (1, 0),
        (1, 1),
    ]
    assert history["error"].notna().tolist() == (history["candidate"] == 1).tolist()
    evaluated = [call[0] for call in heard.calls.elements() if call[2] == "candidate-split-evaluation"]
    # What is killed does not come to its end.
    assert (evaluated.count("begin"), evaluated.count("end")) == (4, 2)


def test_a_search_with_callbacks_ends_at_its_score() -> None:
    search = crossfold.model_selection.GridSearchCV(
        LogisticRegression(), {"C": [1.0] * 50}, cv=2, stop_at=0.0
    )
    with pytest.warns(crossfold.PartialSearchWarning):
        search.set_callbacks(heard := Recorder()).fit(X, y)
    assert crossfold.report(search).partial
    assert search.best_score_ > 0.5
    assert any(call[0] == "teardown" for call in heard.calls)


def test_every_step_of_a_pipeline_is_heard_of() -> None:
    def heard(ms: Any) -> Counter[tuple[Any, ...]]:
        recorder = Propagated()
        model = make_pipeline(StandardScaler(), PCA(2, random_state=0), LogisticRegression())
        grid = {"logisticregression__C": [0.1, 1.0, 10.0]}
        ms.GridSearchCV(model, grid, cv=2).set_callbacks(recorder).fit(X, y)
        return recorder.calls

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # steps that support no callbacks
        assert heard(crossfold.model_selection) == heard(sklearn.model_selection)


def test_what_a_hook_raises_ends_the_search() -> None:
    class Fails(Recorder):
        def on_fit_task_begin(self, estimator: Any, context: Any) -> None:
            if context.task_name == "candidate-split-evaluation":
                raise RuntimeError("enough")

    estimator = crossfold.model_selection.GridSearchCV(LogisticRegression(), GRID, cv=2, error_score="raise")
    with pytest.raises(RuntimeError, match="enough"):
        estimator.set_callbacks(Fails()).fit(X, y)
