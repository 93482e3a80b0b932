"""Twins: traced copies of architectures, shared by the fits of one process."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, Literal

import keras
import tensorflow as tf

from crossfold._runtime._keras import _known, _streams

TWINS_LIMIT = 32
"""Most twins of one process."""

Kind = Literal["train", "test", "predict"]
Trace = Callable[..., Any]

_twins: OrderedDict[Any, Twin] = OrderedDict()
_lock = threading.Lock()


def of(model: Any, architecture: _known.Architecture, x: Any, y: Any = None) -> Twin:
    """Return the twin of a model for inputs and targets like these; made when it is not there yet.

    Raises Unknown where the twin turns out different.
    """
    x, y = (None if a is None else tf.TensorSpec([None, *a.shape[1:]], a.dtype) for a in (x, y))
    key = (architecture.key, x, y)
    with _lock:
        twin = _twins.get(key)
        if twin is None:
            with _streams.kept():
                twin = _twins[key] = Twin(architecture, x, y)
            if len(_twins) > TWINS_LIMIT:
                _twins.popitem(last=False)
        _twins.move_to_end(key)
    if y is not None:
        build(model, y)
    if not twin.resembles(model):
        raise _known.Unknown("variables that its config does not tell")
    return twin


def traces() -> int:
    """Return how many graphs the twins of this process hold."""
    with _lock:
        return sum(len(twin.traces) for twin in _twins.values())


class Twin:
    """A traced copy of one architecture for inputs ``x`` and targets ``y`` of one kind.

    It keeps no state between calls: values of variables come in with a call and go out with its answer,
    in the order of `variables`. Threads take turns.
    """

    def __init__(self, architecture: _known.Architecture, x: tf.TensorSpec, y: tf.TensorSpec | None) -> None:
        self._lock = threading.Lock()
        self.model = model = architecture.kind.from_config(architecture.config)
        _known.check_layers(model)
        if architecture.optimizer is not None and architecture.loss is not None:
            metrics, weighted = ([m.make() for m in part or []] or None for part in architecture.metrics)
            model.compile(
                optimizer=architecture.optimizer.make(),
                loss=architecture.loss.make(),
                metrics=metrics,
                weighted_metrics=weighted,
                jit_compile=False,
            )
            build(model, y)
        self._x, self._y = x, y
        self.traces: dict[Any, Trace] = {}

    def resembles(self, model: Any) -> bool:
        """Whether a model's variables are like the twin's, one by one."""
        kind: Kind = "predict" if self._y is None else "train"
        return _signature(variables(model, kind)) == _signature(variables(self.model, kind))

    def train(self, batch: int, ragged: bool) -> Trace:
        """Return a function of (x, y, order, *state) that trains for one epoch.

        ``order`` (int64) is the rows in the order they are drawn. ``ragged`` says that the last batch is
        short: as in Keras, the rows of a batch are then unknown to the trace.
        """
        return self._epoch("train", batch, ragged, self.model.train_step)

    def test(self, batch: int, ragged: bool) -> Trace:
        """Return a function of (x, y, order, *state) that evaluates; its state has no optimizer."""
        return self._epoch("test", batch, ragged, self.model.test_step)

    def predict(self, batch: int) -> Trace:
        """Return a function of (x, *state) to the outputs of x: full batches, or less than one."""

        def full(x: Any, *state: Any) -> Any:
            load(variables(self.model, "predict"), state)
            count = tf.shape(x, out_type=tf.int64)[0] // batch

            def step(i: Any, outputs: Any) -> Any:
                rows = tf.ensure_shape(x[i * batch : (i + 1) * batch], [batch, *x.shape[1:]])
                return i + 1, outputs.write(tf.cast(i, tf.int32), self.model.predict_step((rows,)))

            outputs = tf.TensorArray(self.model.outputs[0].dtype, tf.cast(count, tf.int32))
            start = tf.constant(0, tf.int64)
            return tf.while_loop(lambda i, _: i < count, step, [start, outputs])[1].concat()

        return self.trace(("predict", batch), full, [self._x], "predict")

    def predict_rest(self) -> Trace:
        """Return a function of (x, *state) to the outputs of x as one batch."""

        def rest(x: Any, *state: Any) -> Any:
            load(variables(self.model, "predict"), state)
            return self.model.predict_step((x,))

        return self.trace("rest", rest, [self._x], "predict")

    def _epoch(self, kind: Kind, batch: int, ragged: bool, step: Callable[[Any], Any]) -> Trace:
        def epoch(x: Any, y: Any, order: Any, *state: Any) -> list[Any]:
            mine = variables(self.model, kind)
            load(mine, state)
            self.model.reset_metrics()
            rows = tf.shape(order, out_type=tf.int64)[0]

            def body(begin: Any) -> Any:
                drawn = order[begin : begin + batch]
                if not ragged:
                    drawn = tf.ensure_shape(drawn, [batch])
                step((tf.gather(x, drawn), tf.gather(y, drawn)))
                return begin + batch

            start = tf.constant(0, tf.int64)
            end = tf.while_loop(lambda begin: begin < rows, body, [start], parallel_iterations=1)
            with tf.control_dependencies([end]):
                return read(mine)

        order = tf.TensorSpec([None], tf.int64)
        return self.trace((kind, batch, ragged), epoch, [self._x, self._y, order], kind)

    @property
    def rows(self) -> list[Any]:
        """The kind of inputs and targets."""
        return [self._x, self._y]

    def trace(
        self,
        key: Any,
        function: Callable[..., Any],
        inputs: list[Any],
        kind: Kind,
        jit_compile: bool | None = None,
    ) -> Trace:
        """Return the graph of a function of (*inputs, *state); made when it is not there yet."""
        with self._lock:
            if key not in self.traces:
                state = [tf.TensorSpec(v.shape, v.dtype) for v in variables(self.model, kind)]
                with _streams.kept():
                    traced = tf.function(function, autograph=False, jit_compile=jit_compile)
                    self.traces[key] = traced.get_concrete_function(*inputs, *state)
        return partial(self._call, self.traces[key])

    def _call(self, trace: Callable[..., Any], *arguments: Any) -> Any:
        with self._lock:
            return trace(*arguments)


def variables(model: Any, kind: Kind) -> list[Any]:
    """Return all that a kind of call reads or changes, in one order for equal models."""
    found = [*model.variables]
    if kind != "predict":
        found += model.metrics_variables
    if kind == "train":
        found += model.optimizer.variables
    return found


def build(model: Any, y: Any) -> None:
    """Make the variables that Keras would make in the first step: of the optimizer, metrics and loss."""
    target = keras.KerasTensor(y.shape, y.dtype.name)
    (output,) = model.outputs
    for part in (model._compile_metrics, model._compile_loss):
        if part is not None and not part.built:
            part.build(target, keras.KerasTensor(output.shape, output.dtype))
    optimizer = model.optimizer
    if not optimizer.built:
        with keras.name_scope(optimizer.name, caller=optimizer):
            optimizer.build(model.trainable_variables)


def read(variables: Sequence[Any]) -> list[Any]:
    """Return the values of variables."""
    return [v._value.read_value() for v in variables]


def load(variables: Sequence[Any], values: Sequence[Any]) -> None:
    """Set variables, in the graph that is being traced if there is one."""
    for variable, value in zip(variables, values, strict=True):
        variable._value.assign(value, read_value=False)


def _signature(variables: Sequence[Any]) -> list[Any]:
    return [(tuple(v.shape), v.dtype, v.trainable) for v in variables]
