"""Prefixes of pipelines on a real cluster: fitted once per split, by any slot, and never seen in a result."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import crossfold
import crossfold.model_selection
import numpy as np
import pytest
import sklearn.model_selection
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import RidgeClassifier
from sklearn.pipeline import FeatureUnion, Pipeline

from e2e.compare import assert_same, search_view

pytestmark = pytest.mark.timeout(120)

_DRAW = random.Random(0)
_WORDS = ["".join(_DRAW.choices("abcdefghijkl", k=5)) for _ in range(2000)]
TEXTS = [" ".join(_DRAW.choices(_WORDS, k=60)) for _ in range(300)]
LABELS = np.array([text < "f" for text in TEXTS], int)
GRID = {"text__sublinear_tf": [False, True], "model__alpha": [0.1, 1.0, 5.0]}
FOLDS = 3


def search(ms: Any, text: Any, grid: dict[str, list[Any]] = GRID, **options: Any) -> Any:
    pipeline = Pipeline([("text", text), ("model", RidgeClassifier())])
    return ms.GridSearchCV(pipeline, grid, cv=FOLDS, return_train_score=True, **options).fit(TEXTS, LABELS)


def test_each_prefix_is_fitted_once_per_split_on_all_slots() -> None:
    ours = search(crossfold.model_selection, TfidfVectorizer(ngram_range=(1, 2)))
    history = crossfold.report(ours).history
    assert len(history) == 6 * FOLDS
    fitted = history[history["shared_seconds"] == 0]
    assert len(fitted) == 2 * FOLDS
    # One for each of the two settings, which are three candidates each, on every split.
    assert sorted(zip(fitted["candidate"] % 2, fitted["split"], strict=True)) == sorted(
        (setting, split) for setting in range(2) for split in range(FOLDS)
    )
    theirs = search(sklearn.model_selection, TfidfVectorizer(ngram_range=(1, 2)))
    assert_same(search_view(ours, TEXTS), search_view(theirs, TEXTS))


def test_nothing_is_shared_when_that_is_asked_for() -> None:
    ours = search(crossfold.model_selection, TfidfVectorizer(ngram_range=(1, 2)), share_prefixes=False)
    history = crossfold.report(ours).history
    assert len(history) == 6 * FOLDS
    assert (history["shared_seconds"] == 0).all() and not history["ways"].str.contains("prefix").any()


def test_an_unchanged_branch_is_shared_when_another_one_changes() -> None:
    words = FeatureUnion([("words", TfidfVectorizer(ngram_range=(1, 2))), ("pairs", TfidfVectorizer())])
    grid = {"text__pairs__min_df": [1, 2, 3], "model__alpha": [1.0]}
    ours = search(crossfold.model_selection, words, grid)
    history = crossfold.report(ours).history
    assert (history["shared_seconds"] == 0).sum() == FOLDS
    assert_same(search_view(ours, TEXTS), search_view(search(sklearn.model_selection, words, grid), TEXTS))


class Noting(TransformerMixin, BaseEstimator):
    """Notes every fit in a file."""

    def __init__(self, path: str) -> None:
        self.path = path

    def fit(self, X: Any, y: Any = None) -> Noting:
        with open(self.path, "a") as file:
            file.write("fit\n")
        return self

    def transform(self, X: Any) -> Any:
        return [[len(text)] for text in X]


def test_a_step_with_side_effects_runs_for_every_fit(tmp_path: Path) -> None:
    notes = tmp_path / "notes"
    grid = {"model__alpha": [0.1, 0.5, 1.0, 2.0, 5.0]}
    ours = search(crossfold.model_selection, Noting(str(notes)), grid)
    assert notes.read_text().count("fit") == 5 * FOLDS + 1
    assert (crossfold.report(ours).history["shared_seconds"] == 0).all()
