"""Combining what fitted members predict for new rows, the way the coordinator combines out-of-fold
predictions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.stats import rankdata


def mean(members: Sequence[Any], weights: NDArray[np.float64], X: Any, method: str, classes: Any) -> Any:
    """Average the members' outputs, with columns for all classes; (rows,) or (rows, outputs)."""
    total: Any = None
    for member, weight in zip(members, weights, strict=True):
        part = outputs(member, X, method, classes) * weight
        total = part if total is None else total + part
    return total / weights.sum()


def rank_mean(members: Sequence[Any], weights: NDArray[np.float64], X: Any, method: str, classes: Any) -> Any:
    """Average the members' ranks of the rows of X among each other, scaled to lie within ±1/2."""
    total: Any = None
    for member, weight in zip(members, weights, strict=True):
        values = outputs(member, X, method, classes)
        if values.ndim == 2 and values.shape[1] == 2:
            values = values[:, 1]
        part = ((rankdata(values, axis=0) - (len(values) + 1) / 2) / len(values)) * weight
        total = part if total is None else total + part
    return total / weights.sum()


def vote(members: Sequence[Any], weights: NDArray[np.float64], X: Any, classes: NDArray[Any]) -> NDArray[Any]:
    """Return the class with the most votes, the first such class on a tie."""
    votes: Any = None
    for member, weight in zip(members, weights, strict=True):
        part = (np.asarray(member.predict(X))[:, None] == classes) * weight
        votes = part if votes is None else votes + part
    chosen: NDArray[Any] = classes[votes.argmax(axis=1)]
    return chosen


def labels(values: NDArray[np.float64], classes: NDArray[Any]) -> NDArray[Any]:
    """Return the classes that probabilities or decisions stand for."""
    positions = (values > 0).astype(int) if values.ndim == 1 else values.argmax(axis=1)
    chosen: NDArray[Any] = classes[positions]
    return chosen


def outputs(member: Any, X: Any, method: str, classes: Any) -> NDArray[np.float64]:
    """Return a member's output with a column for each of the classes.

    One that was fitted without some class gives it probability 0, or the smallest decision.
    """
    values: NDArray[np.float64] = np.asarray(getattr(member, method)(X), np.float64)
    if classes is None or values.ndim == 1 or len(member.classes_) == len(classes):
        return values
    fill = 0.0 if method == "predict_proba" else np.finfo(np.float64).min
    full = np.full((len(values), len(classes)), fill)
    full[:, np.searchsorted(classes, member.classes_)] = values
    return full
