"""Solvers inside one host: linear models of one split help each other, within the solver's tolerance."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy import sparse
from sklearn.linear_model import ElasticNet, Lasso, LogisticRegression, Ridge, RidgeClassifier
from sklearn.metrics import check_scoring, log_loss
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from test_families import bits, fold_fit
from threadpoolctl import threadpool_limits

from crossfold._runtime import _prefix, _solvers, _ways
from crossfold._runtime._parts import Parts
from crossfold._runtime._prefix import Bill, Sharing
from crossfold.v1.task_pb2 import Code, Limits, Task
from crossfold.v1.task_pb2 import Sharing as Shared

RANDOM = np.random.default_rng(0)
X = RANDOM.normal(size=(150, 20)) @ RANDOM.normal(size=(20, 20))
VALUES = X[:, :3].sum(axis=1) + RANDOM.normal(scale=3.0, size=150) + 5.0
PAIRS = np.column_stack([VALUES, X[:, 4] - 1.0])
CLASSES = np.digitize(VALUES, [0.0, 8.0])
NAMES = np.array(["low", "middle", "high"])[CLASSES]
WIDE = RANDOM.normal(size=(150, 300))
TRAIN = np.arange(100)


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

    def __init__(self, store: Any, limit: int = 1 << 30, solver: bool = True) -> None:
        self.store = str(store)
        self.code = Code(sharing=Shared(prefixes=True, solver=solver))
        self.sharing = Sharing()
        self.sharing._parts = Parts(limit)

    def fit(
        self, estimator: Any, data: Any, y: Any, split: str = "", **options: Any
    ) -> tuple[Any, list[str], Bill]:
        """Return the fitted model, how it was fitted, and who did the work."""
        task = Task(session_id="s", dataset_id=f"ds-{id(data)}-{id(y)}-{split}", code=self.code)
        if options.pop("limited", False):
            task.limits.CopyFrom(Limits(fit_seconds=9.0))
        _ways.take()
        with self.sharing.fit(task, 1, self.store, data, check_scoring(estimator)) as bill:
            result = fold_fit(estimator, data, y, **options)
        return result["estimator"], [way for way in _ways.take() if way.startswith("solver")], bill


RIDGES: dict[str, tuple[Any, Any, Any]] = {
    "values": (Ridge(), X, VALUES),
    "pairs": (Ridge(), X, PAIRS),
    "one column": (Ridge(), X, VALUES.reshape(-1, 1)),
    "without intercept": (Ridge(fit_intercept=False), X, VALUES),
    "by decomposition": (Ridge(solver="svd"), X, VALUES),
    "wide": (Ridge(solver="cholesky"), WIDE, VALUES),
    "wide pairs": (Ridge(), WIDE, PAIRS),
    "frame": (Ridge(), pd.DataFrame(X, columns=[f"x{i}" for i in range(20)]), VALUES),
    "classes": (RidgeClassifier(), X, NAMES),
    "two classes": (RidgeClassifier(), X, VALUES > 5),
    "balanced classes": (RidgeClassifier(class_weight="balanced"), X, CLASSES),
    "balanced wide classes": (RidgeClassifier(class_weight="balanced"), WIDE, CLASSES),
}
ALPHAS = [1.0, 0.1, 10, 300.0, 0.003]


@pytest.mark.parametrize("name", RIDGES)
def test_one_factorisation_serves_every_alpha(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    estimator, data, y = RIDGES[name]
    made, factorise = [], _solvers._Factors.of
    monkeypatch.setattr(_solvers._Factors, "of", lambda *given: made.append(1) or factorise(*given))
    slots, ways = (Slot(tmp_path), Slot(tmp_path)), []
    for number, alpha in enumerate(ALPHAS):
        estimator.set_params(alpha=alpha)
        ours, way, _ = slots[number % 2].fit(estimator, data, y)
        ways += way
        theirs = fold_fit(estimator, data, y)["estimator"]
        assert vars(ours).keys() == vars(theirs).keys() and ours.solver_ == theirs.solver_
        assert ours.coef_.shape == theirs.coef_.shape and ours.n_iter_ is None
        np.testing.assert_allclose(ours.coef_, theirs.coef_, rtol=1e-6, atol=1e-9)
        np.testing.assert_allclose(ours.intercept_, theirs.intercept_, rtol=1e-6)
    assert ways == ["solver: factorisation for all"] + ["solver: factorisation taken over"] * 4
    assert len(made) == 1
    slots[0].fit(estimator, data, y, split="another")
    assert len(made) == 2


def test_behind_a_shared_prefix(tmp_path: Path) -> None:
    slot, ways = Slot(tmp_path), []
    for alpha in ALPHAS:
        pipeline = make_pipeline(StandardScaler(), Ridge(alpha))
        ours, way, _ = slot.fit(pipeline, X, VALUES)
        np.testing.assert_allclose(
            ours[-1].coef_, fold_fit(pipeline, X, VALUES)["estimator"][-1].coef_, rtol=1e-6
        )
        ways += way
    assert len(ways) == 5 and ways.count("solver: factorisation for all") == 1


def test_settings_that_change_the_system_have_a_factorisation_of_their_own(tmp_path: Path) -> None:
    slot, models = Slot(tmp_path), [Ridge(), Ridge(fit_intercept=False), Ridge(tol=1e-3, solver="svd")]
    assert [slot.fit(model, X, VALUES)[1] for model in models] == [
        ["solver: factorisation for all"],
        ["solver: factorisation for all"],
        ["solver: factorisation taken over"],
    ]


def test_an_ill_conditioned_system_is_scikit_learns(tmp_path: Path) -> None:
    slot, data = Slot(tmp_path), np.column_stack([X, X[:, 0] * (1 + 1e-9)])
    slot.fit(Ridge(1.0), data, VALUES)
    ours, ways, bill = slot.fit(Ridge(1e-6), data, VALUES)
    assert ways == [] and bill.taken["fit"] == 0.0
    assert bits(ours) == bits(fold_fit(Ridge(1e-6), data, VALUES)["estimator"])


def test_a_factorisation_counts_for_the_fit_that_makes_it(tmp_path: Path) -> None:
    slot = Slot(tmp_path)
    first, second = (slot.fit(Ridge(alpha), X, VALUES)[2] for alpha in (1.0, 2.0))
    assert first.given["fit"] == first.share["fit"] > 0 and first.taken["fit"] == 0
    assert second.taken["fit"] == first.given["fit"] and second.share["fit"] == 0
    assert first.settle("fit", 9.0) == pytest.approx(9.0 - first.waited["fit"])


# Warm starts


def descent_objective(model: Any, y: Any) -> float:
    ratio = model.l1_ratio if isinstance(model, ElasticNet) and not isinstance(model, Lasso) else 1.0
    loss = ((y[TRAIN] - model.predict(X[TRAIN])) ** 2).sum() / (2 * len(TRAIN))
    penalty = ratio * np.abs(model.coef_).sum() + (1 - ratio) / 2 * (model.coef_**2).sum()
    return float(loss + model.alpha * penalty)


DESCENTS: dict[str, tuple[Any, Any]] = {
    "lasso": (Lasso(max_iter=10_000), VALUES),
    "lasso of pairs": (Lasso(max_iter=10_000), PAIRS),
    "mixed": (ElasticNet(l1_ratio=0.7, max_iter=10_000), VALUES),
    "with a Gram matrix": (ElasticNet(precompute=True, max_iter=10_000), VALUES),
}
NEAR = [0.1, 0.09, 0.08, 0.11]


@pytest.mark.parametrize("name", DESCENTS)
def test_coordinate_descent_starts_from_the_nearest_alpha(name: str, tmp_path: Path) -> None:
    estimator, y = DESCENTS[name]
    slots, ways, ours, theirs = (Slot(tmp_path), Slot(tmp_path)), [], 0, 0
    for number, alpha in enumerate(NEAR):
        estimator.set_params(alpha=alpha)
        warm, way, _ = slots[number % 2].fit(estimator, X, y)
        cold = fold_fit(estimator, X, y)["estimator"]
        ways += way
        ours, theirs = ours + np.sum(warm.n_iter_), theirs + np.sum(cold.n_iter_)
        slack = estimator.tol * np.square(y[TRAIN]).sum() / len(TRAIN)
        assert descent_objective(warm, y) <= descent_objective(cold, y) + slack
        assert vars(warm).keys() == vars(cold).keys() and not warm.warm_start
        assert bits(warm.get_params()) == bits(cold.get_params())
    assert ways == [f"solver: warm start from alpha={alpha}" for alpha in (0.1, 0.09, 0.1)]
    assert ours < theirs


def logistic_objective(model: Any, data: Any, y: Any) -> float:
    loss = log_loss(y[TRAIN], model.predict_proba(data[TRAIN]), normalize=False)
    return float(loss / len(TRAIN) + (model.coef_**2).sum() / (2 * model.C * len(TRAIN)))


SCALED = StandardScaler().fit_transform(X)
LOGISTIC: dict[str, tuple[Any, Any, Any]] = {
    "lbfgs": (LogisticRegression(), SCALED, NAMES),
    "two classes": (LogisticRegression(), SCALED, VALUES > 5),
    "without intercept": (LogisticRegression(fit_intercept=False), SCALED, NAMES),
    "newton-cg": (LogisticRegression(solver="newton-cg"), SCALED, NAMES),
    "newton-cholesky": (LogisticRegression(solver="newton-cholesky"), SCALED, NAMES),
    "sag": (LogisticRegression(solver="sag", random_state=0, max_iter=5000), SCALED, CLASSES),
    "saga": (LogisticRegression(solver="saga", random_state=0, max_iter=5000), SCALED, VALUES > 5),
    "sparse": (LogisticRegression(), sparse.csr_matrix(np.where(SCALED > 0, SCALED, 0)), NAMES),
}


@pytest.mark.parametrize("name", LOGISTIC)
def test_logistic_regression_starts_from_the_nearest_c(name: str, tmp_path: Path) -> None:
    estimator, data, y = LOGISTIC[name]
    slot, ways, ours, theirs = Slot(tmp_path), [], 0, 0
    for C in (1, 2.0, 1.6, 0.7):
        estimator.set_params(C=C)
        warm, way, _ = slot.fit(estimator, data, y)
        cold = fold_fit(estimator, data, y)["estimator"]
        ways += way
        ours, theirs = ours + warm.n_iter_.sum(), theirs + cold.n_iter_.sum()
        assert logistic_objective(warm, data, y) <= logistic_objective(cold, data, y) + estimator.tol
        assert vars(warm).keys() == vars(cold).keys() and not warm.warm_start
        assert np.array_equal(warm.classes_, cold.classes_) and warm.coef_.shape == cold.coef_.shape
    assert ways == [f"solver: warm start from C={C}" for C in (1.0, 2.0, 1.0)]
    assert ours < theirs


def test_only_equal_settings_help_each_other(tmp_path: Path) -> None:
    slot = Slot(tmp_path)
    for model in (Lasso(), Lasso(positive=True), ElasticNet(), ElasticNet(l1_ratio=0.4)):
        assert slot.fit(model, X, VALUES)[1] == []
    assert slot.fit(Lasso(), X, VALUES, split="another")[1] == []
    assert slot.fit(Lasso(0.9), X, VALUES)[1] == ["solver: warm start from alpha=1.0"]


def test_models_are_each_their_own(tmp_path: Path) -> None:
    slot = Slot(tmp_path)
    first = slot.fit(Lasso(0.1), X, PAIRS)[0]
    second = slot.fit(Lasso(0.1), X, PAIRS)[0]
    before = second.coef_.copy()
    first.coef_[:], second.coef_[0, 0] = 0.0, 9.0
    third = slot.fit(Lasso(0.1), X, PAIRS)[0]
    np.testing.assert_allclose(third.coef_, before, rtol=1e-3)


def test_the_fit_fails_as_scikit_learns_does(tmp_path: Path) -> None:
    slot, endless = Slot(tmp_path), np.where(VALUES > 5, np.inf, VALUES)
    slot.fit(Lasso(), X, VALUES)
    for model, y in ((Lasso(0.5, max_iter=-1), VALUES), (Lasso(0.5), endless)):
        with pytest.raises(ValueError) as theirs:
            fold_fit(model, X, y)
        with pytest.raises(ValueError) as ours:
            slot.fit(model, X, y)
        assert str(ours.value) == str(theirs.value)


# What is not touched


class Mine(Ridge):
    """A person's own class: it may do anything."""


