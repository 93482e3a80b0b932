"""Named combinations of estimator, splitter, scoring and input.

A case is a function of the module that provides model selection or ensembles, scikit-learn's or
Crossfold's. It returns what a user would look at; it must not depend on which of the two it was given.
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
    """What to run, with which module, and the kind of error that it must end with, if any."""

    module: str
    run: Callable[[Any], Any]
    raises: type[Exception] | None


_Function = Callable[[Any], Any]


def case(function: _Function) -> _Function:
    """Register a case that returns, under its function's name."""
    return _register("model_selection", function, None)


def failing_case(error: type[Exception]) -> Callable[[_Function], _Function]:
    """Register a case that raises `error`, under its function's name."""
    return lambda function: _register("model_selection", function, error)


def ensemble_case(function: _Function) -> _Function:
    """Register a case of the module of ensembles that returns, under its function's name."""
    return _register("ensemble", function, None)


def failing_ensemble_case(error: type[Exception]) -> Callable[[_Function], _Function]:
    """Register a case of the module of ensembles that raises `error`, under its function's name."""
    return lambda function: _register("ensemble", function, error)


def _register(module: str, run: _Function, raises: type[Exception] | None) -> _Function:
    assert run.__name__ not in CASES, f"two cases are named {run.__name__}"
    CASES[run.__name__] = Case(module, run, raises)
    return run


def classes(rows: int = 90, count: int = 3, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """A small classification problem: X of shape (rows, 6), y of shape (rows,)."""
    return make_classification(
        rows, n_features=6, n_informative=4, n_redundant=1, n_classes=count, random_state=seed
    )


def numbers(rows: int = 90, targets: int = 1, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """A small regression problem: X of shape (rows, 6), y of shape (rows,) or (rows, targets)."""
    return make_regression(rows, n_features=6, n_targets=targets, noise=5.0, random_state=seed)
