"""What graphs use of a model: its variables, in one order for equal models."""

from __future__ import annotations

from typing import Any

import keras
import tensorflow as tf


def handles(model: Any, compiled: bool = True) -> list[Any]:
    """Return handles of all that a graph may use of a model."""
    return handles_of(variables(model, compiled))


def handles_of(variables: list[Any]) -> list[Any]:
    """Return the handles of these variables."""
    return [variable._value.handle for variable in variables]


def variables(model: Any, compiled: bool = True) -> list[Any]:
    """Return all that a graph may use of a model."""
    found = [*model.variables]
    if compiled:
        found += [*model.metrics_variables, *model.optimizer.variables]
    return found


def read(variable: Any) -> Any:
    """Return what a variable holds: an array of its own, or a number."""
    tensor = tf.raw_ops.ReadVariableOp(resource=variable._value.handle, dtype=variable.dtype)
    return tensor.numpy()


def write(variable: Any, value: Any) -> None:
    """Give a variable a value of its own shape and dtype, which nobody may change afterwards."""
    tf.raw_ops.AssignVariableOp(resource=variable._value.handle, value=value)


def build(model: Any, y: Any, weights: list[Any] | None = None) -> None:
    """Make the variables that Keras would make in the first step: of the optimizer, metrics and loss.

    ``weights`` are what the optimizer works on, by default those of the model.
    """
    target = keras.KerasTensor(y.shape, y.dtype.name)
    (output,) = model.outputs
    for part in (model._compile_metrics, model._compile_loss):
        if part is not None and not part.built:
            part.build(target, keras.KerasTensor(output.shape, output.dtype))
    optimizer = model.optimizer
    if not optimizer.built:
        with keras.name_scope(optimizer.name, caller=optimizer):
            optimizer.build(model.trainable_variables if weights is None else weights)
