"""Whatever search is drawn, Crossfold shows its caller what scikit-learn shows, to the bit."""

from __future__ import annotations

import os

import crossfold.model_selection
import pytest
import sklearn.model_selection
from hypothesis import HealthCheck, given, settings

from e2e.compare import assert_same_observation, observe
from e2e.drawn import Case, cases

# More, and others each time: CROSSFOLD_DIFFERENTIAL_CASES=5000 .venv/bin/python -m pytest --timeout 0 FILE
_CASES = os.environ.get("CROSSFOLD_DIFFERENTIAL_CASES")


@pytest.mark.timeout(0 if _CASES else 1200)
@settings(
    max_examples=int(_CASES or 500),
    derandomize=_CASES is None,
    deadline=None,
    database=None,
    print_blob=False,
    report_multiple_bugs=False,
    suppress_health_check=list(HealthCheck),
)
@given(cases())
def test_a_drawn_search_equals_scikit_learns(case: Case) -> None:
    expected = observe(lambda: case.run(sklearn.model_selection))
    actual = observe(lambda: case.run(crossfold.model_selection))
    assert_same_observation(actual, expected)
