"""Named combinations of estimator, splitter, scoring and input.

A case is a function of the module that provides model selection, scikit-learn's or Crossfold's. It
returns what a user would look at; it must not depend on which of the two it was given.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from sklearn.datasets import make_classification, make_regression

CASES: dict[str, Case] = {}


@dataclass(frozen=True)
class Case:
    """What to run, and the kind of error that it must end with, if any."""

    run: Callable[[Any], Any]
    raises: type[Exception] | None


def case(function: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """Register a case that returns, under its function's name."""
    return _register(function, None)


def failing_case(error: type[Exception]) -> Callable[[Callable[[Any], Any]], Callable[[Any], Any]]:
    """Register a case that raises `error`, under its function's name."""
    return lambda function: _register(function, error)


def _register(run: Callable[[Any], Any], raises: type[Exception] | None) -> Callable[[Any], Any]:
    assert run.__name__ not in CASES, f"two cases are named {run.__name__}"
    CASES[run.__name__] = Case(run, raises)
    return run


def classes(rows: int = 90, count: int = 3, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """A small classification problem: X of shape (rows, 6), y of shape (rows,)."""
    return make_classification(
        rows, n_features=6, n_informative=4, n_redundant=1, n_classes=count, random_state=seed
    )


def numbers(rows: int = 90, targets: int = 1, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """A small regression problem: X of shape (rows, 6), y of shape (rows,) or (rows, targets)."""
    return make_regression(rows, n_features=6, n_targets=targets, noise=5.0, random_state=seed)
