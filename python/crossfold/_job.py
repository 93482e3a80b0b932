"""One job of a session, seen from the client.

Three threads meet here. The caller's submits units and closes or stops the job. The session's
sender turns waiting units into requests. The session's reader delivers events. A unit's callback
runs once, in the reader (or in the sender when the unit could not be sent), unless the job was
stopped.
"""

from __future__ import annotations

import contextlib
import contextvars
import secrets
import threading
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any, Protocol

from crossfold._environment import environment
from crossfold._errors import JobFailed, from_code
from crossfold._options import DEFAULTS, Options
from crossfold._outcome import Outcome, outcome_of, show, warn_again
from crossfold.v1 import job_pb2 as pb
from crossfold.v1 import task_pb2

if TYPE_CHECKING:
    from crossfold._fits import FitJob
    from crossfold._session import Session

Callback = Callable[[Outcome], object]
Unit = tuple[Any, Callback]

# How long a stopped job may take to say that its processes are gone.
_STOP_SECONDS = 1.5


class Watcher(Protocol):
    """Follows what a Parallel call does on the cluster. Methods are called from any thread."""

    pruning: pb.Pruning | None
    """How its fits are pruned; None: not at all."""

    def configured(self) -> None:
        """A Parallel object has taken the backend; called in its thread."""

    def dispatched(self) -> None:
        """What is handed over before any result was is on its way; called in the caller's thread."""

    def submitted(self, units: int) -> None:
        """Units were handed to the cluster."""

    def finished(self, units: int) -> None:
        """Units ended."""

    def ran(self, attempt: dict[str, Any]) -> None:
        """One attempt at a fit ended; the keys are the columns of `Report.history`."""

    def opened(self, job: FitJob) -> None:
        """A job was made; nothing was handed to it yet."""

    def expected(self, job: FitJob) -> list[dict[str, Any]]:
        """The parameters of all candidates that the job will have, where they are known."""

    def model(self, job: FitJob, candidate: int, split: int, scores: dict[str, float], model: bytes) -> None:
        """The pickled model of a fit arrived: only with keep_models."""

    def predicted(
        self, job: FitJob, candidate: int, split: int, parts: Sequence[task_pb2.Predictions]
    ) -> None:
        """A fit left predictions in the store: only with the option predictions."""

    def fitted(self, job: FitJob, candidate: int, split: int, scores: dict[str, float], value: Any) -> None:
        """A fit ended and its caller, unless that has gone, has the answer, `value`; the positions are those
        in the job."""


def _nobody(_: Outcome) -> None:
    """The callback of a unit whose caller has gone."""


