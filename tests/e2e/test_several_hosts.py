"""Several hosts: a NATS server of its own, TLS everywhere, and a worker that shares no folder."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
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


@contextmanager
def running(command: list[str], log: Path, environment: dict[str, str]) -> Iterator[None]:
    with log.open("w") as stderr:
        process = subprocess.Popen(command, env=environment, stdin=subprocess.DEVNULL, stderr=stderr)
        try:
            yield
        finally:
            process.terminate()
            process.wait(timeout=15)


def found(pattern: str, log: Path) -> str:
    """Wait until a log says it, and return the group of the pattern."""
    wait_until(lambda: re.search(pattern, log.read_text()) is not None, 60, log.read_text)
    match = re.search(pattern, log.read_text())
    assert match
    return match[1]


def nats_url(folder: Path) -> str:
    """Where a NATS server listens that writes its ports into the folder."""
    wait_until(lambda: any(folder.glob("*.ports")), 30, lambda: "the NATS server did not start")
    (ports,) = folder.glob("*.ports")
    (url,) = json.loads(ports.read_text())["nats"]
    return str(url).replace("nats://", "tls://")


@pytest.fixture(scope="module")
def hosts() -> Iterator[PrivateCluster]:
    """What runs a client of a coordinator that is reached over the network."""
    with PrivateCluster(idle_timeout="60s") as cluster, ExitStack() as stack:
        home = cluster.home
        (home / "token").write_text(TOKEN)
        cluster.settings |= {
            "CROSSFOLD_TOKEN": TOKEN,
            "CROSSFOLD_CA": CERTIFICATE,
            "SSL_CERT_FILE": CERTIFICATE,
            "CROSSFOLD_EARLY": "0",
        }

        def start(name: str, *command: str) -> Path:
            log = home / f"{name}.log"
            stack.enter_context(running(list(command), log, cluster.environment()))
            return log

        tls = ["--tls", "--tlscert", CERTIFICATE, "--tlskey", KEY]
        store = ["-js", "-sd", str(home / "nats"), "--ports_file_dir", str(home)]
        start("nats", str(NATS_SERVER), "-a", "127.0.0.1", "-p", "-1", *tls, *store)
        bus = nats_url(home)
        door = ["--tls-cert", CERTIFICATE, "--tls-key", KEY, "--token-file", str(home / "token")]
        coordinator = [str(BINARY), "coordinator", "--dir", str(home / "c"), "--nats-url", bus]
        log = start("coordinator", *coordinator, "--listen", "127.0.0.1:0", *door)
        url = f"grpcs://{found(r'listening=([0-9.:]+)', log)}"
        worker = [str(BINARY), "worker", "--nats-url", bus, "--url", url, "--store", str(home / "w")]
        start("worker", *worker, "--slots", "2", "--python", sys.executable)
        cluster.settings["CROSSFOLD_URL"] = url
        yield cluster


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
