"""Input columns that are zero in all rows: the compiled loop trains without them.

The pixels at the edges of images are such columns, and so are the words and categories that a fold has none
of. What they weigh in a first Dense layer gets gradients of zero: it stays what it was, and adds nothing.
"""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import tensorflow as tf

from crossfold._runtime._keras import _data
from crossfold._runtime._keras._known import named

OPTIMIZERS = named(keras.optimizers, "Adam RMSprop SGD")
"""Optimizers that leave a weight alone whose gradients were all zero."""

WORTH = 7 / 8
"""Most of the columns that may be left for the rest to be worth a loop of their own."""


def left(model: Any, x: Any) -> Any:
    """Return the columns of x (int32) that a model has to be trained with, or None for all."""
    if len(x.shape) != 2 or not _keeps_unused(model):
        return None
    columns = _data.derived("columns", x, _columns)
    return columns if len(columns) <= WORTH * x.shape[1] else None


def _columns(x: Any) -> Any:
    used = np.asarray(memoryview(x)).any(axis=0)
    # A few zero ones with them: folds of about as many columns share what was compiled.
    unit = 1 << max(used.size.bit_length() - 5, 0)
    count = min(-(-int(used.sum()) // unit) * unit, used.size)
    first = np.argsort(~used, kind="stable")[: max(count, 1)]
    return tf.constant(np.sort(first), tf.int32)


def _keeps_unused(model: Any) -> bool:
    """Whether what a zero column weighs is the same after a fit as before."""
    optimizer = model.optimizer
    first = next(layer for layer in model.layers if not isinstance(layer, keras.layers.InputLayer))
    return (
        type(first) is keras.layers.Dense
        and first.kernel_regularizer is None
        and first.kernel_constraint is None
        and not first.lora_enabled
        and type(optimizer) in OPTIMIZERS
        and not optimizer.weight_decay
        and not optimizer.use_ema
        and getattr(optimizer, "epsilon", 1) > 0  # else zero by zero
        and int(optimizer.iterations) == 0  # nothing of an earlier fit in its moments
    )
