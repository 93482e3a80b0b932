"""The ensembles give what scikit-learn gives, and send what their fits share once."""

from __future__ import annotations

import inspect
import pickle
import re
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from double import Cluster
from scipy import sparse
from sklearn import ensemble as reference
from sklearn.base import clone
from sklearn.datasets import load_iris
from sklearn.linear_model import Ridge
from sklearn.naive_bayes import GaussianNB
from sklearn.svm import SVC
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor
from sklearn.utils import get_tags

import crossfold
from crossfold import ensemble

X, y = load_iris(return_X_y=True)
MEMBERS = [("tree", DecisionTreeClassifier(random_state=0)), ("bayes", GaussianNB())]
REGRESSORS = [("tree", DecisionTreeRegressor(random_state=0)), ("ridge", Ridge())]

MADE = {
    "VotingClassifier": lambda module: module.VotingClassifier(MEMBERS, voting="soft"),
    "VotingRegressor": lambda module: module.VotingRegressor(REGRESSORS),
    "StackingClassifier": lambda module: module.StackingClassifier(MEMBERS, GaussianNB(), cv=3),
    "StackingRegressor": lambda module: module.StackingRegressor(REGRESSORS, cv=3),
    "BaggingClassifier": lambda module: module.BaggingClassifier(SVC(), n_estimators=4, random_state=0),
    "BaggingRegressor": lambda module: module.BaggingRegressor(Ridge(), n_estimators=4, random_state=0),
}


def html(estimator: Any) -> str:
    return re.sub(r"sk-(container|estimator)-id-\d+", "id", estimator._repr_html_())


@pytest.mark.parametrize("name", MADE)
def test_classes_look_like_scikit_learns(name: str) -> None:
    ours, theirs = getattr(ensemble, name), getattr(reference, name)
    assert ours.__name__ == theirs.__name__
    assert ours.__doc__ == theirs.__doc__
    assert str(inspect.signature(ours)) == str(inspect.signature(theirs))
    assert inspect.signature(ours.fit) == inspect.signature(theirs.fit)
    mine, other = MADE[name](ensemble), MADE[name](reference)
    assert repr(mine) == repr(other)
    assert html(mine) == html(other)
    assert mine.get_params().keys() == other.get_params().keys()
    assert get_tags(mine) == get_tags(other)
    assert repr(mine.get_metadata_routing()) == repr(other.get_metadata_routing())
    assert repr(clone(mine)) == repr(mine)
    assert isinstance(mine, theirs)


@pytest.mark.parametrize("name", MADE)
def test_fitted_ensembles_pickle(cluster: Cluster, name: str) -> None:
    fitted = MADE[name](ensemble).fit(X, y)
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(fitted)).predict(X), fitted.predict(X))
    assert html(fitted) == html(MADE[name](reference).fit(X, y))


def test_every_name_of_scikit_learns_ensembles_is_there() -> None:
    assert set(ensemble.__all__) >= set(reference.__all__)
    for name in set(reference.__all__) - MADE.keys():
        assert getattr(ensemble, name) is getattr(reference, name)


@pytest.mark.parametrize("name", MADE)
def test_one_job_runs_here(cluster: Cluster, name: str) -> None:
    MADE[name](ensemble).set_params(n_jobs=1).fit(X, y)
    assert cluster.specs == []


