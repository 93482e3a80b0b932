"""The work of the cases, defined once: importable in every peer's environment, without Crossfold.

Everything is seeded, and scikit-learn's own searches run it, so each side fits the same models on the
same folds. `BENCH_QUICK=1` shrinks every case to seconds.
"""

from __future__ import annotations

import base64
import functools
import json
import os
import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin
from sklearn.datasets import load_digits, load_iris
from sklearn.ensemble import GradientBoostingClassifier, RandomForestClassifier
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import RidgeClassifier
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import Pipeline
from sklearn.svm import SVC

QUICK = os.environ.get("BENCH_QUICK") == "1"
CALLS = 200 if QUICK else 2_000
REVIEWS = Path(__file__).resolve().parents[3] / "shared" / "data" / "reviews.jsonl"
DATA_BYTES = 10**7 if QUICK else 10**9

Grid = Mapping[str, Sequence[Any]]


@dataclass(frozen=True)
class Search:
    """A grid search: every candidate of `grid` on every one of `folds` folds."""

    estimator: Any
    grid: Grid
    X: Any
    y: Any
    folds: int = 5

    def run(self, search_class: Callable[..., Any], **options: Any) -> Any:
        """Fit a search of this class, which takes the arguments of scikit-learn's GridSearchCV."""
        return search_class(self.estimator, self.grid, cv=self.folds, refit=False, **options).fit(
            self.X, self.y
        )


def plain() -> Search:
    """320 SVC fits on digits, of 0.05 to 0.5 s."""
    X, y = load_digits(return_X_y=True)
    if QUICK:
        X, y = X[:200], y[:200]
    steps = 2 if QUICK else 8
    grid = {"C": np.logspace(-2, 3, steps), "gamma": np.logspace(-6, -1, steps)}
    return Search(SVC(), grid, X, y)


class LeastSquares(RegressorMixin, BaseEstimator):
    """A person's own estimator whose fit takes well under a millisecond."""

    def __init__(self, penalty: float = 0.0) -> None:
        self.penalty = penalty

    def fit(self, X: np.ndarray, y: np.ndarray) -> LeastSquares:
        """Solve the normal equations."""
        self.coef_ = np.linalg.solve(X.T @ X + self.penalty * np.eye(X.shape[1]), X.T @ y)
        return self

    def score(self, X: np.ndarray, y: np.ndarray) -> float:
        """The negative mean squared error."""
        return -float(np.mean((X @ self.coef_ - y) ** 2))


def fits() -> Search:
    """2,000 fits of about 1 ms, with all that scikit-learn does around a fit."""
    X, y = load_iris(return_X_y=True)
    return Search(LeastSquares(), {"penalty": np.logspace(-6, 3, 20 if QUICK else 400)}, X, y)


def first() -> Search:
    """A script's first small search: 10 fits."""
    X, y = load_iris(return_X_y=True)
    return Search(SVC(), {"C": [0.1, 1.0]}, X, y)


class ColumnMeans(ClassifierMixin, BaseEstimator):
    """A person's own estimator that goes over X once and holds no copy: what memory a fit takes is X's."""

    def __init__(self, share: float = 1.0) -> None:
        self.share = share

    def fit(self, X: np.ndarray, y: np.ndarray) -> ColumnMeans:
        """Take a share of the means."""
        self.means_ = self.share * X.mean(axis=0)
        return self

    def score(self, X: np.ndarray, y: np.ndarray) -> float:
        """How close other rows' means are."""
        return -float(np.abs(X.mean(axis=0) - self.means_).sum())


