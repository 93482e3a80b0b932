"""Large folds on a real cluster: taken once per split for all slots, and never seen in a result."""

from __future__ import annotations

from typing import Any

import crossfold
import crossfold.model_selection
import numpy as np
import pandas as pd
import pytest
import sklearn.model_selection
from scipy import sparse
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.naive_bayes import GaussianNB
from sklearn.tree import DecisionTreeClassifier

from e2e.compare import assert_same, search_view

pytestmark = pytest.mark.timeout(180)

# Train rows of 16 MB, whose conversions to float32 have 8 MB: eight fits of a split make both worth it.
X = np.random.default_rng(0).normal(size=(32_000, 96))
Y = (X[:, 0] > 0.3).astype(int)
FOLDS = 3


def search(ms: Any, estimator: Any, grid: dict[str, list[Any]], data: Any = X, **options: Any) -> Any:
    return ms.GridSearchCV(estimator, grid, cv=FOLDS, refit=False, **options).fit(data, Y)


def compare(estimator: Any, grid: dict[str, list[Any]], data: Any = X) -> list[str]:
    """Compare a search with scikit-learn's; return how its fits were run."""
    ours = search(crossfold.model_selection, estimator, grid, data)
    theirs = search(sklearn.model_selection, estimator, grid, data)
    assert_same(search_view(ours, data), search_view(theirs, data))
    return list(crossfold.report(ours).history["ways"])


class Stump(ClassifierMixin, BaseEstimator):
    """Looks at one column, keeps X, and writes into it: once more for every fit that got the same memory."""

    def __init__(self, column: int = 0) -> None:
        self.column = column

    def fit(self, X: Any, y: Any) -> Stump:
        self.classes_ = np.unique(y)
        self.threshold_ = X[:, self.column].mean()
        self.X_ = X
        (X.data if sparse.issparse(X) else X)[...] += 1.0
        return self

    def predict(self, X: Any) -> Any:
        column = X[:, [self.column]]
        column = column.toarray() if sparse.issparse(column) else column.copy()
        (X.data if sparse.issparse(X) else X)[...] += 1.0
        return (column.ravel() > self.threshold_ + 0.01 * self.X_[:, self.column].mean()).astype(int)


COLUMNS = {"column": list(range(8))}


@pytest.mark.parametrize("kind", ["C", "F", "float32", "csr"])
def test_fits_that_write_into_their_rows_harm_nobody(kind: str) -> None:
    data = {
        "C": lambda: X,
        "F": lambda: np.asfortranarray(X),
        "float32": lambda: np.tile(X.astype(np.float32), 2),
        "csr": lambda: sparse.csr_matrix(X),
    }[kind]()
    ways = compare(Stump(), COLUMNS, data)
    # Who comes first takes the train rows; the very first fits may not know yet that others follow.
    assert sum("fold: taken over" in way for way in ways) >= 4 * FOLDS
    assert sum("fold: taken for all" in way for way in ways) <= 2 * FOLDS


def test_rows_that_lie_together_are_mapped_not_copied() -> None:
    # One fit a split. Labels are drawn, so stratified folds are nearly runs of rows: the middle one's train
    # rows are two of them, about half of which is copied.
    ways = compare(Stump(), {"column": [0]})
    assert ways.count("fold: mapped where it lies") == FOLDS


def test_conversions_are_done_once_per_split() -> None:
    # Trees of other seeds are no family: each is fitted.
    ways = compare(DecisionTreeClassifier(max_depth=1, max_features=2), {"random_state": list(range(12))})
    over = [way for way in ways if "fold: conversion taken over" in way]
    assert len(over) >= 6 * FOLDS and all("fold: taken" in way for way in over)


def test_data_frames_are_left_to_scikit_learn() -> None:
    frame = pd.DataFrame(X[:, :40]).rename(columns=str)
    assert not any("fold" in way for way in compare(GaussianNB(), {"var_smoothing": [1e-9, 1e-8]}, frame))


def test_nothing_is_shared_when_that_is_asked_for() -> None:
    ours = search(crossfold.model_selection, Stump(), COLUMNS, share_prefixes=False)
    assert not crossfold.report(ours).history["ways"].str.contains("fold").any()
