"""Ctrl-C: the client ends within two seconds and leaves nothing running."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from e2e.cluster import PrivateCluster

from faults.gate import Gate
from faults.test_killed import wait_for_end

pytestmark = pytest.mark.timeout(90)

# The same without model selection: opaque calls that would take a minute.
CALLS = """
import os, sys, time
import crossfold.joblib
from joblib import Parallel, delayed, parallel_config


def call(folder):
    with open(folder + "/started", "a") as started:
        started.write(f"{os.getpid()}\\n")
    time.sleep(60)


with parallel_config(backend="crossfold"):
    Parallel()(delayed(call)(sys.argv[1]) for _ in range(4))
"""


def interrupt(cluster: PrivateCluster, client_script: Path, gate: Gate, folder: Path) -> None:
    """Press Ctrl-C while two units of work run; check what a person would check."""
    client = cluster.start(client_script, str(folder))
    running = [gate.wait_for_fit(), gate.wait_for_fit()]

    began = time.monotonic()
    os.killpg(client.pid, signal.SIGINT)
    _, errors = client.communicate(timeout=10)
    seconds = time.monotonic() - began

    assert seconds <= 2.0
    assert client.returncode in (-signal.SIGINT, 130)
    assert errors.rstrip().endswith("KeyboardInterrupt"), errors
    wait_for_end(running, 2)


def test_a_search_stops_and_the_cluster_stays_usable(
    cluster: PrivateCluster, gate: Gate, gated_search: Path, tmp_path: Path, right_answer: str
) -> None:
    interrupt(cluster, gated_search, gate, tmp_path)
    assert len(cluster.daemons()) == 1
    gate.open()
    assert cluster.run(gated_search, str(tmp_path)) == right_answer


def test_calls_stop(cluster: PrivateCluster, gate: Gate, script: Callable[..., Path], tmp_path: Path) -> None:
    interrupt(cluster, script(CALLS), gate, tmp_path)


def test_a_killed_client_leaves_nothing_running(
    cluster: PrivateCluster, gate: Gate, gated_search: Path, tmp_path: Path
) -> None:
    client = cluster.start(gated_search, str(tmp_path))
    running = [gate.wait_for_fit(), gate.wait_for_fit()]
    client.kill()
    client.communicate(timeout=10)
    wait_for_end(running, 5)


def test_a_terminated_daemon_takes_its_fits_along(
    cluster: PrivateCluster, gate: Gate, gated_search: Path, tmp_path: Path
) -> None:
    client = cluster.start(gated_search, str(tmp_path))
    gate.wait_for_fit()
    cluster.daemon().terminate()
    cluster.wait_until_gone(2)
    _, errors = client.communicate(timeout=10)
    assert client.returncode == 1
    assert "crossfold" in errors
