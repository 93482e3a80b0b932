"""The joblib backend "crossfold": any joblib.Parallel call, run by the cluster.

    import crossfold.joblib
    with joblib.parallel_config("crossfold"):
        Parallel()(delayed(f)(x) for x in xs)

Importing this module registers the backend. Nothing connects before a call needs it.
"""

from __future__ import annotations

import contextlib
import numbers
import threading
from collections.abc import Iterator
from typing import Any

import joblib
from joblib._parallel_backends import FallbackToBackend
from joblib.parallel import BatchedCalls, ParallelBackendBase

from crossfold import _client, _nested, _window
from crossfold._calls import CallJob, name_of
from crossfold._errors import InvalidJob
from crossfold._fits import FitJob
from crossfold._job import Callback, Job, Watcher
from crossfold._lift import Fit, lift
from crossfold._options import DEFAULTS, Options
from crossfold._outcome import Outcome
from crossfold._sharing import Datasets
from crossfold._worker import in_worker

__all__ = ["CrossfoldBackend"]

# joblib's and scikit-learn's spellings of the default.
_DEFAULT_WINDOWS = ("2 * n_jobs", "2*n_jobs")
# All calls at once. joblib's own "all" loses the error of an iterator that raises at its first item.
EVERYTHING = "1000000"
# joblib looks for results every 10 ms and takes them one by one, while the reader wants the interpreter
# for the next ones. A caller who wants them all waits for all, unless they are more than this.
_AWAITED = 10_000
_LOOK_SECONDS = 0.1


