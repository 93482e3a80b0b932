"""Which estimators take validation data, and how: asked before a search and again by its fits."""

from __future__ import annotations

import inspect
from typing import Any


def last_step(estimator: Any) -> Any:
    """What is fitted last: the last step of a Pipeline, else the estimator itself."""
    while hasattr(estimator, "steps") and hasattr(estimator, "named_steps"):
        estimator = estimator.steps[-1][1]
    return estimator


def way_in(estimator: Any) -> str | None:
    """How an estimator takes validation data: "X_val", "eval_set" or "validation_data"; None: not at all."""
    names = inspect.signature(estimator.fit).parameters if hasattr(estimator, "fit") else {}
    if "X_val" in names and "y_val" in names:
        return "X_val"
    if "eval_set" in names:
        return "eval_set"
    return "validation_data" if _is_keras_wrapper(estimator) else None


def check(estimator: Any, parameters: dict[str, Any] | None) -> None:
    """Refuse a candidate that can't take validation data.

    Raises
    ------
    ValueError
        Naming the class at fault.
    """
    from sklearn.base import clone

    # Only a parameter that is itself an estimator can change what is fitted last.
    if parameters and any(hasattr(part, "fit") for part in _values(parameters)):
        estimator = clone(estimator).set_params(**parameters)
    last = last_step(estimator)
    if way_in(last) is None:
        raise ValueError(
            f"eval_set=True: {type(last).__qualname__} takes no validation data. Leave eval_set out, or fit "
            "HistGradientBoosting, LightGBM, XGBoost or one of Keras's scikit-learn wrappers, alone or as "
            "the last step of a Pipeline."
        )


def _values(parameters: dict[str, Any]) -> list[Any]:
    steps = [step for value in parameters.values() if isinstance(value, list) for step in value]
    parts = [part for step in steps if isinstance(step, tuple) for part in step]
    return [*parameters.values(), *parts]


def _is_keras_wrapper(estimator: Any) -> bool:
    return any(
        base.__name__ == "SKLBase" and base.__module__.partition(".")[0] == "keras"
        for base in type(estimator).__mro__
    )
