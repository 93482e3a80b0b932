"""Several hosts: a NATS server of its own, TLS everywhere, and a worker that shares no folder."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from e2e.cluster import BINARY, REPOSITORY, PrivateCluster, wait_until

pytestmark = pytest.mark.timeout(180)

NATS_SERVER = REPOSITORY / "bin" / "tools" / "nats-server"
# Made for these tests: valid for 127.0.0.1, its own authority.
TLS = Path(__file__).with_name("tls")
CERTIFICATE, KEY = str(TLS / "cert.pem"), str(TLS / "key.pem")
TOKEN = "a-token-of-these-tests"

SEARCH = """
import crossfold
import sklearn.model_selection
from crossfold.model_selection import cross_val_predict, cross_validate
from sklearn.datasets import load_digits
from sklearn.ensemble import RandomForestClassifier
from sklearn.model_selection import cross_val_predict as plain_predict

X, y = load_digits(return_X_y=True)
forest = RandomForestClassifier(20, random_state=0)
alone = sklearn.model_selection.cross_validate(forest, X, y, return_estimator=True)
ours = cross_validate(forest, X, y, return_estimator=True)
print(ours["test_score"].tobytes() == alone["test_score"].tobytes())
pairs = zip(ours["estimator"], alone["estimator"], strict=True)
print([bool((a.predict_proba(X) == b.predict_proba(X)).all()) for a, b in pairs])
ours, alone = (f(forest, X, y, method="predict_proba") for f in (cross_val_predict, plain_predict))
print((ours == alone).all())
print(crossfold.stats()["workers"])
"""


class Hosts:
    """The processes of a cluster that share nothing but their addresses, and what runs a client of it."""

    def __init__(self, cluster: PrivateCluster) -> None:
        self.cluster = cluster
        self._home = cluster.home
        self._bus = ""
        self._port, self._listen = "-1", "127.0.0.1:0"
        self.processes: dict[str, subprocess.Popen[bytes]] = {}
        (self._home / "token").write_text(TOKEN)
        cluster.settings |= {
            "CROSSFOLD_TOKEN": TOKEN,
            "CROSSFOLD_CA": CERTIFICATE,
            "SSL_CERT_FILE": CERTIFICATE,
            "CROSSFOLD_EARLY": "0",
        }

    def start_nats(self) -> None:
        """Start the NATS server, at the address it had before if there is one."""
        for ports in self._home.glob("*.ports"):
            ports.unlink()
        tls = ["--tls", "--tlscert", CERTIFICATE, "--tlskey", KEY]
        store = ["-js", "-sd", str(self._home / "nats"), "--ports_file_dir", str(self._home)]
        self._start("nats", str(NATS_SERVER), "-a", "127.0.0.1", "-p", self._port, *tls, *store)
        wait_until(lambda: any(map(_complete, self._home.glob("*.ports"))), 30, lambda: "no NATS server came")
        (ports,) = self._home.glob("*.ports")
        (url,) = json.loads(ports.read_text())["nats"]
        self._bus = url.replace("nats://", "tls://")
        self._port = url.rpartition(":")[2]

    def start_coordinator(self) -> None:
        """Start the coordinator, at the address it had before if there is one."""
        door = ["--tls-cert", CERTIFICATE, "--tls-key", KEY, "--token-file", str(self._home / "token")]
        command = [str(BINARY), "coordinator", "--dir", str(self._home / "c"), "--nats-url", self._bus]
        log = self._start("coordinator", *command, "--listen", self._listen, *door)
        listening = re.compile("listening=([0-9.:]+)")
        wait_until(lambda: listening.search(log.read_text()) is not None, 60, log.read_text)
        self._listen = listening.findall(log.read_text())[0]
        self.cluster.settings["CROSSFOLD_URL"] = f"grpcs://{self._listen}"

    def start_worker(self) -> None:
        where = ["--nats-url", self._bus, "--url", self.cluster.settings["CROSSFOLD_URL"]]
        own = ["--store", str(self._home / "w"), "--slots", "2", "--python", sys.executable]
        self._start("worker", str(BINARY), "worker", *where, *own)

    def log(self, name: str) -> str:
        return (self._home / f"{name}.log").read_text()

    def jobs(self) -> str:
        """What `crossfold jobs` prints."""
        done = subprocess.run(
            [str(BINARY), "jobs"], env=self.cluster.environment(), capture_output=True, text=True, timeout=60
        )
        return done.stdout

    def stop(self) -> None:
        """End what still runs, those that depend on others first."""
        for name in ("worker", "coordinator", "nats"):
            if process := self.processes.get(name):
                process.terminate()
                process.wait(timeout=15)

    def _start(self, name: str, *command: str) -> Path:
        log = self._home / f"{name}.log"
        with log.open("w") as stderr:
            self.processes[name] = subprocess.Popen(
                command, env=self.cluster.environment(), stdin=subprocess.DEVNULL, stderr=stderr
            )
        return log


def _complete(ports: Path) -> bool:
    return ports.read_text().endswith("}")


@contextmanager
def started() -> Iterator[Hosts]:
    with PrivateCluster(idle_timeout="60s") as cluster:
        hosts = Hosts(cluster)
        try:
            hosts.start_nats()
            hosts.start_coordinator()
            hosts.start_worker()
            yield hosts
        finally:
            hosts.stop()


@pytest.fixture(scope="module")
def hosts() -> Iterator[PrivateCluster]:
    with started() as hosts:
        yield hosts.cluster


def test_models_and_predictions_come_back(hosts: PrivateCluster, script: Callable[..., Path]) -> None:
    printed = hosts.run(script(SEARCH)).splitlines()
    assert printed == ["True", str([True] * 5), "True", "1"]


def test_a_job_file_runs_there(hosts: PrivateCluster, tmp_path: Path) -> None:
    done = subprocess.run(
        [str(BINARY), "run", "wine.yaml", "--out", str(tmp_path / "out")],
        cwd=REPOSITORY / "examples",
        env=hosts.environment(),
        capture_output=True,
        text=True,
        timeout=90,
    )
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "out" / "results.json").exists()


def test_without_the_token_nobody_gets_in(hosts: PrivateCluster) -> None:
    done = subprocess.run(
        [str(BINARY), "jobs"],
        env=hosts.environment(CROSSFOLD_TOKEN="another"),
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode != 0
    assert "token" in done.stderr


FORESTS = """
name: forests
data: wine.csv
target: cultivar
estimator: sklearn.ensemble:RandomForestClassifier
param_grid: {n_estimators: [200], random_state: [0], max_depth: [1, 2, 3, 4, 5, 6, 7, 8]}
cv: {kind: stratified, n_splits: 5}
"""


def test_a_job_survives_a_restart_of_nats(tmp_path: Path) -> None:
    (tmp_path / "forests.yaml").write_text(FORESTS)
    shutil.copy(REPOSITORY / "examples" / "wine.csv", tmp_path)
    with started() as hosts:
        command = [str(BINARY), "run", "forests.yaml", "--out", "out"]
        client = subprocess.Popen(
            command,
            cwd=tmp_path,
            env=hosts.cluster.environment(),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )
        wait_until(lambda: re.search(r"running +[1-9]", hosts.jobs()) is not None, 60, hosts.jobs)
        hosts.processes["nats"].kill()
        hosts.processes["nats"].wait(timeout=15)
        hosts.start_nats()
        assert hosts.processes["coordinator"].wait(timeout=60) != 0
        assert "start the coordinator again on the same folder" in hosts.log("coordinator")
        _, said = client.communicate(timeout=60)
        assert client.returncode != 0 and said
        hosts.start_coordinator()
        wait_until(lambda: "done" in hosts.jobs(), 60, hosts.jobs)
        assert " 40/40 " in hosts.jobs()
