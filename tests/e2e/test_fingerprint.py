"""Versions and code that differ between client and workers are refused before the first fit."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from e2e.cluster import PrivateCluster

pytestmark = pytest.mark.timeout(90)

MODULE = """
from sklearn.base import BaseEstimator


def helper():
    return {version!r}


class Model(BaseEstimator):
    def fit(self, X, y):
        return self

    def score(self, X, y):
        return helper()
"""

# Every search of one client, so that the workers' processes stay warm.
EDITED = """
import importlib, pathlib, sys
import joblib
import crossfold.joblib
from crossfold.model_selection import cross_val_score
from sklearn.datasets import load_iris

sys.dont_write_bytecode = True
template = sys.argv[1]
file = pathlib.Path("edited_module.py")
X, y = load_iris(return_X_y=True)
for version in (1.0, 2.25):
    file.write_text(template.replace("{version!r}", repr(version)))
    if version == 1.0:
        import edited_module
    else:
        importlib.reload(edited_module)
    with joblib.parallel_config("crossfold"):
        called = joblib.Parallel()(joblib.delayed(edited_module.helper)() for _ in range(4))
    print(cross_val_score(edited_module.Model(), X, y, cv=4).tolist(), called)
"""

# The module that the client imported is not the one that its workers find.
OLDER = """
import pathlib, sys
import crossfold
from crossfold.model_selection import cross_val_score
from sklearn.datasets import load_iris

for folder, version in (("newer", 2.0), ("older", 1.0)):
    pathlib.Path(folder).mkdir()
    pathlib.Path(folder, "travelling.py").write_text(sys.argv[1].replace("{version!r}", repr(version)))
sys.path.insert(0, "newer")
import travelling

sys.path[0] = "older"
try:
    cross_val_score(travelling.Model(), *load_iris(return_X_y=True), cv=2)
except crossfold.EnvironmentMismatch as error:
    print(error)
"""

CONNECTS = """
import crossfold

try:
    crossfold.connect()
except crossfold.EnvironmentMismatch as error:
    print(error)
"""


def test_a_module_that_was_edited_and_reloaded_is_the_one_used(
    shared_cluster: PrivateCluster, script: Callable[..., Path]
) -> None:
    assert shared_cluster.run(script(EDITED), MODULE).splitlines() == [
        f"{[version] * 4} {[version] * 4}" for version in (1.0, 2.25)
    ]


def test_an_older_copy_of_the_users_module_is_refused_with_both_digests(
    shared_cluster: PrivateCluster, script: Callable[..., Path], tmp_path: Path
) -> None:
    message = shared_cluster.run(script(OLDER), MODULE)

    for folder in ("newer", "older"):
        sha = subprocess.run(
            ["sha256sum", tmp_path / folder / "travelling.py"], capture_output=True, text=True, check=True
        )
        assert sha.stdout[:12] in message
    assert "travelling" in message and str(tmp_path / "older") in message and "same version" in message


@pytest.mark.parametrize("package", ["lightgbm", "cloudpickle"])
def test_another_version_is_refused_with_both_named(
    package: str, cluster: PrivateCluster, script: Callable[..., Path], tmp_path: Path
) -> None:
    cluster.run(script("import crossfold; crossfold.connect()"))
    information = tmp_path / "fake" / f"{package}-0.0.1.dist-info"
    information.mkdir(parents=True)
    (information / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {package}\nVersion: 0.0.1\n")

    done = subprocess.run(
        [sys.executable, script(CONNECTS)],
        env=cluster.environment(
            PYTHONPATH=str(tmp_path / "fake"), CROSSFOLD_URL=f"unix://{cluster.folder() / 'sock'}"
        ),
        capture_output=True,
        text=True,
        timeout=60,
    )

    assert done.returncode == 0, done.stderr
    assert f"{package} 0.0.1" in done.stdout
    assert "install equal versions" in done.stdout