class CrossfoldBackend(ParallelBackendBase):
    """Runs the calls of one joblib.Parallel on the cluster.

    What joblib holds in a context is a prototype: each Parallel object gets a backend of its own,
    so that several may be active at a time.
    """

    supports_retrieve_callback = True
    supports_inner_max_num_threads = True
    default_n_jobs = -1

    def __init__(
        self,
        nesting_level: int | None = None,
        inner_max_num_threads: int | None = None,
        watcher: Watcher | None = None,
        window: str = _window.FIRST,
        name: str = "",
        datasets: Datasets | None = None,
        options: Options = DEFAULTS,
        **backend_kwargs: Any,
    ) -> None:
        if unknown := ", ".join(backend_kwargs):
            raise TypeError(f"The backend crossfold takes no {unknown}: leave it out, or choose loky.")
        super().__init__(nesting_level, inner_max_num_threads)
        self._watcher = watcher
        self._window = window
        self._name = name
        self._options = options
        self._kept_datasets = datasets
        self._datasets = datasets or Datasets()
        self.parallel: Any = None
        self._users_window: Any = None
        self._effective_n_jobs = 0
        self._max_parallel = 0
        self._calls: CallJob | None = None
        self._fits: dict[tuple[Any, ...], FitJob] = {}
        self._nested_backend: Any = None
        self._all_in = threading.Event()

    # What joblib asks before a call.

    def effective_n_jobs(self, n_jobs: int | None) -> int:
        """The number of slots that n_jobs stands for: -1 and None are all of the cluster's."""
        if in_worker():
            return _nested.effective_n_jobs(n_jobs)
        if n_jobs == 0:
            raise ValueError("n_jobs == 0 in Parallel has no meaning")
        if n_jobs is None:
            n_jobs = self.default_n_jobs
        if n_jobs < 0:
            n_jobs = max(_client.default_client().slots + 1 + n_jobs, 1)
        if self.parallel is not None:
            # joblib would run it in this process if this were 1, but the cluster was asked for.
            n_jobs = max(n_jobs, 2)
        return n_jobs

    def configure(self, n_jobs: int = 1, parallel: Any = None, **kwargs: Any) -> int:
        """Bind a backend to a Parallel object, or hand it to another backend of joblib."""
        if self._watcher is not None and self.parallel is None:
            self._watcher.configured()
        threads = self.inner_max_num_threads
        if threads is not None and (not isinstance(threads, numbers.Integral) or threads < 1):
            raise ValueError(f"inner_max_num_threads={threads!r}: use an int of 1 or more, or None for 1")
        if "initializer" in kwargs:
            raise TypeError("The backend crossfold takes no initializer: call it in the function itself.")
        # What the options ask for only the cluster can do: one fit at a time, then.
        if (n_jobs == 1 and not self._options.active) or in_worker():
            _nested.fall_back(n_jobs, self.nesting_level)
        if self.parallel is not parallel:
            raise FallbackToBackend(self._bound_to(parallel))
        effective = self._effective_n_jobs = self.effective_n_jobs(n_jobs)
        self._max_parallel = 0 if n_jobs == -1 else n_jobs if n_jobs > 0 else effective
        return effective

    def _bound_to(self, parallel: Any) -> CrossfoldBackend:
        bound = CrossfoldBackend(
            self.nesting_level,
            self.inner_max_num_threads,
            self._watcher,
            self._window,
            self._name,
            self._kept_datasets,
            self._options,
        )
        bound.parallel = parallel
        return bound

    def compute_batch_size(self) -> int:
        """One call at a time: the coordinator groups them by what it observes."""
        return 1

    def get_nested_backend(self) -> Any:
        """What a Parallel inside a call gets: the same for each of them."""
        if self._nested_backend is None:
            self._nested_backend = super().get_nested_backend()
        return self._nested_backend

    # A call, from start to stop.

    def start_call(self) -> None:
        """Widen the window of calls in flight, unless the caller chose one."""
        self._users_window = self.parallel.pre_dispatch
        if self._users_window in _DEFAULT_WINDOWS:
            self.parallel.pre_dispatch = self._window
        elif self._users_window == "all":
            self.parallel.pre_dispatch = EVERYTHING

    def submit(self, func: BatchedCalls, callback: Callback | None = None) -> None:
        """Hand one batch to the cluster; its callback gets the Outcome."""
        assert callback is not None
        fits = lift(func.items)
        if fits is None and self._options.needs_fits:
            callback(Outcome(error=_not_lifted(self._options)))
        elif fits is None:
            self._call_job(func).submit(func, callback)
        elif len(fits) == 1:
            self._fit_job(fits[0]).submit(fits[0], _ListOf(1, callback).slot(0))
        else:
            batch = _ListOf(len(fits), callback)
            for position, fit in enumerate(fits):
                self._fit_job(fit).submit(fit, batch.slot(position))

    def retrieve_result_callback(self, out: Outcome) -> Any:
        """Return a batch's results, or raise its error."""
        return out.get()

    @contextlib.contextmanager
    def retrieval_context(self) -> Iterator[None]:
        """Issue the workers' warnings in the thread that takes the results."""
        if self._watcher is not None:
            self._watcher.dispatched()
        if self._watcher is not None and self._watcher.pruning is not None:
            # Everything was submitted: the coordinator may compare the candidates.
            for job in self._jobs():
                job.close()
        if not self.parallel.return_generator and self.parallel.timeout is None:
            self._await_results()
        yield
        for job in self._jobs():
            job.flush_warnings()

    def _await_results(self) -> None:
        """Return when nothing is under way, one of the calls has failed or results should be taken."""
        parallel = self.parallel
        while parallel._wait_retrieval() and not parallel._aborting and len(parallel._jobs) < _AWAITED:
            self._all_in.wait(_LOOK_SECONDS)
            self._all_in.clear()

    def abort_everything(self, ensure_ready: bool = True) -> None:
        """Kill what runs and forget the rest."""
        jobs = self._take_jobs()
        for job in jobs:
            job.stop()
        # What ended the call is not to be replaced by a warning that a filter makes an error.
        with contextlib.suppress(Warning):
            for job in jobs:
                job.flush_warnings()

    def stop_call(self) -> None:
        """Close the call's jobs."""
        self.parallel.pre_dispatch = self._users_window
        jobs = self._take_jobs()
        for job in jobs:
            job.close()
        for job in jobs:
            job.flush_warnings()

    # Jobs are opened by the first unit that belongs to them.

    def _call_job(self, batch: BatchedCalls) -> CallJob:
        if self._calls is None:
            session = _client.default_client().session()
            name = self._name or name_of(batch)
            self._calls = CallJob(
                session, name, self._max_parallel, self._watcher, self._datasets, self._options
            )
            self._prepare(self._calls)
        return self._calls

    def _fit_job(self, fit: Fit) -> FitJob:
        key = fit.key
        if key not in self._fits:
            session = _client.default_client().session()
            name = self._name or type(fit.candidate["estimator"]).__name__
            job = FitJob(session, name, self._max_parallel, self._watcher, self._datasets, fit, self._options)
            self._fits[key] = job
            self._prepare(job)
            if self._watcher is not None:
                self._watcher.opened(job)
        return self._fits[key]

    def _prepare(self, job: Job) -> None:
        """Give a new job its threads, and look at the call whenever results of it have come."""
        job.threads = self.inner_max_num_threads or 0
        parallel = self.parallel
        # The window grows with the results unless somebody set it.
        grows = parallel.pre_dispatch == _window.FIRST
        window = _window.Window(parallel, self._effective_n_jobs) if grows else None

        def delivered() -> None:
            if window is not None:
                window.widen(job.unit_bytes)
            if not parallel._wait_retrieval():
                self._all_in.set()

        job.delivered = delivered

    def _jobs(self) -> list[Job]:
        return [*([self._calls] if self._calls is not None else []), *self._fits.values()]

    def _take_jobs(self) -> list[Job]:
        jobs = self._jobs()
        self._calls, self._fits = None, {}
        # Between two calls of one Parallel object the caller may change what it passes.
        self._datasets = self._kept_datasets or Datasets()
        return jobs


def _not_lifted(options: Options) -> InvalidJob:
    return InvalidJob(
        f"{options.needs_fits[0]} works on fits that can be taken apart into data, split and parameters. "
        "These can't: use splits of row numbers, or leave it out."
    )


class _ListOf:
    """Collects the outcomes of a batch's fits into the one list that joblib expects."""

    def __init__(self, size: int, callback: Callback) -> None:
        self._values: list[Any] = [None] * size
        self._missing = size
        self._callback = callback

    def slot(self, position: int) -> Callback:
        def put(outcome: Outcome) -> None:
            if self._missing <= 0:
                return
            if outcome.error is not None:
                self._missing = 0
                self._callback(outcome)
                return
            self._values[position] = outcome.value
            self._missing -= 1
            if self._missing == 0:
                self._callback(Outcome(value=self._values))

        return put


joblib.register_parallel_backend("crossfold", CrossfoldBackend)
