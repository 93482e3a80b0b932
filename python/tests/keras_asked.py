"""What tests ask a process of Keras fits, and do to it, besides fits."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from keras import layers

ASKED: dict[str, Callable[..., dict[str, Any]]] = {}


def asked(function: Callable[..., dict[str, Any]]) -> Callable[..., dict[str, Any]]:
    ASKED[function.__name__] = function
    return function


@asked
def traces() -> dict[str, Any]:
    """How many graphs the twins have, and how many models were made to be traced."""
    from crossfold._runtime._keras import _twin

    return {"traces": _twin.traces(), "models": sum("model" in vars(t) for t in _twin._twins.values())}


@asked
def replace_a_method() -> dict[str, Any]:
    """Replace what a layer does, for all of the process."""
    original = layers.Dense.call
    layers.Dense.call = lambda self, x, training=None: 2 * original(self, x, training)
    return {}


@asked
def replace_an_inherited_method() -> dict[str, Any]:
    layers.Dense.__call__ = lambda self, x, **options: 2 * layers.Layer.__call__(self, x, **options)
    return {}


@asked
def turn_a_switch() -> dict[str, Any]:
    """Let TensorFlow promote dtypes its other way."""
    tf.experimental.numpy.experimental_enable_numpy_behavior()
    return {}


@asked
def watch_operations() -> dict[str, Any]:
    """Have TensorFlow add operations of a debugger to every graph."""
    tf.debugging.enable_check_numerics()
    return {}


@asked
def import_the_other_way() -> dict[str, Any]:
    """Import Keras as a part of TensorFlow; whether traces may be shared then."""
    from tensorflow.keras import layers as same

    from crossfold._runtime._keras import _pristine

    return {"same": tf.keras.layers.Dense is same.Dense is layers.Dense, "shared": _pristine.may_share()}


@asked
def take_a_method_away() -> dict[str, Any]:
    """Whether traces may be shared without a method, and after it was put back."""
    from crossfold._runtime._keras import _pristine

    original = layers.Dense.call
    del layers.Dense.call
    without = _pristine.may_share()
    layers.Dense.call = original
    return {"without": without, "put back": _pristine.may_share()}


@asked
def put_a_loss_among_keras_own() -> dict[str, Any]:
    """Whether a loss of a user's own is taken for one of Keras'."""
    from crossfold._runtime._keras import _known

    keras.losses.mine = lambda y_true, y_pred: y_pred
    return {"taken": keras.losses.mine in _known._all_of(keras.losses)}


@asked
def fit_what_has_nothing_to_train() -> dict[str, Any]:
    model = keras.Sequential([layers.Input((2,)), layers.Dense(1)])
    model.trainable = False
    model.compile("sgd", "mse")
    with warnings.catch_warnings(action="ignore"):
        model.fit(np.zeros((4, 2)), np.zeros(4), verbose=0)
    return {}


@asked
def limit(graphs: int) -> dict[str, Any]:
    """Set how many graphs are kept on disk."""
    from crossfold._runtime._keras import _stored

    _stored.LIMIT = graphs
    return {}


@asked
def decode(data: str) -> dict[str, Any]:
    """Whether bytes are taken for a graph."""
    from crossfold._runtime._keras._graphs import Graph

    return {"found": Graph.from_bytes(bytes.fromhex(data)) is not None}
