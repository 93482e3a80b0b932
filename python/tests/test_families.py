"""Families inside one host: the largest is fitted once, and a cut model equals scikit-learn's to the bit."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy import sparse
from sklearn.base import BaseEstimator, clone
from sklearn.ensemble import (
    AdaBoostClassifier,
    AdaBoostRegressor,
    BaggingClassifier,
    BaggingRegressor,
    ExtraTreesClassifier,
    ExtraTreesRegressor,
    GradientBoostingClassifier,
    GradientBoostingRegressor,
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
    RandomForestClassifier,
    RandomForestRegressor,
)
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import check_scoring
from sklearn.model_selection._validation import _fit_and_score
from sklearn.neighbors import KNeighborsClassifier, KNeighborsRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.tree import (
    DecisionTreeClassifier,
    DecisionTreeRegressor,
    ExtraTreeClassifier,
    ExtraTreeRegressor,
)
from sklearn.tree._tree import Tree
from threadpoolctl import threadpool_limits

from crossfold import _families
from crossfold._runtime import _prefix, _ways
from crossfold._runtime._parts import Parts
from crossfold._runtime._prefix import Bill, Sharing
from crossfold.v1.task_pb2 import Family, Limits, Task

RANDOM = np.random.default_rng(0)
X = RANDOM.normal(size=(150, 5))
VALUES = X[:, 0] - X[:, 1] ** 2 + RANDOM.normal(scale=0.3, size=150)
CLASSES = np.digitize(VALUES, [-1.0, 0.5])
NAMES = np.array(["low", "middle", "high"])[CLASSES]
TRAIN, TEST = np.arange(100), np.arange(100, 150)


@pytest.fixture(autouse=True)
def everything_is_worth_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """Small data: no work is too quick to be shared."""
    monkeypatch.setattr(_prefix, "_LEAST_SECONDS", -1.0)
    monkeypatch.setattr(_prefix, "_BYTES_PER_SECOND", float("inf"))


@pytest.fixture(autouse=True, scope="module")
def one_thread() -> Iterator[None]:
    """As in a worker."""
    with threadpool_limits(1):
        yield


class Slot:
    """One process of a host, as far as sharing is concerned; several may use one store."""

    def __init__(self, store: Any, limit: int = 1 << 30) -> None:
        self.store = str(store)
        self.sharing = Sharing()
        self.sharing._parts = Parts(limit)

    def fit(
        self, estimator: Any, sizes: list[int], data: Any = X, y: Any = CLASSES, **options: Any
    ) -> tuple[dict[str, Any], Bill]:
        """Fit a member of a family that has members of these sizes."""
        task = options.pop("task", None) or Task(session_id="s", dataset_id=f"ds-{id(data)}-{id(y)}")
        hint = Family(members=len(sizes), largest=max(sizes), total=sum(sizes))
        scorer = options.get("scorer") or check_scoring(estimator)
        with self.sharing.fit(task, 1, self.store, data, scorer, hint) as bill:
            return fold_fit(estimator, data, y, **options), bill


def fold_fit(estimator: Any, data: Any, y: Any, **options: Any) -> dict[str, Any]:
    given = {"scorer": check_scoring(estimator), "fit_params": {}, **options}
    result: dict[str, Any] = _fit_and_score(
        clone(estimator),
        data,
        y,
        train=TRAIN,
        test=TEST,
        verbose=0,
        parameters=None,
        score_params={},
        return_train_score=True,
        return_estimator=True,
        error_score="raise",
        **given,
    )
    return result


def bits(value: Any) -> Any:
    """A value with all of its parts, so that equal ones are equal to the bit."""
    if isinstance(value, np.ndarray) and value.dtype != object:
        order = value.flags.c_contiguous, value.flags.f_contiguous, value.flags.writeable
        return value.dtype.str, value.shape, order, value.tobytes()
    if isinstance(value, dict):
        return [(bits(key), bits(item)) for key, item in value.items()]
    if isinstance(value, list | tuple | np.ndarray):
        return type(value), [bits(item) for item in value]
    if isinstance(value, np.random.RandomState):
        return bits(value.get_state())
    if isinstance(value, np.random.Generator):
        return bits(value.bit_generator.state)
    if isinstance(value, Tree):
        return bits(value.__getstate__())
    if isinstance(value, BaseEstimator) or hasattr(value, "__dict__"):
        return type(value), bits(vars(value))
    if type(value).__module__ == "sklearn._loss._loss":
        return bits(value.__reduce__())
    return (type(value), value.hex()) if isinstance(value, float) else (type(value), repr(value))


def same(ours: dict[str, Any], theirs: dict[str, Any]) -> bool:
    """Whether scores and every attribute of the fitted estimator are equal to the bit."""
    return all(bits(ours[key]) == bits(theirs[key]) for key in ("test_scores", "train_scores", "estimator"))


ENSEMBLES: dict[str, tuple[Any, Any]] = {
    "forest": (RandomForestClassifier(random_state=1, class_weight="balanced"), CLASSES),
    "forest of names": (RandomForestClassifier(random_state=1, max_samples=0.5), NAMES),
    "forest of values": (RandomForestRegressor(random_state=np.int64(2)), VALUES),
    "forest of pairs": (RandomForestRegressor(random_state=3), np.column_stack([VALUES, -VALUES])),
    "extra trees": (ExtraTreesClassifier(random_state=1, max_features=2), CLASSES),
    "extra trees of values": (ExtraTreesRegressor(random_state=1, bootstrap=True), VALUES),
    "bagging": (BaggingClassifier(random_state=1, max_features=0.5), CLASSES),
    "bagging of trees": (
        BaggingRegressor(DecisionTreeRegressor(max_depth=2), max_samples=0.7, random_state=1),
        VALUES,
    ),
    "boosting": (GradientBoostingClassifier(random_state=0), CLASSES),
    "boosting of samples": (
        GradientBoostingClassifier(random_state=0, subsample=0.5, max_features=2),
        CLASSES > 0,
    ),
    "boosting of values": (
        GradientBoostingRegressor(random_state=0, loss="absolute_error", init="zero"),
        VALUES,
    ),
    "boosting of sampled values": (GradientBoostingRegressor(random_state=0, subsample=0.7), VALUES),
    "adaptive": (AdaBoostClassifier(random_state=0), CLASSES),
    "adaptive of trees": (AdaBoostClassifier(DecisionTreeClassifier(max_depth=2), random_state=0), NAMES),
    "adaptive of values": (AdaBoostRegressor(random_state=0, loss="square"), VALUES),
}
HISTOGRAMS: dict[str, tuple[Any, Any]] = {
    "histograms": (HistGradientBoostingClassifier(random_state=0), CLASSES),
    "histograms of values": (HistGradientBoostingRegressor(random_state=0, loss="absolute_error"), VALUES),
}
TREES: dict[str, tuple[Any, Any]] = {
    "tree": (DecisionTreeClassifier(random_state=0), NAMES),
    "tree of values": (DecisionTreeRegressor(random_state=0, max_leaf_nodes=20), VALUES),
    "random tree": (ExtraTreeClassifier(random_state=0), CLASSES),
    "random tree of pairs": (ExtraTreeRegressor(random_state=0), np.column_stack([VALUES, -VALUES])),
}


def members(name: str) -> tuple[list[Any], list[int], Any]:
    """A family's estimators, their sizes and y."""
    if name in TREES:
        estimator, y = TREES[name]
        alphas = (0.01, 0.0, 1, 0.003, 0.05)
        return [clone(estimator).set_params(ccp_alpha=alpha) for alpha in alphas], [1] * 5, y
    estimator, y = {**ENSEMBLES, **HISTOGRAMS}[name]
    size = "max_iter" if name in HISTOGRAMS else "n_estimators"
    sizes = [3, 12, 1, np.int64(7), 12]
    return [clone(estimator).set_params(**{size: each}) for each in sizes], [int(each) for each in sizes], y


