"""Fits that stop half way until a test lets them go on, so that faults strike at a known moment."""

from __future__ import annotations

import fcntl
import os
import select
import signal
from pathlib import Path
from typing import Any

from sklearn.svm import SVC


class Gate:
    """The test's side: learns which processes fit, and holds them there until `open`."""

    def __init__(self, folder: Path) -> None:
        os.mkfifo(folder / "started")
        # Opened for both ways a pipe never reports its end, and no fit waits for a reader.
        self._started = os.open(folder / "started", os.O_RDWR)
        self._lock = open(folder / "gate", "w")
        fcntl.flock(self._lock, fcntl.LOCK_EX)

    def wait_for_fit(self, seconds: float = 40) -> int:
        """The process id of the next fit that arrives at the gate."""
        ready, _, _ = select.select([self._started], [], [], seconds)
        assert ready, f"no fit started within {seconds:g} s"
        line = b""
        while not line.endswith(b"\n"):
            line += os.read(self._started, 1)
        return int(line)

    def open(self) -> None:
        """Let every fit go on, those that come later too."""
        fcntl.flock(self._lock, fcntl.LOCK_UN)

    def close(self) -> None:
        """Open the gate and free its files."""
        self._lock.close()
        os.close(self._started)


class GatedSVC(SVC):
    """An SVC whose fit waits at the gate in `folder`."""

    def __init__(self, folder: str = "", C: float = 1.0) -> None:
        super().__init__(C=C)
        self.folder = folder

    def fit(self, X: Any, y: Any) -> GatedSVC:
        with open(Path(self.folder, "started"), "a") as started:
            started.write(f"{os.getpid()}\n")
        with open(Path(self.folder, "gate")) as gate:
            fcntl.flock(gate, fcntl.LOCK_SH)
        return super().fit(X, y)


class DeadlySVC(SVC):
    """An SVC that ends its own process when fitted with C = 13."""

    def __init__(self, way: str = "exit", C: float = 1.0) -> None:
        super().__init__(C=C)
        self.way = way

    def fit(self, X: Any, y: Any) -> DeadlySVC:
        if self.C == 13 and self.way == "exit":
            os._exit(7)
        if self.C == 13:
            os.kill(os.getpid(), signal.SIGSEGV)
        return super().fit(X, y)
