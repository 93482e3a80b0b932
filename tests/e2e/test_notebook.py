"""In a notebook: output and progress below the cell, its stop button, classes written anew."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from faults.gate import Gate
from faults.test_killed import wait_for_end

from e2e.cluster import PrivateCluster
from e2e.notebook import Notebook

pytestmark = pytest.mark.timeout(90)

SETUP = """
import numpy as np
import crossfold
from crossfold.model_selection import GridSearchCV, cross_val_score
from sklearn.base import BaseEstimator

X, y = np.arange(40.0).reshape(20, 2), np.arange(20) % 2


class Prints(BaseEstimator):
    def fit(self, X, y):
        print("fitted", len(X))
        return self

    def score(self, X, y):
        return 1.0
"""


@pytest.fixture(scope="module")
def notebook(shared_cluster: PrivateCluster) -> Iterator[Notebook]:
    environment = shared_cluster.environment()
    del environment["CROSSFOLD_PROGRESS"]
    with Notebook(environment) as running:
        assert running.run(SETUP).error is None
        yield running


def test_output_and_progress_appear_below_the_cell_that_called_fit(notebook: Notebook) -> None:
    first = notebook.run("scores = cross_val_score(Prints(), X, y, cv=4)")
    second = notebook.run("cross_val_score(Prints(), X[:10], y[:10], cv=2).tolist()")

    assert first.stdout == "fitted 15\n" * 4
    assert "cross_val_score: 100%" in first.stderr and "4/4" in first.stderr
    assert second.stdout == "fitted 5\n" * 2
    assert "cross_val_score: 100%" in second.stderr and "2/2" in second.stderr
    assert second.values == ["[1.0, 1.0]"]


def test_a_missing_ipywidgets_is_no_noise(notebook: Notebook) -> None:
    cell = notebook.run(
        """
import sys, warnings

for name in [name for name in sys.modules if name.startswith("tqdm")]:
    del sys.modules[name]
warnings.simplefilter("always")
cross_val_score(Prints(), X, y, cv=2).tolist()
"""
    )
    assert (cell.error, cell.values) == (None, ["[1.0, 1.0]"])
    assert "100%" in cell.stderr
    assert "Warning" not in cell.stderr


def test_the_stop_button_stops_the_fits_and_the_kernel_goes_on(notebook: Notebook, tmp_path: Path) -> None:
    gate = Gate(tmp_path)
    source = f"""
from faults.gate import GatedSVC
search = GridSearchCV(GatedSVC({str(tmp_path)!r}), {{"C": [0.1, 1.0, 10.0]}}, cv=2).fit(X, y)
"""
    cell = notebook.start(source)
    running = [gate.wait_for_fit(), gate.wait_for_fit()]

    notebook.interrupt()
    wait_for_end(running, 2)
    # The kernel takes its own time to draw the traceback.
    assert notebook.wait(cell, 20).error == "KeyboardInterrupt"

    assert notebook.run("crossfold.stats()['jobs_running']").values == ["0"]
    gate.open()
    assert notebook.run(source + "\nlen(search.cv_results_['params'])").values == ["3"]
    gate.close()


# What a person changes between two runs of the same search, and the score that each must have.
EDITS = {
    "class": (
        """
class Model(BaseEstimator):
    def fit(self, X, y):
        return self

    def score(self, X, y):
        return VERSION
""",
        "Model()",
    ),
    "base class": (
        """
class Base(BaseEstimator):
    def score(self, X, y):
        return VERSION


class Model(Base):
    def fit(self, X, y):
        return self
""",
        "Model()",
    ),
    "function that a function calls": (
        """
def inner(value):
    return VERSION


if "outer" not in globals():
    def outer(model, X, y):
        return inner(len(X))
""",
        "Prints(), scoring=outer",
    ),
    "variable that a function reads": (
        """
OFFSET = VERSION

if "reads" not in globals():
    def reads(model, X, y):
        return OFFSET
""",
        "Prints(), scoring=reads",
    ),
    "nested class": (
        """
class Outside:
    class Model(BaseEstimator):
        def fit(self, X, y):
            return self

        def score(self, X, y):
            return VERSION
""",
        "Outside.Model()",
    ),
    "dataclass": (
        """
from dataclasses import dataclass


@dataclass
class Scorer:
    factor: float = VERSION

    def __call__(self, model, X, y):
        return self.factor
""",
        "Prints(), scoring=Scorer()",
    ),
    "method put in place of another": (
        """
if "Patched" not in globals():
    class Patched(Prints):
        pass

Patched.score = lambda self, X, y: VERSION
""",
        "Patched()",
    ),
}


@pytest.mark.parametrize("edit", EDITS)
def test_what_a_cell_defines_anew_is_used(notebook: Notebook, edit: str) -> None:
    definition, arguments = EDITS[edit]
    estimator, _, rest = arguments.partition(", ")
    call = f"cross_val_score({estimator}, X, y, cv=4{', ' + rest if rest else ''}).tolist()"
    for version in ("1.0", "2.0", "3.0"):
        cell = notebook.run(definition.replace("VERSION", version) + call)
        assert (cell.error, cell.values) == (None, [f"[{', '.join([version] * 4)}]"])


def test_a_model_that_came_back_leaves_its_class_as_it_was(notebook: Notebook) -> None:
    define = """
from crossfold.model_selection import cross_validate


def helper():
    return 1.0


class Returned(BaseEstimator):
    def fit(self, X, y):
        self.fitted_ = helper()
        return self

    def score(self, X, y):
        return self.fitted_


models = cross_validate(Returned(), X, y, cv=2, return_estimator=True)["estimator"]
[type(model) is Returned and model.fitted_ for model in models]
"""
    assert notebook.run(define).values == ["[1.0, 1.0]"]
    redefine = "def helper():\n    return 2.0\n\ncross_val_score(Returned(), X, y, cv=2).tolist()"
    assert notebook.run(redefine).values == ["[2.0, 2.0]"]


def test_a_function_of_a_parallel_is_used_as_it_is_defined_now(notebook: Notebook) -> None:
    source = """
import joblib, crossfold.joblib


def helper(x):
    return FACTOR * x


def call(x):
    return helper(x)


with joblib.parallel_config("crossfold"):
    found = joblib.Parallel()(joblib.delayed(call)(x) for x in range(4))
found
"""
    for factor in (2, 3):
        cell = notebook.run(source.replace("FACTOR", str(factor)))
        assert (cell.error, cell.values) == (None, [str([factor * x for x in range(4)])])
