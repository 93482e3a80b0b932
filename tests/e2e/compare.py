"""Equality to the bit, for what scikit-learn's model selection returns."""

from __future__ import annotations

import re
import struct
import warnings
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from scipy import sparse
from sklearn.base import BaseEstimator

# Keys whose values are seconds: only their kind can be equal.
_TIME_ENDINGS = ("fit_time", "score_time")


@dataclass(frozen=True)
class Observation:
    """What a caller sees of one run: a value or an error, and the warnings."""

    value: Any
    error: tuple[type[BaseException], str] | None
    warnings: Counter[tuple[type[Warning], str]]


def observe(run: Callable[[], Any]) -> Observation:
    """Run, and keep the value or the exception's type and text, and every warning."""
    value, error = None, None
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            value = run()
        except Exception as exception:
            error = type(exception), _text(exception)
    return Observation(value, error, Counter((w.category, _text(w.message)) for w in caught))


def _text(message: Exception | Warning | str) -> str:
    # A traceback inside a message: scikit-learn calls fit from one of two lines, by whether callbacks
    # could listen. On the cluster none can, unless some do.
    text = re.sub(r"line \d+, in _fit_and_score", "in _fit_and_score", str(message))
    # Two runs of a case make their objects anew.
    return re.sub(r" at 0x[0-9a-f]+", "", text)


def search_view(search: Any, X: Any) -> dict[str, Any]:
    """Everything a user reads off a fitted search, the refit model's predictions included."""
    names = ("cv_results_", "best_index_", "best_score_", "best_params_", "n_splits_", "multimetric_")
    view: dict[str, Any] = {name: getattr(search, name) for name in names if hasattr(search, name)}
    for method in ("predict", "predict_proba", "decision_function", "transform"):
        if hasattr(search, "best_estimator_") and hasattr(search, method):
            view[method] = getattr(search, method)(X)
    return view


def assert_same(actual: Any, expected: Any, where: str = "value") -> None:
    """Raise AssertionError naming the place where `actual` is not `expected` to the bit.

    Types, dtypes, shapes, masks and the order of keys count. Seconds only need to be seconds.
    """
    assert type(actual) is type(expected), f"{where}: {type(actual)} instead of {type(expected)}"
    if isinstance(expected, Mapping):
        assert list(actual) == list(expected), f"{where}: keys {list(actual)} instead of {list(expected)}"
        for key in expected:
            same = _assert_same_seconds if str(key).endswith(_TIME_ENDINGS) else assert_same
            same(actual[key], expected[key], f"{where}[{key!r}]")
    elif isinstance(expected, np.ma.MaskedArray):
        _assert_same_masked(actual, expected, where)
    elif isinstance(expected, np.ndarray):
        _assert_same_array(actual, expected, where)
    elif isinstance(expected, pd.DataFrame):
        pd.testing.assert_frame_equal(actual, expected, check_exact=True, obj=where)
    elif sparse.issparse(expected):
        for part in ("data", "indices", "indptr"):
            _assert_same_array(getattr(actual, part), getattr(expected, part), f"{where}.{part}")
    elif isinstance(expected, (list, tuple)):
        assert len(actual) == len(expected), f"{where}: {len(actual)} items instead of {len(expected)}"
        for position, (left, right) in enumerate(zip(actual, expected, strict=True)):
            assert_same(left, right, f"{where}[{position}]")
    elif isinstance(expected, BaseEstimator):
        assert_same(actual.get_params(), expected.get_params(), f"{where}.get_params()")
    elif isinstance(expected, float):
        same_bits = struct.pack("d", actual) == struct.pack("d", expected)
        assert same_bits, f"{where}: {actual!r} instead of {expected!r}"
    else:
        assert actual == expected, f"{where}: {actual!r} instead of {expected!r}"


def assert_same_observation(actual: Observation, expected: Observation) -> None:
    """Raise AssertionError unless both runs showed their caller the same."""
    assert actual.error == expected.error, f"raised {actual.error} instead of {expected.error}"
    assert_same(actual.value, expected.value)
    more, missing = actual.warnings - expected.warnings, expected.warnings - actual.warnings
    assert not more and not missing, f"warned {more} instead of {missing}"


def _assert_same_masked(actual: np.ma.MaskedArray, expected: np.ma.MaskedArray, where: str) -> None:
    _assert_same_array(np.ma.getmaskarray(actual), np.ma.getmaskarray(expected), f"{where}.mask")
    assert actual.dtype == expected.dtype, f"{where}: dtype {actual.dtype} instead of {expected.dtype}"
    _assert_same_array(actual.compressed(), expected.compressed(), where)


def _assert_same_array(actual: np.ndarray, expected: np.ndarray, where: str) -> None:
    assert actual.dtype == expected.dtype, f"{where}: dtype {actual.dtype} instead of {expected.dtype}"
    assert actual.shape == expected.shape, f"{where}: shape {actual.shape} instead of {expected.shape}"
    if expected.dtype == object:
        assert_same(actual.tolist(), expected.tolist(), where)
    else:
        assert actual.tobytes() == expected.tobytes(), f"{where}: {actual!r} instead of {expected!r}"


def _assert_same_seconds(actual: np.ndarray, expected: np.ndarray, where: str) -> None:
    assert actual.dtype == expected.dtype, f"{where}: dtype {actual.dtype} instead of {expected.dtype}"
    assert actual.shape == expected.shape, f"{where}: shape {actual.shape} instead of {expected.shape}"
    assert np.all(np.isfinite(actual) == np.isfinite(expected)), f"{where}: {actual!r}"
    assert np.all(actual[np.isfinite(actual)] >= 0), f"{where}: {actual!r}"