class MyLasso(Lasso):
    """The same."""


UNTOUCHED: dict[str, tuple[Any, Any, Any, dict[str, Any]]] = {
    "a subclass": (Mine(), X, VALUES, {}),
    "a subclass with a path": (MyLasso(), X, VALUES, {}),
    "sparse rows": (Ridge(), sparse.csr_matrix(np.where(X > 0, X, 0)), VALUES, {}),
    "single precision": (Ridge(), X.astype(np.float32), VALUES, {}),
    "weights": (Ridge(), X, VALUES, {"fit_params": {"sample_weight": np.arange(150.0)}}),
    "weights of a path": (Lasso(), X, VALUES, {"fit_params": {"sample_weight": np.arange(1, 151.0)}}),
    "an alpha per target": (Ridge([1.0, 2.0]), X, PAIRS, {}),
    "positive": (Ridge(positive=True), X, VALUES, {}),
    "another solver": (Ridge(solver="lsqr"), X, VALUES, {}),
    "in place": (Ridge(copy_X=False), X, VALUES, {}),
    "no penalty": (LogisticRegression(C=np.inf), SCALED, VALUES > 5, {}),
    "its own warm start": (LogisticRegression(warm_start=True), SCALED, VALUES > 5, {}),
    "unseeded": (LogisticRegression(solver="saga", max_iter=2000), SCALED, VALUES > 5, {}),
    "drawn columns": (Lasso(selection="random", random_state=0), X, VALUES, {}),
}


