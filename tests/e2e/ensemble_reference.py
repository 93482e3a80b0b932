"""Greedy forward selection in plain numpy, and the scores it goes by: what the coordinator must equal."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from sklearn.base import clone
from sklearn.metrics import accuracy_score, log_loss
from sklearn.model_selection import ParameterGrid, cross_val_predict


def accuracy(labels: np.ndarray, probabilities: np.ndarray) -> float:
    """The scorer "accuracy" of out-of-fold probabilities; labels are 0, 1, …"""
    return float(accuracy_score(labels, probabilities.argmax(axis=1)))


def neg_log_loss(labels: np.ndarray, probabilities: np.ndarray) -> float:
    """The scorer "neg_log_loss" of out-of-fold probabilities."""
    return -float(log_loss(labels, probabilities, labels=range(probabilities.shape[1])))


def out_of_fold(candidates: Sequence[Any], X: Any, y: Any, cv: Any) -> list[np.ndarray]:
    """Each candidate's probabilities for every row, by scikit-learn alone."""
    return [
        cross_val_predict(clone(estimator).set_params(**params), X, y, cv=cv, method="predict_proba")
        for estimator, grid in candidates
        for params in ParameterGrid(grid)
    ]


def greedy(
    library: Sequence[np.ndarray],
    labels: np.ndarray,
    score: Callable[..., float],
    rounds: int,
    initial: int = 0,
) -> tuple[np.ndarray, float]:
    """The weights of the best round and its score; ties go to the first candidate and round.

    It starts from the best `initial` candidates, as many of them as score best together.
    """
    singles = [score(labels, member) for member in library]
    ranked = sorted(range(len(library)), key=lambda candidate: -singles[candidate])[:initial]
    together = np.cumsum([library[candidate] for candidate in ranked], axis=0)
    scores = [score(labels, total / size) for size, total in enumerate(together, 1)]
    scores = scores[: int(np.argmax(scores)) + 1] if scores else []
    picks = ranked[: len(scores)]
    total = together[len(picks) - 1] if picks else np.zeros_like(library[0])
    for size in range(len(picks) + 1, rounds + 1):
        trials = [score(labels, (total + member) / size) for member in library]
        best = int(np.argmax(trials))
        picks.append(best)
        scores.append(trials[best])
        total = total + library[best]
    kept = int(np.argmax(scores)) + 1
    return np.bincount(picks[:kept], minlength=len(library)) / kept, scores[kept - 1]
