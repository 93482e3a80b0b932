"""A private cluster folder, and the processes that run in it."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

STOP_SECONDS = 5.0

REPOSITORY = Path(__file__).resolve().parents[2]
BINARY = Path(os.environ.get("CROSSFOLD_BINARY", REPOSITORY / "bin" / "crossfold"))


class PrivateCluster:
    """A cache folder of its own for embedded clusters, with the environment that points at it.

    A context manager: at its end the cluster is stopped, which must leave no process, and the folder
    deleted. It lies directly under the temporary folder: a Unix socket's path is at most 107 bytes.
    """

    def __init__(self, idle_timeout: str, slots: int = 2) -> None:
        self.home = Path(tempfile.mkdtemp(prefix="cf-"))
        self.settings = {
            "XDG_CACHE_HOME": str(self.home),
            "CROSSFOLD_BINARY": str(BINARY),
            "CROSSFOLD_IDLE_TIMEOUT": idle_timeout,
            "CROSSFOLD_SLOTS": str(slots),
            "CROSSFOLD_EARLY": "1",
        }

    def use(self, patch: pytest.MonkeyPatch) -> None:
        """Let the test's own process find this cluster."""
        for name, value in self.settings.items():
            patch.setenv(name, value)

    def environment(self, **extra: str) -> dict[str, str]:
        """The test's environment with this cluster's settings, for a child process."""
        inherited = os.environ.get("PYTHONPATH", "")
        return {
            **os.environ,
            # As in an activated virtual environment: the binary runs `python3` unless told otherwise.
            "PATH": os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]]),
            "PYTHONPATH": os.pathsep.join(filter(None, [str(REPOSITORY / "tests"), inherited])),
            **self.settings,
            **extra,
        }

    def run(self, script: Path, *arguments: str, timeout: float = 90) -> str:
        """Run a Python script to its end and return what it printed; its failure fails the test."""
        done = subprocess.run(
            [sys.executable, str(script), *arguments],
            env=self.environment(),
            cwd=script.parent,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=timeout,
        )
        assert done.returncode == 0, f"{script.name} exited with {done.returncode}:\n{done.stderr}"
        return done.stdout

    def start(self, script: Path, *arguments: str) -> subprocess.Popen[str]:
        """Start a Python script in a process group of its own, as a shell does."""
        return subprocess.Popen(
            [sys.executable, str(script), *arguments],
            env=self.environment(),
            cwd=script.parent,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )

    def folder(self) -> Path:
        """The one embedded cluster's folder: the one with a socket."""
        sockets = list(self.home.glob("crossfold/*/sock"))
        assert len(sockets) == 1, f"one cluster was expected under {self.home}, found {sockets}"
        return sockets[0].parent

    def processes(self) -> list[psutil.Process]:
        """Every live process that names the folder on its command line."""
        return [process for process in psutil.process_iter() if self._is_ours(process)]

    def daemons(self) -> list[psutil.Process]:
        """The ``crossfold up`` processes."""
        return [process for process in self.processes() if "up" in _command(process)[1:2]]

    def daemon(self) -> psutil.Process:
        """The one ``crossfold up`` process."""
        found = self.daemons()
        assert len(found) == 1, f"one daemon was expected, found {found}"
        return found[0]

    def zygotes(self) -> list[psutil.Process]:
        """The import-only Python processes that slots are forked from."""
        return [
            process
            for process in self.processes()
            if _is_runtime(process) and not _is_runtime(process.parent())
        ]

    def slots(self) -> list[psutil.Process]:
        """The Python processes that fits run in."""
        return [
            process for process in self.processes() if _is_runtime(process) and _is_runtime(process.parent())
        ]

    def stop(self) -> None:
        """End the daemon as an administrator would; nothing of the cluster may be left running."""
        for daemon in self.daemons():
            daemon.send_signal(signal.SIGTERM)
        try:
            self.wait_until_gone(STOP_SECONDS)
        finally:
            for process in self.processes():
                process.kill()

    def wait_until_gone(self, seconds: float) -> None:
        """Wait until no process of the cluster is left."""
        wait_until(lambda: not self.processes(), seconds, lambda: f"still running: {self.processes()}")

    def __enter__(self) -> PrivateCluster:
        return self

    def __exit__(self, *_: object) -> None:
        try:
            self.stop()
        finally:
            shutil.rmtree(self.home, ignore_errors=True)

    def _is_ours(self, process: psutil.Process) -> bool:
        return any(str(self.home) in argument for argument in _command(process))


def wait_until(condition: Callable[[], bool], seconds: float, otherwise: Callable[[], str]) -> None:
    """Wait for what sends no signal, such as another process's end; `otherwise` says what was seen."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"{otherwise()} after {seconds:g} s"
        time.sleep(0.02)


def _is_runtime(process: psutil.Process | None) -> bool:
    return process is not None and "crossfold._runtime" in _command(process)


def _command(process: psutil.Process) -> list[str]:
    """The command line; nothing of a process that has ended, be it a zombie."""
    try:
        return process.cmdline()
    except psutil.NoSuchProcess:
        return []
