"""The embedded cluster: started on first use, shared by scripts, gone when idle."""

from __future__ import annotations

import os
import select
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from e2e.cluster import BINARY, PrivateCluster, wait_until

pytestmark = pytest.mark.timeout(90)

SEARCH = """
import crossfold
from crossfold.model_selection import GridSearchCV
from sklearn.datasets import load_iris
from sklearn.svm import SVC

search = GridSearchCV(SVC(), {"C": [0.1, 1.0, 10.0]}, cv=5).fit(*load_iris(return_X_y=True))
print(search.cv_results_["mean_test_score"].tobytes().hex())
print(crossfold.stats()["fits_completed"])
"""


# Returns when the cluster that the import starts is up.
IMPORTS = """
import threading
import crossfold.model_selection

for thread in threading.enumerate():
    if thread.name == "crossfold-early":
        thread.join(30)
"""

# Prints which processes its calls ran in.
PROCESSES = """
import os
import crossfold.joblib
from joblib import Parallel, delayed, parallel_config

with parallel_config("crossfold"):
    print(*Parallel()(delayed(os.getpid)() for _ in range(20)))
"""


@pytest.fixture
def search(script: Callable[..., Path]) -> Path:
    """A script of 15 fits that prints its scores and how many fits the cluster has done."""
    return script(SEARCH)


def test_the_next_script_finds_the_cluster_of_the_first(cluster: PrivateCluster, search: Path) -> None:
    first = cluster.run(search).split()
    daemon = cluster.daemon()
    second = cluster.run(search).split()

    assert cluster.daemon() == daemon
    assert first[0] == second[0]
    assert [int(first[1]), int(second[1])] == [15, 30]


def test_the_cluster_starts_while_the_script_imports(
    cluster: PrivateCluster, script: Callable[..., Path]
) -> None:
    imports = script(IMPORTS)
    cluster.settings["CROSSFOLD_EARLY"] = "0"
    cluster.run(imports)
    assert not cluster.processes()
    cluster.settings["CROSSFOLD_EARLY"] = "1"
    cluster.run(imports)
    assert (cluster.folder() / "sock").is_socket()


def test_a_cluster_started_early_goes_when_another_one_is_chosen(
    cluster: PrivateCluster, script: Callable[..., Path]
) -> None:
    folder = cluster.home / "named"
    with running_daemon(cluster, folder):
        named = cluster.daemon()
        cluster.run(script(f"{IMPORTS}\nimport crossfold\ncrossfold.connect('unix://{folder}/sock')"))
        wait_until(lambda: cluster.daemons() == [named], 15, lambda: f"still running: {cluster.daemons()}")


def test_the_cluster_belongs_to_its_user_alone(cluster: PrivateCluster, search: Path) -> None:
    cluster.run(search)
    folder = cluster.folder()
    assert folder.stat().st_mode & 0o777 == 0o700
    assert (folder / "sock").stat().st_mode & 0o077 == 0
    assert not [c for process in cluster.processes() for c in process.net_connections("inet")]


def test_the_cluster_ends_when_idle_and_comes_back(search: Path) -> None:
    with PrivateCluster(idle_timeout="1s") as cluster:
        cluster.run(search)
        cluster.wait_until_gone(15)
        assert cluster.run(search).split()[1] == "15"


def test_two_scripts_start_the_cluster_at_once(cluster: PrivateCluster, search: Path) -> None:
    scripts = [cluster.start(search) for _ in range(2)]
    answers = [client.communicate(timeout=60) for client in scripts]

    assert [client.returncode for client in scripts] == [0, 0], answers
    assert answers[0][0].split()[0] == answers[1][0].split()[0]
    assert len(cluster.daemons()) == 1


def test_slot_processes_end_with_their_client(cluster: PrivateCluster, script: Callable[..., Path]) -> None:
    used = {int(pid) for pid in cluster.run(script(PROCESSES)).split()}
    wait_until(lambda: not used & running(cluster), 10, lambda: f"still running: {used & running(cluster)}")
    assert len(cluster.zygotes()) == 1


def running(cluster: PrivateCluster) -> set[int]:
    """The processes that fits run in, or will: some are kept ready for the next client."""
    return {process.pid for process in cluster.slots()}


def test_a_killed_daemons_socket_does_not_stop_the_next_script(cluster: PrivateCluster, search: Path) -> None:
    cluster.run(search)
    cluster.daemon().kill()
    cluster.wait_until_gone(5)
    assert (cluster.folder() / "sock").exists()

    assert cluster.run(search).split()[1] == "15"


def test_report_tells_where_every_fit_ran(cluster: PrivateCluster, script: Callable[..., Path]) -> None:
    client = script(
        SEARCH
        + """
history = crossfold.report(search).history
print(sorted(zip(history["candidate"], history["split"])) == [(c, s) for c in range(3) for s in range(5)])
print(set(history["attempt"]), history["worker"].nunique(), (history["seconds"] > 0).all())
"""
    )
    assert cluster.run(client).splitlines()[2:] == ["True", "{0} 1 True"]


@contextmanager
def running_daemon(cluster: PrivateCluster, folder: Path) -> Iterator[None]:
    """`crossfold up` as a person starts it, until the block ends."""
    ready, write_end = os.pipe()
    command = [str(BINARY), "up", "--dir", str(folder), "--slots", "1"]
    daemon = subprocess.Popen(
        [*command, "--ready-fd", str(write_end)],
        env=cluster.environment(),
        stdin=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        pass_fds=[write_end],
    )
    os.close(write_end)
    try:
        assert select.select([ready], [], [], 30)[0], "the daemon was not ready after 30 s"
        assert os.read(ready, 16) == b"ready\n"
        yield
    finally:
        os.close(ready)
        daemon.terminate()
        assert daemon.wait(timeout=10) == 0


def test_connect_uses_the_cluster_of_a_url(cluster: PrivateCluster, script: Callable[..., Path]) -> None:
    folder = cluster.home / "named"
    client = script(
        f"""
import crossfold
crossfold.connect("unix://{folder}/sock")
{SEARCH}
print(crossfold.stats())
"""
    )
    with running_daemon(cluster, folder):
        printed = cluster.run(client).splitlines()

    assert printed[1] == "15"
    assert "'slots': 1" in printed[2]
    assert "'workers': 1" in printed[2]
    assert not (cluster.home / "crossfold").exists()


def test_connect_says_what_to_do_when_nobody_listens(
    cluster: PrivateCluster, script: Callable[..., Path]
) -> None:
    missing = cluster.home / "nobody" / "sock"
    client = script(
        f"""
import crossfold
try:
    crossfold.connect("unix://{missing}")
except crossfold.ConnectionFailed as error:
    print(error)
"""
    )
    printed = cluster.run(client)
    assert str(missing) in printed
    assert "crossfold up" in printed


def test_a_url_without_encryption_is_refused(cluster: PrivateCluster, script: Callable[..., Path]) -> None:
    client = script(
        """
import crossfold
try:
    crossfold.connect("grpc://example.org:7000")
except (crossfold.CrossfoldError, ValueError) as error:
    print(error)
"""
    )
    printed = cluster.run(client)
    assert "grpc://example.org:7000" in printed
    assert "grpcs://" in printed


def test_importing_crossfold_loads_nothing_heavy(
    cluster: PrivateCluster, script: Callable[..., Path]
) -> None:
    client = script(
        """
import sys
import crossfold
print([name for name in ("numpy", "sklearn", "grpc", "joblib", "pyarrow") if name in sys.modules])
"""
    )
    assert cluster.run(client) == "[]\n"
    assert cluster.processes() == []
