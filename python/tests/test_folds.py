"""Folds inside one host: whose rows are taken once, what they are like, and that no bit changes."""

from __future__ import annotations

import contextlib
import gc
import os
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy import sparse
from sklearn.base import BaseEstimator, ClassifierMixin, clone
from sklearn.linear_model import Lasso, LogisticRegression, SGDClassifier
from sklearn.metrics import check_scoring
from sklearn.model_selection._validation import _fit_and_score
from sklearn.naive_bayes import GaussianNB
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MaxAbsScaler, StandardScaler
from sklearn.svm import SVC
from sklearn.tree import DecisionTreeClassifier

from crossfold._runtime import _folds, _ways
from crossfold._runtime._parts import FOLDER, Parts
from crossfold._runtime._prefix import Sharing
from crossfold.v1.task_pb2 import Task

RANDOM = np.random.default_rng(0)
X = RANDOM.normal(size=(600, 8))
X.flags.writeable = False  # as the store's
Y = (X[:, 0] + X[:, 1] ** 2 > 0.8).astype(int)
ROWS = RANDOM.permutation(600)
TRAIN, TEST = np.sort(ROWS[:450]), np.sort(ROWS[450:])


@pytest.fixture(autouse=True)
def everything_is_worth_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """Small data: no fold is too small to be shared."""
    monkeypatch.setattr(_folds, "_LEAST_BYTES", 1)
    monkeypatch.setattr(_folds, "_LEAST_WORK", 1)
    monkeypatch.setattr(_folds, "_PIECE_BYTES", 4096)
    _ways.take()


class Slot:
    """One process of a host; several may use one store."""

    def __init__(self, store: Path, limit: int = 1 << 30) -> None:
        self.store = store
        self.sharing = Sharing()
        self.sharing._parts = Parts(limit)

    def fit(self, estimator: Any, data: Any = X, fits: int = 9, **options: Any) -> dict[str, Any]:
        task = Task(session_id="s", dataset_id=f"ds-{id(data)}", split_fits=fits)
        with self.sharing.fit(task, 1, str(self.store), data, check_scoring(estimator)):
            result = plain(estimator, data, **options)
        result["ways"] = _ways.take()
        return result


def plain(estimator: Any, data: Any = X, **options: Any) -> dict[str, Any]:
    """A fit and its scores, by scikit-learn."""
    result: dict[str, Any] = _fit_and_score(
        clone(estimator),
        data,
        Y,
        scorer=check_scoring(estimator),
        **{
            "train": TRAIN,
            "test": TEST,
            "verbose": 0,
            "parameters": None,
            "fit_params": {},
            "score_params": {},
            "return_train_score": True,
            "return_estimator": True,
            "error_score": "raise",
            **options,
        },
    )
    return result


class Witness(ClassifierMixin, BaseEstimator):
    """Keeps what it is given and writes into it."""

    def __init__(self, writes: bool = True) -> None:
        self.writes = writes

    def fit(self, X: Any, y: Any) -> Witness:
        self.classes_ = np.unique(y)
        self.seen_ = [look(X)]
        self.kept_ = X
        if self.writes:
            (X.data if sparse.issparse(X) else X)[...] = 0
        return self

    def predict(self, X: Any) -> Any:
        self.seen_.append(look(X))
        if self.writes:
            (X.data if sparse.issparse(X) else X)[...] = 1
        return np.zeros(X.shape[0], int)


def look(X: Any) -> Any:
    """All that an estimator may see of an array: bits, layout and flags."""
    if sparse.issparse(X):
        flags = X.has_sorted_indices, X.has_canonical_format
        return type(X), X.shape, flags, [look(part) for part in (X.data, X.indices, X.indptr)]
    flags = X.flags.c_contiguous, X.flags.f_contiguous, X.flags.writeable, X.flags.aligned
    return type(X), X.dtype.str, X.shape, X.strides, flags, X.tobytes("A")


def state(fitted: Any) -> str:
    """Every attribute of a fitted estimator, to the bit."""
    trees = fitted.tree_.__getstate__() if isinstance(fitted, DecisionTreeClassifier) else {}
    values = {**vars(fitted), **trees}
    return repr({key: it.tobytes() if isinstance(it, np.ndarray) else it for key, it in values.items()
                 if key not in ("tree_", "_tree", "_loss_function_", "loss_function_")})  # fmt: skip


DATA: dict[str, Callable[[], Any]] = {
    "C": lambda: X,
    "F": lambda: np.asfortranarray(X),
    "float32": lambda: X.astype(np.float32),
    "integers": lambda: (X * 100).astype(np.int16),
    "booleans": lambda: X > 0,
    "big-endian": lambda: X.astype(">f8"),
    "one column": lambda: X[:, :1].copy(),
    "three axes": lambda: X.reshape(600, 4, 2),
    "transposed axes": lambda: np.ascontiguousarray(X.reshape(600, 4, 2).transpose(2, 1, 0)).T,
    "csr": lambda: sparse.csr_matrix(np.where(X > 0.5, X, 0)),
    "csr array": lambda: sparse.csr_array(np.where(X > 0.5, X, 0)),
}


