"""320 SVC fits on scikit-learn's digits: 64 candidates x 5 folds."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

import crossfold.model_selection
import numpy as np
import sklearn.model_selection
from sklearn.datasets import load_digits
from sklearn.svm import SVC

from bench.figures import CORES, Figure, ResultsDiffer, interleaved, medians

REPEAT = 3
GRID = {"C": np.logspace(-2, 3, 8), "gamma": np.logspace(-6, -1, 8)}


def run(peers: Sequence[str], repeat: int) -> list[Figure]:
    """Seconds of `fit` with both sides warm."""
    X, y = load_digits(return_X_y=True)
    latest: dict[str, Any] = {}

    def search(name: str) -> float:
        if name == "crossfold":
            latest[name] = crossfold.model_selection.GridSearchCV(SVC(), GRID, cv=5, refit=False)
        else:
            latest[name] = sklearn.model_selection.GridSearchCV(SVC(), GRID, cv=5, refit=False, n_jobs=CORES)
        began = time.perf_counter()
        latest[name].fit(X, y)
        return time.perf_counter() - began

    sides = ["crossfold", *peers]
    for name in sides:
        _warm_up(name, X, y)
    measured = interleaved({name: lambda name=name: search(name) for name in sides}, repeat)
    for name in peers:
        _check(latest["crossfold"].cv_results_, latest[name].cv_results_, name)

    seconds = medians(measured)
    ours = seconds.pop("crossfold")
    work = _work(latest["crossfold"].cv_results_)
    ratio = seconds[peers[0]] / ours if peers else None
    return [
        Figure(
            case="plain",
            what="320 SVC fits",
            unit="s",
            ours=ours,
            spread=(min(measured["crossfold"]), max(measured["crossfold"])),
            peers=seconds,
            ratio=ratio,
            goal="ratio >= 1",
            met=ratio is None or ratio >= 1,
            note=f"same work; {work / CORES / ours:.0%} of the limit (sum of fits / {CORES} cores)",
        )
    ]


def _warm_up(name: str, X: np.ndarray, y: np.ndarray) -> None:
    module, jobs = (
        (crossfold.model_selection, None) if name == "crossfold" else (sklearn.model_selection, CORES)
    )
    module.cross_val_score(SVC(), X[:200], y[:200], cv=4, n_jobs=jobs)


def _check(ours: dict[str, Any], theirs: dict[str, Any], name: str) -> None:
    for key in theirs:
        if "_test_" in key and ours[key].tobytes() != theirs[key].tobytes():
            raise ResultsDiffer(f"{key} of crossfold is not that of {name}")


def _work(results: dict[str, Any]) -> float:
    return float(5 * (results["mean_fit_time"].sum() + results["mean_score_time"].sum()))