class Job(ABC):
    """Units of one kind that run under one job id."""

    def __init__(
        self,
        session: Session,
        name: str,
        max_parallel: int,
        watcher: Watcher | None,
        options: Options = DEFAULTS,
    ) -> None:
        self.id = secrets.token_hex(16)
        self.name = name
        self.session = session
        self.max_parallel = max_parallel
        self.watcher = watcher
        self.options = options
        self.not_run = 0
        """How many units were answered without having been run."""
        self.delivered: Callable[[], object] | None = None
        """Called in the reader when the results that arrived together have been answered."""
        self.sent_bytes = 0
        self.threads = 0
        """BLAS and OpenMP threads of a unit; 0 is the workers' default."""
        # A notebook finds the cell that printed text belongs to by the context of its writer.
        self._context = contextvars.copy_context()
        self._lock = threading.Lock()
        self._opened = False
        self._sent = 0
        self._pending: dict[int, Callback] = {}
        self._held: dict[int, Outcome] = {}
        self._warnings: list[tuple[int, task_pb2.Warning]] = []
        # The first unit whose caller got an error, which one process would have stopped at.
        self._failed_at: int | None = None
        self._error: BaseException | None = None
        self._stopped = False
        self._gave_up = False
        self._ended = threading.Event()
        session.add(self)

    # What the caller's thread does.

    def submit(self, payload: Any, callback: Callback) -> None:
        """Hand in one unit; its callback gets the outcome."""
        if self.watcher is not None:
            self.watcher.submitted(1)
        self.session.send(self, (payload, callback))

    def close(self) -> None:
        """Say that nothing more will be submitted."""
        self.session.send(self, pb.SessionRequest(job_id=self.id, close=pb.Close()))

    def stop(self) -> None:
        """Drop what is not finished and kill what runs; returns when that is done, or after 1.5 s.

        Results that are on their way are taken in, though nobody is called for them.
        """
        with self._lock:
            self._stopped = True
            self._pending = dict.fromkeys(self._pending, _nobody)
        self.session.send(self, pb.SessionRequest(job_id=self.id, stop=pb.Stop()))
        if not self.session.is_own_thread():
            self._ended.wait(_STOP_SECONDS)
        with self._lock:
            self._pending.clear()
            self._held.clear()

    def give_up(self) -> None:
        """Stop what runs and answer it with `unfinished`, and so whatever is submitted later."""
        with self._lock:
            self._gave_up = True
        with contextlib.suppress(KeyError):
            while True:  # one by one: results may still arrive
                index, callback = self._pending.popitem()
                self._answer_unfinished(callback, self._held.pop(index, None))
        self.session.send(self, pb.SessionRequest(job_id=self.id, stop=pb.Stop()))

    def flush_warnings(self) -> None:
        """Issue the warnings that arrived since the last flush, in the calling thread; of a job that failed,
        those of the units that one process would have run."""
        arrived, self._warnings = self._warnings, []
        last = self._failed_at
        warn_again(warning for index, warning in arrived if last is None or index <= last)

    @property
    def unit_bytes(self) -> float:
        """How many bytes a unit has on average, as far as its job counts them."""
        return self.sent_bytes / max(self._sent, 1)

    # What the sender does.

    @abstractmethod
    def describe(self, spec: pb.JobSpec, first: Any) -> None:
        """Complete the job's description, knowing its first unit."""

    @abstractmethod
    def encode(self, payload: Any, append: pb.Append) -> None:
        """Add one unit to a message, or raise and add none."""

    def requests(self, units: Sequence[Unit]) -> list[pb.SessionRequest]:
        """The messages that add units to the job, and open it when it is new. A unit that can't be
        encoded is answered here."""
        if self._stopped:
            return []
        if self._gave_up:
            for _, callback in units:
                self._answer_unfinished(callback)
            return []
        requests: list[pb.SessionRequest] = []
        if not self._opened and self._error is None:
            try:
                requests.append(self._open(units[0][0]))
            except Exception as error:
                self.fail(error)
        append = pb.Append()
        callbacks: list[Callback] = []
        if self._error is None:
            for payload, callback in units:
                try:
                    self.encode(payload, append)
                    callbacks.append(callback)
                except Exception as error:
                    callback(Outcome(error=error))
        else:
            callbacks = [callback for _, callback in units]
        if not self._expect(callbacks):
            return []
        self._opened = True
        if callbacks:
            requests.append(pb.SessionRequest(job_id=self.id, append=append))
        return requests

    def control(self, request: pb.SessionRequest) -> list[pb.SessionRequest]:
        """The messages that close or stop the job; one that was never opened needs none."""
        if self._opened:
            return [request]
        self._end()
        return []

    def _open(self, first: Any) -> pb.SessionRequest:
        spec = pb.JobSpec(
            name=self.name,
            environment=environment(),
            max_parallel=self.max_parallel,
            limits=self.options.limits,
            in_order=self.options.may_end_early,
        )
        self.describe(spec, first)
        spec.code.threads = self.threads
        return pb.SessionRequest(job_id=self.id, open=spec)

    def _expect(self, callbacks: list[Callback]) -> bool:
        """Remember whom to call; False when the job has ended and nothing is to be sent."""
        with self._lock:
            if self._stopped:
                return False
            error, gave_up = self._error, self._gave_up
            if error is None and not gave_up:
                self._pending.update(enumerate(callbacks, self._sent))
                self._sent += len(callbacks)
                return True
        for callback in callbacks:
            if gave_up:
                self._answer_unfinished(callback)
            else:
                callback(Outcome(error=error))
        return False

    # What the reader does.

    def deliver(self, events: Iterable[pb.Event]) -> None:
        """Take in events of the job that arrived together."""
        for event in events:
            kind = event.WhichOneof("kind")
            if kind == "result":
                self._finish(event.result)
            elif kind == "fault":
                self.faulted(event.fault)
            elif kind == "state":
                self._change(event.state)
        if self.delivered is not None:
            self.delivered()

    def faulted(self, fault: task_pb2.Fault) -> None:  # noqa: B027 - only some jobs keep a record
        """An attempt died and its units were handed out again."""

    def ended(self, result: task_pb2.Result) -> Outcome:
        """The outcome of a finished unit."""
        return outcome_of(result, self.session.objects)

    def unfinished(self) -> Outcome:
        """The outcome of a unit that is given up."""
        return Outcome(error=JobFailed(f"Job {self.id} was given up before this call ended."))

    def answered(self, result: task_pb2.Result, outcome: Outcome) -> None:  # noqa: B027 - only fits are followed
        """A unit's caller has its outcome, unless it has gone."""

    def fail(self, error: BaseException) -> None:
        """End the job here: whoever still waits gets the error."""
        with self._lock:
            if self._error is None:
                self._error = error
            waiting = list(self._pending.values())
            self._pending.clear()
            self._held.clear()
        for callback in waiting:
            callback(Outcome(error=error))
        self._end()

    def _finish(self, result: task_pb2.Result) -> None:
        index = result.index
        if index not in self._pending or index in self._held:
            return
        outcome = self.ended(result)
        if result.output:
            self._context.run(show, result.output)
        if result.warnings:
            self._warnings.extend((index, warning) for warning in result.warnings)
        if self.watcher is not None:
            self._context.run(self.watcher.finished, 1)
        if outcome.error is not None or self._held:
            self._answer_in_order(index, outcome)
        else:
            self._answer(index, outcome)
        self.answered(result, outcome)

    def _answer_unfinished(self, callback: Callback, held: Outcome | None = None) -> None:
        self.not_run += held is None
        callback(held or self.unfinished())

    def _answer(self, index: int, outcome: Outcome) -> None:
        callback = self._pending.pop(index, None)
        if callback is not None:
            if outcome.error is not None and callback is not _nobody and self._failed_at is None:
                self._failed_at = index
            callback(outcome)

    def _answer_in_order(self, index: int, outcome: Outcome) -> None:
        """Hold errors back until everything submitted earlier has ended, so that the error that is
        raised is the one a single process would have met first."""
        if outcome.error is None:
            self._answer(index, outcome)
        else:
            self._held[index] = outcome
        while self._held:
            with self._lock:
                first = next(iter(self._pending), None)
            held = None if first is None else self._held.pop(first, None)
            if first is None or held is None:
                return
            self._answer(first, held)

    def _change(self, state: pb.JobState) -> None:
        if state.phase == pb.JobState.PHASE_RUNNING:
            return
        if state.phase == pb.JobState.PHASE_FAILED:
            self.fail(from_code(state.error_code, state.error))
        elif state.phase == pb.JobState.PHASE_CANCELLED:
            self.fail(JobFailed(f"Job {self.id} was cancelled. Submit it again to run what is missing."))
        else:
            self.fail(JobFailed(f"Job {self.id} ended before all of its results arrived. Run it again."))

    def _end(self) -> None:
        self.session.remove(self)
        self._ended.set()