@pytest.mark.parametrize("name", DATA)
def test_estimators_see_what_scikit_learn_would_show_them(name: str, tmp_path: Path) -> None:
    data = DATA[name]()
    theirs = plain(Witness(), data)
    for slot in (first := Slot(tmp_path), first, Slot(tmp_path)):
        ours = slot.fit(Witness(), data)
        assert ours["estimator"].seen_ == theirs["estimator"].seen_
        assert look(ours["estimator"].kept_) == look(theirs["estimator"].kept_)
    assert ours["ways"] == ["fold: taken over"]


@pytest.mark.parametrize("rows", [np.arange(-450, 0), ROWS[:450], np.r_[TRAIN, TRAIN[:9]]])
def test_rows_may_be_in_any_order(rows: Any, tmp_path: Path) -> None:
    for _ in range(2):
        ours = Slot(tmp_path).fit(Witness(), train=rows)
        assert ours["estimator"].seen_ == plain(Witness(), train=rows)["estimator"].seen_


def test_a_row_that_is_not_there_fails_as_scikit_learns(tmp_path: Path) -> None:
    with pytest.raises(IndexError, match="index 600 is out of bounds"):
        Slot(tmp_path).fit(Witness(), train=np.arange(601))


def test_rows_are_taken_once_for_all_slots(tmp_path: Path) -> None:
    slots = Slot(tmp_path), Slot(tmp_path)
    ways = [slot.fit(GaussianNB(), fits=4)["ways"] for slot in (*slots, *slots)]
    assert ways == [["fold: taken for all"]] + 3 * [["fold: taken over"]]
    folder = tmp_path / FOLDER / "s"
    assert not list(folder.glob("*.part")), "the last fit of the split leaves nothing"


def test_room_comes_back_when_the_last_fit_is_done(tmp_path: Path) -> None:
    slots = Slot(tmp_path), Slot(tmp_path)
    for slot in (*slots, slots[0]):
        slot.fit(DecisionTreeClassifier(random_state=0), fits=3)
    gc.collect()
    held = Path("/proc/self/maps").read_text() + "".join(map(target, os.listdir("/proc/self/fd")))
    assert str(tmp_path) not in held


def target(fd: str) -> str:
    """What an open file is; nothing when it was closed meanwhile."""
    with contextlib.suppress(FileNotFoundError):
        return os.readlink(f"/proc/self/fd/{fd}")
    return ""


@pytest.mark.parametrize("fits", [0, 1])
def test_a_single_fit_writes_nothing(fits: int, tmp_path: Path) -> None:
    assert Slot(tmp_path).fit(GaussianNB(), fits=fits)["ways"] == []
    assert not list(tmp_path.rglob("*.part"))


