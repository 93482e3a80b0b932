"""Fixtures of the end-to-end and fault tests: every test runs on a private cluster."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

# One thread per library, as in the workers; it has to be set before numpy is imported.
for _name in ("OMP", "OPENBLAS", "MKL", "BLIS", "NUMEXPR", "VECLIB", "NUMBA"):
    os.environ[f"{_name}_NUM_THREADS"] = "1"
for _name in ("INTRAOP", "INTEROP"):
    os.environ[f"TF_NUM_{_name}_THREADS"] = "1"
os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
os.environ["CROSSFOLD_PROGRESS"] = "0"
# This process connects to the clusters of its tests; scripts that tests run are told otherwise.
os.environ["CROSSFOLD_EARLY"] = "0"

import pytest  # noqa: E402
from threadpoolctl import threadpool_limits  # noqa: E402

sys.path.insert(0, str(Path(__file__).resolve().parent))

from e2e.cluster import BINARY, PrivateCluster  # noqa: E402


@pytest.fixture(scope="session", autouse=True)
def shared_cluster() -> Iterator[PrivateCluster]:
    """The cluster of the test process itself, and of scripts that don't ask for one of their own."""
    with (
        PrivateCluster(idle_timeout="300s") as shared,
        pytest.MonkeyPatch.context() as patch,
        # numpy may have been imported by tests that were collected before these.
        threadpool_limits(limits=1),
    ):
        shared.use(patch)
        yield shared


@pytest.fixture
def cluster() -> Iterator[PrivateCluster]:
    """A cluster folder of the test's own; nothing runs in it yet, and nothing may run after it."""
    with PrivateCluster(idle_timeout="60s") as private:
        yield private


@pytest.fixture
def script(tmp_path: Path) -> Callable[..., Path]:
    """Write a Python script into the test's folder: ``script(source, name="client.py")``."""

    def write(source: str, name: str = "client.py") -> Path:
        path = tmp_path / name
        path.write_text(source, encoding="utf-8")
        return path

    return write


@pytest.fixture
def crossfold_cli(cluster: PrivateCluster) -> Callable[..., subprocess.CompletedProcess[str]]:
    """Run the ``crossfold`` binary on the test's own cluster folder: ``crossfold_cli("version")``."""
    if not BINARY.exists():
        pytest.fail(f"{BINARY} is missing: run `make setup`")

    def run(*arguments: str | Path, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [str(BINARY), *map(str, arguments)],
            env=cluster.environment(),
            cwd=cwd,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=90,
        )

    return run
