"""Drop-ins as a person meets them: what is printed, what errors say, and that work overlaps."""

from __future__ import annotations

import importlib
import re
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import crossfold
import numpy as np
import pytest
from crossfold.ensemble import StackingRegressor
from sklearn.base import BaseEstimator, RegressorMixin
from sklearn.experimental import enable_halving_search_cv  # noqa: F401 - scikit-learn's own need it
from sklearn.linear_model import Ridge
from sklearn.naive_bayes import GaussianNB
from sklearn.svm import SVC
from sklearn.tree import DecisionTreeClassifier

from e2e import cases
from e2e.cluster import PrivateCluster

pytestmark = pytest.mark.timeout(60)

_SVC_GRID = {"C": [0.1, 1.0, 10.0]}
_MEMBERS = [("tree", DecisionTreeClassifier(random_state=0)), ("bayes", GaussianNB())]

TALKATIVE: dict[str, tuple[str, Callable[[Any, Any, Any], Any]]] = {
    "halving": (
        "model_selection",
        lambda m, X, y: m.HalvingGridSearchCV(SVC(), _SVC_GRID, cv=2, verbose=3, random_state=0).fit(X, y),
    ),
    "randomized": (
        "model_selection",
        lambda m, X, y: m.RandomizedSearchCV(SVC(), _SVC_GRID, n_iter=2, cv=2, verbose=3, random_state=0).fit(
            X, y
        ),
    ),
    "learning_curve": (
        "model_selection",
        lambda m, X, y: m.learning_curve(SVC(), X, y, cv=2, train_sizes=[0.5, 1.0], shuffle=True, verbose=2),
    ),
    "voting": ("ensemble", lambda m, X, y: m.VotingClassifier(_MEMBERS, verbose=True).fit(X, y)),
}


@pytest.mark.parametrize("name", TALKATIVE)
def test_what_is_printed_is_what_scikit_learn_prints(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    module, run = TALKATIVE[name]
    printed = []
    for package in ("sklearn", "crossfold"):
        run(importlib.import_module(f"{package}.{module}"), *cases.classes())
        # Times differ, and so does the order of what runs side by side; joblib names its backend.
        lines = re.sub(r"total= *.*|total time=.*", "", capsys.readouterr().out).splitlines()
        printed.append(sorted(line for line in lines if not line.startswith("[Parallel")))
    theirs, ours = printed
    assert ours == theirs
    assert theirs


def test_an_attribute_error_has_the_same_causes() -> None:
    causes = []
    for package in ("sklearn", "crossfold"):
        search = importlib.import_module(f"{package}.model_selection").GridSearchCV(SVC(), _SVC_GRID)
        with pytest.raises(AttributeError) as caught:
            search.predict_proba  # noqa: B018
        error, chain = caught.value, []
        while error is not None:
            chain.append((type(error), str(error)))
            error = error.__cause__
        causes.append(chain)
    assert causes[0] == causes[1]
    assert len(causes[0]) > 1


class WaitsForAFold(RegressorMixin, BaseEstimator):
    """Fitted on all rows, it waits until a fit on fewer rows has begun."""

    def __init__(self, signal: str, rows: int) -> None:
        self.signal = signal
        self.rows = rows

    def fit(self, X: Any, y: Any) -> WaitsForAFold:
        self.mean_ = float(np.mean(y))
        if len(X) < self.rows:
            Path(self.signal).touch()
        deadline = time.monotonic() + 30
        while not Path(self.signal).exists():
            assert time.monotonic() < deadline, "no fold was fitted meanwhile"
            time.sleep(0.01)
        return self

    def predict(self, X: Any) -> np.ndarray:
        return np.full(len(X), self.mean_)


def test_a_stack_fits_folds_while_it_fits_all_rows(tmp_path: Path) -> None:
    X, y = cases.numbers(60)
    StackingRegressor([("waits", WaitsForAFold(str(tmp_path / "fold"), 60))], Ridge(), cv=3).fit(X, y)


def test_a_stack_fits_nothing_twice() -> None:
    X, y = cases.numbers(60)
    before = crossfold.stats()
    StackingRegressor([("one", Ridge()), ("two", Ridge(2.0)), ("three", Ridge(3.0))], cv=4).fit(X, y)
    after = crossfold.stats()
    assert after["calls_completed"] - before["calls_completed"] == 3
    assert after["fits_completed"] - before["fits_completed"] == 3 * 4


ARRAY_API = """
import os
# Before scikit-learn and SciPy are imported, here and in the workers, which inherit it.
os.environ["SCIPY_ARRAY_API"] = "1"
import array_api_strict as xp
import crossfold.ensemble, crossfold.model_selection, sklearn.ensemble, sklearn.model_selection
import numpy as np
import sklearn
from e2e.cases import classes, numbers
from e2e.compare import assert_same
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis as LDA
from sklearn.linear_model import Ridge

def run(ms, es):
    X, y = map(xp.asarray, classes())
    rows, target = map(xp.asarray, numbers())
    search = ms.GridSearchCV(LDA(), {"tol": [1e-4, 1e-2]}, cv=3, error_score="raise").fit(X, y)
    predicted = search.predict(X), ms.cross_val_predict(LDA(), X, y, cv=3)
    assert all(type(values) is type(X) for values in predicted)
    scores = ms.cross_val_score(Ridge(solver="svd"), rows, target, cv=3)
    curve = ms.learning_curve(LDA(), X, y, cv=3, train_sizes=[0.5, 1.0])
    stack = es.StackingClassifier([("lda", LDA()), ("other", LDA(tol=0.1))], cv=3).fit(*classes())
    arrays = [np.asarray(values) for values in predicted]
    return search.cv_results_, arrays, scores, curve, stack.transform(classes()[0])

with sklearn.config_context(array_api_dispatch=True):
    expected = run(sklearn.model_selection, sklearn.ensemble)
    assert_same(run(crossfold.model_selection, crossfold.ensemble), expected)
print("identical")
"""


def test_arrays_of_another_library(cluster: PrivateCluster, script: Callable[..., Path]) -> None:
    assert cluster.run(script(ARRAY_API)) == "identical\n"
