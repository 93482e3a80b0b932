"""The opt-in compiled loop: plain networks, close to Keras' own numbers but not equal to their bits.

XLA compiles a twin's whole epoch: one loop over batches of one shape, the arithmetic of a step and of the
optimizer fused. The short last batch is a full one whose rows after the last one weigh nothing, and rows
are padded to one of a few lengths, so that the folds of a search share what was compiled.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from typing import Any

import keras
import tensorflow as tf

from crossfold._runtime._keras import _data, _state, _twin
from crossfold._runtime._keras._flat import Flat
from crossfold._runtime._keras._known import Unknown, named

LAYERS = named(keras.layers, "Activation Dense ELU Flatten InputLayer LeakyReLU PReLU ReLU Rescaling Reshape")
"""Layers that draw nothing and whose output for a row depends on that row alone."""

LARGE_BATCH = 4096
"""Rows of a batch where only outputs are wanted: they depend on no other row."""

FUNCTIONS = named(
    keras.losses,
    "binary_crossentropy categorical_crossentropy huber mean_absolute_error mean_squared_error"
    " sparse_categorical_crossentropy",
) | named(keras.metrics, "binary_accuracy categorical_accuracy sparse_categorical_accuracy")
"""Losses, and metrics that are means over rows."""

_COUNT = tf.TensorSpec([], tf.int32)


def check(model: Any, training: bool = False) -> None:
    """Raise Unknown for a model that is not a plain network. To be trained, it must be built."""
    for layer in model._flatten_layers(include_self=False):
        if type(layer) not in LAYERS:
            raise Unknown(f"layer {type(layer).__name__}")
        if layer.activity_regularizer is not None:
            raise Unknown("an activity regularizer")
    if not training:
        return
    if model.optimizer.gradient_accumulation_steps:
        raise Unknown("gradient accumulation")
    ((_, loss, _, _),) = model._compile_loss._flat_losses
    if loss.reduction != "sum_over_batch_size":
        raise Unknown(f"loss reduction {loss.reduction}")
    if getattr(loss, "fn", None) not in FUNCTIONS:
        raise Unknown(f"loss {loss.name}")
    for metric in metrics(model):
        if getattr(metric, "_fn", None) not in FUNCTIONS:
            raise Unknown(f"metric {metric.name}")


def capacity(rows: int, batch: int) -> int:
    """Return the length to pad ``rows`` to: at most an eighth more, and whole batches."""
    for unit in (1 << max(rows.bit_length() - 4, 0), batch):
        rows = -(-rows // unit) * unit
    return rows


def train(twin: _twin.Twin, batch: int, x: Any, y: Any, columns: Any = None) -> Callable[[Any, Any], None]:
    """Return a function of (handles, order) that trains for one epoch.

    x and y are padded to `capacity`; ``order`` (int64) has the real rows only. ``columns`` (int32) are those
    of x to train with, None for all: see `_columns`.
    """
    loop = _loop(twin, batch, columns)
    cut = None if columns is None else functools.cache(lambda: tf.gather(x, columns, axis=1))

    def epoch(handles: Any, order: Any) -> None:
        # Rows are drawn before the loop: to take a batch of rows that lie together is a copy.
        drawn = _data.in_order(x, order, cut), _data.in_order(y, order)
        loop(handles, *drawn, tf.constant(len(order)))

    return epoch


def _loop(twin: _twin.Twin, batch: int, columns: Any) -> Callable[..., Any]:
    """Return a function of (handles, x, y, count) that trains for one epoch.

    Where there are columns, the model keeps what the others weigh.
    """
    x, y = twin.rows
    width = None
    if columns is None:
        columns = tf.constant([], tf.int32)
    else:
        width = len(columns)
        x = tf.TensorSpec([None, width], x.dtype)
    flat = twin.flat(width)

    def epoch(x: Any, y: Any, count: Any, columns: Any) -> Any:
        pairs = list(zip(_state.variables(twin.model), flat.variables, strict=True))
        for whole, part in pairs:
            part.assign(_taken(whole, part, columns))
        count = _epoch(flat, batch, x, y, count)
        for whole, part in pairs:
            whole.assign(_put_back(whole, part, columns))
        return count

    inputs = [x, y, _COUNT, tf.TensorSpec(columns.shape, tf.int32)]
    compiled = twin.trace(("compiled", batch, width), epoch, inputs, jit_compile=True, others=flat.handles)
    return lambda handles, x, y, count: compiled([*handles, *flat.handles], x, y, count, columns)


def _taken(whole: Any, part: Any, columns: Any) -> Any:
    """Return what a loop needs of a variable, in the shape of the loop's own one."""
    return tf.reshape(whole if _is_all(whole, part) else tf.gather(whole, columns), part.shape)


def _put_back(whole: Any, part: Any, columns: Any) -> Any:
    """Return a variable with what a loop made of it."""
    if _is_all(whole, part):
        return tf.reshape(part, whole.shape)
    rows = tf.reshape(part, [*columns.shape, *whole.shape[1:]])
    return tf.tensor_scatter_nd_update(whole, columns[:, None], rows)


def _is_all(whole: Any, part: Any) -> bool:
    return bool(math.prod(whole.shape) == math.prod(part.shape))


def _epoch(flat: Flat, batch: int, x: Any, y: Any, count: Any) -> Any:
    """Train on the first ``count`` rows."""
    flat.model.reset_metrics()

    def rows(values: Any, begin: Any) -> Any:
        rest = values.shape[1:]
        return tf.slice(values, [begin, *[0] * len(rest)], [batch, *rest])

    def body(begin: Any) -> Any:
        _step(flat, rows(x, begin), rows(y, begin), tf.minimum(count - begin, batch))
        return begin + batch

    return tf.while_loop(lambda begin: begin < count, body, [tf.constant(0)], parallel_iterations=1)


def _step(flat: Flat, x: Any, y: Any, count: Any) -> None:
    """Do Keras' own training step with the first ``count`` rows."""
    batch = x.shape[0]
    real = tf.cast(tf.range(batch) < count, keras.config.floatx())
    count = tf.cast(count, real.dtype)
    model, weights = flat.model, flat.weights
    with tf.GradientTape() as tape:
        output, losses = flat(x)
        mean = model._compile_loss(y, output, sample_weight=real) * (batch / count)
        loss = tf.add_n([mean, *losses])
    model._loss_tracker.update_state(loss, sample_weight=count)
    model.optimizer.apply_gradients(zip(tape.gradient(loss, weights), weights, strict=True))
    for metric in metrics(model):
        metric.update_state(y, output, sample_weight=real)


def metrics(model: Any) -> list[Any]:
    """Return the metrics that a model was compiled with."""
    return list(model._compile_metrics.metrics) if model._compile_metrics else []
