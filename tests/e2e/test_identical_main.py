"""Equality for code that no worker can import: `__main__`, `python -c`, standard input, notebook cells."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from e2e.cluster import PrivateCluster

SOURCE = """
import numpy as np
import crossfold.model_selection, sklearn.model_selection
from dataclasses import dataclass
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.metrics import make_scorer
from e2e.cases import classes
from e2e.compare import assert_same_observation, observe, search_view

OFFSET = 0.125


def offset_of(y):
    return OFFSET * len(y)


class Nearest(ClassifierMixin, BaseEstimator):
    def __init__(self, power=1.0, weigh=None):
        self.power = power
        self.weigh = weigh

    def fit(self, X, y):
        self.classes_ = np.unique(y)
        rows = X if self.weigh is None else self.weigh(X)
        means = [rows[y == label].mean(axis=0) for label in self.classes_]
        self.centroids_ = np.stack(means) + offset_of(self.classes_)
        return self

    def predict(self, X):
        distances = np.abs(X[:, None, :] - self.centroids_[None]) ** self.power
        return self.classes_[distances.sum(axis=2).argmin(axis=1)]


class Slanted(Nearest):
    def predict(self, X):
        return super().predict(X + self.slant())

    @staticmethod
    def slant():
        return OFFSET


@dataclass
class Halved:
    factor: float

    def __call__(self, X):
        return X * self.factor


def closure(factor):
    return lambda X: np.sign(X) * np.abs(X) ** factor


def right(y, predicted):
    return float(np.mean(y == predicted)) - OFFSET


def run(ms):
    X, y = classes()
    grid = {"power": [0.5, 2.0], "weigh": [None, Halved(0.5), Halved(1.5)]}
    search = ms.GridSearchCV(Slanted(), grid, cv=3, scoring=make_scorer(right), return_train_score=True)
    weigh = closure(0.5)
    scores = ms.cross_val_score(Nearest(weigh=weigh), X, y, scoring=lambda model, X, y: -model.score(X, y))
    models = ms.cross_validate(Slanted(), X, y, return_estimator=True)["estimator"]
    predicted = ms.cross_val_predict(Slanted(weigh=weigh), X, y)
    return search_view(search.fit(X, y), X), scores, [model.predict(X) for model in models], predicted


expected = observe(lambda: run(sklearn.model_selection))
actual = observe(lambda: run(crossfold.model_selection))
assert expected.error is None, expected.error
assert_same_observation(actual, expected)
print("identical")
"""

# What a notebook does: the cell is compiled under a name that is no file and run inside `__main__`.
NOTEBOOK = """
import __main__, sys
cells = sys.stdin.read().split("\\n\\n\\n")
for number, cell in enumerate(cells):
    exec(compile(cell, f"<ipython-input-{number}>", "exec"), __main__.__dict__)
"""


@pytest.mark.timeout(90)
@pytest.mark.parametrize("way", ["script", "command", "stdin", "notebook"])
def test_code_of_main_equals_scikit_learn(
    way: str, shared_cluster: PrivateCluster, script: Callable[..., Path], tmp_path: Path
) -> None:
    arguments, stdin = {
        "script": ([str(script(SOURCE))], ""),
        "command": (["-c", SOURCE], ""),
        "stdin": (["-"], SOURCE),
        "notebook": (["-c", NOTEBOOK], SOURCE),
    }[way]

    done = subprocess.run(
        [sys.executable, *arguments],
        input=stdin,
        env=shared_cluster.environment(),
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=80,
    )

    assert done.returncode == 0, done.stderr
    assert done.stdout == "identical\n"
    assert done.stderr == ""


@pytest.mark.timeout(60)
def test_a_module_beside_the_script_is_found_by_the_workers(
    shared_cluster: PrivateCluster, script: Callable[..., Path]
) -> None:
    script(SOURCE[: SOURCE.index("def run(ms)")].replace("0.125", "0.25"), name="beside_the_script.py")
    main = script(
        """
import crossfold.model_selection, sklearn.model_selection
from beside_the_script import *

X, y = classes()
arguments = Slanted(), X, y
expected = sklearn.model_selection.cross_val_score(*arguments, scoring=make_scorer(right))
print((crossfold.model_selection.cross_val_score(*arguments, scoring=make_scorer(right)) == expected).all())
"""
    )

    assert shared_cluster.run(main) == "True\n"