@pytest.mark.parametrize("name", MADE)
def test_an_ensemble_in_a_worker_runs_in_place(
    cluster: Cluster, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setenv("CROSSFOLD_WORKER", "1")
    MADE[name](ensemble).fit(X, y)
    assert cluster.sessions == 0


def test_a_stack_is_one_call_a_member_and_one_fit_a_member_and_fold(cluster: Cluster) -> None:
    ensemble.StackingClassifier(MEMBERS, GaussianNB(), cv=4).fit(X, y)
    assert (cluster.calls(), cluster.fits()) == (2, 2 * 4)
    assert {spec.name for spec in cluster.specs} == {"StackingClassifier"}
    assert len({spec.dataset_id for spec in cluster.specs if spec.dataset_id}) == 1


def test_the_final_estimator_is_fitted_here(cluster: Cluster) -> None:
    here: list[int] = []

    class Final(GaussianNB):
        def fit(self, X: Any, y: Any) -> Any:
            here.append(threading.get_ident())
            return super().fit(X, y)

    ensemble.StackingClassifier(MEMBERS, final_estimator=Final()).fit(X, y)
    assert here == [threading.get_ident()]


@pytest.mark.parametrize("n_jobs", [None, -1, 2, 3, 50])
def test_a_bag_is_the_same_whatever_the_number_of_jobs(cluster: Cluster, n_jobs: int | None) -> None:
    options: dict[str, Any] = {"n_estimators": 7, "max_features": 0.5, "random_state": 3}
    ours = ensemble.BaggingClassifier(n_jobs=n_jobs, **options).fit(X, y).set_params(n_jobs=None)
    theirs = reference.BaggingClassifier(**options).fit(X, y)
    np.testing.assert_array_equal(ours.predict_proba(X), theirs.predict_proba(X))
    np.testing.assert_array_equal(ours.estimators_samples_, theirs.estimators_samples_)
    np.testing.assert_array_equal(ours.estimators_features_, theirs.estimators_features_)


def test_a_bag_is_cut_finer_than_the_slots(cluster: Cluster) -> None:
    ensemble.BaggingClassifier(n_estimators=20).fit(X, y)
    assert cluster.calls() == 4 * cluster.slots


def big(kind: str) -> Any:
    """A megabyte and more of iris, in several kinds of container."""
    rows = np.tile(X, (250, 1))
    if kind == "frame":
        return pd.DataFrame(rows, columns=list("abcd"))
    return {"array": rows, "sparse": sparse.csr_array(rows), "lists": rows.tolist()}[kind]


def objects_larger_than(folder: Path, size: int) -> list[Path]:
    return [path for path in folder.iterdir() if path.stat().st_size > size]


@pytest.mark.parametrize("kind", ["array", "sparse", "frame", "lists"])
@pytest.mark.parametrize("name", ["VotingClassifier", "StackingClassifier", "BaggingClassifier"])
def test_large_data_travels_once(cluster: Cluster, name: str, kind: str) -> None:
    rows, labels = big(kind), np.tile(y, 250)
    tree = DecisionTreeClassifier(max_depth=2, random_state=0)
    members = [("one", tree), ("two", clone(tree)), ("three", clone(tree))]
    bag = {"estimator": tree, "n_estimators": 3, "random_state": 0}
    options: dict[str, Any] = bag if "Bagging" in name else {"estimators": members}
    if "Stacking" in name:
        options |= {"cv": 2, "final_estimator": clone(tree)}
    ours = getattr(ensemble, name)(**options).fit(rows, labels)
    (stored,) = objects_larger_than(cluster.store, 1_000_000)
    assert stored.name.startswith("ds-")
    assert max(append.ByteSize() for append in cluster.appends) < 100_000
    theirs = getattr(reference, name)(**options).fit(rows, labels)
    np.testing.assert_array_equal(ours.predict(rows), theirs.predict(rows))


def test_large_rows_of_a_permutation_test_travel_once(cluster: Cluster) -> None:
    from sklearn.model_selection import permutation_test_score

    rows, labels = big("frame"), np.tile(y, 250)
    arguments: dict[str, Any] = {"cv": 2, "n_permutations": 3}
    tree = DecisionTreeClassifier(max_depth=1)
    ours = crossfold.model_selection.permutation_test_score(tree, rows, labels, **arguments)
    theirs = permutation_test_score(tree, rows, labels, **arguments)
    (stored,) = objects_larger_than(cluster.store, 1_000_000)
    assert stored.name.startswith("ds-")
    assert ours[0] == theirs[0] and ours[1].tolist() == theirs[1].tolist()
