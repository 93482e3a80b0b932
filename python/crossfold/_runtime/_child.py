"""A child: runs one task at a time, in the order Go hands them over."""

from __future__ import annotations

import contextlib
import ctypes
import faulthandler
import gc
import os
import random
import signal
import socket
import tempfile
import time

import joblib
import numpy as np
from joblib._parallel_backends import ThreadingBackend

from crossfold import _arrow
from crossfold._nested import NestedBackend
from crossfold._runtime import _frames, _signatures
from crossfold._runtime._capture import Capture
from crossfold._runtime._page import Page
from crossfold._runtime._units import Runner
from crossfold.v1.bridge_pb2 import ChildReady, Done, Finished, FromChild, Run, Started, ToChild

_PR_SET_PDEATHSIG = 1

# To send costs about 10 microseconds on both sides, as much as a small call, and Go's reader takes the
# processor. So the results of units shorter than SHORT wait for company, in memory that outlives this
# process, until PAUSE has passed since the last were sent; one that a long unit follows waits for that.
_SHORT_SECONDS = 0.002
_PAUSE_SECONDS = 0.005


def main(descriptors: list[int], parent: int, rehearse: bool = False) -> None:
    """Serve Go until it closes the socket.

    ``descriptors`` are the socket, the log that takes the place of standard output and error, and
    a page of shared memory. ``parent`` is the zygote's process id. ``rehearse`` says
    to go through the motions of a fit first.
    """
    connection, log, page = descriptors
    os.setsid()
    _die_with(parent)
    null = os.open(os.devnull, os.O_RDONLY)
    for descriptor, target in ((null, 0), (log, 1), (log, 2)):
        os.dup2(descriptor, target)
    for descriptor in (null, log):
        os.close(descriptor)
    faulthandler.enable(file=2)
    # Two children must not draw the same "random" numbers.
    np.random.seed()
    random.seed()
    gc.enable()
    os.environ["CROSSFOLD_WORKER"] = "1"
    _signatures.remember()
    with socket.socket(fileno=connection) as stream, Page(page, stream) as kept:
        # A Parallel inside a fit gets threads, then runs in sequence, as in joblib's own workers.
        joblib.register_parallel_backend("crossfold", NestedBackend)
        with joblib.parallel_config(backend=ThreadingBackend(nesting_level=1)):
            if rehearse:
                _rehearse()
            _Child(stream, kept).serve()


def _rehearse() -> None:
    """Load and touch what every fit needs; no random number is drawn."""
    from sklearn.dummy import DummyClassifier
    from sklearn.model_selection import cross_validate

    cross_validate(DummyClassifier(), np.zeros((4, 1)), [0, 1, 0, 1], cv=2)
    with contextlib.suppress(OSError), tempfile.TemporaryDirectory() as folder:
        _arrow.open_dataset(folder, _arrow.write_dataset(folder, np.zeros((4, 1)), np.zeros(4)))


def _die_with(parent: int) -> None:
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        raise SystemExit("the zygote ended before its child began")


class _Child:
    def __init__(self, connection: socket.socket, page: Page) -> None:
        self._pid = os.getpid()
        self._connection = connection
        self._page = page
        self._sent = 0.0
        self._capture = Capture()
        self._runner = Runner(self._capture)

    def serve(self) -> None:
        self._capture.install()
        stream = self._connection.makefile("rb", buffering=1 << 16)
        try:
            self._add(FromChild(ready=ChildReady(pid=os.getpid())))
            self._send()
            while (body := _frames.read(stream)) is not None:
                self._run(ToChild.FromString(body).run)
                self._runner.memory.wait(self._connection)
        except (BrokenPipeError, ConnectionResetError):
            return  # Go has closed the socket: nobody wants the rest

    def _run(self, run: Run) -> None:
        limited = run.task.HasField("limits")  # Go counts from the message
        for unit in self._runner.units(run):
            self._page.begin(unit.index)
            if limited:
                self._add(FromChild(started=Started(index=unit.index)))
                self._send()
            elif self._page.keeps and time.monotonic() - self._sent > _PAUSE_SECONDS:
                self._send()
            result = unit.run()
            if os.getpid() != self._pid:
                os._exit(0)  # a process that the unit forked came back from it, too
            self._add(FromChild(finished=Finished(result=result)))
            if result.slot_seconds > _SHORT_SECONDS:
                self._send()
        self._page.clear()
        self._add(FromChild(done=Done()))
        self._send()

    def _add(self, message: FromChild) -> None:
        self._page.add(_frames.encode(message))

    def _send(self) -> None:
        self._page.send()
        self._sent = time.monotonic()
