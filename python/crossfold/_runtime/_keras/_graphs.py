"""Traced functions as data: what one process has traced, others can run."""

from __future__ import annotations

import hashlib
import itertools
import json
import weakref
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import tensorflow as tf
from tensorflow.core.framework import attr_value_pb2, function_pb2, tensor_pb2
from tensorflow.python.eager import context

from crossfold._runtime._keras._known import Unknown

_count = itertools.count()


class Graph:
    """A traced function and those that it calls, without the Python they were traced from.

    It runs in any process with the same TensorFlow, on variables like those that it was traced with:
    ``captures`` are what it uses besides its arguments, variables by their position, constants as tensors;
    ``outputs`` is how many tensors it returns.
    """

    def __init__(
        self, library: function_pb2.FunctionDefLibrary, captures: Sequence[Any], outputs: int
    ) -> None:
        self._library = library
        self._captures = tuple(captures)
        self._outputs = outputs
        # The process may have functions of the same names.
        names = {f.signature.name: f"crossfold_graph_{next(_count)}" for f in library.function}
        self._name = names[library.function[0].signature.name].encode()
        self._runtime = context.context()
        for function in library.function:
            self._runtime.add_function_def(_renamed(function, names))
        weakref.finalize(self, _remove, self._runtime, list(names.values()))

    @classmethod
    def of(cls, traced: Any, handles: Sequence[Any]) -> Graph:
        """Return the graph of a concrete function that uses variables of these handles only."""
        positions = {id(handle): position for position, handle in enumerate(handles)}
        captures = [positions.get(id(captured), captured) for captured in traced.captured_inputs]
        constants = (captured for captured in captures if not isinstance(captured, int))
        if any(constant.dtype in (tf.resource, tf.string, tf.variant) for constant in constants):
            raise Unknown("a trace that uses more than its variables")
        called = traced.graph.as_graph_def().library.function
        library = function_pb2.FunctionDefLibrary(function=[traced.function_def, *called])
        return cls(library, captures, len(traced.outputs))

    @classmethod
    def from_bytes(cls, data: bytes) -> Graph | None:
        """Return what `to_bytes` made; None for anything else, as a file that was cut off."""
        digest, _, rest = data.partition(b"\n")
        if digest != _digest(rest):
            return None
        head, _, body = rest.partition(b"\n")
        try:
            captures, outputs = json.loads(head)
            library = function_pb2.FunctionDefLibrary.FromString(body)
            return cls(library, [_from_json(captured) for captured in captures], outputs)
        except Exception:
            return None  # somebody else's digest: whatever is wrong with it, it is not a graph

    def to_bytes(self) -> bytes:
        head = json.dumps([[_to_json(captured) for captured in self._captures], self._outputs])
        body: bytes = self._library.SerializeToString()
        rest = head.encode() + b"\n" + body
        return _digest(rest) + b"\n" + rest

    def __call__(self, handles: Sequence[Any], *arguments: Any) -> list[Any]:
        """Run it with tensors, on the variables of these handles; return its tensors."""
        captured = [handles[c] if isinstance(c, int) else c for c in self._captures]
        outputs: list[Any] = self._runtime.call_function(self._name, [*arguments, *captured], self._outputs)
        return outputs


def _digest(data: bytes) -> bytes:
    return hashlib.sha256(data).hexdigest().encode()


def _to_json(captured: Any) -> int | str:
    if isinstance(captured, int):
        return captured
    constant: bytes = tf.make_tensor_proto(captured.numpy()).SerializeToString()
    return constant.hex()


def _from_json(captured: int | str) -> Any:
    if isinstance(captured, int):
        return captured
    return tf.constant(tf.make_ndarray(tensor_pb2.TensorProto.FromString(bytes.fromhex(captured))))


def _renamed(function: function_pb2.FunctionDef, names: Mapping[str, str]) -> function_pb2.FunctionDef:
    copy = function_pb2.FunctionDef()
    copy.CopyFrom(function)
    copy.signature.name = names[function.signature.name]
    for node in copy.node_def:
        node.op = names.get(node.op, node.op)
        for value in node.attr.values():
            for called in _called(value):
                called.name = names.get(called.name, called.name)
    return copy


def _called(value: attr_value_pb2.AttrValue) -> Iterator[attr_value_pb2.NameAttrList]:
    kind = value.WhichOneof("value")
    if kind == "func":
        yield value.func
    elif kind == "list":
        yield from value.list.func


def _remove(runtime: Any, names: list[str]) -> None:
    for name in names:
        runtime.remove_function(name)
