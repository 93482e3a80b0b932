"""The loop of ``sparse.c``: a chain of Dense layers trained on rows that are mostly zeros."""

from __future__ import annotations

import ctypes
from collections.abc import Sequence
from ctypes import POINTER, Structure, byref, c_double, c_float, c_int32, c_int64
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

LIBRARY = Path(__file__).resolve().parents[2] / "_bin" / "libsparse.so"
"""Where `make setup` and wheels have it."""

ENTRIES_LIMIT = 2**31 - 1
"""Most that is not zero: positions are int32."""

LINEAR, SOFTMAX, SIGMOID = range(3)
"""Activations of the last layer."""

_I32, _I64, _F32 = POINTER(c_int32), POINTER(c_int64), POINTER(c_float)
_TYPES: dict[Any, Any] = {np.dtype(np.int32): _I32, np.dtype(np.int64): _I64, np.dtype(np.float32): _F32}


class _Entries(Structure):
    _fields_ = [
        ("starts", _I32),
        ("columns", _I32),
        ("values", _F32),
        ("column_starts", _I32),
        ("column_rows", _I32),
        ("column_values", _F32),
    ]


class _Variable(Structure):
    _fields_ = [("value", _F32), ("momentum", _F32), ("velocity", _F32)]


class _Layer(Structure):
    _fields_ = [("kernel", _Variable), ("bias", _Variable), ("inputs", c_int32), ("units", c_int32)]


class _Task(Structure):
    _fields_ = [
        ("layers", POINTER(_Layer)),
        ("depth", c_int32),
        ("activation", c_int32),
        ("used", _I32),
        ("used_count", c_int32),
        ("batch", c_int32),
        ("x", _Entries),
        ("y", _F32),
        ("logits", _F32),
        ("order", _I64),
        ("count", c_int64),
        ("iterations", c_int64),
        ("rate", c_double),
        ("beta_1", c_double),
        ("beta_2", c_double),
        ("epsilon", c_double),
        ("scale", c_double),
    ]


@dataclass(frozen=True)
class Variable:
    """A weight and what Adam keeps of it: three float32 arrays of one shape."""

    value: NDArray[np.float32]
    momentum: NDArray[np.float32]
    velocity: NDArray[np.float32]


@dataclass(frozen=True)
class Adam:
    """Adam's settings, and how many batches it has seen."""

    iterations: int
    rate: float
    beta_1: float
    beta_2: float
    epsilon: float


@dataclass(frozen=True)
class Loss:
    """An activation of the outputs, and ``scale`` so that (outputs - y) * scale are a row's gradients."""

    activation: int
    scale: float


@dataclass(frozen=True)
class Arranged:
    """What is not zero in some columns (int32) of rows, in an order (int64), batch by batch."""

    order: NDArray[np.int64]
    columns: NDArray[np.int32]
    batch: int
    entries: tuple[NDArray[Any], ...]

    @property
    def batches(self) -> int:
        return -(-len(self.order) // self.batch)

    @property
    def nbytes(self) -> int:
        return sum(array.nbytes for array in self.entries)


def available() -> bool:
    """Whether the library is there, built for this machine."""
    return _library() is not None


def arrange(
    x: NDArray[np.float32], columns: NDArray[np.int32], order: NDArray[np.int64], batch: int, count: int
) -> Arranged:
    """Return what is not zero in some columns of x (rows, columns), of which there are ``count`` at most."""
    batches = -(-len(order) // batch)
    by_rows = np.empty(len(order) + 1, np.int32), np.empty(count, np.int32), np.empty(count, np.float32)
    starts = np.empty(batches * (len(columns) + 2), np.int32)
    entries = *by_rows, starts, np.empty(count, np.int32), np.empty(count, np.float32)
    _library().arrange(
        _at(x),
        c_int64(x.shape[1]),
        _at(columns),
        c_int32(len(columns)),
        _at(order),
        c_int64(len(order)),
        c_int32(batch),
        byref(_Entries(*map(_at, entries))),
    )
    return Arranged(order, columns, batch, entries)


def train(
    x: Arranged, y: NDArray[np.float32], layers: Sequence[tuple[Variable, Variable]], adam: Adam, loss: Loss
) -> NDArray[np.float32]:
    """Train (kernel, bias) of each layer, in place, for one epoch, ReLU between them.

    Returns what the last layer gave before its activation, in the order of the rows of y, both of shape
    (rows, units).
    """
    made = [_Layer(_variable(k), _variable(b), *k.value.shape) for k, b in layers]
    logits = np.empty_like(y)
    task = _Task(
        layers=(_Layer * len(made))(*made),
        depth=len(made),
        activation=loss.activation,
        used=_at(x.columns),
        used_count=len(x.columns),
        batch=x.batch,
        x=_Entries(*map(_at, x.entries)),
        y=_at(y),
        logits=_at(logits),
        order=_at(x.order),
        count=len(x.order),
        scale=loss.scale,
        iterations=adam.iterations,
        rate=adam.rate,
        beta_1=adam.beta_1,
        beta_2=adam.beta_2,
        epsilon=adam.epsilon,
    )
    if _library().train(byref(task)) != 0:
        raise MemoryError("no memory to train a network in")
    return logits


def _variable(variable: Variable) -> _Variable:
    return _Variable(_at(variable.value), _at(variable.momentum), _at(variable.velocity))


def _at(array: NDArray[Any]) -> Any:
    assert array.flags.c_contiguous
    return array.ctypes.data_as(_TYPES[array.dtype])


@cache
def _library() -> Any:
    try:
        return ctypes.CDLL(str(LIBRARY))
    except OSError:
        return None
