"""Go's side of the bridge, small, for tests of the runtime."""

from __future__ import annotations

import contextlib
import os
import socket
import struct
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import cloudpickle

from crossfold._runtime import _frames
from crossfold.v1.bridge_pb2 import Fork, Forked, FromChild, FromZygote, Run, ToChild, ToZygote
from crossfold.v1.data_pb2 import Value
from crossfold.v1.task_pb2 import Call, Result, Task

WAIT_SECONDS = 60


class Child:
    def __init__(self, pid: int, connection: socket.socket, log: int, page: int) -> None:
        connection.settimeout(WAIT_SECONDS)
        self.pid, self.connection, self.log = pid, connection, log
        self._page = page
        self.stream = connection.makefile("rb")

    def receive(self) -> FromChild | None:
        body = _frames.read(self.stream)
        return None if body is None else FromChild.FromString(body)

    def run(self, task: Task, store: Any = "") -> list[Result]:
        """Run a task; return its results. Raises EOFError when the child ends first."""
        self.start(task, store)
        results = []
        while (message := self.receive()) is not None:
            kind = message.WhichOneof("kind")
            if kind == "finished":
                results.append(message.finished.result)
            elif kind == "done":
                return results
        raise EOFError(f"child {self.pid} ended")

    def start(self, task: Task, store: Any = "") -> None:
        self.connection.sendall(_frames.encode(ToChild(run=Run(task=task, store_dir=str(store)))))

    def call(self, *functions: Any, store: Any = "") -> list[Result]:
        """Run functions without arguments as calls of one task."""
        calls = [Call(index=i, pickle=Value(inline=cloudpickle.dumps(f))) for i, f in enumerate(functions)]
        return self.run(Task(calls=calls), store)

    def running(self) -> int:
        """Index plus one of the unit that runs, as the shared page says; 0 for none."""
        number: int = struct.unpack("<Q", os.pread(self._page, 8, 0))[0]
        return number

    def read_log(self) -> str:
        """What the child wrote to its descriptors 1 and 2; call it after the child ended."""
        text = b""
        while chunk := os.read(self.log, 1 << 16):
            text += chunk
        return text.decode()

    def close(self) -> None:
        self.stream.close()
        self.connection.close()
        os.close(self.log)
        os.close(self._page)


class Peer:
    """A zygote and its children."""

    def __init__(self, store: Any) -> None:
        self.connection, theirs = socket.socketpair()
        self.connection.settimeout(WAIT_SECONDS)
        self._stream = self.connection.makefile("rb")
        threads = {f"{name}_NUM_THREADS": "1" for name in ("OMP", "OPENBLAS")}
        threads["JE_ARROW_MALLOC_CONF"] = "background_thread:false"
        self.process = subprocess.Popen(
            [sys.executable, "-P", "-m", "crossfold._runtime", f"--fd={theirs.fileno()}", f"--store={store}"],
            pass_fds=[theirs.fileno()],
            env=os.environ | threads | {"PYTHONPATH": os.pathsep.join(sys.path)},
            stdin=subprocess.DEVNULL,
        )
        theirs.close()
        self.children: list[Child] = []
        self._exits: dict[int, int] = {}
        self.environment = self.receive().ready.environment

    def receive(self) -> FromZygote:
        body = _frames.read(self._stream)
        if body is None:
            raise EOFError("the zygote ended")
        return FromZygote.FromString(body)

    def fork(self, *preload: str) -> Child:
        mine, theirs = socket.socketpair()
        log, log_end = os.pipe()
        page = os.memfd_create("page")
        os.ftruncate(page, 1 << 16)
        frame = _frames.encode(ToZygote(fork=Fork(id=len(self.children) + 1, preload=preload)))
        socket.send_fds(self.connection, [frame], [theirs.fileno(), log_end, page])
        theirs.close()
        os.close(log_end)
        forked: Forked = self._next("forked").forked
        assert not forked.error
        child = Child(forked.pid, mine, log, page)
        self.children.append(child)
        ready = child.receive()
        assert ready is not None and ready.ready.pid == child.pid
        return child

    def exit_status(self, pid: int) -> int:
        """Wait until a child has ended."""
        while pid not in self._exits:
            self._next("exited")
        return self._exits[pid]

    def _next(self, kind: str) -> FromZygote:
        while True:
            message = self.receive()
            if message.HasField("exited"):
                self._exits[message.exited.pid] = message.exited.status
            if message.WhichOneof("kind") == kind:
                return message

    def close(self) -> None:
        self._stream.close()
        self.connection.close()
        for child in self.children:
            child.close()
        assert self.process.wait(WAIT_SECONDS) == 0


@contextlib.contextmanager
def peer(store: Any) -> Iterator[Peer]:
    it = Peer(store)
    try:
        yield it
    finally:
        it.close()