@pytest.mark.parametrize("name", UNTOUCHED)
def test_what_is_not_known_is_fitted_for_itself(name: str, tmp_path: Path) -> None:
    estimator, data, y, options = UNTOUCHED[name]
    slot = Slot(tmp_path)
    assert [slot.fit(estimator, data, y, **options)[1] for _ in range(2)] == [[], []]
    assert not list(tmp_path.rglob("*.part"))


OPTED = [Ridge(), RidgeClassifier(), Lasso(0.1), ElasticNet(0.1), LogisticRegression()]


@pytest.mark.parametrize("estimator", OPTED, ids=lambda it: type(it).__name__)
def test_without_the_option_every_bit_is_scikit_learns(estimator: Any, tmp_path: Path) -> None:
    name = "C" if hasattr(estimator, "C") else "alpha"
    y = VALUES if "Cl" not in type(estimator).__name__ and name == "alpha" else NAMES
    helped, alone = Slot(tmp_path), Slot(tmp_path, solver=False)
    for size in (0.1, 0.2, 0.15):
        model = estimator.set_params(**{name: size})
        helped.fit(model, SCALED, y)
        ours, ways, _ = alone.fit(model, SCALED, y)
        assert ways == []
        assert bits(ours) == bits(fold_fit(model, SCALED, y)["estimator"])


