"""What stands in for ``fit``, ``evaluate`` and ``predict`` of Keras' models."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from keras.src.backend.tensorflow.trainer import TensorFlowTrainer
from keras.src.trainers.data_adapters import array_slicing
from keras.src.utils.python_utils import pythonify_logs
from tensorflow.python.framework import config

from crossfold._runtime import _ways
from crossfold._runtime._keras import _columns, _compiled, _data, _known, _pristine, _state, _twin, _zeros
from crossfold._runtime._keras._known import Unknown

BATCH = 32
"""Keras' default."""

CALLBACKS = _known.named(keras.callbacks, "EarlyStopping History LearningRateScheduler ReduceLROnPlateau")
"""Callbacks that act between epochs only."""

EXACT = {
    "fit": "keras: whole epochs in the graph",
    "evaluate": "keras: whole evaluations in the graph",
    "predict": "keras: whole predictions in the graph",
}
CLOSE = {
    "fit": "keras: compiled loop (close, not bit-equal)",
    "evaluate": "keras: evaluations in large batches (close, not bit-equal)",
    "predict": "keras: predictions in large batches (close, not bit-equal)",
}
WITHOUT_COLUMNS = "keras: columns of zeros left out"
WITHOUT_ZEROS = "keras: zeros left out"

close_enough = False
"""Whether plain networks may differ from Keras in low bits: the option ``compiled_keras``."""


def install() -> None:
    """Replace the methods that Keras' models share."""
    for name, method in (("fit", _fit), ("evaluate", _evaluate), ("predict", _predict)):
        setattr(TensorFlowTrainer, name, _instead(getattr(TensorFlowTrainer, name), method))


def _instead(
    original: Callable[..., Any], prepare: Callable[..., tuple[str, Callable[[], Any]]]
) -> Callable[..., Any]:
    """Return a method that does what ``prepare`` returns, which names its way; when that raises Unknown,
    the original."""
    signature = inspect.signature(original)
    name = original.__name__

    @functools.wraps(original)
    def method(self: Any, *args: Any, **kwargs: Any) -> Any:
        if "_use_cached_eval_dataset" in kwargs:  # a part of Keras' own fit
            return original(self, *args, **kwargs)
        try:
            way, run = prepare(*_arguments(signature, self, *args, **kwargs))
        except Exception as reason:
            # Keras says itself what is wrong with a call.
            text = reason if isinstance(reason, Unknown) else type(reason).__name__
            _ways.note(f"keras: own {name} ({text})")
            return original(self, *args, **kwargs)
        _ways.note(way)
        return run()

    return method


def _arguments(signature: inspect.Signature, *args: Any, **kwargs: Any) -> tuple[Any, ...]:
    """Return the arguments of a call in order, defaults filled in."""
    try:
        bound = signature.bind(*args, **kwargs)
    except TypeError as error:
        raise Unknown("arguments that do not fit") from error
    bound.apply_defaults()
    return bound.args


