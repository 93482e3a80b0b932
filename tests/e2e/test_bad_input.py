"""Bad input gives one clear error that names the value and the next step, before any fit starts."""

from __future__ import annotations

import re
import subprocess
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import crossfold
import grpc
import numpy as np
import pandas as pd
import pytest
from crossfold.ensemble import StackingClassifier, VotingClassifier
from crossfold.model_selection import GridSearchCV, cross_val_score, cross_validate, permutation_test_score
from crossfold.v1 import job_pb2, job_pb2_grpc, task_pb2
from sklearn.base import BaseEstimator
from sklearn.compose import ColumnTransformer
from sklearn.datasets import load_iris
from sklearn.linear_model import Ridge
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC
from sklearn.tree import DecisionTreeClassifier

from e2e.cluster import PrivateCluster

pytestmark = pytest.mark.timeout(60)

Cli = Callable[..., "subprocess.CompletedProcess[str]"]

X, Y = load_iris(return_X_y=True)

JOB = {
    "data": "iris.parquet",
    "target": "species",
    "estimator": "sklearn.svm:SVC",
    "param_grid": "{C: [0.1, 1.0]}",
    "cv": "{n_splits: 3}",
}


# The job file: what is changed in a good one, and what the message must name.
BAD_JOBS = {
    "unknown estimator": ({"estimator": "sklearn.svm:SVCC"}, ["SVCC", "SVC"]),
    "unknown module": ({"estimator": "sklearn.svmm:SVC"}, ["sklearn.svmm"]),
    "no entry point": ({"estimator": "SVC"}, ["SVC", "module:"]),
    "unknown parameter": ({"param_grid": "{CC: [1.0]}"}, ["CC"]),
    "unknown target": ({"target": "spezies"}, ["spezies", "species"]),
    "unknown feature": ({"features": "[petal_lenght]"}, ["petal_lenght", "petal_length"]),
    "zero candidates": ({"param_grid": "{C: []}"}, ["C"]),
    "unknown key": ({"scorring": "accuracy"}, ["scorring", "scoring"]),
    "unknown scorer": ({"scoring": "acuracy"}, ["acuracy"]),
    "more folds than rows": ({"cv": "{kind: kfold, n_splits: 151}"}, ["151", "150"]),
    "more folds than members of a class": ({"cv": "{n_splits: 51}"}, ["51", "50"]),
    "missing file": ({"data": "iriss.parquet"}, ["iriss.parquet"]),
    "empty file": ({"data": "empty.parquet"}, ["empty.parquet", "empty"]),
    "truncated file": ({"data": "truncated.parquet"}, ["truncated.parquet"]),
    "a folder": ({"data": "."}, ["folder"]),
    "nan in y": ({"data": "hole.parquet"}, ["species", "7"]),
    "a table without rows": ({"data": "header.csv"}, ["header.csv", "row"]),
}  # fmt: skip


