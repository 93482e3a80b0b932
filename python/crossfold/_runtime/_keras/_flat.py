"""What the compiled loop trains: a copy of a model whose weights are flat.

XLA makes vector code of what an optimizer does to a flat array; of matrices only for some widths.
"""

from __future__ import annotations

import math
from typing import Any

import keras
import tensorflow as tf

from crossfold._runtime._keras import _state


class Flat:
    """A compiled model, its optimizer not built before, whose ``weights`` take the place of its own.

    They only ever hold what one graph call needs.
    """

    def __init__(self, model: Any, y: tf.TensorSpec) -> None:
        self.model = model
        self.weights = [_flat(weight) for weight in model.trainable_weights]
        _state.build(model, y, self.weights)
        flat = {id(own): weight for own, weight in self._pairs()}
        # All that a graph may use of it, in the order of `_state.variables`.
        self.variables = [flat.get(id(variable), variable) for variable in _state.variables(model)]
        self.handles = _state.handles_of(self.variables)

    def __call__(self, x: Any) -> tuple[Any, list[Any]]:
        """Return the outputs for x, and the losses that are not of the outputs."""
        shaped = [(own, tf.reshape(weight, own.shape)) for own, weight in self._pairs()]
        with keras.StatelessScope(shaped):
            return self.model(x, training=True), self.model.losses

    def _pairs(self) -> Any:
        return zip(self.model.trainable_weights, self.weights, strict=True)


def _flat(weight: Any) -> Any:
    # A constraint is one of rows or columns.
    shape = weight.shape if weight.constraint else (math.prod(weight.shape),)
    flat = keras.Variable(shape=shape, dtype=weight.dtype, initializer="zeros", name=weight.name)
    flat.constraint = weight.constraint
    return flat
