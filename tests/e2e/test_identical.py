"""What Crossfold returns is what scikit-learn returns in one process, to the bit."""

from __future__ import annotations

import importlib
import pkgutil

import crossfold.model_selection
import pytest
import sklearn.model_selection

from e2e import cases
from e2e.compare import assert_same_observation, observe

for _module in pkgutil.iter_modules(cases.__path__):
    importlib.import_module(f"{cases.__name__}.{_module.name}")


@pytest.mark.timeout(60)
@pytest.mark.parametrize("name", cases.CASES)
def test_equals_scikit_learn(name: str) -> None:
    case = cases.CASES[name]

    expected = observe(lambda: case.run(sklearn.model_selection))
    actual = observe(lambda: case.run(crossfold.model_selection))

    assert (expected.error and expected.error[0]) == case.raises
    assert_same_observation(actual, expected)
