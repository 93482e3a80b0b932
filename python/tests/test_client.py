"""Connecting, sessions, and what becomes of a job when the cluster goes away."""

from __future__ import annotations

import contextlib
import multiprocessing
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import grpc
import joblib
import pytest
from double import Cluster
from joblib import Parallel, delayed

import crossfold
import crossfold.joblib
from crossfold import _client


def double_it(x: int) -> int:
    return 2 * x


def run(n: int = 4, **options: Any) -> list[int]:
    with joblib.parallel_config("crossfold"):
        return list(Parallel(**options)(delayed(double_it)(i) for i in range(n)))


def test_connect_reports_the_cluster(cluster: Cluster) -> None:
    with crossfold.connect(cluster.url) as client:
        assert (client.version, client.workers, client.slots) == ("double", 1, 2)


def test_stats_has_the_documented_counts(cluster: Cluster) -> None:
    assert crossfold.stats() == {
        "workers": 1,
        "slots": 2,
        "tasks_completed": 7,
        "fits_completed": 5,
        "calls_completed": 2,
        "faults": 0,
        "jobs_running": 0,
    }


def test_one_session_serves_many_calls_and_threads(cluster: Cluster) -> None:
    results: list[list[int]] = []
    threads = [threading.Thread(target=lambda: results.append(run(30))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert results == [[2 * i for i in range(30)]] * 4
    assert cluster.sessions == 1


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("grpc://host:1", "unencrypted"),
        ("http://host:1", "unix:///path/to/sock or grpcs://host:port"),
        ("unix://relative/sock", "unix:///path/to/sock"),
        ("grpcs://host", "grpcs://host:port"),
        ("grpcs://host:1", "CROSSFOLD_TOKEN"),
    ],
)
def test_a_url_that_is_no_good_says_what_is(disconnected: None, url: str, words: str) -> None:
    with pytest.raises(crossfold.ConnectionFailed, match=words):
        crossfold.connect(url)


def test_nobody_listening_is_a_connection_failure_that_names_the_url(
    disconnected: None, tmp_path: Path
) -> None:
    with pytest.raises(crossfold.ConnectionFailed, match=f"unix://{tmp_path}/none"):
        crossfold.connect(f"unix://{tmp_path}/none")


def test_a_certificate_file_that_is_missing_is_named(
    disconnected: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CROSSFOLD_TOKEN", "t")
    monkeypatch.setenv("CROSSFOLD_CA", "/no/such.pem")
    with pytest.raises(crossfold.ConnectionFailed, match="/no/such.pem.*PEM file"):
        crossfold.connect("grpcs://localhost:1")


def test_other_versions_on_the_workers_are_an_environment_mismatch(cluster: Cluster) -> None:
    cluster.hello_error = (
        grpc.StatusCode.FAILED_PRECONDITION,
        "numpy: client 2.0, workers 1.9. Install numpy 1.9.",
    )
    with pytest.raises(crossfold.EnvironmentMismatch, match="client 2.0, workers 1.9. Install"):
        run()


def test_a_job_that_the_cluster_refuses_raises_its_reason(cluster: Cluster) -> None:
    cluster.job_error = (3, "ds-1 is not in the store. Write it first.")
    with pytest.raises(crossfold.InvalidJob, match="Write it first"):
        run()
    cluster.job_error = None
    assert run() == [0, 2, 4, 6]


def test_a_cluster_that_goes_away_fails_what_runs_and_the_next_call_reconnects(
    cluster: Cluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cluster.gate.clear()
    timer = threading.Timer(0.3, cluster.close)
    timer.start()
    with pytest.raises(crossfold.WorkerLost, match=cluster.url):
        run()
    timer.join()
    (tmp_path / "next").mkdir()
    second = Cluster(tmp_path / "next")
    monkeypatch.setenv("CROSSFOLD_URL", second.url)
    assert run() == [0, 2, 4, 6]
    second.close()


def test_what_waits_when_a_session_ends_still_goes_out(cluster: Cluster) -> None:
    blocked, free = threading.Event(), threading.Event()

    class Slow:
        def __reduce__(self) -> tuple[type, tuple[()]]:
            blocked.set()
            free.wait(20)
            return int, ()

    def call(argument: Any) -> None:
        with contextlib.suppress(crossfold.CrossfoldError), joblib.parallel_config("crossfold"):
            Parallel()([delayed(str)(argument)])

    cluster.gate.clear()
    client = _client.default_client()
    waiting = client.session()._outbox.qsize
    threads = [threading.Thread(target=call, args=(Slow(),)), threading.Thread(target=call, args=(1,))]
    threads.append(threading.Thread(target=client.close))
    threads[0].start()
    assert blocked.wait(20)
    for position, thread in enumerate(threads[1:], 1):
        thread.start()
        while waiting() < position:
            thread.join(0.01)
    free.set()
    for thread in threads:
        thread.join(20)
    assert [len(append.calls) for append in cluster.appends] == [1, 1]


def test_objects_go_over_grpc_when_the_store_is_not_visible(
    disconnected: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cluster = Cluster(tmp_path, shared_store=False)
    monkeypatch.setenv("CROSSFOLD_URL", cluster.url)
    with joblib.parallel_config("crossfold"):
        sent = Parallel()(delayed(len)(b"x" * size) for size in (1, 3_000_000))
        received = Parallel()(delayed(bytes)(size) for size in (1, 3_000_000))
    assert sent == [1, 3_000_000]
    assert [len(data) for data in received] == [1, 3_000_000]
    _client.default_client().close()
    cluster.close()


def test_a_forked_child_makes_a_connection_of_its_own(cluster: Cluster) -> None:
    assert run(2) == [0, 2]
    context = multiprocessing.get_context("fork")
    answers = context.Queue()
    child = context.Process(target=lambda: answers.put(run(3)))
    child.start()
    assert answers.get(timeout=20) == [0, 2, 4]
    child.join(20)
    assert child.exitcode == 0
    assert run(2) == [0, 2]
    assert cluster.sessions == 2


def test_import_is_quick_and_light() -> None:
    script = (
        "import sys, time; start = time.process_time(); import crossfold; took = time.process_time() - start;"
        "heavy = {'numpy', 'sklearn', 'grpc', 'joblib', 'pyarrow', 'google.protobuf'} & set(sys.modules);"
        "print(took, sorted(heavy))"
    )
    runs = [
        subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout
        for _ in range(5)
    ]
    assert all(line.endswith("[]\n") for line in runs)
    assert min(float(line.split()[0]) for line in runs) < 0.02


def test_public_names_resolve() -> None:
    for name in crossfold.__all__:
        assert getattr(crossfold, name) is not None
    with pytest.raises(AttributeError, match="has no attribute 'nothing'"):
        _ = crossfold.nothing
