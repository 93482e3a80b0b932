"""`crossfold run JOB.yaml`: the search without a Python client."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.datasets import load_iris
from sklearn.model_selection import GridSearchCV, KFold, StratifiedKFold
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC

pytestmark = pytest.mark.timeout(120)

Cli = Callable[..., "subprocess.CompletedProcess[str]"]

JOB = """
name: iris
data: iris.parquet
target: species
estimator: sklearn.svm:SVC
param_grid:
  C: [0.1, 1.0, 10]
  gamma: [scale, 0.5]
cv: {kind: stratified, n_splits: 4, shuffle: true, random_state: 3}
return_train_score: true
"""

PIPELINE = """
data: iris.csv
target: species
features: [petal_length, sepal_width]
pipeline:
  - {name: scale, entry_point: "sklearn.preprocessing:StandardScaler"}
  - {name: model, entry_point: "sklearn.svm:SVC", params: {kernel: linear}}
param_grid:
  - {model__C: [0.5, 2.0], scale__with_mean: [true, false]}
  - {model__kernel: [rbf], model__gamma: [0.1]}
cv: {kind: kfold, n_splits: 3, shuffle: true, random_state: 0}
scoring: [accuracy, f1_macro]
"""


@pytest.fixture
def iris(tmp_path: Path) -> pd.DataFrame:
    """Iris with names for columns, also saved as iris.parquet and iris.csv in the test's folder."""
    X, y = load_iris(return_X_y=True)
    frame = pd.DataFrame(X, columns=["sepal_length", "sepal_width", "petal_length", "petal_width"])
    frame["species"] = y
    frame.to_parquet(tmp_path / "iris.parquet", index=False)
    frame.to_csv(tmp_path / "iris.csv", index=False)
    return frame


def run_job(cli: Cli, folder: Path, job: str) -> tuple[str, dict[str, Any], pd.DataFrame]:
    """Run a job file; what was printed, results.json and results.parquet."""
    path = folder / "job.yaml"
    path.write_text(job, encoding="utf-8")
    done = cli("run", path, "--out", folder / "out")
    assert done.returncode == 0, done.stderr
    results = json.loads((folder / "out" / "results.json").read_text(encoding="utf-8"))
    return done.stdout, results, pd.read_parquet(folder / "out" / "results.parquet")


def assert_same_scores(table: Any, expected: dict[str, np.ndarray]) -> None:
    """Every score and rank of scikit-learn's ``cv_results_`` is there, to the bit."""
    for key, values in expected.items():
        if "_test_" in key or "_train_" in key:
            assert np.asarray(table[key], dtype=values.dtype).tobytes() == values.tobytes(), key


def test_a_grid_equals_scikit_learn(crossfold_cli: Cli, tmp_path: Path, iris: pd.DataFrame) -> None:
    printed, results, table = run_job(crossfold_cli, tmp_path, JOB)

    cv = StratifiedKFold(4, shuffle=True, random_state=3)
    grid = {"C": [0.1, 1.0, 10], "gamma": ["scale", 0.5]}
    search = GridSearchCV(SVC(), grid, cv=cv, return_train_score=True)
    search.fit(iris.drop(columns="species").to_numpy(), iris["species"].to_numpy())
    assert_same_scores(results, search.cv_results_)
    assert_same_scores(table, search.cv_results_)
    assert results["params"] == search.cv_results_["params"]
    assert f"{search.best_score_:.4f}" in printed


def test_a_pipeline_over_several_grids_and_metrics_equals_scikit_learn(
    crossfold_cli: Cli, tmp_path: Path, iris: pd.DataFrame
) -> None:
    _, results, table = run_job(crossfold_cli, tmp_path, PIPELINE)

    model = Pipeline([("scale", StandardScaler()), ("model", SVC(kernel="linear"))])
    grid = [
        {"model__C": [0.5, 2.0], "scale__with_mean": [True, False]},
        {"model__kernel": ["rbf"], "model__gamma": [0.1]},
    ]
    cv = KFold(3, shuffle=True, random_state=0)
    search = GridSearchCV(model, grid, cv=cv, scoring=["accuracy", "f1_macro"], refit=False)
    search.fit(iris[["petal_length", "sepal_width"]].to_numpy(), iris["species"].to_numpy())
    assert_same_scores(results, search.cv_results_)
    assert_same_scores(table, search.cv_results_)
    assert results["params"] == search.cv_results_["params"]


def test_an_estimator_beside_the_job_file(crossfold_cli: Cli, tmp_path: Path, iris: pd.DataFrame) -> None:
    (tmp_path / "own_models.py").write_text(
        "from sklearn.svm import SVC\n\ndef make(C=1.0):\n    return SVC(C=C, kernel='linear')\n",
        encoding="utf-8",
    )
    job = JOB.replace("sklearn.svm:SVC", "own_models:make").replace("  gamma: [scale, 0.5]\n", "")
    _, results, _ = run_job(crossfold_cli, tmp_path, job)

    cv = StratifiedKFold(4, shuffle=True, random_state=3)
    search = GridSearchCV(SVC(kernel="linear"), {"C": [0.1, 1.0, 10]}, cv=cv, return_train_score=True)
    search.fit(iris.drop(columns="species").to_numpy(), iris["species"].to_numpy())
    assert_same_scores(results, search.cv_results_)


def test_failing_candidates_are_scored_and_reported(
    crossfold_cli: Cli, tmp_path: Path, iris: pd.DataFrame
) -> None:
    job = JOB.replace("C: [0.1, 1.0, 10]", "C: [-1.0, 1.0]") + "error_score: -5\n"
    printed, results, _ = run_job(crossfold_cli, tmp_path, job)
    assert results["mean_test_score"][:2] == [-5.0, -5.0]
    assert all(score > 0.5 for score in results["mean_test_score"][2:])
    assert "fail" in printed.lower()


def test_version(crossfold_cli: Cli) -> None:
    done = crossfold_cli("version")
    assert done.returncode == 0
    assert "crossfold" in done.stdout


def test_jobs_lists_what_a_running_cluster_did(
    crossfold_cli: Cli, cluster: Any, script: Callable[..., Path], tmp_path: Path, iris: pd.DataFrame
) -> None:
    cluster.run(script("import crossfold\ncrossfold.connect()\n"))
    path = tmp_path / "job.yaml"
    path.write_text(JOB, encoding="utf-8")

    ran = crossfold_cli("run", path, "--dir", cluster.folder())
    listed = crossfold_cli("jobs", "--dir", cluster.folder())

    assert (ran.returncode, listed.returncode) == (0, 0), ran.stderr + listed.stderr
    assert "iris" in listed.stdout
    assert "24" in listed.stdout


def test_inspect_describes_a_data_file(crossfold_cli: Cli, tmp_path: Path, iris: pd.DataFrame) -> None:
    done = crossfold_cli("inspect", tmp_path / "iris.parquet")
    assert done.returncode == 0, done.stderr
    assert "150" in done.stdout
    for column in iris.columns:
        assert column in done.stdout
    assert "double" in done.stdout or "float64" in done.stdout