@pytest.mark.parametrize("name", [*ENSEMBLES, *HISTOGRAMS, *TREES])
def test_equals_scikit_learn_to_the_bit_and_is_fitted_once(name: str, tmp_path: Any) -> None:
    estimators, sizes, y = members(name)
    slots = Slot(tmp_path), Slot(tmp_path)
    _ways.take()
    ways = []
    for number, estimator in enumerate(estimators):
        ours, _ = slots[number % 2].fit(estimator, sizes, y=y)
        ways += _ways.take()
        assert same(ours, fold_fit(estimator, X, y))
    assert ways == ["family: fitted for all"] + ["family: cut from the largest"] * 4


@pytest.mark.parametrize("name", ["forest", "boosting of samples", "tree"])
def test_behind_a_shared_prefix(name: str, tmp_path: Any) -> None:
    estimators, sizes, y = members(name)
    slot = Slot(tmp_path)
    _ways.take()
    ways: list[str] = []
    for estimator in estimators:
        pipeline = make_pipeline(StandardScaler(), estimator)
        ours, _ = slot.fit(pipeline, sizes, y=y)
        assert same(ours, fold_fit(pipeline, X, y))
        ways += _ways.take()
    assert ways.count("family: fitted for all") == 1 and ways.count("family: cut from the largest") == 4


