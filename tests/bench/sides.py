"""The peers as the bench sees them: which there are, their environments, and their processes."""

from __future__ import annotations

import contextlib
import functools
import json
import os
import select
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
import psutil
from e2e.cluster import PrivateCluster

from bench import work
from bench.figures import CORES, OURS, ResultsDiffer

REPOSITORY = Path(__file__).resolve().parents[2]
ENVIRONMENTS = REPOSITORY / ".venv-bench"
PINNED = Path(__file__).resolve().parent / "peers"
ANSWER_SECONDS = 3600.0


_TOLD = ("scikit-learn", "joblib", "numpy", "dask", "distributed", "dask-ml", "ray", "pyspark", "joblibspark")


class PeerFailed(Exception):
    """A peer could not be installed or started, or could not do its work."""


@dataclass(frozen=True)
class Peer:
    """A peer's configuration, in words, and where its runner finds its packages."""

    environment: str
    """The pinned file `peers/<environment>.txt` and the folder under `.venv-bench`; empty: this one's."""
    module: str
    configuration: str
    tolerance: float = 0.0
    """Largest difference of a score; 0 means equal bits."""


SIDES = {
    OURS: Peer("", "ours", "the embedded cluster, everything at its default"),
    "loky": Peer("sklearn", "loky", "joblib's default, n_jobs=cores"),
    "memory": Peer("sklearn", "memory", "loky, Pipeline(memory=an empty folder)"),
    "processpool": Peer("sklearn", "processpool", "ProcessPoolExecutor.map, chunks of 4, data loaded once"),
    "dask": Peer("dask", "dask", "LocalCluster, one thread a process, scatter=[X, y]"),
    "dask-ml": Peer("dask-ml", "dask_ml", "its own GridSearchCV on a LocalCluster"),
    "ray": Peer("ray", "ray", "ray.init(num_cpus=cores), no dashboard"),
    "spark": Peer("spark", "spark", "local[cores], joblib-spark, no web interface"),
}


PEERS = tuple(name for name in SIDES if name != OURS)


@functools.cache
def installed(environment: str) -> Path:
    """Make the environment unless it is there as pinned; return its interpreter.

    Raises PeerFailed with pip's last words.
    """
    if not environment:
        return Path(sys.executable)
    pinned = (PINNED / f"{environment}.txt").read_text()
    folder = ENVIRONMENTS / environment
    python, stamp = folder / "bin" / "python", folder / "installed.txt"
    if stamp.exists() and stamp.read_text() == pinned:
        return python
    print(f"installing the peers of {environment}.txt", file=sys.stderr, flush=True)
    pip = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    for command in (
        [sys.executable, "-m", "venv", "--clear", str(folder)],
        [*pip, "--no-deps", "--no-compile", "-r", str(PINNED / f"{environment}.txt")],
    ):
        done = subprocess.run(command, capture_output=True, text=True)
        if done.returncode != 0:
            raise PeerFailed((done.stderr or done.stdout).strip()[-500:])
    stamp.write_text(pinned)
    return python


absent: dict[str, str] = {}
"""The peers that this process could not install or start, and why."""


def available(peers: Sequence[str]) -> list[str]:
    """Install what these peers need; return those that are there, and add the others to `absent`."""
    for name in peers:
        try:
            installed(SIDES[name].environment)
        except PeerFailed as failed:
            absent[name] = str(failed)
    return [name for name in peers if name not in absent]


def startable(peers: Sequence[str]) -> list[str]:
    """Start and end each of these peers; return those that did, and add the others to `absent`."""
    for name in peers:
        try:
            with Side(name):
                pass
        except PeerFailed as failed:
            absent[name] = str(failed)
    return [name for name in peers if name not in absent]


def pinned_versions(name: str) -> dict[str, str]:
    """The versions that matter of a peer's pinned packages."""
    environment = SIDES[name].environment
    file = PINNED / f"{environment}.txt" if environment else REPOSITORY / "requirements" / "dev.txt"
    pinned = dict(line.split("==") for line in file.read_text().splitlines() if "==" in line)
    return {package: pinned[package] for package in _TOLD if package in pinned}


