"""Sharing pipeline prefixes inside one host: what is done once, what is not, and that no bit changes."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy import sparse
from sklearn.base import BaseEstimator, ClassifierMixin, TransformerMixin, clone
from sklearn.compose import ColumnTransformer, make_column_selector
from sklearn.decomposition import PCA, TruncatedSVD
from sklearn.feature_extraction.text import CountVectorizer, TfidfTransformer, TfidfVectorizer
from sklearn.feature_selection import SelectKBest, f_classif, mutual_info_classif
from sklearn.linear_model import LogisticRegression, RidgeClassifier
from sklearn.metrics import check_scoring
from sklearn.model_selection._validation import _fit_and_predict, _fit_and_score
from sklearn.pipeline import FeatureUnion, Pipeline, make_pipeline
from sklearn.preprocessing import (
    FunctionTransformer,
    OneHotEncoder,
    PolynomialFeatures,
    StandardScaler,
)
from sklearn.tree import DecisionTreeClassifier
from sklearn.tree._tree import Tree

from crossfold._runtime import _failures, _prefix
from crossfold._runtime._parts import Parts
from crossfold._runtime._prefix import Bill, Sharing
from crossfold.v1.task_pb2 import Task

RANDOM = np.random.default_rng(0)
X = RANDOM.normal(size=(120, 6))
Y = (X[:, 0] + X[:, 1] ** 2 > 0.8).astype(int)
TEXT = [
    " ".join(RANDOM.choice("alpha beta gamma delta epsilon zeta eta theta".split(), 9)) for _ in range(120)
]
FRAME = pd.DataFrame(X, columns=list("abcdef")).assign(kind=RANDOM.choice(["x", "y", "z"], 120))
TRAIN, TEST = np.arange(80), np.arange(80, 120)


@pytest.fixture(autouse=True)
def everything_is_worth_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """Small data: no work is too quick to be shared."""
    monkeypatch.setattr(_prefix, "_LEAST_SECONDS", -1.0)
    monkeypatch.setattr(_prefix, "_BYTES_PER_SECOND", float("inf"))


class Slot:
    """One process of a host, as far as sharing is concerned; several may use one store."""

    def __init__(self, store: Any, limit: int = 1 << 30) -> None:
        self.store = str(store)
        self.sharing = Sharing()
        self.sharing._parts = Parts(limit)

    def fit(self, estimator: Any, data: Any = X, **options: Any) -> tuple[dict[str, Any], Bill]:
        task = Task(session_id="s", dataset_id=f"ds-{id(data)}")
        scorer = options.pop("scorer", None) or check_scoring(estimator)
        with self.sharing.fit(task, 1, self.store, data, scorer) as bill:
            return fold_fit(clone(estimator), data, scorer=scorer, **options), bill


def fold_fit(estimator: Any, data: Any, **options: Any) -> dict[str, Any]:
    result: dict[str, Any] = _fit_and_score(
        estimator,
        data,
        Y,
        train=TRAIN,
        test=TEST,
        verbose=0,
        **{
            "scorer": None,
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


def plain(estimator: Any, data: Any = X, **options: Any) -> dict[str, Any]:
    """The same by scikit-learn alone."""
    options["scorer"] = options.get("scorer") or check_scoring(estimator)
    return fold_fit(clone(estimator), data, **options)


def same(ours: dict[str, Any], theirs: dict[str, Any]) -> bool:
    """Whether scores and every attribute of the fitted estimator are equal to the bit."""
    keys = ("test_scores", "train_scores", "estimator")
    return all(bits(ours[key]) == bits(theirs[key]) for key in keys)


def bits(value: Any) -> Any:
    """A value with all of its parts, so that equal ones are equal to the bit."""
    if isinstance(value, np.ndarray) and value.dtype != object:
        order = value.flags.c_contiguous, value.flags.f_contiguous, value.flags.writeable
        return value.dtype.str, value.shape, order, value.tobytes()
    if isinstance(value, dict):
        return [(bits(key), bits(item)) for key, item in value.items()]
    if isinstance(value, list | tuple | np.ndarray):
        return type(value), [bits(item) for item in value]
    if isinstance(value, BaseEstimator | make_column_selector) or sparse.issparse(value):
        # Where its stop words are in memory is not a part of a vectorizer's state.
        return type(value), bits({k: v for k, v in vars(value).items() if k != "_stop_words_id"})
    if isinstance(value, Tree):
        return bits(value.__getstate__())
    return (type(value), value.hex()) if isinstance(value, float) else (type(value), repr(value))


@pytest.fixture
def fitted(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[type], list[int]]]:
    """Count how often scikit-learn really runs a method of a class."""

    def count(kind: type, method: str = "fit") -> list[int]:
        calls: list[int] = []
        original = getattr(kind, method)

        def counting(self: Any, *args: Any, **kwargs: Any) -> Any:
            calls.append(1)
            return original(self, *args, **kwargs)

        monkeypatch.setattr(kind, method, counting)
        return calls

    yield count


PIPELINES = {
    "one step": (make_pipeline(StandardScaler(), LogisticRegression()), X),
    "a chain": (make_pipeline(StandardScaler(), PCA(3), PolynomialFeatures(), RidgeClassifier()), X),
    "with y": (make_pipeline(SelectKBest(f_classif, k=3), LogisticRegression()), X),
    "text": (make_pipeline(TfidfVectorizer(ngram_range=(1, 2)), RidgeClassifier()), TEXT),
    "sparse chain": (
        make_pipeline(
            CountVectorizer(), TfidfTransformer(), TruncatedSVD(3, random_state=0), RidgeClassifier()
        ),
        TEXT,
    ),
    "skipped step": (Pipeline([("a", "passthrough"), ("b", StandardScaler()), ("c", RidgeClassifier())]), X),
    "columns": (
        make_pipeline(
            ColumnTransformer(
                [
                    ("numbers", make_pipeline(StandardScaler(), PCA(2)), ["a", "b", "c"]),
                    ("words", OneHotEncoder(), make_column_selector(dtype_exclude=np.number)),
                ]
            ),
            SelectKBest(k=3),
            LogisticRegression(),
        ),
        FRAME,
    ),
    "union": (
        make_pipeline(
            FeatureUnion([("words", TfidfVectorizer()), ("letters", CountVectorizer(analyzer="char"))]),
            LogisticRegression(),
        ),
        TEXT,
    ),
    "nested last step": (make_pipeline(StandardScaler(), make_pipeline(PCA(2), LogisticRegression())), X),
    "pandas output": (
        make_pipeline(StandardScaler(), RidgeClassifier()).set_output(transform="pandas"),
        FRAME[["a", "b"]],
    ),
    "no prefix": (DecisionTreeClassifier(random_state=0), X),
}


@pytest.mark.parametrize("name", PIPELINES)
def test_equals_scikit_learn_to_the_bit(name: str, tmp_path: Any) -> None:
    estimator, data = PIPELINES[name]
    theirs = plain(estimator, data)
    first, second = Slot(tmp_path), Slot(tmp_path)
    for slot in (first, first, second, second):
        ours, _ = slot.fit(estimator, data)
        assert same(ours, theirs)


def test_an_equal_prefix_is_fitted_once_for_all_slots(fitted: Any, tmp_path: Any) -> None:
    calls = fitted(StandardScaler), fitted(StandardScaler, "transform")
    slots = Slot(tmp_path), Slot(tmp_path)
    bills = [
        slot.fit(make_pipeline(StandardScaler(), LogisticRegression(C=c)))[1]
        for c in (1, 2, 3)
        for slot in slots
    ]
    # Fitted and applied to the train part in one call, then applied to the test and the train part.
    assert [len(each) for each in calls] == [1, 3]
    assert [sum(bill.taken.values()) > 0 for bill in bills] == [False] + [True] * 5


def test_other_parameters_other_prefix(fitted: Any, tmp_path: Any) -> None:
    calls = fitted(PCA, "_fit")
    slot = Slot(tmp_path)
    for components in (2, 3, 2, 2.0 / 3):
        slot.fit(make_pipeline(PCA(components), LogisticRegression()))
    assert len(calls) == 3


def test_the_equal_beginning_of_chains_is_shared(fitted: Any, tmp_path: Any) -> None:
    calls = fitted(StandardScaler)
    slot = Slot(tmp_path)
    for components in (2, 3):
        slot.fit(make_pipeline(StandardScaler(), PCA(components), LogisticRegression()))
    assert len(calls) == 1


@pytest.mark.parametrize("kind", ["columns", "union"])
def test_unchanged_branches_are_shared(kind: str, fitted: Any, tmp_path: Any) -> None:
    calls = fitted(StandardScaler), fitted(PCA, "_fit")
    slot = Slot(tmp_path)
    for components in (1, 2, 3):
        branches = [("a", StandardScaler()), ("b", PCA(components))]
        columns = ColumnTransformer([(name, it, slice(0, 4)) for name, it in branches])
        prefix = columns if kind == "columns" else FeatureUnion(branches)
        estimator = make_pipeline(prefix, LogisticRegression())
        assert same(slot.fit(estimator)[0], plain(estimator))
    # scikit-learn's own three fits are in the counts.
    assert [len(each) for each in calls] == [1 + 3, 3 + 3]


class Counter(TransformerMixin, BaseEstimator):
    """A person's transformer with every side effect there is."""

    seen: list[str] = []

    def fit(self, X: Any, y: Any = None) -> Counter:
        self.seen.append("fit")
        print("fitting")
        self.noise_ = np.random.normal()
        return self

    def transform(self, X: Any) -> Any:
        self.seen.append("transform")
        self.times_ = getattr(self, "times_", 0) + 1
        return X


