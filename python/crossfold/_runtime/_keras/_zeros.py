"""The compiled loop for inputs that are mostly zeros: pixels, counts, one-hot categories.

Most of the work of a network's first layer is then to multiply by zero. `_sparse` leaves that out, and
trains the networks that `trainer` knows; of all others XLA compiles the loop.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from crossfold._runtime._keras import _compiled, _data, _sparse, _state, _twin
from crossfold._runtime._keras._sparse import LINEAR, SIGMOID, SOFTMAX, Adam, Loss, Variable

WORTH = 0.4
"""Most of the inputs that may be other than zero for the loop to be sooner than XLA's."""

POSITIONS_LIMIT = 1 << 24
"""Most units of a layer in all rows of a batch."""

_losses = keras.losses
_LOSSES = {
    (keras.activations.softmax, _losses.categorical_crossentropy): lambda units: Loss(SOFTMAX, 1),
    (keras.activations.softmax, _losses.sparse_categorical_crossentropy): lambda units: Loss(SOFTMAX, 1),
    (keras.activations.sigmoid, _losses.binary_crossentropy): lambda units: Loss(SIGMOID, 1 / units),
    (keras.activations.linear, _losses.mean_squared_error): lambda units: Loss(LINEAR, 2 / units),
}
"""Pairs of an activation and a loss whose gradient is a multiple of outputs less targets."""

_DEFAULTS = {False, None, -1}
"""Arguments of these losses: no logits, no smoothing, no class left out, the last axis."""

_LAYER = "kernel_regularizer bias_regularizer kernel_constraint bias_constraint lora_rank quantization_mode"
_OPTIMIZER = "amsgrad weight_decay clipnorm clipvalue global_clipnorm use_ema loss_scale_factor"
"""What must be unset."""


def trainer(
    model: Any, twin: _twin.Twin, x: Any, y: Any, count: int, batch: int, columns: Any
) -> Callable[[Any, Any], None] | None:
    """Return a function of (handles, order) that trains a plain network for one epoch, or None.

    x and y are tensors whose rows after ``count`` are padding. ``columns`` (int32) are those of x to train
    with, None for all.
    """
    batch = min(batch, count)
    if not _sparse.available() or not _is_known(model, x, batch) or not _is_mostly_zero(x, count, columns):
        return None
    last = model.layers[-1]
    ((_, of_keras, _, _),) = model._compile_loss._flat_losses
    loss, targets = _loss(of_keras, last), _targets(of_keras, _array(y)[:count], last.units)
    if loss is None or targets is None:
        return None
    used = np.arange(x.shape[1], dtype=np.int32) if columns is None else _array(columns)
    outcome = _outcome(twin, last.units)

    def arrange(order: Any) -> _sparse.Arranged:
        return _sparse.arrange(_array(x), used, _array(order), batch, _others(x))

    def epoch(handles: Any, order: Any) -> None:
        arranged = _data.ordered(("sparse", batch, columns is None), x, order, lambda: arrange(order))
        logits = _train(model, arranged, targets, loss)
        outcome(handles, tf.convert_to_tensor(logits), y)

    return epoch


def _train(model: Any, x: _sparse.Arranged, y: NDArray[np.float32], loss: Loss) -> NDArray[np.float32]:
    """Train the variables of a model for one epoch."""
    optimizer = model.optimizer
    iterations, rate = _state.read(optimizer.iterations), _state.read(optimizer._learning_rate)
    adam = Adam(int(iterations), float(rate), optimizer.beta_1, optimizer.beta_2, optimizer.epsilon)
    kept = [*model.trainable_weights, *optimizer._momentums, *optimizer._velocities]
    arrays = [_state.read(variable) for variable in kept]
    count = len(model.trainable_weights)
    parts = [Variable(*arrays[i::count]) for i in range(count)]
    logits = _sparse.train(x, y, list(zip(parts[::2], parts[1::2], strict=True)), adam, loss)
    for variable, array in zip(kept, arrays, strict=True):
        _state.write(variable, array)
    _state.write(optimizer.iterations, iterations + x.batches)
    return logits


def _outcome(twin: _twin.Twin, units: int) -> Callable[..., Any]:
    """Return a function of (handles, logits, y) that leaves an epoch's loss and metrics in a model."""

    def outcome(logits: Any, y: Any) -> Any:
        model = twin.model
        model.reset_metrics()
        count = tf.shape(logits)[0]
        y, output = y[:count], model.layers[-1].activation(logits)
        count = tf.cast(count, logits.dtype)
        model._loss_tracker.update_state(model._compile_loss(y, output), sample_weight=count)
        for metric in _compiled.metrics(model):
            metric.update_state(y, output)
        return count

    return twin.trace("outcome", outcome, [tf.TensorSpec([None, units], tf.float32), twin.rows[1]])


def _is_known(model: Any, x: Any, batch: int) -> bool:
    layers = [layer for layer in model.layers if not isinstance(layer, keras.layers.InputLayer)]
    hidden = layers[:-1]
    optimizer = model.optimizer
    return (
        all(type(layer) is keras.layers.Dense and _is_plain(layer) for layer in layers)
        and all(layer.activation is keras.activations.relu for layer in hidden)
        and max((layer.units for layer in hidden), default=0) * batch <= POSITIONS_LIMIT
        and len(x.shape) == 2
        and x.dtype == tf.float32
        and type(optimizer) is keras.optimizers.Adam
        and not any(getattr(optimizer, name) for name in _OPTIMIZER.split())
        and isinstance(optimizer._learning_rate, keras.Variable)
    )


def _is_plain(layer: Any) -> bool:
    return (
        layer.use_bias
        and layer.trainable
        and layer.kernel.dtype == "float32"
        and not any(getattr(layer, name, None) for name in _LAYER.split())
    )


def _is_mostly_zero(x: Any, count: int, columns: Any) -> bool:
    width = x.shape[1] if columns is None else len(columns)
    return _others(x) <= min(WORTH * count * width, _sparse.ENTRIES_LIMIT)


def _others(x: Any) -> int:
    """Return how much of x is not zero."""
    return int(_data.derived("others", x, lambda x: tf.constant(np.count_nonzero(_array(x)), tf.int64)))


def _loss(loss: Any, last: Any) -> Loss | None:
    known = _LOSSES.get((last.activation, loss.fn))
    return known(last.units) if known and set(loss._fn_kwargs.values()) <= _DEFAULTS else None


def _targets(loss: Any, y: NDArray[Any], units: int) -> NDArray[np.float32] | None:
    """Return what the outputs are compared with (rows, units); None where Keras has to make it fit."""
    if loss.fn is _losses.sparse_categorical_crossentropy:
        return _one_hot(y, units)
    if y.shape[1:] != (units,) and (y.ndim, units) != (1, 1):
        return None
    return np.ascontiguousarray(y.reshape(len(y), units), np.float32)


def _one_hot(labels: NDArray[Any], units: int) -> NDArray[np.float32] | None:
    if labels.dtype.kind not in "iu" or labels.min() < 0 or labels.max() >= units:
        return None
    labels = labels.reshape(len(labels))
    matrix = np.zeros((len(labels), units), np.float32)
    matrix[np.arange(len(labels)), labels] = 1
    return matrix


def _array(tensor: Any) -> NDArray[Any]:
    return np.asarray(memoryview(tensor))
