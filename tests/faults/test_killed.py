"""Processes killed with SIGKILL in mid-search: the search ends with the same result, or says why not."""

from __future__ import annotations

import os
import select
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest
from e2e.cluster import BINARY, PrivateCluster, wait_until

from faults.conftest import GATED_SEARCH
from faults.gate import Gate

pytestmark = pytest.mark.timeout(150)


def answer_of(client: subprocess.Popen[str], seconds: float = 60) -> str:
    """What a client printed; its failure fails the test."""
    printed, errors = client.communicate(timeout=seconds)
    assert client.returncode == 0, errors
    return printed


def is_running(pid: int) -> bool:
    """Whether a process lives; one that only waits to be reaped does not."""
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def wait_for_end(pids: list[int], seconds: float) -> None:
    """Wait until none of the processes runs."""
    wait_until(lambda: not any(map(is_running, pids)), seconds, lambda: f"one of {pids} still runs")


def test_a_killed_slot_changes_nothing(
    cluster: PrivateCluster, gate: Gate, gated_search: Path, tmp_path: Path, right_answer: str
) -> None:
    client = cluster.start(gated_search, str(tmp_path))
    os.kill(gate.wait_for_fit(), signal.SIGKILL)
    gate.open()
    assert answer_of(client) == right_answer


def test_every_slot_killed_twice_changes_nothing(
    cluster: PrivateCluster, gate: Gate, gated_search: Path, tmp_path: Path, right_answer: str
) -> None:
    client = cluster.start(gated_search, str(tmp_path))
    for _ in range(4):
        os.kill(gate.wait_for_fit(), signal.SIGKILL)
    gate.open()
    assert answer_of(client) == right_answer


def test_a_killed_zygote_changes_nothing(
    cluster: PrivateCluster, gate: Gate, gated_search: Path, tmp_path: Path, right_answer: str
) -> None:
    client = cluster.start(gated_search, str(tmp_path))
    gate.wait_for_fit()
    (zygote,) = cluster.zygotes()
    zygote.kill()
    gate.open()
    assert answer_of(client) == right_answer


@contextmanager
def external_worker(cluster: PrivateCluster, folder: Path) -> Iterator[subprocess.Popen[bytes]]:
    """`crossfold worker` with one slot on a cluster that runs."""
    worker = subprocess.Popen(
        [str(BINARY), "worker", "--dir", str(folder), "--slots", "1", "--python", sys.executable],
        env=cluster.environment(),
        stdin=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        yield worker
    finally:
        worker.kill()
        worker.wait(timeout=10)


def test_a_killed_worker_changes_nothing(
    gate: Gate, gated_search: Path, script: Callable[..., Path], tmp_path: Path, right_answer: str
) -> None:
    with PrivateCluster(idle_timeout="60s", slots=1) as cluster:
        cluster.run(script("import crossfold\ncrossfold.connect()\n", "connect.py"))
        with external_worker(cluster, cluster.folder()) as worker:
            client = cluster.start(gated_search, str(tmp_path))
            fitting = [gate.wait_for_fit(), gate.wait_for_fit()]
            lost = [p.pid for p in psutil.Process(worker.pid).children(recursive=True)]
            assert len(set(fitting) & set(lost)) == 1

            worker.kill()
            wait_for_end(lost, 5)
            gate.open()
            # The lost worker's task comes back when its lease ends, 30 s after it was renewed.
            assert answer_of(client, 90) == right_answer


def test_a_killed_daemon_is_reported_and_the_next_search_works(
    cluster: PrivateCluster, gate: Gate, script: Callable[..., Path], tmp_path: Path, right_answer: str
) -> None:
    gated_search = script(
        GATED_SEARCH.replace("search.fit(", "try:\n    search.fit(").replace(
            "\nprint(",
            """
except Exception as error:
    import crossfold
    assert isinstance(error, crossfold.CrossfoldError), repr(error)
    print(f"{type(error).__name__}: {error}")
    search.fit(*load_iris(return_X_y=True))
print(""",
        )
    )
    client = cluster.start(gated_search, str(tmp_path))
    fitting = gate.wait_for_fit()
    folder = cluster.folder()
    cluster.daemon().kill()
    wait_for_end([fitting], 5)

    assert client.stdout is not None
    assert select.select([client.stdout], [], [], 10)[0], "the client has not noticed after 10 s"
    report = client.stdout.readline()
    gate.open()

    assert report.startswith(("WorkerLost: ", "ConnectionFailed: "))
    assert str(folder / "log") in report
    assert answer_of(client) == right_answer
