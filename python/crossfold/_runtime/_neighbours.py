"""Neighbours: the search for the most that any member of a family asks for answers all of them.

The k nearest are the first k of more, unless distances are equal: how those are ordered depends on k.
Rows with such distances are searched for again; so is everything where each row can't be by itself.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics._pairwise_distances_reduction import ArgKmin
from sklearn.utils.validation import validate_data

Found = tuple[NDArray[Any], NDArray[Any]]

# A tree leaves out what can't be nearer than the last it has: up to rounding, which is far below this.
_APART = 1e-6


def is_by_order(model: Any, X: Any) -> bool:
    """Whether a fitted model finds neighbours by the order of distances that do not depend on k."""
    if model._fit_method == "brute":
        return bool(ArgKmin.is_usable_for(X, model._fit_X, model.effective_metric_))
    return model._fit_method in ("kd_tree", "ball_tree")


def first(model: Any, X: Any, found: Found, k: int) -> Found | None:
    """Distances and positions of the ``k`` nearest of those found, at least one more unless that is all.

    None where rows with equal distances can't be searched for by themselves.
    """
    distances, positions = found
    rows = ~_are_apart(distances[:, : k + 1], 0.0 if model._fit_method == "brute" else _APART)
    result = np.ascontiguousarray(distances[:, :k]), np.ascontiguousarray(positions[:, :k])
    if not rows.any():
        return result
    if model._fit_method == "brute":
        return None
    queries = validate_data(model, X, reset=False, order="C")[rows]
    for values, own in zip(result, model._tree.query(queries, k, True), strict=True):
        values[rows] = own
    return result


def _are_apart(distances: NDArray[Any], share: float) -> NDArray[np.bool_]:
    """For each row, whether its distances, in order, differ by more than a share of them."""
    steps = np.diff(distances, axis=1) > share * distances[:, 1:]
    return np.asarray(steps.all(axis=1))
