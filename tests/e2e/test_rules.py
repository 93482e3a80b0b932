"""prune= and policy= of the drop-in searches, and the same in job files without Python."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import crossfold
import numpy as np
import pyarrow as pa
import pyarrow.ipc
import pytest
from crossfold.model_selection import GridSearchCV, RandomizedSearchCV
from sklearn.base import clone
from sklearn.datasets import load_digits, load_iris
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import log_loss
from sklearn.model_selection import StratifiedKFold, cross_val_predict
from sklearn.neighbors import KNeighborsClassifier
from sklearn.svm import SVC

from e2e.cluster import BINARY, PrivateCluster

GRID = {"C": [0.01, 1.0, 10.0], "gamma": [1e-6, 1e-4, 1e-3, 1e-1]}
FOLDS = 4

POLICY = """
from crossfold.policy import choice, loguniform, seed


def space(ctx):
    seed(ctx["seed"])
    for _ in range(ctx["n"]):
        yield {"C": loguniform(1e-2, 1e2), "kernel": choice(["rbf", "linear"])}


def prune(trial, history):
    best = max([h["score"] for h in history] + [trial["score"]])
    return trial["score"] < best - 0.05


def select(results):
    whole = [i for i, r in enumerate(results) if r["mean"] == r["mean"]]
    best = max(results[i]["mean"] for i in whole)
    good = [i for i in whole if results[i]["mean"] > best - 0.02]
    return min(good, key=lambda i: results[i]["params"]["C"])
