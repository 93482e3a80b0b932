"""A support vector machine over 64 settings × 5 folds of scikit-learn's digits."""

from __future__ import annotations

import time

import numpy as np
import sklearn.model_selection
from crossfold.model_selection import GridSearchCV
from reporting import compare, heading, leaderboard
from sklearn.datasets import load_digits
from sklearn.svm import SVC

GRID = {"C": np.logspace(0, 3, 8), "gamma": np.logspace(-4, -3, 8)}


def main() -> bool:
    """Search with Crossfold and with scikit-learn; whether both found the same."""
    heading("Support vector machine: 64 candidates x 5 folds on scikit-learn's digits")
    X, y = load_digits(return_X_y=True)

    began = time.perf_counter()
    search = GridSearchCV(SVC(), GRID, cv=5).fit(X, y)
    seconds = time.perf_counter() - began
    leaderboard(search)

    print("\nThe same search with scikit-learn in one process ...", flush=True)
    began = time.perf_counter()
    alone = sklearn.model_selection.GridSearchCV(SVC(), GRID, cv=5).fit(X, y)
    return compare(search, alone, X, seconds, time.perf_counter() - began)


if __name__ == "__main__":
    raise SystemExit(0 if main() else 1)
