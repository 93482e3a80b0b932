"""What the options do to a search of scikit-learn."""

from __future__ import annotations

import functools
import inspect
import threading
import warnings
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from typing import Any, TypeVar

import numpy as np
from sklearn.model_selection._validation import _insert_error_scores

import crossfold._families  # noqa: F401 - the first search would import it
from crossfold import _early, _options, _report
from crossfold._cloning import quick_clones
from crossfold._errors import NothingFinished, PartialSearchWarning
from crossfold._fits import FitJob
from crossfold._models import Models
from crossfold._options import Options
from crossfold._out_of_fold import OutOfFold
from crossfold._pickling import explained
from crossfold._run import Run, label_of
from crossfold.v1 import task_pb2

_early.rehearse()

T = TypeVar("T", bound=type)

# What an earlier fit left and a partial one does not replace.
_OF_A_REFIT = ("best_index_", "best_score_", "best_params_", "best_estimator_", "refit_time_")


class SearchRun(Run):
    """A search that may end before all of its fits were run."""

    def __init__(self, search: Any, options: Options) -> None:
        super().__init__(label_of(search), options=options)
        self._search = search
        self._models: Models | None = None
        self._timer: threading.Timer | None = None
        # Settings and columns of every candidate, in the order of cv_results_.
        self.candidates: list[dict[str, Any]] = []
        self.columns: dict[str, list[Any]] = {}
        # What the fits returned, by candidate and split.
        self.values: dict[tuple[int, int], dict[str, Any]] = {}
        # Which option ended it; empty while it runs.
        self.ended_by = ""
        self._lock = threading.Lock()
        self._jobs: dict[FitJob, int] = {}

    def enter(self) -> None:
        scoring = self._search.scoring
        if self.options.stop_at is not None and isinstance(scoring, (list, tuple, set, dict)):
            self._metric_of(scoring)
        super().enter()
        if self.options.methods:
            self.record.predictions = OutOfFold(self.options.methods)
        if self.options.folder is not None:
            self._models = Models(self.options.folder)
            self.record.models = self._models.folder
        if self.options.budget is not None:
            self._timer = threading.Timer(self.options.budget, self._end, ["budget"])
            self._timer.daemon = True
            self._timer.start()

    def leave_the_clock(self) -> None:
        """The fits are over: the refit is not a part of the budget."""
        if self._timer is not None:
            self._timer.cancel()

    def close(self) -> None:
        self.leave_the_clock()
        super().close()
        if self._models is not None:
            self._models.finish(self.candidates)

    @property
    def splits(self) -> int:
        """How many there are."""
        return int(self._search.n_splits_)

    @property
    def not_run(self) -> int:
        """How many fits were answered without having been run."""
        return sum(job.not_run for job in self._jobs)

    def complete(self) -> list[int]:
        """The candidates with all of their fits."""
        splits = range(self.splits)
        rows = range(len(self.candidates))
        return [row for row in rows if all((row, split) in self.values for split in splits)]

    def all_values(self) -> list[dict[str, Any]]:
        """What every fit returned, in scikit-learn's order, with NaN for those that did not run."""
        job = next(reversed(self._jobs))
        splits = range(self.splits)
        places = [(row, split) for row in range(len(self.candidates)) for split in splits]
        return [self.values.get(place) or job.unfinished().value for place in places]

    # What the backend reports.

    def opened(self, job: FitJob) -> None:
        with self._lock:
            self._jobs[job] = sum(earlier.candidates for earlier in self._jobs)
            ended = self.ended_by
        if ended:
            job.give_up()

    def expected(self, job: FitJob) -> list[dict[str, Any]]:
        return self.candidates[self._jobs[job] :]

    def fitted(self, job: FitJob, candidate: int, split: int, scores: dict[str, float], value: Any) -> None:
        row = self._jobs[job] + candidate
        self.values[row, split] = value
        if self.options.stop_at is not None and self._reaches(row, self.options.stop_at):
            self._end("stop_at")

    def model(self, job: FitJob, candidate: int, split: int, scores: dict[str, float], model: bytes) -> None:
        if self._models is not None:
            self._models.add(self._jobs[job] + candidate, split, scores, model)

    def predicted(
        self, job: FitJob, candidate: int, split: int, parts: Sequence[task_pb2.Predictions]
    ) -> None:
        if self.record.predictions is not None:
            self.record.predictions.add(self._jobs[job] + candidate, split, parts)

    def _reaches(self, row: int, wanted: float) -> bool:
        values = [self.values.get((row, split)) for split in range(self.splits)]
        if any(value is None for value in values):
            return False
        return bool(np.mean([self._score(value["test_scores"]) for value in values if value]) >= wanted)

    def _score(self, scores: Any) -> float:
        return float(scores[self._metric_of(scores)] if isinstance(scores, dict) else scores)

    def _metric_of(self, metrics: Collection[str]) -> str:
        metric = self._search.refit
        if not isinstance(metric, str) or metric not in metrics:
            raise ValueError(
                f"stop_at needs one metric: set refit to one of {list(metrics)}, not {metric!r}."
            )
        return metric

    def _end(self, option: str) -> None:
        with self._lock:
            if self.ended_by:
                return
            self.ended_by = option
            jobs = list(self._jobs)
        for job in jobs:
            job.give_up()


_current: ContextVar[SearchRun | None] = ContextVar("crossfold_search", default=None)


class _Enough(Exception):
    """Leaves a search that would go on to its next iteration."""