"""


@pytest.fixture(scope="module")
def digits() -> tuple[np.ndarray, np.ndarray]:
    X, y = load_digits(return_X_y=True)
    return X[:400], y[:400]


@pytest.fixture(scope="module")
def full(digits: Any) -> Any:
    return GridSearchCV(SVC(), GRID, cv=FOLDS).fit(*digits)


@pytest.fixture
def policy(tmp_path: Path) -> Callable[[str], Path]:
    def write(text: str) -> Path:
        path = tmp_path / "rules.py"
        path.write_text(text, encoding="utf-8")
        return path

    return write


def scores(search: Any) -> np.ndarray:
    return np.array([search.cv_results_[f"split{fold}_test_score"] for fold in range(FOLDS)])


@pytest.mark.parametrize(
    "prune", ["median", {"rule": "percentile", "keep": 25.0}, "halving", "race"], ids=str
)
def test_rules_save_fits_and_keep_the_rest_exact(digits: Any, full: Any, prune: Any) -> None:
    search = GridSearchCV(SVC(), GRID, cv=FOLDS, prune=prune).fit(*digits)
    kept = scores(search)
    pruned = np.isnan(kept)
    assert 0 < pruned.sum() < kept.size
    np.testing.assert_array_equal(kept[~pruned], scores(full)[~pruned])
    assert search.cv_results_.keys() == full.cv_results_.keys()
    if prune != "halving":  # which ends one of two that tie after the first fold
        assert search.best_index_ == full.best_index_ and search.best_score_ == full.best_score_
    # A pruned candidate has the folds up to its end, is ranked behind all whole ones, and says why.
    assert not pruned[0].any() and (np.diff(pruned.astype(int), axis=0) >= 0).all()
    ranks = search.cv_results_["rank_test_score"]
    assert ranks[pruned.any(axis=0)].min() > ranks[~pruned.any(axis=0)].max()
    history = crossfold.report(search).history
    assert history["error"].notna().sum() == pruned.sum()
    assert history["error"].dropna().str.contains("mean").all()
    again = GridSearchCV(SVC(), GRID, cv=FOLDS, prune=prune).fit(*digits)
    np.testing.assert_array_equal(np.isnan(scores(again)), pruned)


def test_a_policy_prunes_and_selects(digits: Any, full: Any, policy: Any) -> None:
    search = GridSearchCV(SVC(), GRID, cv=FOLDS, policy=policy(POLICY)).fit(*digits)
    means = search.cv_results_["mean_test_score"]
    assert np.isnan(means).any()
    good = [i for i in np.flatnonzero(~np.isnan(means)) if means[i] > np.nanmax(means) - 0.02]
    assert search.best_index_ == min(good, key=lambda i: search.cv_results_["params"][i]["C"])
    assert search.refit is True and search.predict(digits[0][:2]).shape == (2,)
    same = clone(search)
    assert same.get_params()["policy"] == search.policy and same.prune is None


def test_the_candidates_of_a_policy(digits: Any, policy: Any) -> None:
    grid = crossfold.policy.param_grid(policy(POLICY), n=3, seed=1)
    assert grid == crossfold.policy.param_grid(policy(POLICY), n=3, seed=1) and len(grid) == 3
    assert grid != crossfold.policy.param_grid(policy(POLICY), n=3, seed=2)
    assert len(GridSearchCV(SVC(), grid, cv=2).fit(*digits).cv_results_["params"]) == 3
    assert crossfold.policy.param_grid(policy("PARAM_GRID = {'C': [1, 1.0]}\n")) == [{"C": [1, 1.0]}]
    for text, words in [
        ("def space(ctx):\n    return [1]\n", "1 as candidate 0"),
        ("def space(ctx):\n    return []\n", "no candidates"),
        ("def space(ctx):\n    return [{'C': float('nan')}]\n", "NaN for 'C'"),
        ("import os\n", "rules.py:1"),
        ("def space(ctx):\n    raise ValueError('no idea')\n", "rules.py:2.*no idea"),
    ]:
        with pytest.raises(crossfold.PolicyError, match=words):
            crossfold.policy.param_grid(policy(text))


def test_a_search_does_not_die_of_its_policy(digits: Any, full: Any, policy: Any) -> None:
    failing = policy("def prune(trial, history):\n    return 1 / 0\n")
    search = GridSearchCV(SVC(), GRID, cv=FOLDS, policy=failing).fit(*digits)
    np.testing.assert_array_equal(scores(search), scores(full))
    for answer in ("1 / 0", "12", "True", "'best'", "float('nan')"):
        search = GridSearchCV(
            SVC(), GRID, cv=FOLDS, policy=policy(f"def select(results):\n    return {answer}\n")
        )
        with pytest.raises(crossfold.PolicyError, match="rules.py"):
            search.fit(*digits)
        np.testing.assert_array_equal(scores(search), scores(full))
        assert search.refit is True


def test_bad_rules_are_refused_before_a_fit(digits: Any, policy: Any, tmp_path: Path) -> None:
    for options, error, words in [
        ({"prune": "best"}, ValueError, "prune is 'best'"),
        ({"prune": {"keep": 5}}, ValueError, "percentile"),
        ({"prune": {"rule": "race", "alpha": 2.0}}, crossfold.InvalidJob, "alpha 2"),
        ({"prune": {"rule": "race", "beta": 2.0}}, crossfold.InvalidJob, "beta"),
        ({"policy": tmp_path / "none.py"}, crossfold.PolicyError, "none.py"),
        ({"policy": policy("class A:\n    pass\n")}, crossfold.PolicyError, "rules.py:1"),
    ]:
        before = crossfold.stats()["fits_completed"]
        with pytest.raises(error, match=words):
            RandomizedSearchCV(SVC(), GRID, n_iter=2, cv=2, **options).fit(*digits)
        assert crossfold.stats()["fits_completed"] == before


JOB = """
data: digits.csv
target: digit
estimator: sklearn.svm:SVC
policy: {file: rules.py, n: 6, seed: 3}
cv: {kind: stratified, n_splits: 3}
scoring: accuracy
predictions: decision_function
ensemble: {method: greedy, rounds: 5}
"""


def test_a_job_file_with_rules_and_an_ensemble(
    digits: Any, policy: Any, tmp_path: Path, cluster: PrivateCluster
) -> None:
    X, y = digits
    table = np.column_stack([X[:150], y[:150]])
    header = ",".join([*(f"p{i}" for i in range(64)), "digit"])
    np.savetxt(tmp_path / "digits.csv", table, fmt="%d", delimiter=",", header=header, comments="")
    policy(POLICY)
    job = tmp_path / "job.yaml"
    job.write_text(JOB, encoding="utf-8")
    # Without Python on the PATH: rules and ensembles are the Go program's own; fits name theirs.
    environment = {**cluster.environment(), "PATH": "/nonexistent"}

    def run() -> subprocess.CompletedProcess[str]:
        command = [str(BINARY), "run", str(job), "--python", sys.executable, "--slots", "2"]
        command += ["--out", str(tmp_path / "out")]
        return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=90)

    done = run()
    assert done.returncode == 0, done.stderr
    assert "6 candidates × 3 splits of 150 rows" in done.stdout
    assert "the policy selects C=" in done.stdout
    assert "ensemble: out-of-fold accuracy" in done.stdout
    found = json.loads((tmp_path / "out" / "ensemble.json").read_text(encoding="utf-8"))
    assert found["score"] >= found["best_single_score"] and sum(found["weights"]) == pytest.approx(1)
    member = found["candidates"][int(np.argmax(found["weights"]))]
    for name in (f"decision_function/{member}.arrow", "ensemble.arrow"):
        with pa.ipc.open_file(tmp_path / "out" / name) as file:
            batch = file.get_batch(0)
        np.testing.assert_array_equal(batch.column("row"), np.arange(150))
        assert len(batch.column("values")[0]) == 10
    job.write_text(JOB.replace("predictions: decision_function\n", ""), encoding="utf-8")
    refused = run()
    assert refused.returncode == 2 and "job.yaml:8: an ensemble needs predictions" in refused.stderr


STACK = """
data: iris.csv
target: kind
estimator: sklearn.neighbors:KNeighborsClassifier
param_grid: {n_neighbors: [1, 15]}
cv: {kind: stratified, n_splits: 3}
scoring: accuracy
predictions: predict_proba
ensemble:
  method: stack
  metric: neg_log_loss
  final_estimator: {entry_point: "sklearn.linear_model:LogisticRegression", params: {C: 0.5}}