def test_a_fit_with_a_limit_takes_over_but_does_nothing_for_others(tmp_path: Path) -> None:
    slot = Slot(tmp_path)
    ways = [slot.fit(Ridge(), X, VALUES, limited=limited)[1] for limited in (True, False, True)]
    assert ways == [[], ["solver: factorisation for all"], ["solver: factorisation taken over"]]


@pytest.mark.parametrize(
    "estimator", [Ridge(), RidgeClassifier(), ElasticNet()], ids=lambda it: type(it).__name__
)
def test_what_can_not_be_read_means_a_start_of_its_own(estimator: Any, tmp_path: Path) -> None:
    y = CLASSES if isinstance(estimator, RidgeClassifier) else VALUES
    Slot(tmp_path).fit(estimator, X, y)
    for file in tmp_path.rglob("*.part"):
        file.write_bytes(file.read_bytes()[:200])
    ours, _, _ = Slot(tmp_path).fit(estimator, X, y)
    np.testing.assert_allclose(ours.coef_, fold_fit(estimator, X, y)["estimator"].coef_, rtol=1e-6)


def test_without_room_each_is_fitted_for_itself(tmp_path: Path) -> None:
    slot = Slot(tmp_path, limit=10)
    for model in (Ridge(), Ridge(2.0), Lasso(), Lasso(0.9)):
        ours, ways, _ = slot.fit(model, X, VALUES)
        assert ways == [] and bits(ours) == bits(fold_fit(model, X, VALUES)["estimator"])
