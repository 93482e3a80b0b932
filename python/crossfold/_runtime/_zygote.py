"""The zygote: imports once and forks a child whenever Go asks for one.

It never fits and never runs an operation: forking after OpenMP or TensorFlow ran would hang.
"""

from __future__ import annotations

import contextlib
import gc
import importlib
import importlib.util
import os
import select
import signal
import socket
import sys
import traceback
from types import FrameType
from typing import NoReturn

# Base imports: what every fit needs; children share their memory.
import cloudpickle  # noqa: F401
import numpy  # noqa: F401
import pyarrow.ipc  # noqa: F401
import sklearn.model_selection  # noqa: F401
import sklearn.utils.parallel  # noqa: F401

from crossfold._environment import environment
from crossfold._runtime import _child, _frames
from crossfold._runtime._keras import _pristine
from crossfold._sources import is_own
from crossfold.v1.bridge_pb2 import Exited, Fork, Forked, FromZygote, ToZygote, ZygoteReady

PROTOCOL = 1
"""Version of the frames."""


class Zygote:
    """Serves Go over one socket until Go closes it."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection
        self._children: dict[int, int] = {}  # pid to the id that Go chose
        self._wakeup, self._wake = socket.socketpair()
        self._wakeup.setblocking(False)
        self._wake.setblocking(False)

    def serve(self) -> None:
        """Answer frames and report exits until the end of the stream; then end every child."""
        signal.signal(signal.SIGCHLD, _ignore)
        signal.set_wakeup_fd(self._wake.fileno(), warn_on_full_buffer=False)
        poll = select.poll()
        poll.register(self._connection, select.POLLIN)
        poll.register(self._wakeup, select.POLLIN)
        self._send(FromZygote(ready=ZygoteReady(protocol=PROTOCOL, environment=environment())))
        try:
            while True:
                ready = {fd for fd, _events in poll.poll()}
                if self._wakeup.fileno() in ready:
                    self._reap()
                if self._connection.fileno() in ready and not self._answer():
                    return
        except (BrokenPipeError, ConnectionResetError):
            return
        finally:
            self._end_children()

    def _answer(self) -> bool:
        received = _frames.receive_with_descriptors(self._connection)
        if received is None:
            return False
        body, descriptors = received
        self._fork(ToZygote.FromString(body).fork, descriptors)
        return True

    def _fork(self, fork: Fork, descriptors: list[int]) -> None:
        for name in fork.preload:
            if name.partition(".")[0] == "keras":
                _preload_keras()
            _preload(name)
        gc.freeze()  # a collection in a child would touch, and so copy, every shared page
        parent = os.getpid()
        try:
            pid = os.fork()
        except OSError as error:
            answer = Forked(id=fork.id, error=str(error))
        else:
            if pid == 0:
                self._become_child(descriptors, parent, fork.rehearse)
            self._children[pid] = fork.id
            answer = Forked(id=fork.id, pid=pid)
        for descriptor in descriptors:
            os.close(descriptor)
        self._send(FromZygote(forked=answer))

    def _become_child(self, descriptors: list[int], parent: int, rehearse: bool) -> NoReturn:
        """Leave the zygote behind and serve Go; the process ends here, whatever happens."""
        status = 1
        try:
            signal.set_wakeup_fd(-1)
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            for inherited in (self._connection, self._wakeup, self._wake):
                inherited.close()
            _child.main(descriptors, parent, rehearse)
            status = 0
        except BaseException:
            traceback.print_exc()
        finally:
            with contextlib.suppress(BaseException):
                sys.__stderr__.flush()  # type: ignore[union-attr]
            os._exit(status)

    def _reap(self) -> None:
        with contextlib.suppress(BlockingIOError):
            while self._wakeup.recv(256):
                pass
        while (exited := _next_exited(os.WNOHANG)) is not None:
            pid, status = self._bury(exited)
            self._send(FromZygote(exited=Exited(id=self._children.pop(pid, 0), pid=pid, status=status)))

    def _bury(self, exited: os.waitid_result) -> tuple[int, int]:
        """Kill what is left of a child's process group, then reap it: until then its pid is ours."""
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(exited.si_pid, signal.SIGKILL)
        _pid, status = os.waitpid(exited.si_pid, 0)
        return exited.si_pid, os.waitstatus_to_exitcode(status)

    def _end_children(self) -> None:
        for pid in self._children:
            for kill in (os.killpg, os.kill):  # a newborn child may not lead a group yet
                with contextlib.suppress(ProcessLookupError, PermissionError):
                    kill(pid, signal.SIGKILL)
        while self._children and (exited := _next_exited(0)) is not None:
            self._children.pop(self._bury(exited)[0], None)

    def _send(self, message: FromZygote) -> None:
        self._connection.sendall(_frames.encode(message))


def _next_exited(flags: int) -> os.waitid_result | None:
    """Return a child that ended, without reaping it."""
    try:
        return os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOWAIT | flags)
    except ChildProcessError:
        return None


def _preload(name: str) -> None:
    """Import an installed module; skip it when that fails: the fit that needs it will say so.

    Only installed ones: a user's own module may be edited while the zygote lives.
    """
    if name in sys.modules:
        return
    # Libraries may fail in any way while they are imported, also by leaving.
    with contextlib.suppress(Exception, SystemExit):
        spec = importlib.util.find_spec(name.partition(".")[0])
        if spec is not None and spec.origin is not None and not is_own(name, spec.origin):
            importlib.import_module(name)


def _preload_keras() -> None:
    """Import Keras before anything that might change it, and remember what it was."""
    if "keras" not in sys.modules:
        _preload("keras")
        if "keras" in sys.modules:
            _pristine.remember()


def _ignore(_signal: int, _frame: FrameType | None) -> None:
    """Let the wakeup descriptor do the work."""