class Search:
    """Comes before a search class of scikit-learn among the bases of a drop-in."""

    def _fit_on_cluster(self: Any, fit: Callable[..., Any], X: Any, y: Any, params: dict[str, Any]) -> None:
        """Run scikit-learn's own `fit`, its fits on the cluster."""
        options = Options(**{name: getattr(self, name) for name in _options.ALL})
        run = SearchRun(self, options)
        token = _current.set(run)
        try:
            run.enter()
            with explained(self.estimator):
                fit(X, y, **params)
        except KeyboardInterrupt:
            self._keep_partial(run)
            raise
        finally:
            _current.reset(token)
            run.close()
            _report.remember(self, run.record)
        if run.not_run:
            _warn(run)

    def _keep_partial(self: Any, run: SearchRun) -> None:
        """Keep what was finished when Ctrl-C was pressed, if that is at least one candidate."""
        complete = run.complete()
        run.record.partial = len(complete) < len(run.candidates) or not run.candidates
        if not complete:
            return
        values = run.all_values()
        if callable(self.scoring):
            _insert_error_scores(values, self.error_score)
        with _quiet():
            results = super()._format_results(run.candidates, self.n_splits_, values, run.columns)  # type: ignore[misc]
        for name in _OF_A_REFIT:
            vars(self).pop(name, None)
        self.multimetric_ = isinstance(values[0]["test_scores"], dict)
        self.cv_results_ = results

    # What scikit-learn's fit calls.

    def _run_search(self: Any, evaluate_candidates: Callable[..., Any], *, callback_ctx: Any = None) -> None:
        run = _current.get()
        if run is None:
            super()._run_search(evaluate_candidates, callback_ctx=callback_ctx)  # type: ignore[misc]
            return

        def evaluate(
            candidate_params: Any, cv: Any = None, more_results: Any = None, callback_ctx: Any = None
        ) -> Any:
            run.candidates += (candidates := list(candidate_params))
            for name, column in (more_results or {}).items():
                run.columns.setdefault(name, []).extend(column)
            with quick_clones(evaluate_candidates):
                results = evaluate_candidates(candidates, cv, more_results, callback_ctx)
            if run.ended_by and more_results is not None:
                raise _Enough
            return results

        with suppress(_Enough):
            super()._run_search(evaluate, callback_ctx=callback_ctx)  # type: ignore[misc]
        run.leave_the_clock()

    def _format_results(
        self: Any, candidate_params: Any, n_splits: int, out: Any, more_results: Any = None
    ) -> Any:
        run = _current.get()
        if run is None or not run.not_run:
            return super()._format_results(candidate_params, n_splits, out, more_results)  # type: ignore[misc]
        run.record.partial = True
        with _quiet():
            results = super()._format_results(candidate_params, n_splits, out, more_results)  # type: ignore[misc]
        means = [scores for name, scores in results.items() if name.startswith("mean_test_")]
        if all(np.isnan(scores).all() for scores in means):
            raise NothingFinished(
                f"No candidate had all of its {n_splits} fits when {_reason(run)}: {len(run.values)} of "
                f"{len(out)} fits were run. Give it more time, fewer splits or less data."
            )
        return results

    def _select_best_index(self: Any, refit: Any, refit_metric: str, results: Any) -> Any:
        run = _current.get()
        if run is not None and run.not_run and "iter" in results:
            # A halving search looks at its last iteration: the last one with a finished candidate.
            finished = np.flatnonzero(~np.isnan(results[f"mean_test_{refit_metric}"]))
            rows = np.count_nonzero(results["iter"] <= results["iter"][finished].max())
            results = {name: column[:rows] for name, column in results.items()}
        return super()._select_best_index(refit, refit_metric, results)  # type: ignore[misc]


def accepts_options(search: T) -> T:
    """Add the options to the constructor of a drop-in; scikit-learn's parameters stay what they are."""
    inherited = search.__init__  # type: ignore[misc]

    @functools.wraps(inherited)
    def __init__(self: Any, *args: Any, **kwargs: Any) -> None:
        for name in _options.ALL:
            setattr(self, name, kwargs.pop(name, getattr(Options, name)))
        inherited(self, *args, **kwargs)

    __init__.__signature__ = _options.extended(inherited, _options.ALL)  # type: ignore[attr-defined]
    search.__init__ = __init__  # type: ignore[misc]
    search.__doc__ = _options.documented(search.__doc__, _options.ALL)
    return search


def _reason(run: SearchRun) -> str:
    value = getattr(run.options, run.ended_by)
    unit = " s" if run.ended_by == "budget" else ""
    return f"the search ended at {run.ended_by}={value:g}{unit}"


def _warn(run: SearchRun) -> None:
    total = len(run.candidates) * run.splits
    warnings.warn(
        f"{run.not_run} of {total} fits were not run, since {_reason(run)}. They score NaN in cv_results_ "
        "and rank last.",
        PartialSearchWarning,
        stacklevel=_depth_of_caller(),
    )


def _depth_of_caller() -> int:
    """How many frames of this package stand between whoever asks and the user's code."""
    frame, depth = inspect.currentframe(), 0
    while frame is not None and frame.f_globals.get("__name__", "").partition(".")[0] == "crossfold":
        frame, depth = frame.f_back, depth + 1
    return depth


@contextmanager
def _quiet() -> Iterator[None]:
    """Without scikit-learn's warning that scores are NaN: the fits that were not run have one of ours."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", r"One or more of the \w+ scores are non-finite", UserWarning)
        yield