UNSAFE = {
    "own class": Counter(),
    "own subclass": type("Mine", (StandardScaler,), {})(),
    "own function": FunctionTransformer(lambda values: values * 2),
    "identity": FunctionTransformer(),
    "unseeded": TruncatedSVD(2),
    "unseeded score function": SelectKBest(mutual_info_classif, k=3),
    "in place": StandardScaler(copy=False),
    "own class in a branch": FeatureUnion([("a", StandardScaler()), ("b", Counter())]),
}


@pytest.mark.parametrize("name", UNSAFE)
def test_unsafe_steps_and_what_follows_them_are_not_shared(name: str, fitted: Any, tmp_path: Any) -> None:
    calls = fitted(PCA, "_fit")
    slot = Slot(tmp_path)
    bills = [slot.fit(make_pipeline(UNSAFE[name], PCA(2), RidgeClassifier()))[1] for _ in range(3)]
    assert len(calls) == 3
    assert not any(sum(bill.taken.values()) for bill in bills)


def test_side_effects_happen_as_often_as_they_would(
    tmp_path: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    estimator = make_pipeline(StandardScaler(), Counter(), RidgeClassifier())

    def happened() -> tuple[list[str], str]:
        seen = list(Counter.seen)
        Counter.seen.clear()
        return seen, capsys.readouterr().out

    happened()
    plain(estimator)
    expected = happened()
    slot = Slot(tmp_path)
    for _ in range(3):
        slot.fit(estimator)
        assert happened() == expected


def test_unseeded_solvers_are_found_after_the_fit(tmp_path: Any) -> None:
    wide = RANDOM.normal(size=(120, 600))
    estimator = make_pipeline(PCA(5), RidgeClassifier())
    slot = Slot(tmp_path)
    scores = []
    for _ in range(2):
        result, bill = slot.fit(estimator, wide)
        assert result["estimator"][0]._fit_svd_solver == "randomized"
        assert not sum(bill.taken.values())
        scores.append(result["estimator"][0].components_)
    assert not np.array_equal(*scores)


class Vandal(ClassifierMixin, BaseEstimator):
    """Writes into what it is given."""

    def fit(self, X: Any, y: Any) -> Vandal:
        self.classes_ = np.unique(y)
        self.total_ = float(X.sum())
        X[:] = 0
        return self

    def predict(self, X: Any) -> Any:
        X += self.total_
        return (X[:, 0] > 0).astype(int)


def test_an_estimator_that_writes_into_its_input_harms_nobody(tmp_path: Any) -> None:
    estimator = make_pipeline(StandardScaler(), PolynomialFeatures(), Vandal())
    theirs = plain(estimator)
    slots = Slot(tmp_path), Slot(tmp_path)
    for slot in slots * 2:
        assert same(slot.fit(estimator)[0], theirs)


def nosy(estimator: Any, X: Any, y: Any) -> float:
    """A scorer that changes the estimator and X."""
    estimator[0].mean_ += 1
    estimator[0].scale_ = estimator[0].scale_ * 2
    X += 1
    return float(estimator.decision_function(X).sum())


def test_a_scorer_of_ones_own_sees_and_changes_only_its_fit(tmp_path: Any) -> None:
    estimator = make_pipeline(StandardScaler(), LogisticRegression())
    theirs = plain(estimator, scorer=nosy)
    slots = Slot(tmp_path), Slot(tmp_path)
    for slot in slots * 2:
        assert same(slot.fit(estimator, scorer=nosy)[0], theirs)


def test_warnings_of_a_shared_step_reach_every_fit(tmp_path: Any) -> None:
    constant = np.hstack([X, np.ones((120, 1))])
    estimator = make_pipeline(SelectKBest(f_classif, k=3), LogisticRegression())

    def given(run: Callable[[], Any]) -> list[tuple[Any, ...]]:
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("default")
            run()
        return [(str(it.message), it.category, it.filename, it.lineno) for it in caught]

    expected = given(lambda: plain(estimator, constant))
    assert len(expected) >= 2
    slots = Slot(tmp_path), Slot(tmp_path)
    for slot in slots * 2:
        assert given(lambda slot=slot: slot.fit(estimator, constant)) == expected


def test_a_failing_prefix_fails_as_scikit_learns(tmp_path: Any) -> None:
    estimator = make_pipeline(CountVectorizer(min_df=1000), RidgeClassifier())
    theirs = plain(estimator, TEXT, error_score=-1.0)
    slot = Slot(tmp_path)
    for _ in range(2):
        ours, _ = slot.fit(estimator, TEXT, error_score=-1.0)
        assert _failures.as_unwatched(ours["fit_error"]) == theirs["fit_error"]
        assert ours["test_scores"] == -1.0


@pytest.mark.parametrize("limit", [0, 20_000])
def test_parts_stay_below_their_limit_and_no_fit_fails(limit: int, tmp_path: Any) -> None:
    slot = Slot(tmp_path, limit)
    for components in range(1, 7):
        estimator = make_pipeline(PolynomialFeatures(2), PCA(components), LogisticRegression())
        assert same(slot.fit(estimator)[0], plain(estimator))
    assert sum(path.stat().st_size for path in tmp_path.rglob("*.part")) <= limit


def test_a_damaged_part_is_made_again(tmp_path: Any) -> None:
    estimator = make_pipeline(StandardScaler(), RidgeClassifier())
    Slot(tmp_path).fit(estimator)
    for path in tmp_path.rglob("*.part"):
        path.write_bytes(path.read_bytes()[:100])
    assert same(Slot(tmp_path).fit(estimator)[0], plain(estimator))


def test_no_folder_to_write_to_is_no_failure(tmp_path: Any) -> None:
    store = tmp_path / "a-file"
    store.write_text("in the way")
    estimator = make_pipeline(StandardScaler(), RidgeClassifier())
    assert same(Slot(store).fit(estimator)[0], plain(estimator))


def test_nothing_is_shared_when_the_job_says_so(fitted: Any, tmp_path: Any) -> None:
    calls = fitted(StandardScaler)
    task = Task(session_id="s", dataset_id="d")
    task.code.sharing.prefixes = False
    estimator = make_pipeline(StandardScaler(), RidgeClassifier())
    for _ in range(2):
        with Sharing().fit(task, 1, str(tmp_path), X, None):
            plain(estimator)
    assert len(calls) == 2


def test_cross_val_predict_shares_too(fitted: Any, tmp_path: Any) -> None:
    calls = fitted(StandardScaler)
    estimator = make_pipeline(StandardScaler(), LogisticRegression())
    sharing, predictions = Sharing(), []
    for _ in range(2):
        with sharing.fit(Task(session_id="s", dataset_id="d"), 1, str(tmp_path), X, None):
            predictions.append(_fit_and_predict(clone(estimator), X, Y, TRAIN, TEST, {}, "predict_proba"))
    assert len(calls) == 1
    assert predictions[0].tobytes() == predictions[1].tobytes()


def test_time_is_charged_in_shares_that_add_up(tmp_path: Any) -> None:
    task = Task(session_id="s", dataset_id="d")
    estimator = make_pipeline(StandardScaler(), LogisticRegression())
    bills = []
    # The first fit is planned when only one other is known.
    for sharers in (2, 4, 4, 4):
        with Sharing().fit(task, sharers, str(tmp_path), X, None) as bill:
            plain(estimator)
        bills.append(bill)
    given, *taken = bills
    for phase in ("fit", "score"):
        assert sum(bill.share[phase] for bill in bills) == pytest.approx(given.given[phase])
        assert given.share[phase] == given.given[phase] / 2
        wall = given.given[phase] + given.waited[phase] + 1.0
        assert given.settle(phase, wall) == pytest.approx(1.0 + given.share[phase])
    assert all(bill.taken == given.given for bill in taken)