@dataclass(frozen=True)
class _Rows:
    """Inputs and targets as tensors, and how they are cut into batches. Rows after ``count`` are padding."""

    x: Any
    y: Any
    count: int
    batch: int

    @classmethod
    def of(cls, x: Any, y: Any, batch: Any, *, padded: bool = False, large: bool = False) -> _Rows:
        batch = batch or BATCH
        if not isinstance(batch, int | np.integer):
            raise Unknown(f"batch_size={batch!r}")
        batch = max(int(batch), _compiled.LARGE_BATCH) if large else int(batch)
        if len(x) != len(y):
            raise Unknown("x and y of different lengths")
        rows = _compiled.capacity(len(x), batch) if padded else None
        inputs = _data.tensor(x, "x", rows)
        return cls(inputs, inputs if y is x else _data.tensor(y, "y", rows), len(x), batch)

    @property
    def ragged(self) -> bool:
        return self.count % self.batch != 0

    @property
    def steps(self) -> int:
        return -(-self.count // self.batch)


def _fit(
    self: Any,
    x: Any,
    y: Any,
    batch_size: Any,
    epochs: int,
    verbose: Any,
    callbacks: Any,
    validation_split: float,
    validation_data: Any,
    shuffle: Any,
    class_weight: Any,
    sample_weight: Any,
    initial_epoch: int,
    steps_per_epoch: Any,
    validation_steps: Any,
    validation_batch_size: Any,
    validation_freq: Any,
) -> tuple[str, Callable[[], Any]]:
    _refuse(
        class_weight=class_weight,
        sample_weight=sample_weight,
        steps_per_epoch=steps_per_epoch,
        validation_steps=validation_steps,
    )
    _check_surroundings()
    _pristine.look()  # the user's code may have changed something while it built the model
    for callback in keras.tree.flatten(callbacks or []):
        if type(callback) not in CALLBACKS:
            raise Unknown(f"callback {type(callback).__name__}")
    architecture = _known.training(self)
    if validation_split and validation_data is None:
        (x, y), validation_data = _split(x, y, validation_split)
    way, rows, train = _trainer(self, architecture, x, y, batch_size)
    handles, order = _state.handles(self), _data.order(rows.count, shuffle)
    validate = None
    if validation_data is not None:
        large = way == CLOSE["fit"]
        held_out = _held_out(validation_data, validation_batch_size or batch_size, large)
        validate = _test(self, architecture, held_out)

    def run() -> Any:
        listeners = _listeners(self, callbacks, verbose, epochs, rows, add_history=True)
        self.stop_training = False
        listeners.on_train_begin()
        logs = _epochs(
            self,
            range(self._initial_epoch or initial_epoch, epochs),
            listeners,
            lambda: train(handles, next(order)),
            lambda epoch: validate() if validate and self._should_eval(epoch, validation_freq) else {},
        )
        if epochs > 0:
            self.optimizer.finalize_variable_values(self.trainable_weights)
        listeners.on_train_end(logs)
        return self.history

    return way, run


def _held_out(validation_data: Any, batch_size: Any, large: bool) -> _Rows:
    if not isinstance(validation_data, tuple | list) or len(validation_data) != 2:
        raise Unknown("validation_data is not (x, y)")
    x, y = validation_data
    return _Rows.of(x, y, batch_size, large=large)


def _epochs(
    model: Any,
    epochs: range,
    listeners: Any,
    train: Callable[[], Any],
    validate: Callable[[int], dict[str, Any]],
) -> Any:
    """Train epoch by epoch as Keras does; the last logs."""
    logs = None
    for epoch in epochs:
        listeners.on_epoch_begin(epoch)
        train()
        logs = model.get_metrics_result()
        logs.update({f"val_{name}": value for name, value in validate(epoch).items()})
        listeners.on_epoch_end(epoch, logs)
        if model.stop_training:
            break
    return logs


def _trainer(
    model: Any, architecture: _known.Architecture, x: Any, y: Any, batch: Any
) -> tuple[str, _Rows, Callable[[Any, Any], Any]]:
    """Return how a model is trained, its rows, and a function of (handles, order) that trains one epoch."""
    if _is_plain(model):
        rows = _Rows.of(x, y, batch, padded=True)
        twin = _traced(model, architecture, rows)
        if _is_plain(model, training=True):
            return CLOSE["fit"], rows, _compiled_loop(model, twin, rows)
    rows = _Rows.of(x, y, batch)
    epoch = _traced(model, architecture, rows).train(rows.batch, rows.ragged)
    return EXACT["fit"], rows, lambda handles, order: epoch(handles, rows.x, rows.y, order)


def _compiled_loop(model: Any, twin: _twin.Twin, rows: _Rows) -> Callable[[Any, Any], Any]:
    """Return a function of (handles, order) that trains a plain network for one epoch, without the zeros of
    its rows where that is sooner."""
    columns = _columns.left(model, rows.x)
    sparse = _zeros.trainer(model, twin, rows.x, rows.y, rows.count, rows.batch, columns)
    if sparse is not None:
        _ways.note(WITHOUT_ZEROS)
        return sparse
    if columns is not None:
        _ways.note(WITHOUT_COLUMNS)
    return _compiled.train(twin, rows.batch, rows.x, rows.y, columns)


def _is_plain(model: Any, training: bool = False) -> bool:
    """Whether the user allows a network like this to be close to Keras' own; the report says why not."""
    if not close_enough:
        return False
    try:
        _compiled.check(model, training)
    except Unknown as reason:
        _ways.note(f"keras: no compiled loop ({reason})")
        return False
    return True


def _evaluate(
    self: Any,
    x: Any,
    y: Any,
    batch_size: Any,
    verbose: Any,
    sample_weight: Any,
    steps: Any,
    callbacks: Any,
    return_dict: bool,
) -> tuple[str, Callable[[], Any]]:
    _refuse(sample_weight=sample_weight, steps=steps, callbacks=callbacks)
    _check_surroundings()
    architecture, plain = _known.training(self), _is_plain(self)
    rows = _Rows.of(x, y, batch_size, large=plain)
    test = _test(self, architecture, rows)

    def run() -> Any:
        listeners = _listeners(self, None, verbose, 1, rows)
        listeners.on_test_begin()
        logs = test()
        listeners.on_test_end(logs)
        return logs if return_dict else self._flatten_metrics_in_order(logs)

    return (CLOSE if plain else EXACT)["evaluate"], run


def _predict(
    self: Any, x: Any, batch_size: Any, verbose: Any, steps: Any, callbacks: Any
) -> tuple[str, Callable[[], Any]]:
    _refuse(steps=steps, callbacks=callbacks)
    _check_surroundings()
    architecture, plain = _known.forward(self), _is_plain(self)
    rows = _Rows.of(x, x, batch_size, large=plain)
    twin = _twin.of(self, architecture, rows.x)
    full = rows.count - rows.count % rows.batch
    parts = []
    if full:
        parts.append((twin.predict(rows.batch), rows.x[:full]))
    if rows.ragged:
        parts.append((twin.predict_rest(), rows.x[full:]))

    def run() -> Any:
        listeners = _listeners(self, None, verbose, 1, rows)
        listeners.on_predict_begin()
        handles = _state.handles(self, compiled=False)
        outputs = [part(handles, x)[0].numpy() for part, x in parts]
        listeners.on_predict_end()
        return outputs[0] if len(outputs) == 1 else np.concatenate(outputs)

    return (CLOSE if plain else EXACT)["predict"], run


def _listeners(
    model: Any, callbacks: Any, verbose: Any, epochs: int, rows: _Rows, add_history: bool = False
) -> Any:
    """Return Keras' list of callbacks; its progress bar only gets to hear of whole epochs."""
    return keras.callbacks.CallbackList(
        callbacks,
        add_history=add_history,
        add_progbar=verbose != 0,
        model=model,
        verbose=verbose,
        epochs=epochs,
        steps=rows.steps,
    )


def _test(model: Any, architecture: _known.Architecture, rows: _Rows) -> Callable[[], dict[str, Any]]:
    """Return a function that evaluates once; the metrics of the model keep what it found."""
    test = _traced(model, architecture, rows).test(rows.batch, rows.ragged)
    order = next(_data.order(rows.count, False))

    def run() -> dict[str, Any]:
        test(_state.handles(model), rows.x, rows.y, order)
        logs: dict[str, Any] = pythonify_logs(model.get_metrics_result())
        return logs

    return run


def _traced(model: Any, architecture: _known.Architecture, rows: _Rows) -> _twin.Twin:
    return _twin.of(model, architecture, rows.x, rows.y)


def _split(x: Any, y: Any, share: float) -> tuple[tuple[Any, Any], tuple[Any, Any]]:
    if not isinstance(x, np.ndarray) or not isinstance(y, np.ndarray):
        raise Unknown("validation_split of what is not a plain array")
    (x, y, _), (held_x, held_y, _) = array_slicing.train_validation_split(
        (x, y, None), validation_split=share
    )
    return (x, y), (held_x, held_y)


def _refuse(**arguments: Any) -> None:
    for name, value in arguments.items():
        if value is not None:
            raise Unknown(name)


def _check_surroundings() -> None:
    """Raise Unknown where the process is set up for something else than whole epochs in a graph."""
    if not tf.executing_eagerly() or tf.config.functions_run_eagerly():
        raise Unknown("functions that run eagerly, or a graph around the call")
    if tf.distribute.has_strategy() or keras.distribution.distribution() is not None:
        raise Unknown("a distribution strategy")
    if keras.config.max_epochs() or keras.config.max_steps_per_epoch():
        raise Unknown("a limit on epochs or steps")
    if tf.config.optimizer.get_jit() or config.is_op_determinism_enabled():
        raise Unknown("XLA or deterministic operations")
