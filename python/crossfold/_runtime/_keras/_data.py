"""Rows as tensors, kept between the fits of one fold, and the order in which Keras draws them."""

from __future__ import annotations

import itertools
from collections import OrderedDict
from collections.abc import Iterator
from functools import lru_cache
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray
from tensorflow.python.eager import context

from crossfold._runtime._keras._known import Unknown

BYTES_LIMIT = 256 << 20
"""Most bytes of tensors kept."""

_SMALL = 1 << 14
_BLOCK = 1 << 16
_SAMPLES = 64
_MAX_SEED = 2**31 - 1

_kept: OrderedDict[Any, list[Any]] = OrderedDict()


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
        return itertools.repeat(_in_order(rows))
    seed = context.global_seed()
    if seed is not None:
        return itertools.repeat(_shuffled(rows, seed % _MAX_SEED))
    random = np.random.default_rng()
    return (tf.constant(random.permutation(rows)) for _ in itertools.count())


@lru_cache(8)
def _in_order(rows: int) -> Any:
    return tf.range(rows, dtype=tf.int64)


@lru_cache(16)
def _shuffled(rows: int, seed: int) -> Any:
    # The seeds that tf.random.shuffle takes as the first random operation of a graph.
    seeds = {"seed": seed, "seed2": 0 if seed else _MAX_SEED}

    def shuffled(_: Any) -> Any:
        return tf.raw_ops.RandomShuffle(value=tf.range(rows, dtype=tf.int64), **seeds)

    return next(iter(tf.data.Dataset.range(1).map(shuffled)))


def _equal(array: NDArray[Any], kept: NDArray[Any]) -> bool:
    """Whether two flat arrays have the same bits, the first one cast to the type of the second."""
    bits = np.dtype(f"V{kept.itemsize}") if kept.itemsize > 8 else np.dtype(f"u{kept.itemsize}")
    for start in range(0, len(kept), _BLOCK):
        block = array[start : start + _BLOCK].astype(kept.dtype, copy=False)
        if not np.array_equal(block.view(bits), kept[start : start + _BLOCK].view(bits)):
            return False
    return True


def _keep(key: Any, made: Any) -> None:
    size = _size(made)
    if size > BYTES_LIMIT // 2:
        return
    _kept.setdefault(key, []).append(made)
    _kept.move_to_end(key)
    while sum(_size(t) for tensors in _kept.values() for t in tensors) > BYTES_LIMIT:
        _kept.popitem(last=False)


def _size(made: Any) -> int:
    return int(made.dtype.size * np.prod(made.shape))
