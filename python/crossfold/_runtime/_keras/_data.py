"""Rows as tensors, kept between the fits of one fold, and the order in which Keras draws them."""

from __future__ import annotations

import ctypes
import itertools
from collections import OrderedDict
from collections.abc import Callable, Iterator
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray
from tensorflow.python.eager import context

from crossfold._runtime._keras._known import Unknown
from crossfold._runtime._objects import Recent

BYTES_LIMIT = 256 << 20
"""Most bytes of tensors kept."""

_SMALL = 1 << 14
_BLOCK = 1 << 16
_SAMPLES = 64
_MAX_SEED = 2**31 - 1

_kept: OrderedDict[Any, list[Any]] = OrderedDict()
_orders: Recent[Any] = Recent(16)

_memcmp = ctypes.CDLL(None).memcmp
_memcmp.argtypes = [ctypes.c_void_p, ctypes.c_void_p, ctypes.c_size_t]


def tensor(array: Any, what: str, rows: int | None = None) -> Any:
    """Return an array as the tensor that Keras would make of it: floats become floatx.

    It is padded to ``rows`` if given.
    Rows that were made a tensor lately are not copied again: on many machines a copy of a fold into
    fresh memory takes as long as a tenth of its fit. Raises Unknown for all but a plain array of numbers.
    """
    if type(array) is not np.ndarray or array.dtype.kind not in "fiub" or array.ndim == 0:
        raise Unknown(f"{what} is not a plain array of numbers")
    if not len(array):
        raise Unknown(f"{what} has no rows")
    dtype = np.dtype(keras.config.floatx() if array.dtype.kind == "f" else array.dtype)
    if not array.flags.c_contiguous or array.size < _SMALL:
        return _made(array, dtype, rows)
    flat = array.reshape(-1)
    key = (array.shape, array.dtype, dtype, rows, flat[:: array.size // _SAMPLES].tobytes())
    for kept in _kept.get(key, []):
        if _equal(flat, np.asarray(memoryview(kept)).reshape(-1)[: flat.size]):
            _kept.move_to_end(key)
            return kept
    made = _made(array, dtype, rows)
    _keep(key, made)
    return made


def in_order(rows: Any, order: Any, cut: Callable[[], Any] | None = None) -> Any:
    """Return the rows of a tensor in an order, then first ones to the same length.

    ``cut`` returns what of the rows is wanted.
    """

    def make() -> Any:
        indices = tf.pad(tf.cast(order, tf.int32), [[0, len(rows) - len(order)]])
        return tf.gather(cut() if cut else rows, indices)

    return ordered(("in order", cut is not None), rows, order, make)


def ordered(what: Any, rows: Any, order: Any, make: Callable[[], Any]) -> Any:
    """Return what ``make`` makes of the rows of a tensor in an order.

    It is kept where the order is one that comes again.
    """
    # What it is made of is kept with it, so that its ids stay what they are.
    key = (id(rows), id(order), what)
    if (kept := _found(key)) is not None:
        return kept
    made = make()
    if _orders.holds(order):
        _keep(key, made, rows, order)
    return made


def derived(what: str, rows: Any, make: Callable[[Any], Any]) -> Any:
    """Return what ``make`` makes of the rows of a tensor; kept as long as they are."""
    key = (id(rows), what)
    if (kept := _found(key)) is not None:
        return kept
    made = make(rows)
    _keep(key, made, rows)
    return made


def _made(array: NDArray[Any], dtype: np.dtype[Any], rows: int | None) -> Any:
    array = array.astype(dtype, copy=False)
    if rows is not None:
        array = np.concatenate([array, np.zeros((rows - len(array), *array.shape[1:]), dtype)])
    return tf.convert_to_tensor(array)


def order(rows: int, shuffle: Any) -> Iterator[Any]:
    """Return the order of rows (int64) of one epoch after the other.

    Keras shuffles in a tf.data pipeline that starts anew with each epoch: with a global seed all
    epochs of a fit have the same order. Raises Unknown for a way to shuffle that is not known.
    """
    if not isinstance(shuffle, bool | np.bool_):
        raise Unknown(f"shuffle={shuffle!r}")
    if not shuffle:
        return itertools.repeat(_orders.get(f"{rows}", lambda: tf.range(rows, dtype=tf.int64)))
    seed = context.global_seed()
    if seed is not None:
        seed %= _MAX_SEED
        return itertools.repeat(_orders.get(f"{rows}-{seed}", lambda: _shuffled(rows, seed)))
    random = np.random.default_rng()
    return (tf.constant(random.permutation(rows)) for _ in itertools.count())


def _shuffled(rows: int, seed: int) -> Any:
    # The seeds that tf.random.shuffle takes as the first random operation of a graph.
    seeds = {"seed": seed, "seed2": 0 if seed else _MAX_SEED}

    def shuffled(_: Any) -> Any:
        return tf.raw_ops.RandomShuffle(value=tf.range(rows, dtype=tf.int64), **seeds)

    return next(iter(tf.data.Dataset.range(1).map(shuffled)))


def _equal(array: NDArray[Any], kept: NDArray[Any]) -> bool:
    """Whether two flat arrays have the same bits, the first one cast to the type of the second."""
    if array.dtype == kept.dtype:
        return _same(array, kept)
    blocks = range(0, len(kept), _BLOCK)
    return all(_same(array[i : i + _BLOCK].astype(kept.dtype), kept[i : i + _BLOCK]) for i in blocks)


def _same(a: NDArray[Any], b: NDArray[Any]) -> bool:
    return bool(_memcmp(a.ctypes.data, b.ctypes.data, b.nbytes) == 0)


def _found(key: Any) -> Any:
    """Return the first of what is kept under a key, or None."""
    if key not in _kept:
        return None
    _kept.move_to_end(key)
    return _kept[key][0]


def _keep(key: Any, *made: Any) -> None:
    if sum(map(_size, made)) > BYTES_LIMIT // 2:
        return
    _kept.setdefault(key, []).extend(made)
    _kept.move_to_end(key)
    while _held_bytes() > BYTES_LIMIT:
        _kept.popitem(last=False)


def _held_bytes() -> int:
    held = {id(t): _size(t) for tensors in _kept.values() for t in tensors}
    return sum(held.values())


def _size(made: Any) -> int:
    if tf.is_tensor(made):
        return int(made.dtype.size * np.prod(made.shape))
    return int(made.nbytes)