"""


def test_a_job_file_with_a_stack(tmp_path: Path, cluster: PrivateCluster) -> None:
    X, y = load_iris(return_X_y=True)
    table = np.column_stack([X, y])
    np.savetxt(tmp_path / "iris.csv", table, fmt="%g", delimiter=",", header="a,b,c,d,kind", comments="")
    job = tmp_path / "job.yaml"

    def run(text: str) -> subprocess.CompletedProcess[str]:
        job.write_text(text, encoding="utf-8")
        command = [str(BINARY), "run", str(job), "--python", sys.executable, "--out", str(tmp_path / "out")]
        return subprocess.run(command, env=cluster.environment(), capture_output=True, text=True, timeout=90)

    done = run(STACK)
    assert done.returncode == 0, done.stderr
    assert "ensemble: out-of-fold neg_log_loss" in done.stdout
    found = json.loads((tmp_path / "out" / "ensemble.json").read_text(encoding="utf-8"))
    assert found["method"] == "stack" and found["weights"] is None and found["candidates"] == [0, 1]
    predict = partial(cross_val_predict, y=y, cv=StratifiedKFold(3), method="predict_proba")
    members = [predict(KNeighborsClassifier(neighbors), X) for neighbors in (1, 15)]
    stacked = predict(LogisticRegression(C=0.5), np.hstack(members))
    assert found["score"] == pytest.approx(-log_loss(y, stacked), abs=1e-12)
    with pa.ipc.open_file(tmp_path / "out" / "ensemble.arrow") as file:
        values = file.get_batch(0).column("values").flatten().to_numpy().reshape(-1, 3)
    np.testing.assert_array_equal(values, stacked)

    refused = run(STACK.replace("{C: 0.5}", "{c: 0.5}"))
    assert refused.returncode == 2
    assert 'job.yaml:12: LogisticRegression has no parameter "c"' in refused.stderr
    refused = run(STACK.replace("linear_model:LogisticRegression", "svm:LinearSVC"))
    assert refused.returncode == 2
    assert "job.yaml:12: LinearSVC has no predict_proba" in refused.stderr
