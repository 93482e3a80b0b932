"""What a slot does once for many fits where scikit-learn does it for each."""

from __future__ import annotations

import re
import warnings
from typing import Any

import pytest
from sklearn import get_config
from sklearn.base import BaseEstimator, clone
from sklearn.utils.parallel import _FuncWrapper

from crossfold._runtime import _signatures
from crossfold._runtime._wrapped import Wrapped

FILTERS = [
    ("error", None, RuntimeWarning, None, 0),
    ("ignore", re.compile("over.*", re.IGNORECASE), UserWarning, re.compile("numpy"), 3),
    ("once", "plain text", FutureWarning, None, 0),
    ("default", None, (UserWarning, DeprecationWarning), None, 7),
    ("error", None, RuntimeWarning, None, 0),
]


def around() -> tuple[list[Any], dict[str, Any]]:
    """What holds around the function; it leaves a filter of its own behind."""
    seen = list(warnings.filters), get_config()
    warnings.simplefilter("always")
    return seen


def test_a_fit_runs_under_the_filters_and_the_configuration_of_scikit_learns_wrapper() -> None:
    config = {**get_config(), "assume_finite": True}
    wrapper = _FuncWrapper(around).with_config_and_warning_filters(config, FILTERS)
    before = list(warnings.filters)
    wrapped = Wrapped(wrapper)
    assert wrapped() == wrapped() == wrapper()
    assert wrapped()[1]["assume_finite"] is True
    assert list(warnings.filters) == before


def test_a_warning_that_is_shown_once_is_shown_once_in_every_fit() -> None:
    def work() -> None:
        for _ in range(2):
            warnings.warn("again", UserWarning, stacklevel=1)

    wrapper = _FuncWrapper(work).with_config_and_warning_filters(
        get_config(), [("default", None, UserWarning, None, 0)]
    )
    wrapped = Wrapped(wrapper)
    shown: list[str] = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(warnings, "showwarning", lambda message, *_, **__: shown.append(str(message)))
        wrapped()
        wrapped()
    assert shown == ["again", "again"]


def test_a_function_without_filters_is_called_as_it_is() -> None:
    assert Wrapped(divmod)(7, 2) == (3, 1)
    with pytest.warns(UserWarning, match="should be used with"):
        Wrapped(_FuncWrapper(around))()


def test_parameters_are_those_of_the_constructor_a_class_has_now(monkeypatch: pytest.MonkeyPatch) -> None:
    class Estimator(BaseEstimator):  # type: ignore[misc]
        def __init__(self, b: int = 1, a: int = 2) -> None:
            self.a, self.b = a, b

    class Greedy(BaseEstimator):  # type: ignore[misc]
        def __init__(self, *rest: int) -> None: ...

    def other(self: Any, c: int = 3) -> None:
        self.c = c

    monkeypatch.setattr(BaseEstimator, "_get_param_names", BaseEstimator.__dict__["_get_param_names"])
    _signatures.remember()
    Estimator._get_param_names().clear()
    assert clone(Estimator(5)).get_params() == {"a": 2, "b": 5}
    Estimator.__init__ = other  # type: ignore[method-assign, assignment]
    assert Estimator().get_params() == {"c": 3}
    for _ in range(2):
        with pytest.raises(RuntimeError, match="no varargs"):
            Greedy().get_params()
