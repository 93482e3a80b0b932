"""One call of a drop-in: the cluster takes its fits, and everything else stays in this process."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import joblib

from crossfold._collector import Hold
from crossfold._deciding import take_pruning
from crossfold._errors import CrossfoldError
from crossfold._fits import FitJob
from crossfold._options import DEFAULTS, Options
from crossfold._pickling import explained
from crossfold._progress import Progress
from crossfold._report import Record
from crossfold._sharing import Datasets
from crossfold._worker import in_worker
from crossfold.joblib import EVERYTHING, CrossfoldBackend
from crossfold.v1 import task_pb2

# How long the garbage collector waits at most for a small search's first results.
_COLLECTOR_SECONDS = 0.5


class Run:
    """One search, cross validation or ensemble on the cluster.

    Parameters
    ----------
    label
        The name of its jobs and of its progress bar.
    backend
        What joblib is given.
    calls
        How many Parallel objects share the work; those after them are the caller's own.
    options
        What it does beyond scikit-learn.
    """

    def __init__(
        self,
        label: str,
        backend: type[CrossfoldBackend] = CrossfoldBackend,
        calls: int = 1,
        options: Options = DEFAULTS,
    ) -> None:
        self.pruning = take_pruning()
        self.options = options
        self.record = Record(options.name or label)
        self._backend = backend
        self._calls = calls
        # Nothing changes the data before the drop-in returns, so one copy serves all of its jobs.
        self._datasets = Datasets()
        self._progress: Progress | None = None
        self._config: joblib.parallel_config | None = None
        self._collector = Hold()

    def enter(self) -> None:
        """Make the next Parallel object of this thread use the cluster; not in a worker."""
        if in_worker():
            refuse_inside_a_fit(self.options)
            return
        backend = self._backend(
            watcher=self,
            window=EVERYTHING,
            name=self.record.name,
            datasets=self._datasets,
            options=self.options,
        )
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
        self._calls -= 1
        if self._calls == 0:
            # The fits' own Parallel has it now. Splitters, callables and the refit are the caller's.
            self.leave()

    def dispatched(self) -> None:
        # A collection now would still come before the first results of a small search.
        self._collector.release_after(_COLLECTOR_SECONDS)

    def submitted(self, units: int) -> None:
        if self._progress is None:
            self._progress = Progress(self.record.name)
        self._progress.expect(units)

    def finished(self, units: int) -> None:
        if self._progress is not None:
            self._progress.advance(units)

    def ran(self, attempt: dict[str, Any]) -> None:
        self.record.attempts.append(attempt)

    def opened(self, job: FitJob) -> None:
        """Only a search tells its fits apart."""

    def expected(self, job: FitJob) -> list[dict[str, Any]]:
        """The parameters of all candidates that the job will have, where they are known."""
        return []

    def model(self, job: FitJob, candidate: int, split: int, scores: dict[str, float], model: bytes) -> None:
        """Only a search keeps models."""

    def predicted(
        self, job: FitJob, candidate: int, split: int, parts: Sequence[task_pb2.Predictions]
    ) -> None:
        """Only a search keeps predictions."""

    def fitted(self, job: FitJob, candidate: int, split: int, scores: dict[str, float], value: Any) -> None:
        """The caller has the value already."""


@contextmanager
def on_cluster(
    label: str,
    *,
    backend: type[CrossfoldBackend] = CrossfoldBackend,
    calls: int = 1,
    at_once: bool = True,
    options: Options = DEFAULTS,
    estimator: Any = None,
) -> Iterator[Run]:
    """Run the next `calls` Parallel objects of this thread on the cluster.

    With ``at_once=False`` only those after the run's `enter`. Errors about copies of `estimator` name
    the attribute at fault.
    """
    run = Run(label, backend, calls, options)
    try:
        if at_once:
            run.enter()
        with explained(estimator):
            yield run
    finally:
        run.close()


def label_of(estimator: Any) -> str:
    """What to call the jobs of a search or ensemble: its class, and that of what it fits."""
    inner = getattr(estimator, "estimator", None)
    name = type(estimator).__name__
    return name if inner is None else f"{name}({type(inner).__name__})"


def refuse_inside_a_fit(options: Options) -> None:
    """A search inside a fit runs in that fit's process: nobody there enforces anything.

    Raises
    ------
    CrossfoldError
        An option other than the name is on.
    """
    if options.active:
        raise CrossfoldError(
            f"{options.active[0]} can't be used by a search that runs inside a fit of another one. "
            "Take it out there, and give it to the outer search or cross validation."
        )