NEIGHBOURS: dict[str, tuple[Any, Any, Any]] = {
    "tree": (KNeighborsClassifier(), X, CLASSES),
    "weighted": (
        KNeighborsClassifier(weights="distance", algorithm="ball_tree", metric="manhattan"),
        X,
        NAMES,
    ),
    "values": (KNeighborsRegressor(algorithm="brute"), X, VALUES),
    "weighted values": (KNeighborsRegressor(algorithm="brute", weights="distance", p=3), X, VALUES),
    "equal distances": (KNeighborsClassifier(), np.round(X), CLASSES),
    "equal distances at once": (KNeighborsRegressor(algorithm="brute"), np.round(X), VALUES),
    "frame": (KNeighborsRegressor(), pd.DataFrame(X, columns=list("abcde")), VALUES),
}


@pytest.mark.parametrize("name", NEIGHBOURS)
def test_neighbours_are_searched_once(name: str, tmp_path: Any) -> None:
    estimator, data, y = NEIGHBOURS[name]
    slots, ways, sizes = (Slot(tmp_path), Slot(tmp_path)), [], [3, 1, 100, 8, 20]
    _ways.take()
    for number, size in enumerate(sizes):
        for model in (clone(estimator).set_params(n_neighbors=size),):
            for whole in (model, make_pipeline(StandardScaler(), model)):
                ours, _ = slots[number % 2].fit(whole, sizes, data=data, y=y)
                theirs = fold_fit(whole, data, y)
                assert ours["test_scores"] == theirs["test_scores"]
                assert ours["train_scores"] == theirs["train_scores"]
                assert (
                    ours["estimator"].predict(data[:9]).tolist()
                    == theirs["estimator"].predict(data[:9]).tolist()
                )
        ways.append(_ways.take())
    assert ["family: neighbours for all" in way for way in ways].index(True) == 0
    assert all("family: neighbours taken over" in way for way in ways[3:])


def test_sparse_data(tmp_path: Any) -> None:
    slot, data = Slot(tmp_path), sparse.csr_matrix(np.where(X > 0, X, 0))
    for size in (2, 5):
        for estimator in (
            RandomForestClassifier(size, random_state=0),
            GradientBoostingClassifier(n_estimators=size, random_state=0),
        ):
            ours, _ = slot.fit(estimator, [2, 5], data=data)
            assert same(ours, fold_fit(estimator, data, CLASSES))


class Mine(RandomForestClassifier):
    """A person's own class: it may do anything."""