@pytest.fixture
def files(tmp_path: Path) -> Path:
    """A folder with iris.parquet and damaged relatives of it."""
    frame = pd.DataFrame(X, columns=["sepal_length", "sepal_width", "petal_length", "petal_width"])
    frame["species"] = Y
    frame.to_parquet(tmp_path / "iris.parquet", index=False)
    frame.iloc[:0].to_csv(tmp_path / "header.csv", index=False)
    hole = frame.astype({"species": float})
    hole.loc[7, "species"] = np.nan
    hole.to_parquet(tmp_path / "hole.parquet", index=False)
    whole = (tmp_path / "iris.parquet").read_bytes()
    (tmp_path / "truncated.parquet").write_bytes(whole[: len(whole) // 2])
    (tmp_path / "empty.parquet").write_bytes(b"")
    return tmp_path


@pytest.mark.parametrize("name", BAD_JOBS)
def test_job_file(name: str, crossfold_cli: Cli, files: Path) -> None:
    changed, named = BAD_JOBS[name]
    job = files / "job.yaml"
    job.write_text(
        "\n".join(f"{key}: {value}" for key, value in {**JOB, **changed}.items()), encoding="utf-8"
    )

    done = crossfold_cli("run", job)

    assert done.returncode == 2, done.stdout + done.stderr
    assert done.stdout == ""
    assert len(done.stderr.strip().splitlines()) == 1, done.stderr
    for text in named:
        assert text in done.stderr
    assert not re.search(r"goroutine|panic|Traceback", done.stderr)


def test_a_job_file_that_is_not_there(crossfold_cli: Cli, tmp_path: Path) -> None:
    done = crossfold_cli("run", tmp_path / "none.yaml")
    assert done.returncode == 2
    assert "none.yaml" in done.stderr


def test_an_unknown_command_or_flag(crossfold_cli: Cli) -> None:
    for arguments in (["runn"], ["run", "--slotz", "2"]):
        done = crossfold_cli(*arguments)
        assert done.returncode == 2
        assert arguments[-2 if "--slotz" in arguments else 0] in done.stderr


def fits_started() -> int:
    """How many fits the cluster has done so far."""
    return crossfold.stats()["fits_completed"]


def test_an_unknown_parameter_is_named() -> None:
    with pytest.raises(ValueError, match="Invalid parameter 'CC' for estimator SVC"):
        GridSearchCV(SVC(), {"CC": [1.0]}).fit(X, Y)


def test_an_unknown_column_is_named() -> None:
    frame = pd.DataFrame(X, columns=list("abcd"))
    pipeline = make_pipeline(ColumnTransformer([("scale", StandardScaler(), ["a", "height"])]), Ridge())
    with pytest.raises(ValueError, match="height|column"):
        GridSearchCV(pipeline, {"ridge__alpha": [1.0]}, error_score="raise").fit(frame, Y)


@pytest.mark.filterwarnings("ignore:invalid value encountered in cast:RuntimeWarning")
@pytest.mark.parametrize(
    ("grid", "cv", "target", "message"),
    [
        ({"C": []}, 3, Y, "'C'"),
        ({"C": [1.0]}, 200, Y, "200"),
        ({"C": [1.0]}, 3, np.where(np.arange(150) == 7, np.nan, Y), "NaN"),
        ({"C": [1.0]}, 3, Y[:-1], "149"),
    ],
    ids=["zero candidates", "more folds than rows", "nan in y", "y too short"],
)
def test_no_fit_starts(grid: Any, cv: int, target: np.ndarray, message: str) -> None:
    before = fits_started()
    with pytest.raises(ValueError, match=message):
        GridSearchCV(SVC(), grid, cv=cv).fit(X, target)
    assert fits_started() == before


class Listener(BaseEstimator):
    """Holds what can't be pickled."""

    def __init__(self, guard: Any = None) -> None:
        self.guard = guard

    def __sklearn_clone__(self) -> Listener:
        return self

    def fit(self, X: Any, y: Any) -> Listener:
        return self

    def score(self, X: Any, y: Any) -> float:
        return 0.0


def test_an_estimator_that_cannot_be_pickled_is_named_with_its_attribute() -> None:
    before = fits_started()
    with pytest.raises(crossfold.PicklingError, match=r"Listener\.guard.*lock"):
        cross_val_score(Listener(threading.Lock()), X, Y)
    assert fits_started() == before


class Connected(DecisionTreeClassifier):
    """Has a parameter that can't be copied, or connects in its fit."""

    def __init__(self, connection: Any = None, connects: bool = False) -> None:
        super().__init__()
        self.connection = connection
        self.connects = connects

    def fit(self, X: Any, y: Any) -> Connected:
        super().fit(X, y)
        if self.connects:
            self.session_ = {"lock": threading.Lock()}
        return self


@pytest.mark.parametrize(
    "run",
    [
        lambda model: GridSearchCV(model, {"connects": [False]}).fit(X, Y),
        lambda model: cross_validate(make_pipeline(StandardScaler(), model), X, Y),
        lambda model: VotingClassifier([("a", model)]).fit(X, Y),
        lambda model: StackingClassifier([("a", model)]).fit(X, Y),
        lambda model: permutation_test_score(model, X, Y),
    ],
    ids=["search", "pipeline", "voting", "stacking", "permutations"],
)
def test_an_estimator_that_cannot_be_copied_is_named_with_its_attribute(run: Callable[..., Any]) -> None:
    before = fits_started()
    with pytest.raises(crossfold.PicklingError, match=r"connection: .*lock"):
        run(Connected(threading.Lock()))
    assert fits_started() == before


def test_a_fitted_estimator_that_cannot_come_back_is_named_with_its_attribute(tmp_path: Path) -> None:
    model = Connected(connects=True)
    with pytest.raises(crossfold.PicklingError, match=r"Connected\.session_\['lock'\]: .*lock"):
        cross_validate(model, X, Y, return_estimator=True)
    with pytest.raises(crossfold.PicklingError, match=r"keep_models: .*Connected\.session_\['lock'\]"):
        GridSearchCV(model, {"connects": [True]}, keep_models=tmp_path / "models").fit(X, Y)
    assert np.isfinite(cross_validate(model, X, Y)["test_score"]).all()


def test_a_fit_that_raises_keeps_its_traceback() -> None:
    with pytest.raises(ValueError, match="C.*-1") as caught:
        GridSearchCV(SVC(), {"C": [-1.0]}, error_score="raise").fit(X, Y)
    assert "in _fit_and_score" in str(caught.value.__cause__)


def test_another_python_minor_version_is_refused(
    cluster: PrivateCluster, script: Callable[..., Path]
) -> None:
    cluster.run(script("import crossfold\ncrossfold.connect()\n"))
    with grpc.insecure_channel(f"unix:{cluster.folder() / 'sock'}") as channel:
        jobs = job_pb2_grpc.JobsStub(channel)
        mine = jobs.Hello(job_pb2.HelloRequest(), timeout=30).environment
        with pytest.raises(grpc.RpcError) as python:
            other = task_pb2.Environment(python="3.9.7")
            jobs.Hello(job_pb2.HelloRequest(environment=other), timeout=30)
        with pytest.raises(grpc.RpcError) as package:
            other = task_pb2.Environment(python=mine.python, packages={"scikit-learn": "1.2.0"})
            jobs.Hello(job_pb2.HelloRequest(environment=other), timeout=30)

    for caught, theirs, ours in [
        (python, "3.9.7", mine.python),
        (package, "1.2.0", mine.packages["scikit-learn"]),
    ]:
        assert caught.value.code() == grpc.StatusCode.FAILED_PRECONDITION
        assert theirs in caught.value.details()
        assert ours in caught.value.details()
