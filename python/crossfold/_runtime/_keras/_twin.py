"""Twins: traced copies of architectures, shared by the fits of one process."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Sequence
from functools import cached_property
from typing import Any, Literal

import keras
import tensorflow as tf

from crossfold._runtime._keras import _known, _pristine, _state, _stored, _streams
from crossfold._runtime._keras._flat import Flat
from crossfold._runtime._keras._graphs import Graph

TWINS_LIMIT = 32
"""Most twins of one process."""

_twins: OrderedDict[Any, Twin] = OrderedDict()
_lock = threading.Lock()


def of(model: Any, architecture: _known.Architecture, x: Any, y: Any = None) -> Twin:
    """Return the twin of a model for inputs and targets like these; made when it is not there yet."""
    x, y = (None if a is None else tf.TensorSpec([None, *a.shape[1:]], a.dtype) for a in (x, y))
    if y is not None:
        _state.build(model, y)
    signature = _signature(model, y is not None)
    key = (architecture.key, x, y, tuple(signature), _pristine.version())
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

    What it traces runs on the variables of any model like it: see `handles`.
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
        self._flat: dict[int | None, Flat] = {}
        self.traces: dict[Any, Graph] = {}

    @cached_property
    def model(self) -> Any:
        """A model of the architecture, made to be traced. Raises Unknown where it turns out different."""
        with _streams.kept():
            model = self._made()
            _known.check_layers(model)
            if self._y is not None:
                self._compile(model)
                _state.build(model, self._y)
        if _signature(model, self._y is not None) != self._signature:
            raise _known.Unknown("variables that its config does not tell")
        return model

    def flat(self, columns: int | None) -> Flat:
        """Return what a compiled loop trains: a copy of the model, with so many input columns.

        None leaves them as they are; a number is only for a chain whose first layer is Dense.
        """
        with self._lock:
            if columns not in self._flat:
                with _streams.kept():
                    model = self._made() if columns is None else self._narrow(columns)
                    self._compile(model)
                    self._flat[columns] = Flat(model, self._y)
            return self._flat[columns]

    def _made(self) -> Any:
        return self._architecture.kind.from_config(self._architecture.config)

    def _narrow(self, columns: int) -> Any:
        model = keras.Sequential([keras.Input((columns,), dtype=self._x.dtype.name)])
        for layer in self._architecture.config["layers"]:
            if layer["class_name"] != "InputLayer":
                model.add(keras.layers.deserialize({**layer, "build_config": None}))
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

    def train(self, batch: int, ragged: bool) -> Graph:
        """Return a graph of (x, y, order) that trains for one epoch.

        ``order`` (int64) is the rows in the order they are drawn. ``ragged`` says that the last batch is
        short: as in Keras, the rows of a batch are then unknown to the trace.
        """
        return self._epoch("train", batch, ragged)

    def test(self, batch: int, ragged: bool) -> Graph:
        """Return a graph of (x, y, order) that evaluates."""
        return self._epoch("test", batch, ragged)

    def predict(self, batch: int) -> Graph:
        """Return a graph of (x) to the outputs of x: full batches."""

        def full(x: Any) -> Any:
            count = tf.shape(x, out_type=tf.int64)[0] // batch

            def step(i: Any, outputs: Any) -> Any:
                rows = tf.ensure_shape(x[i * batch : (i + 1) * batch], [batch, *x.shape[1:]])
                return i + 1, outputs.write(tf.cast(i, tf.int32), self.model.predict_step((rows,)))

            outputs = tf.TensorArray(self.model.outputs[0].dtype, tf.cast(count, tf.int32))
            start = tf.constant(0, tf.int64)
            return tf.while_loop(lambda i, _: i < count, step, [start, outputs])[1].concat()

        return self.trace(("predict", batch), full, [self._x])

    def predict_rest(self) -> Graph:
        """Return a graph of (x) to the outputs of x as one batch."""
        return self.trace("rest", lambda x: self.model.predict_step((x,)), [self._x])

    def _epoch(self, kind: Literal["train", "test"], batch: int, ragged: bool) -> Graph:
        def epoch(x: Any, y: Any, order: Any) -> Any:
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
            return tf.while_loop(lambda begin: begin < rows, body, [start], parallel_iterations=1)

        return self.trace((kind, batch, ragged), epoch, [self._x, self._y, tf.TensorSpec([None], tf.int64)])

    @property
    def rows(self) -> list[Any]:
        """The kind of inputs and targets."""
        return [self._x, self._y]

    def trace(
        self,
        key: Any,
        function: Callable[..., Any],
        inputs: list[Any],
        jit_compile: bool | None = None,
        others: Sequence[Any] = (),
    ) -> Graph:
        """Return the graph of a function of inputs like these; made when no process has made it yet.

        It runs on the handles of the model's variables, followed by the handles ``others``.
        """
        with self._lock:
            if key not in self.traces:
                specs = [_described(spec) for spec in (self._x, self._y)]
                stored_as = [self._architecture.key, *specs, self._signature, key]
                graph = _stored.find(stored_as)
                if graph is None:
                    graph = self._traced(function, inputs, jit_compile, others)
                    _stored.keep(stored_as, graph)
                self.traces[key] = graph
            return self.traces[key]

    def _traced(
        self,
        function: Callable[..., Any],
        inputs: list[Any],
        jit_compile: bool | None,
        others: Sequence[Any],
    ) -> Graph:
        # The model is made outside of the trace, or its tensors would be parts of that.
        used = [*_state.handles(self.model, self._y is not None), *others]
        with _streams.kept():
            traced = tf.function(function, autograph=False, jit_compile=jit_compile)
            return Graph.of(traced.get_concrete_function(*inputs), used)


def _signature(model: Any, compiled: bool) -> list[Any]:
    return [(tuple(v.shape), v.dtype, v.trainable) for v in _state.variables(model, compiled)]


def _described(spec: tf.TensorSpec | None) -> Any:
    return spec and [spec.shape.as_list(), spec.dtype.name]
