"""The one stream between this process and its cluster, shared by all of its jobs."""

from __future__ import annotations

import itertools
import operator
import queue
import threading
from collections.abc import Callable, Iterator
from typing import Any

import grpc

from crossfold._collector import Hold
from crossfold._errors import CrossfoldError
from crossfold._job import Job, Unit
from crossfold._objects import Objects
from crossfold._outcome import Outcome
from crossfold.v1 import job_pb2 as pb
from crossfold.v1 import job_pb2_grpc

# Units after which a message goes out: the first ones should not wait for many others.
_BATCH = 128

# Units that a caller may be ahead of the sender. A busy caller lets the interpreter go for 5 ms at a time
# only, and the sender, who writes files at first, gives it up at each: it would begin after the caller ends.
_AHEAD = 32
_AHEAD_SECONDS = 0.5

# How long the cluster may take to answer the end of the requests with the end of the events.
_FAREWELL_SECONDS = 0.5

_Item = tuple[Job, "Unit | pb.SessionRequest"]


class Session:
    """Sends what jobs submit and hands events to them.

    gRPC itself runs the sender: it pulls `_requests` from a thread of its own. Whatever waits in
    the outbox by then goes out together.
    """

    def __init__(
        self,
        stub: job_pb2_grpc.JobsStub,
        objects: Objects,
        lost: Callable[[grpc.RpcError | None], CrossfoldError],
    ) -> None:
        self.objects = objects
        self.error: CrossfoldError | None = None
        self._lost = lost
        self._closed = False
        self._lock = threading.Lock()
        self._jobs: dict[str, Job] = {}
        self._outbox: queue.SimpleQueue[list[_Item] | None] = queue.SimpleQueue()
        # What the reader's callbacks send, until its message is done: to wake the sender for each
        # would cost more than the rest of a small call.
        self._held: list[_Item] = []
        self._caught_up = threading.Event()
        self._sender_id = 0
        self._stream: Any = stub.Session(self._requests())
        self._reader = threading.Thread(target=self._read, name="crossfold-reader", daemon=True)
        self._reader.start()

    def add(self, job: Job) -> None:
        """Deliver a job's events to it from now on."""
        with self._lock:
            self._jobs[job.id] = job

    def remove(self, job: Job) -> None:
        """Deliver nothing more to a job."""
        with self._lock:
            self._jobs.pop(job.id, None)

    def send(self, job: Job, item: Unit | pb.SessionRequest) -> None:
        """Queue one unit or request of a job; a caller waits a moment for a sender that is far behind."""
        if self.error is None and threading.get_ident() == self._reader.ident:
            self._held.append((job, item))
            return
        self._outbox.put([(job, item)])
        if self._outbox.qsize() >= _AHEAD and not self.is_own_thread():
            self._caught_up.clear()
            if self._outbox.qsize() >= _AHEAD:
                self._caught_up.wait(_AHEAD_SECONDS)
        # The stream may have broken between the last look and the put.
        if self.error is not None:
            self._refuse(self.error)

    def is_own_thread(self) -> bool:
        """Whether the sender or the reader is asking: neither may wait for the other."""
        return threading.get_ident() in (self._sender_id, self._reader.ident)

    def close(self) -> None:
        """End the stream; the cluster then cancels what still runs of this process."""
        self._closed = True
        # What waits in the outbox still goes out, so that a finished job is closed, not cancelled.
        self._outbox.put(None)
        if not self.is_own_thread():
            self._reader.join(timeout=_FAREWELL_SECONDS)
        self._stream.cancel()

    def _requests(self) -> Iterator[pb.SessionRequest]:
        self._sender_id = threading.get_ident()
        while (batch := self._take()) is not None:
            with Hold():
                requests = _encode(batch)
            yield from requests

    def _take(self) -> list[Any] | None:
        """What waits in the outbox, at least one item; None when the session is over."""
        batch: list[_Item] = []
        items = self._outbox.get()
        while items is not None:
            batch += items
            if len(batch) >= _BATCH:
                break
            try:
                items = self._outbox.get_nowait()
            except queue.Empty:
                break
        if items is None and batch:
            self._outbox.put(None)
        self._caught_up.set()
        return batch or None

    def _read(self) -> None:
        error: grpc.RpcError | None = None
        try:
            for response in self._stream:
                for job_id, events in itertools.groupby(response.events, _job_of):
                    self._deliver(job_id, events)
                self._release()
        except grpc.RpcError as broken:
            error = broken
        self._lose(self._lost(None if self._closed else error))

    def _release(self) -> None:
        """Queue what the reader's callbacks sent."""
        held, self._held = self._held, []
        if held:
            self._outbox.put(held)

    def _deliver(self, job_id: str, events: Iterator[pb.Event]) -> None:
        job = self._jobs.get(job_id)
        if job is None:
            return
        try:
            job.deliver(events)
        except Exception as error:
            # A callback raised (the caller's task generator may): it must not end the other jobs.
            job.fail(error)

    def _lose(self, error: CrossfoldError) -> None:
        with self._lock:
            self.error = error
            jobs = list(self._jobs.values())
        for job in jobs:
            job.fail(error)
        self._refuse(error)

    def _refuse(self, error: CrossfoldError) -> None:
        """Answer what will never be sent, then let the sender end."""
        while True:
            try:
                items = self._outbox.get_nowait()
            except queue.Empty:
                break
            for _, item in items or ():
                if isinstance(item, tuple):
                    item[1](Outcome(error=error))
        self._outbox.put(None)


def _encode(batch: list[Any]) -> list[pb.SessionRequest]:
    """The messages that carry what waited in the outbox."""
    requests: list[pb.SessionRequest] = []
    for (job, is_control), items in itertools.groupby(batch, _kind):
        if is_control:
            for _, request in items:
                assert isinstance(request, pb.SessionRequest)
                requests += job.control(request)
        else:
            requests += job.requests([unit for _, unit in items])
    return requests


_job_of = operator.attrgetter("job_id")


def _kind(item: _Item) -> tuple[Job, bool]:
    return item[0], isinstance(item[1], pb.SessionRequest)