REFUSED = {
    "a subclass": Mine(2, random_state=0),
    "unseeded": RandomForestClassifier(2),
    "a generator": RandomForestClassifier(2, random_state=np.random.RandomState(0)),
    "out of bag scores": RandomForestClassifier(2, random_state=0, oob_score=True),
    "a warm start": GradientBoostingClassifier(n_estimators=2, random_state=0, warm_start=True),
    "talkative": GradientBoostingClassifier(n_estimators=2, random_state=0, verbose=1),
    "early stopping": GradientBoostingClassifier(n_estimators=2, random_state=0, n_iter_no_change=2),
    "early histograms": HistGradientBoostingClassifier(max_iter=2, random_state=0, early_stopping=True),
    "drawn features": HistGradientBoostingClassifier(max_iter=2, random_state=0, max_features=0.5),
    "a start of one's own": GradientBoostingClassifier(init=LogisticRegression(), random_state=0),
    "a changing loss": GradientBoostingRegressor(n_estimators=2, random_state=0, loss="huber"),
    "boosted by another": AdaBoostClassifier(LogisticRegression(), random_state=0),
    "several jobs": RandomForestClassifier(2, random_state=0, n_jobs=2),
    "no size": RandomForestClassifier(0, random_state=0),
    "half a size": RandomForestClassifier(2.5, random_state=0),
    "a negative penalty": DecisionTreeClassifier(ccp_alpha=-1.0, random_state=0),
    "another class": LogisticRegression(),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_not_known_to_be_safe_has_no_family(name: str) -> None:
    assert _families.member(REFUSED[name]) is None


def test_fit_parameters_are_not_shared(tmp_path: Any) -> None:
    slot = Slot(tmp_path)
    _ways.take()
    for size in (2, 5):
        estimator = RandomForestClassifier(size, random_state=0)
        options = {"fit_params": {"sample_weight": np.arange(150.0)}}
        assert same(slot.fit(estimator, [2, 5], **options)[0], fold_fit(estimator, X, CLASSES, **options))
    assert _ways.take() == []


def test_what_ended_early_is_not_cut(tmp_path: Any) -> None:
    slot, y = Slot(tmp_path), (X[:, 0] > 0).astype(int)
    _ways.take()
    for size in (2, 9, 5):
        estimator = AdaBoostClassifier(n_estimators=size, random_state=0)
        assert same(slot.fit(estimator, [2, 9, 5], y=y)[0], fold_fit(estimator, X, y))
    assert _ways.take() == []


def heard(fit: Callable[[], Any]) -> list[str]:
    """The warnings of a fit, and what it raised."""
    with warnings.catch_warnings(record=True) as notes:
        warnings.simplefilter("always")
        try:
            fit()
        except ValueError as error:
            return [*(str(note.message) for note in notes), str(error)]
    return [str(note.message) for note in notes]


def test_warnings_are_those_of_the_fit(tmp_path: Any) -> None:
    """A boosting that diverges warns late: the small ones must not."""
    slot = Slot(tmp_path)
    warned = []
    for size in (1, 3, 200):
        estimator = GradientBoostingRegressor(n_estimators=size, learning_rate=50.0, random_state=0)
        ours = heard(lambda estimator=estimator: slot.fit(estimator, [1, 3, 200], y=VALUES))
        theirs = heard(lambda estimator=estimator: fold_fit(estimator, X, VALUES))
        assert ours == theirs
        warned.append(bool(theirs))
    assert warned == [False, False, True]


def test_a_fit_with_a_limit_does_nothing_for_others(tmp_path: Any) -> None:
    slot, task = Slot(tmp_path), Task(session_id="s", dataset_id="ds-1", limits=Limits(fit_seconds=9.0))
    _ways.take()
    ways = []
    for size in (2, 9, 5):
        slot.fit(RandomForestClassifier(size, random_state=0), [2, 9, 5], task=task)
        ways.append(_ways.take())
    assert ways == [[], ["family: fitted for all"], ["family: cut from the largest"]]


def test_without_room_each_is_fitted_for_itself(tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    slot = Slot(tmp_path, limit=10)
    sizes = []
    original = RandomForestClassifier.fit

    def counting(self: Any, *args: Any, **kwargs: Any) -> Any:
        sizes.append(self.n_estimators)
        return original(self, *args, **kwargs)

    monkeypatch.setattr(RandomForestClassifier, "fit", counting)
    for size in (2, 5, 3):
        slot.fit(RandomForestClassifier(size, random_state=0), [2, 9, 5, 3])
    # The first one tried the largest; nobody tries again.
    assert sizes == [9, 5, 3]


def test_the_times_of_all_add_up_to_the_work(tmp_path: Any) -> None:
    slot, sizes = Slot(tmp_path), [2, 10, 5, 3]
    bills = [slot.fit(RandomForestClassifier(size, random_state=0), sizes)[1] for size in sizes]
    given = sum(bill.given["fit"] for bill in bills)
    assert given > 0 and sum(bill.share["fit"] for bill in bills) == pytest.approx(given)
    assert bills[1].share["fit"] == pytest.approx(given / 2)


def test_models_are_each_their_own(tmp_path: Any) -> None:
    slot, estimator = Slot(tmp_path), RandomForestClassifier(4, random_state=0)
    first, second = (slot.fit(estimator, [4, 9])[0]["estimator"] for _ in range(2))
    assert not {id(tree) for tree in first.estimators_} & {id(tree) for tree in second.estimators_}
    assert not {id(tree.tree_) for tree in first.estimators_} & {
        id(tree.tree_) for tree in second.estimators_
    }
    first.estimators_[0].tree_.threshold[:] = 0.0
    assert same({**slot.fit(estimator, [4, 9])[0]}, fold_fit(estimator, X, CLASSES))
