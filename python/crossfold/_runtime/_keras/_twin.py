"""Twins: traced copies of architectures, shared by the fits of one process."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Sequence
from functools import cached_property, partial
from typing import Any, Literal

import keras
import tensorflow as tf
from tensorflow.python.eager import context
from tensorflow.python.ops import gen_resource_variable_ops

from crossfold._runtime._keras import _known, _stored, _streams
from crossfold._runtime._keras._graphs import Graph

TWINS_LIMIT = 32
"""Most twins of one process."""

Kind = Literal["train", "test", "predict"]
Trace = Callable[..., list[Any]]

_twins: OrderedDict[Any, Twin] = OrderedDict()
_lock = threading.Lock()


def of(model: Any, architecture: _known.Architecture, x: Any, y: Any = None) -> Twin:
    """Return the twin of a model for inputs and targets like these; made when it is not there yet."""
    x, y = (None if a is None else tf.TensorSpec([None, *a.shape[1:]], a.dtype) for a in (x, y))
    if y is not None:
        build(model, y)
    signature = _signature(variables(model, "predict" if y is None else "train"))
    key = (architecture.key, x, y, tuple(signature))
    with _lock:
        twin = _twins.get(key)
        if twin is None:
            twin = _twins[key] = Twin(architecture, x, y, signature)
            if len(_twins) > TWINS_LIMIT:
                _twins.popitem(last=False)
        _twins.move_to_end(key)
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

    def __init__(
        self,
        architecture: _known.Architecture,
        x: tf.TensorSpec,
        y: tf.TensorSpec | None,
        signature: list[Any],
    ) -> None:
        self._lock = threading.Lock()
        self._architecture, self._x, self._y, self._signature = architecture, x, y, signature
        self._handles: list[Any] = []
        self.traces: dict[Any, Graph] = {}

    @cached_property
    def model(self) -> Any:
        """A model of the architecture, made to be traced. Raises Unknown where it turns out different."""
        with _streams.kept():
            model = self._architecture.kind.from_config(self._architecture.config)
            _known.check_layers(model)
            if self._y is not None:
                self._compile(model)
        if _signature(variables(model, self._all)) != self._signature:
            raise _known.Unknown("variables that its config does not tell")
        return model

    def _compile(self, model: Any) -> None:
        made = self._architecture
        assert made.optimizer is not None and made.loss is not None
        metrics, weighted = ([m.make() for m in part or []] or None for part in made.metrics)
        model.compile(
            optimizer=made.optimizer.make(),
            loss=made.loss.make(),
            metrics=metrics,
            weighted_metrics=weighted,
            jit_compile=False,
        )
        build(model, self._y)

    @property
    def _all(self) -> Kind:
        """The kind of call that uses all variables."""
        return "predict" if self._y is None else "train"

    def train(self, batch: int, ragged: bool) -> Trace:
        """Return a function of (x, y, order, *state) that trains for one epoch.

        ``order`` (int64) is the rows in the order they are drawn. ``ragged`` says that the last batch is
        short: as in Keras, the rows of a batch are then unknown to the trace.
        """
        return self._epoch("train", batch, ragged)

    def test(self, batch: int, ragged: bool) -> Trace:
        """Return a function of (x, y, order, *state) that evaluates; its state has no optimizer."""
        return self._epoch("test", batch, ragged)

    def predict(self, batch: int) -> Trace:
        """Return a function of (x, *state) to the outputs of x, alone in a list: full batches."""

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
        """Return a function of (x, *state) to the outputs of x as one batch, alone in a list."""

        def rest(x: Any, *state: Any) -> Any:
            load(variables(self.model, "predict"), state)
            return self.model.predict_step((x,))

        return self.trace("rest", rest, [self._x], "predict")

    def _epoch(self, kind: Literal["train", "test"], batch: int, ragged: bool) -> Trace:
        def epoch(x: Any, y: Any, order: Any, *state: Any) -> list[Any]:
            mine = variables(self.model, kind)
            load(mine, state)
            self.model.reset_metrics()
            step = self.model.train_step if kind == "train" else self.model.test_step
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
        """Return the graph of a function of (*inputs, *state) to a list of tensors; made when no process
        has made it yet."""
        with self._lock:
            if key not in self.traces:
                names = [self._architecture.key, *map(_described, (self._x, self._y)), self._signature, key]
                graph = _stored.find(names)
                if graph is None:
                    graph = self._traced(function, inputs, kind, jit_compile)
                    _stored.keep(names, graph)
                self.traces[key] = graph
            if not self._handles:
                self._handles = _scratch(self._signature)
        return partial(self._call, self.traces[key])

    def _traced(
        self, function: Callable[..., Any], inputs: list[Any], kind: Kind, jit_compile: bool | None
    ) -> Graph:
        mine = variables(self.model, kind)
        self._handles = [v._value.handle for v in variables(self.model, self._all)]
        with _streams.kept():
            traced = tf.function(function, autograph=False, jit_compile=jit_compile)
            state = [tf.TensorSpec(v.shape, v.dtype) for v in mine]
            return Graph.of(traced.get_concrete_function(*inputs, *state), self._handles)

    def _call(self, graph: Graph, *arguments: Any) -> list[Any]:
        with self._lock:
            return graph(arguments, self._handles)


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


def _described(spec: tf.TensorSpec | None) -> Any:
    return spec and [spec.shape.as_list(), spec.dtype.name]


def _scratch(signature: list[Any]) -> list[Any]:
    """Return handles of new variables, without the models that they would belong to."""
    return [
        gen_resource_variable_ops.var_handle_op(
            shape=shape, dtype=tf.as_dtype(dtype), shared_name=context.anonymous_name()
        )
        for shape, dtype, _ in signature
    ]
