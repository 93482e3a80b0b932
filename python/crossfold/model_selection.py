"""scikit-learn's model selection, run by the cluster: same names, same arguments, same results.

n_jobs=None uses every slot, n_jobs=k at most k at a time, and n_jobs=1 runs in this process as
it does with joblib. The final refit on all data runs in this process.
"""

from __future__ import annotations

import crossfold._early  # noqa: F401 # isort: skip - before scikit-learn, whose import takes long

import functools
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, ParamSpec, TypeVar

import joblib

# Bound once, here: a name looked up at call time could have been replaced by ours.
from sklearn.model_selection import GridSearchCV as _GridSearchCV
from sklearn.model_selection import RandomizedSearchCV as _RandomizedSearchCV
from sklearn.model_selection import cross_val_predict as _cross_val_predict
from sklearn.model_selection import cross_val_score as _cross_val_score
from sklearn.model_selection import cross_validate as _cross_validate

from crossfold import _report
from crossfold._collector import Hold
from crossfold._progress import Progress
from crossfold._worker import in_worker
from crossfold.joblib import EVERYTHING, CrossfoldBackend

__all__ = ["GridSearchCV", "RandomizedSearchCV", "cross_val_predict", "cross_val_score", "cross_validate"]

P = ParamSpec("P")
R = TypeVar("R")


class _Run:
    """One search or cross validation on the cluster."""

    def __init__(self, label: str) -> None:
        self.attempts: list[dict[str, Any]] = []
        self._label = label
        self._progress: Progress | None = None
        self._config: joblib.parallel_config | None = None
        self._collector = Hold()

    def enter(self) -> None:
        """Make the next Parallel object of this thread use the cluster."""
        backend = CrossfoldBackend(watcher=self, window=EVERYTHING, name=self._label)
        self._config = joblib.parallel_config(backend=backend)

    def leave(self) -> None:
        """Give the thread back the joblib configuration it had."""
        config, self._config = self._config, None
        if config is not None:
            config.unregister()

    def close(self) -> None:
        """Leave, and finish the progress bar."""
        self.leave()
        self._collector.release()
        if self._progress is not None:
            self._progress.close()

    # What the backend reports.

    def configured(self) -> None:
        # The fits' own Parallel has it now. Splitters, callables and the refit are the caller's.
        self.leave()

    def dispatched(self) -> None:
        # The slots are busy: now a collection delays nobody.
        self._collector.release()

    def submitted(self, units: int) -> None:
        if self._progress is None:
            self._progress = Progress(self._label)
        self._progress.expect(units)

    def finished(self, units: int) -> None:
        if self._progress is not None:
            self._progress.advance(units)

    def ran(self, attempt: dict[str, Any]) -> None:
        self.attempts.append(attempt)


@contextmanager
def _on_cluster(label: str) -> Iterator[_Run]:
    run = _Run(label)
    try:
        if not in_worker():
            run.enter()
        yield run
    finally:
        run.close()


class GridSearchCV(_GridSearchCV):
    __doc__ = _GridSearchCV.__doc__

    @functools.wraps(_GridSearchCV.fit)
    def fit(self, X: Any, y: Any = None, **params: Any) -> GridSearchCV:
        with _on_cluster(_label(self)) as run:
            super().fit(X, y, **params)
        _report.remember(self, run.attempts)
        return self


class RandomizedSearchCV(_RandomizedSearchCV):
    __doc__ = _RandomizedSearchCV.__doc__

    @functools.wraps(_RandomizedSearchCV.fit)
    def fit(self, X: Any, y: Any = None, **params: Any) -> RandomizedSearchCV:
        with _on_cluster(_label(self)) as run:
            super().fit(X, y, **params)
        _report.remember(self, run.attempts)
        return self


def _label(search: Any) -> str:
    return f"{type(search).__name__}({type(search.estimator).__name__})"


def _drop_in(function: Callable[P, R]) -> Callable[P, R]:
    @functools.wraps(function)
    def on_cluster(*args: P.args, **kwargs: P.kwargs) -> R:
        with _on_cluster(function.__name__):
            return function(*args, **kwargs)

    # Pickles name it by this module, not by scikit-learn's.
    on_cluster.__module__ = __name__
    return on_cluster


cross_validate = _drop_in(_cross_validate)
cross_val_score = _drop_in(_cross_val_score)
cross_val_predict = _drop_in(_cross_val_predict)
