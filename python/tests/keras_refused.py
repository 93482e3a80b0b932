"""Fits that Keras itself has to do, by the reason that the report gives."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from keras import callbacks, layers, optimizers
from keras_models import dense, fitted, onehot, rows

REFUSED: dict[str, Callable[[], Any]] = {}


class Own(layers.Layer):
    def call(self, x: Any) -> Any:
        return x * 2.0


class Subclassed(keras.Model):
    def __init__(self) -> None:
        super().__init__()
        self.inner = layers.Dense(3, "softmax")

    def call(self, x: Any) -> Any:
        return self.inner(x)


class Watch(callbacks.Callback):
    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        self.model.seen = batch


class Steepest(optimizers.SGD):
    pass


def relu(x: Any) -> Any:
    return keras.ops.relu(x)


def squared(y: Any, found: Any) -> Any:
    return keras.ops.mean((y - found) ** 2, axis=-1)


def _refused(name: str, **options: Any) -> None:
    """Add a fit that Keras itself has to do, for what its options say."""

    def run() -> Any:
        made = {k: v() if callable(v) else v for k, v in options.items() if k in ("model", "x", "optimizer")}
        rest = {k: v for k, v in options.items() if k not in made}
        model, x = made.pop("model", None) or dense(), made.pop("x", rows(16, 5))
        return fitted(model, x, rest.pop("y", onehot(16)), **made, **rest, epochs=1)

    REFUSED[name] = run


def two_outputs() -> Any:
    inputs = keras.Input((5,))
    return keras.Model(inputs, [layers.Dense(3)(inputs), layers.Dense(3)(inputs)])


def branches() -> Any:
    inputs = keras.Input((5,))
    merged = layers.Concatenate()([layers.Dense(3)(inputs), inputs])
    return keras.Model(inputs, layers.Dense(3, "softmax")(merged))


def shared() -> Any:
    inputs, layer = keras.Input((5,)), layers.Dense(5)
    return keras.Model(inputs, layers.Dense(3, "softmax")(layer(layer(inputs))))


def with_operation() -> Any:
    inputs = keras.Input((5,))
    return keras.Model(inputs, layers.Dense(3, "softmax")(inputs + 1.0))


def replaced_step() -> Any:
    model = dense()
    model.train_step = model.train_step
    return model


_refused("model class Subclassed", model=Subclassed)
_refused("layer Own", model=lambda: dense(Own()))
_refused("layer Lambda", model=lambda: dense(layers.Lambda(lambda x: x * 2)))
_refused("custom activation relu", model=lambda: dense(layers.Activation(relu)))
_refused("a model without an input shape", model=lambda: keras.Sequential([layers.Dense(3, "softmax")]))
_refused("several inputs or outputs", model=two_outputs, y=[onehot(16), onehot(16)], loss="mse")
_refused("layer Concatenate", model=branches)
_refused("branches or shared layers", model=shared)
_refused("operation Add", model=with_operation)
_refused("a replaced train_step", model=replaced_step)
_refused("dtype mixed_bfloat16", model=lambda: dense(layers.Dense(4, dtype="mixed_bfloat16")))
_refused("custom loss squared", loss=squared)
_refused("custom metric squared", metrics=[squared])
_refused("optimizer Steepest", optimizer=Steepest)
_refused("learning rate <lambda>", optimizer=lambda: optimizers.SGD(lambda: 0.1))
_refused("callback Watch", callbacks=[Watch()])
_refused("callback LambdaCallback", callbacks=[callbacks.LambdaCallback(on_epoch_end=lambda *_: None)])
_refused("run_eagerly", run_eagerly=True)
_refused("jit_compile", jit_compile=True)
_refused("loss weights", loss_weights=[0.5])
_refused("sample_weight", sample_weight=np.ones(16))
_refused("class_weight", class_weight={0: 1.0, 1: 2.0, 2: 1.0})
_refused("steps_per_epoch", steps_per_epoch=1)
_refused("shuffle='batch'", shuffle="batch")
_refused("x is not a plain array of numbers", x=lambda: tf.constant(rows(16, 5)))
