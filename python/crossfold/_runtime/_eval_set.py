"""Handing a fit the test rows of its split as validation data."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from sklearn.utils.metaestimators import _safe_split

from crossfold._eval_set import last_step, way_in

if TYPE_CHECKING:
    from numpy.typing import NDArray

Rows = tuple[Any, Any]
"""X and y of the validation rows."""


def attach(estimator: Any, X: Any, y: Any, train: NDArray[np.int64], test: NDArray[np.int64]) -> None:
    """Make the estimator's next fit, which is on the train rows, see the test rows, too.

    scikit-learn sets the candidate's parameters between this call and the fit, so what is fitted
    last is looked for only then.
    """

    def fit(*args: Any, **params: Any) -> Any:
        del estimator.fit  # what is left behind is the plain estimator
        return _fit(estimator, args, params, _safe_split(estimator, X, y, test, train))

    estimator.fit = fit


def _fit(estimator: Any, args: tuple[Any, ...], params: dict[str, Any], validation: Rows) -> Any:
    if last_step(estimator) is not estimator:
        return _fit_pipeline(estimator, args, params, validation)
    match way_in(estimator):
        case "X_val":
            X_val, y_val = validation
            return estimator.fit(*args, **params, X_val=X_val, y_val=y_val)
        case "eval_set":
            return estimator.fit(*args, **params, eval_set=[validation])
        case "validation_data":
            return _fit_keras(estimator, args, params, validation)
    raise ValueError(f"eval_set=True: {type(estimator).__qualname__} takes no validation data.")


def _fit_pipeline(pipeline: Any, args: tuple[Any, ...], params: dict[str, Any], validation: Rows) -> Any:
    last = pipeline.steps[-1][1]

    def fit(*last_args: Any, **last_params: Any) -> Any:
        del last.fit
        X_val, y_val = validation
        if len(pipeline.steps) > 1:  # all but the last are fitted by now
            X_val = pipeline[:-1].transform(X_val)
        return _fit(last, last_args, last_params, (X_val, y_val))

    last.fit = fit
    return pipeline.fit(*args, **params)


def _fit_keras(estimator: Any, args: tuple[Any, ...], params: dict[str, Any], validation: Rows) -> Any:
    X_val, y_val = validation
    # The wrapper encodes the targets it fits, not those it validates; fit makes the same encoder again.
    estimator._process_target(np.asarray(args[1]), reset=True)
    data = (np.asarray(X_val), estimator._process_target(np.asarray(y_val)))
    # It also keeps every argument of fit in the dict of its own parameter.
    own = estimator.fit_kwargs
    estimator.fit_kwargs = dict(own or {})
    try:
        return estimator.fit(*args, **params, validation_data=data)
    finally:
        estimator.fit_kwargs = own