def data() -> Search:
    """Ten folds of 1 GB, one pass over it each."""
    draw = np.random.default_rng(0)
    columns = 100
    X = draw.random((DATA_BYTES // 8 // columns, columns))
    return Search(ColumnMeans(), {"share": [1.0]}, X, (X[:, 0] > 0.5).astype(int), folds=10)


def folds() -> Search:
    """Five folds of 1 GB, each used by four candidates."""
    return replace(search("data"), grid={"share": [0.25, 0.5, 0.75, 1.0]}, folds=5)


def float32() -> Search:
    """Four small forests, which convert the same 100 MB to float32."""
    X = search("data").X[: DATA_BYTES // 8_000]
    forest = RandomForestClassifier(4, max_depth=3, max_features=1, random_state=0)
    return Search(forest, {"min_samples_leaf": [1, 10, 100, 1000]}, X, (X[:, 0] > 0.5).astype(int))


def prefix() -> Search:
    """240 fits on 2 prefixes: word pairs of product reviews in two settings, 24 ridge penalties each."""
    texts, labels = reviews()
    if QUICK:
        texts, labels = texts[:300], labels[:300]
    estimator = Pipeline([("text", TfidfVectorizer(ngram_range=(1, 2))), ("model", RidgeClassifier())])
    grid = {"text__sublinear_tf": [False, True], "model__alpha": np.logspace(-2, 3, 4 if QUICK else 24)}
    return Search(estimator, grid, texts, labels)


def forests() -> Search:
    """Random forests of 10 to 300 trees on digits."""
    sizes = [5, 10, 20] if QUICK else range(10, 301, 10)
    return Search(RandomForestClassifier(random_state=0), {"n_estimators": list(sizes)}, *_digits())


def boostings() -> Search:
    """Gradient boostings of 5 to 60 stages on digits."""
    sizes = [2, 4] if QUICK else range(5, 61, 5)
    boosting = GradientBoostingClassifier(random_state=0, max_depth=2)
    return Search(boosting, {"n_estimators": list(sizes)}, *_digits())


def neighbours() -> Search:
    """The 1 to 60 nearest of made-up points in 6 dimensions."""
    draw = np.random.default_rng(0)
    X = draw.normal(size=(1_000 if QUICK else 20_000, 6))
    y = (X[:, 0] * X[:, 1] > 0).astype(int)
    return Search(KNeighborsClassifier(), {"n_neighbors": [1, 3, 5, 8, 12, 20, 30, 40, 50, 60]}, X, y)


def _digits() -> tuple[Any, Any]:
    X, y = load_digits(return_X_y=True)
    return (X[:200], y[:200]) if QUICK else (X, y)


def reviews() -> tuple[list[str], np.ndarray]:
    """Sentences and whether they please; made-up ones where the reviews are not at hand."""
    if REVIEWS.exists():
        rows = [json.loads(line) for line in REVIEWS.read_text().splitlines()]
        return [row["review"] for row in rows], np.array([row["rating"] > 0 for row in rows], int)
    draw = random.Random(0)
    words = ["".join(draw.choices("abcdefghijklmnop", k=draw.randint(2, 9))) for _ in range(6000)]
    texts = [" ".join(words[int(draw.paretovariate(0.6)) % 6000] for _ in range(22)) for _ in range(3700)]
    return texts, np.array([words[1] in text for text in texts], int)


SEARCHES: dict[str, Callable[[], Search]] = {
    "plain": plain,
    "fits": fits,
    "first": first,
    "data": data,
    "folds": folds,
    "float32": float32,
    "prefix": prefix,
    "forests": forests,
    "boostings": boostings,
    "neighbours": neighbours,
}


@functools.cache
def search(case: str) -> Search:
    """The work of a case; made once a process."""
    return SEARCHES[case]()


def summary(case: str) -> str:
    """What a case is, in a few words."""
    return (SEARCHES[case].__doc__ or case).split(".")[0].split(", ")[0]


def nothing(number: int) -> int:
    """The empty call."""
    return number


def scores(results: Mapping[str, Any], folds: int) -> np.ndarray:
    """The test scores of `cv_results_`, candidates x folds."""
    return np.column_stack([results[f"split{fold}_test_score"] for fold in range(folds)]).astype(float)


def to_text(values: np.ndarray) -> str:
    """Every bit of an array of float64, for a line of JSON."""
    return base64.b64encode(np.ascontiguousarray(values, float).tobytes()).decode()


def from_text(text: str) -> np.ndarray:
    """The flat array that `to_text` was given."""
    return np.frombuffer(base64.b64decode(text))