def test_small_folds_are_taken_by_each_fit(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(_folds, "_LEAST_BYTES", X.nbytes)
    assert Slot(tmp_path).fit(GaussianNB())["ways"] == []
    assert not list(tmp_path.rglob("*"))


@pytest.mark.parametrize("kind", DATA)
def test_each_fit_gets_small_rows_of_its_own(
    kind: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(_folds, "_LEAST_BYTES", 1 << 30)
    data, slot = DATA[kind](), Slot(tmp_path)
    theirs = plain(Witness(), data)["estimator"].seen_
    fitted = [slot.fit(Witness(), data)["estimator"] for _ in range(3)]
    # Each has written into what it was given.
    assert [estimator.seen_ for estimator in fitted] == [theirs] * 3


def test_small_rows_are_those_of_the_data_at_hand(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(_folds, "_LEAST_BYTES", 1 << 30)
    sharing, other = Sharing(), X + 1
    for data in (X, other, X):
        # Equal names, other arrays.
        with sharing.fit(Task(session_id="s", split_fits=9), 1, str(tmp_path), data, None):
            ours = plain(GaussianNB(), data)
        assert state(ours["estimator"]) == state(plain(GaussianNB(), data)["estimator"])


def test_data_frames_and_lists_are_left_to_scikit_learn(tmp_path: Path) -> None:
    for data in (pd.DataFrame(X), X.tolist(), sparse.csc_matrix(X)):
        assert Slot(tmp_path).fit(GaussianNB() if not sparse.issparse(data) else SVC(), data)["ways"] == []


def test_precomputed_kernels_are_cut_on_both_sides(tmp_path: Path) -> None:
    kernel = X @ X.T
    kernel.flags.writeable = False
    theirs = plain(SVC(kernel="precomputed"), kernel)
    for _ in range(2):
        ours = Slot(tmp_path).fit(SVC(kernel="precomputed"), kernel)
        assert state(ours["estimator"]) == state(theirs["estimator"])
        # Not pairwise: the same matrix, but as features.
        assert (ours["test_scores"], Slot(tmp_path).fit(SVC(), kernel)["test_scores"]) == (
            theirs["test_scores"],
            plain(SVC(), kernel)["test_scores"],
        )


CONVERTING = {
    "tree": (DecisionTreeClassifier(random_state=0), "C"),
    "tree of a Fortran array": (DecisionTreeClassifier(random_state=0), "F"),
    "lasso": (Lasso(alpha=0.01), "C"),
    "svm of float32": (SVC(), "float32"),
    "sgd of integers": (SGDClassifier(random_state=0), "integers"),
}


@pytest.mark.parametrize("name", CONVERTING)
def test_conversions_are_done_once_and_change_nothing(name: str, tmp_path: Path) -> None:
    estimator, kind = CONVERTING[name]
    data = DATA[kind]()
    theirs = plain(estimator, data)
    ways = []
    for slot in (Slot(tmp_path), Slot(tmp_path)):
        ours = slot.fit(estimator, data)
        assert state(ours["estimator"]) == state(theirs["estimator"])
        assert ours["test_scores"] == theirs["test_scores"] and ours["train_scores"] == theirs["train_scores"]
        ways.append(ours["ways"])
    assert "fold: converted for all" in ways[0]
    assert ways[1] == ["fold: taken over", "fold: conversion taken over"]


def test_converted_arrays_are_the_fits_own(tmp_path: Path) -> None:
    data = X.astype(np.float32)
    theirs = plain(KNeighborsClassifier(algorithm="brute"), data)["estimator"]._fit_X
    for _ in range(2):
        ours = Slot(tmp_path).fit(KNeighborsClassifier(algorithm="brute"), data)["estimator"]._fit_X
        assert look(ours) == look(theirs)
        ours[...] = 0


class Own(DecisionTreeClassifier):
    """A tree of a person's own: it may write into X before it is converted."""

    def fit(self, X: Any, y: Any, sample_weight: Any = None, check_input: bool = True) -> Any:
        X[:, 0] *= self.random_state
        return super().fit(X, y, sample_weight, check_input)


@pytest.mark.parametrize(
    "make",
    [
        lambda factor: Own(random_state=factor),
        lambda factor: make_pipeline(StandardScaler(copy=False), Lasso(alpha=factor / 100)),
        lambda factor: SVC(kernel=lambda a, b: a.__imul__(factor) @ b.T),
        lambda factor: make_pipeline(MaxAbsScaler(), Own(random_state=factor)),
    ],
)
def test_what_may_write_into_its_rows_converts_them_itself(make: Any, tmp_path: Path) -> None:
    slot = Slot(tmp_path)
    for factor in (1, 2, 3):
        ours, theirs = slot.fit(make(factor)), plain(make(factor))
        assert not [way for way in ours["ways"] if "conver" in way]
        assert ours["test_scores"] == theirs["test_scores"] and ours["train_scores"] == theirs["train_scores"]


def test_a_conversion_that_warns_warns_every_fit(tmp_path: Path) -> None:
    data = X.copy()
    data[:, 0] = 1e300
    for _ in range(2):
        with warnings.catch_warnings(record=True) as shown, pytest.raises(ValueError, match="infinity"):
            warnings.simplefilter("always")
            Slot(tmp_path).fit(DecisionTreeClassifier(random_state=0), data)
        assert [str(warning.message) for warning in shown] == ["overflow encountered in cast"]


@pytest.mark.parametrize("limit", [0, 20_000])
def test_beyond_the_limit_each_fit_takes_its_own(limit: int, tmp_path: Path) -> None:
    theirs = plain(DecisionTreeClassifier(random_state=0))
    for _ in range(3):
        ours = Slot(tmp_path, limit).fit(DecisionTreeClassifier(random_state=0))
        assert state(ours["estimator"]) == state(theirs["estimator"])
    assert sum(file.stat().st_size for file in tmp_path.rglob("*.part")) <= limit


def test_a_damaged_fold_is_taken_again(tmp_path: Path) -> None:
    Slot(tmp_path).fit(Witness())
    for file in tmp_path.rglob("*.part"):
        file.write_bytes(b"half of it")
    ours = Slot(tmp_path).fit(Witness())
    assert ours["estimator"].seen_ == plain(Witness())["estimator"].seen_
    assert ours["ways"] == ["fold: taken for all"]


def test_no_folder_to_write_to_is_no_failure(tmp_path: Path) -> None:
    (tmp_path / FOLDER).write_text("a file in its place")
    assert Slot(tmp_path).fit(GaussianNB())["test_scores"] == plain(GaussianNB())["test_scores"]


def test_nothing_is_shared_when_the_job_says_so(tmp_path: Path) -> None:
    task = Task(session_id="s", dataset_id="d", split_fits=9)
    task.code.sharing.prefixes = False
    for _ in range(2):
        with Sharing().fit(task, 1, str(tmp_path), X, None):
            plain(LogisticRegression())
    assert _ways.take() == [] and not list(tmp_path.rglob("*"))
