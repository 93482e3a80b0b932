"""What the fault tests share: a gate, a client that searches behind it, and what it must find."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from sklearn.datasets import load_iris
from sklearn.model_selection import GridSearchCV
from sklearn.svm import SVC

from faults.gate import Gate

# Prints the scores of a search whose fits wait at the gate in the folder named on the command line.
GATED_SEARCH = """
import sys
from crossfold.model_selection import GridSearchCV
from faults.gate import GatedSVC
from sklearn.datasets import load_iris

search = GridSearchCV(GatedSVC(sys.argv[1]), {"C": [0.1, 1.0, 10.0]}, cv=4, refit=False)
search.fit(*load_iris(return_X_y=True))
print(search.cv_results_["mean_test_score"].tobytes().hex())
"""


@pytest.fixture
def gate(tmp_path: Path) -> Iterator[Gate]:
    """A closed gate in the test's folder."""
    closed = Gate(tmp_path)
    yield closed
    closed.close()


@pytest.fixture
def gated_search(script: Callable[..., Path]) -> Path:
    """A client of 12 fits; its argument is the gate's folder."""
    return script(GATED_SEARCH)


@pytest.fixture(scope="session")
def right_answer() -> str:
    """What the gated search prints, by scikit-learn alone."""
    search = GridSearchCV(SVC(), {"C": [0.1, 1.0, 10.0]}, cv=4, refit=False)
    search.fit(*load_iris(return_X_y=True))
    return search.cv_results_["mean_test_score"].tobytes().hex() + "\n"
