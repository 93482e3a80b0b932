"""What Crossfold returns is what scikit-learn returns in one process, to the bit."""

from __future__ import annotations

import importlib
import inspect
import pickle
import pkgutil
import re
from typing import Any

import crossfold.model_selection
import pytest
import sklearn.model_selection
from sklearn.base import clone
from sklearn.svm import SVC

from e2e import cases
from e2e.compare import assert_same, assert_same_observation, observe, search_view

pytestmark = pytest.mark.timeout(60)

for _module in pkgutil.iter_modules(cases.__path__):
    importlib.import_module(f"{cases.__name__}.{_module.name}")


@pytest.mark.parametrize("name", cases.CASES)
def test_equals_scikit_learn(name: str) -> None:
    case = cases.CASES[name]
    theirs = importlib.import_module(f"sklearn.{case.module}")
    ours = importlib.import_module(f"crossfold.{case.module}")

    expected = observe(lambda: case.run(theirs))
    actual = observe(lambda: case.run(ours))

    assert (expected.error and expected.error[0]) == case.raises
    assert_same_observation(actual, expected)


def verbose_lines(ms: Any, printed: pytest.CaptureFixture[str]) -> list[str]:
    """What a search prints at its most talkative, without its times."""
    ms.GridSearchCV(SVC(), {"C": [0.1, 1.0]}, cv=2, verbose=10, n_jobs=None, refit=False).fit(
        *cases.classes()
    )
    lines = re.sub(r"total time=.*", "", printed.readouterr().out).splitlines()
    return sorted(line for line in lines if line.startswith(("[CV", "Fitting")))


def test_verbose_output_reaches_the_callers_stdout(capsys: pytest.CaptureFixture[str]) -> None:
    expected = verbose_lines(sklearn.model_selection, capsys)
    assert len(expected) == 9
    assert verbose_lines(crossfold.model_selection, capsys) == expected


def test_a_search_is_cloned_printed_and_pickled_as_scikit_learns() -> None:
    ours, theirs = (
        ms.GridSearchCV(SVC(), {"C": [0.1, 1.0]}, cv=3)
        for ms in (crossfold.model_selection, sklearn.model_selection)
    )
    assert repr(ours) == repr(theirs)
    mine, other = (inspect.signature(type(search)).parameters for search in (ours, theirs))
    assert [str(mine[name]) for name in other] == list(map(str, other.values()))
    assert repr(clone(ours)) == repr(theirs)
    X, y = cases.classes()
    copy = pickle.loads(pickle.dumps(ours.fit(X, y)))
    assert_same(search_view(copy, X), search_view(theirs.fit(X, y), X))