class Side:
    """A peer's running processes. A context manager: at its end none of them is left."""

    def __init__(
        self, name: str, processes: int = CORES, settings: Mapping[str, str] = MappingProxyType({})
    ) -> None:
        self.name = name
        self.peer = SIDES[name]
        self._log = tempfile.TemporaryFile("w+")
        python = str(installed(self.peer.environment))
        self._process = subprocess.Popen(
            [python, "-P", "-m", f"bench.peers.{self.peer.module}"],
            env=_environment(python) | dict(settings),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._log,
            text=True,
            bufsize=1,
        )
        try:
            self.ready_seconds: float = self._ask(do="start", processes=processes)["seconds"]
        except PeerFailed:
            self.__exit__()
            raise
        self.scores = np.empty(0)
        self.busy_seconds = 0.0
        self.fits: list[dict[str, float]] = []

    def search(self, case: str) -> float:
        """Seconds of one search of this case; its test scores are in `scores`, its work in `busy_seconds`."""
        answer = self._ask(do="search", case=case)
        self.busy_seconds = answer["busy"]
        self.fits = answer["fits"]
        self.scores = work.from_text(answer["scores"])
        return answer["seconds"]

    def calls(self, api: str) -> float:
        """Empty calls a second through "joblib", or by the peer's "own" API."""
        return work.CALLS / self._ask(do="calls", api=api)["seconds"]

    def processes(self) -> list[psutil.Process]:
        """The runner and everything below it."""
        root = psutil.Process(self._process.pid)
        return [root, *root.children(recursive=True)]

    def check(self, ours: Side) -> None:
        """Compare the last search's scores with Crossfold's; raise ResultsDiffer."""
        if self.peer.tolerance == 0:
            equal = self.scores.tobytes() == ours.scores.tobytes()
        else:
            equal = self.scores.shape == ours.scores.shape and np.allclose(
                self.scores, ours.scores, rtol=0, atol=self.peer.tolerance, equal_nan=True
            )
        if not equal:
            raise ResultsDiffer(f"the test scores of {ours.name} are not those of {self.name}")

    def __enter__(self) -> Side:
        return self

    def __exit__(self, *_: object) -> None:
        started = self.processes() if self._process.poll() is None else []
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                pipe.close()
        try:
            self._process.wait(30)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        _, left = psutil.wait_procs(started, timeout=10)
        for process in left:
            process.kill()
        self._log.close()

    def _ask(self, **request: Any) -> dict[str, Any]:
        assert self._process.stdin is not None and self._process.stdout is not None
        self._process.stdin.write(json.dumps(request) + "\n")
        ready, _, _ = select.select([self._process.stdout], [], [], ANSWER_SECONDS)
        line = self._process.stdout.readline() if ready else ""
        answer = json.loads(line) if line else {"error": self._last_words()}
        if "error" in answer:
            raise PeerFailed(f"{self.name}: {request}: {answer['error'][-2000:]}")
        return answer

    def _last_words(self) -> str:
        self._log.seek(0)
        return self._log.read()[-2000:] or f"no answer within {ANSWER_SECONDS:.0f} s"


class Sides:
    """Crossfold, on a cluster of its own, and the peers that start, by name. A context manager.

    Iterating gives the names. Those that don't start are added to `absent`.
    """

    def __init__(self, peers: Sequence[str], processes: int = CORES) -> None:
        with contextlib.ExitStack() as ends:
            self.cluster = ends.enter_context(PrivateCluster("300s", processes))
            settings = self.cluster.environment()
            self._sides = {OURS: ends.enter_context(Side(OURS, processes, settings))}
            for name in peers:
                try:
                    self._sides[name] = ends.enter_context(Side(name, processes))
                except PeerFailed as failed:
                    absent[name] = str(failed)
            self._ends = ends.pop_all()

    def __getitem__(self, name: str) -> Side:
        return self._sides[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._sides)

    def processes(self, name: str) -> list[psutil.Process]:
        """Every process of a side, its script first."""
        own = self.cluster.processes() if name == OURS else []
        return list(dict.fromkeys([*self._sides[name].processes(), *own]))

    def check(self) -> None:
        """Compare every peer's last scores with Crossfold's; raise ResultsDiffer."""
        for name in self:
            self[name].check(self[OURS])

    def __enter__(self) -> Sides:
        return self

    def __exit__(self, *_: object) -> None:
        self._ends.close()


def _environment(python: str) -> dict[str, str]:
    """The bench's own, with what the peers' documentation asks for."""
    return {
        **os.environ,
        "PATH": os.pathsep.join([str(Path(python).parent), os.environ["PATH"]]),
        "PYTHONPATH": str(REPOSITORY / "tests"),
        "PYSPARK_PYTHON": python,
        "PYSPARK_DRIVER_PYTHON": python,
        "SPARK_LOCAL_IP": "127.0.0.1",
        "RAY_USAGE_STATS_ENABLED": "0",
    }
