"""Validation data reach the estimator that is fitted last, in the way it takes them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.datasets import load_iris
from sklearn.model_selection._validation import _fit_and_score
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import MinMaxScaler, StandardScaler
from sklearn.svm import SVC

from crossfold import _eval_set
from crossfold._runtime._eval_set import attach

X, y = load_iris(return_X_y=True)
TRAIN, TEST = np.arange(0, 150, 2), np.arange(1, 150, 2)


class Records(ClassifierMixin, BaseEstimator):
    """Keeps what its fit was given."""

    def __init__(self, key: int = 0) -> None:
        self.key = key

    def keep(self, y: Any, given: Any) -> Any:
        self.classes_ = np.unique(y)
        self.given_ = given
        return self

    def score(self, X: Any, y: Any) -> float:
        return 0.5


class TakesXVal(Records):
    def fit(self, X: Any, y: Any, *, X_val: Any = None, y_val: Any = None) -> Any:
        return self.keep(y, (X_val, y_val))


class TakesEvalSet(Records):
    def fit(self, X: Any, y: Any, eval_set: Any = None, sample_weight: Any = None) -> Any:
        self.weight_ = sample_weight
        return self.keep(y, *eval_set)


class SKLBase(Records):
    """Behaves as Keras's wrappers do: encodes targets in fit, and stores arguments in its parameter."""

    __module__ = "keras.double"

    def __init__(self, key: int = 0, fit_kwargs: Any = None) -> None:
        super().__init__(key)
        self.fit_kwargs = fit_kwargs

    def _process_target(self, y: Any, reset: bool = False) -> Any:
        if reset:
            self.encoded_ = np.unique(y)
        return np.searchsorted(self.encoded_, y) * 10

    def fit(self, X: Any, y: Any, **kwargs: Any) -> Any:
        self.fit_kwargs.update(kwargs)
        self._process_target(y, reset=True)
        return self.keep(y, kwargs["validation_data"])


def fit(estimator: Any, parameters: dict[str, Any], **fit_params: Any) -> Any:
    """One fit as a worker runs it; what was fitted."""
    attach(estimator, X, y, TRAIN, TEST)
    result = _fit_and_score(
        estimator, X, y, scorer=lambda e, X, y: 0.5, train=TRAIN, test=TEST, verbose=0,
        parameters=parameters, fit_params=fit_params, score_params={}, error_score="raise",
        return_estimator=True,
    )  # fmt: skip
    fitted = result["estimator"]
    assert "fit" not in vars(fitted) and "fit" not in vars(_eval_set.last_step(fitted))
    return fitted


@pytest.mark.parametrize("estimator", [TakesXVal(), TakesEvalSet()], ids=repr)
def test_the_test_rows_are_handed_over(estimator: Any) -> None:
    X_val, y_val = fit(estimator, {"key": 1}).given_
    np.testing.assert_array_equal(X_val, X[TEST])
    np.testing.assert_array_equal(y_val, y[TEST])


def test_keras_gets_encoded_targets_and_keeps_its_parameters() -> None:
    own = {"epochs": 2}
    fitted = fit(SKLBase(fit_kwargs=own), {})
    X_val, y_val = fitted.given_
    np.testing.assert_array_equal(X_val, X[TEST])
    np.testing.assert_array_equal(y_val, y[TEST] * 10)
    assert fitted.fit_kwargs == own == {"epochs": 2}


def test_a_pipeline_transforms_them_also_when_the_candidate_brings_its_last_step() -> None:
    inner = Pipeline([("scale", MinMaxScaler()), ("model", SVC())])
    outer = Pipeline([("scale", StandardScaler()), ("inner", inner)])
    weight = np.arange(150.0)
    fitted = fit(outer, {"inner__model": TakesEvalSet()}, inner__model__sample_weight=weight)
    X_val, _ = fitted[-1][-1].given_
    np.testing.assert_array_equal(X_val, fitted[-1][0].transform(fitted[0].transform(X[TEST])))
    np.testing.assert_array_equal(fitted[-1][-1].weight_, weight[TRAIN])


def test_a_pipeline_of_one_step_has_nothing_to_transform_with() -> None:
    X_val, _ = fit(Pipeline([("model", TakesXVal())]), {})[-1].given_
    np.testing.assert_array_equal(X_val, X[TEST])


def test_what_takes_none_is_refused() -> None:
    for estimator, parameters in [
        (SVC(), None),
        (Pipeline([("scale", StandardScaler()), ("model", SVC())]), {"model__C": 2.0}),
        (Pipeline([("model", TakesXVal())]), {"model": SVC()}),
        (Pipeline([("model", TakesXVal())]), {"steps": [("model", SVC())]}),
    ]:
        with pytest.raises(ValueError, match="SVC takes no validation data"):
            _eval_set.check(estimator, parameters)
    _eval_set.check(Pipeline([("model", SVC())]), {"model": TakesXVal()})
