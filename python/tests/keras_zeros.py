"""Fits on rows that are mostly zeros: networks for the loop that leaves them out, and others."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras
import numpy as np
from keras import callbacks, layers, losses, optimizers
from keras_models import classes, fitted, onehot, rows

ZEROS: dict[str, Callable[[], Any]] = {}
NOT_FOR_THE_LOOP: dict[str, Callable[[], Any]] = {}


def sparse(count: int = 43, width: int = 40, **options: Any) -> Any:
    """Return rows of which four of five numbers are zero."""
    x = rows(count, width, **options)
    return x * (np.random.default_rng(4).random(x.shape) < 0.2).astype(x.dtype)


def network(*hidden: Any, out: int = 3, activation: str | None = "softmax", first: Any = 6) -> Any:
    made = [layer if isinstance(layer, layers.Layer) else layers.Dense(layer, "relu") for layer in hidden]
    start = first if isinstance(first, layers.Layer) else layers.Dense(first, "relu")
    return keras.Sequential([layers.Input((40,)), start, *made, layers.Dense(out, activation)])


def _zeros(name: str, model: Callable[[], Any] = network, y: Any = None, **options: Any) -> None:
    ZEROS[name] = lambda: fitted(model(), sparse(), onehot(43) if y is None else y, **options)


def _other(
    name: str, model: Callable[[], Any] = network, x: Any = None, y: Any = None, **options: Any
) -> None:
    def fit() -> Any:
        made = {k: v() if callable(v) and k == "optimizer" else v for k, v in options.items()}
        return fitted(model(), sparse() if x is None else x, onehot(43) if y is None else y, **made)

    NOT_FOR_THE_LOOP[name] = fit


def functional() -> Any:
    inputs = keras.Input((40,))
    return keras.Model(inputs, layers.Dense(3, "softmax")(layers.Dense(7, "relu")(inputs)))


def several_labels() -> Any:
    return (rows(43, 4, seed=6) > 0).astype("float32")


_zeros("short_last_batch", epochs=4, metrics=["accuracy"])
_zeros("one_large_batch", batch_size=500, shuffle=False)
_zeros("wide_and_deep", lambda: network(70, 33, first=100), metrics=["accuracy"])
_zeros("one_layer", lambda: keras.Sequential([layers.Input((40,)), layers.Dense(3, "softmax")]))
_zeros("functional", functional)
_zeros("sparse_labels", y=classes(43), loss="sparse_categorical_crossentropy", metrics=["accuracy"])
_zeros("sparse_labels_in_a_column", y=classes(43)[:, None], loss="sparse_categorical_crossentropy")
_zeros(
    "several_labels",
    lambda: network(out=4, activation="sigmoid"),
    several_labels(),
    loss="binary_crossentropy",
    metrics=["binary_accuracy"],
)
_zeros(
    "binary_labels",
    lambda: network(out=1, activation="sigmoid"),
    classes(43, 2),
    loss=losses.BinaryCrossentropy(),
    metrics=["accuracy"],
)
_zeros("regression", lambda: network(5, out=1, activation=None), rows(43), loss="mse", metrics=["mae"])
_zeros("several_targets", lambda: network(out=2, activation="linear"), rows(43, 2), loss="mse")
_zeros("held_out", validation_data=(sparse(9, seed=3), onehot(9)), epochs=3, metrics=["accuracy"])


def zeros(function: Callable[[], Any]) -> Callable[[], Any]:
    ZEROS[function.__name__] = function
    return function


@zeros
def columns_of_zeros_as_well() -> Any:
    x = sparse()
    x[:, ::3] = 0
    return fitted(network(), x, onehot(43))


@zeros
def training_goes_on() -> Any:
    model = fitted(network(), sparse(), onehot(43))
    model.fit(sparse(seed=8), onehot(43), batch_size=8, epochs=4, initial_epoch=2, verbose=0)
    return model


@zeros
def falling_learning_rates() -> Any:
    falls = callbacks.LearningRateScheduler(lambda epoch, rate: rate / (1 + epoch))
    return fitted(network(), sparse(), onehot(43), optimizers.Adam(0.01, beta_1=0.8), callbacks=[falls])


@zeros
def until_it_gets_no_better() -> Any:
    stop = callbacks.EarlyStopping("val_loss", patience=1, restore_best_weights=True)
    options = {"callbacks": [stop], "validation_split": 0.2, "epochs": 12}
    return fitted(network(), sparse(), onehot(43), optimizers.Adam(0.1), **options)


@zeros
def large_rows_in_an_order_that_comes_again() -> Any:
    x, y, drawn = sparse(1024), onehot(1024), []
    for rate in (0.001, 0.01, 0.001):
        keras.utils.set_random_seed(5)
        model = fitted(network(), x, y, optimizers.Adam(rate), batch_size=64)
        model.drawn = drawn = [*drawn, *(float(np.abs(w).sum()) for w in model.get_weights())]
    return model


_other("a_tanh", lambda: network(first=layers.Dense(6, "tanh")))
_other("an_activation_of_its_own", lambda: network(layers.Activation("relu")))
_other("no_bias", lambda: network(first=layers.Dense(6, "relu", use_bias=False)))
_other("a_penalty", lambda: network(first=layers.Dense(6, "relu", kernel_regularizer="l2")))
_other("another_optimizer", optimizer="sgd")
_other("amsgrad", optimizer=lambda: optimizers.Adam(amsgrad=True))
_other("clipped_gradients", optimizer=lambda: optimizers.Adam(clipnorm=0.1))
_other("a_schedule", optimizer=lambda: optimizers.Adam(optimizers.schedules.ExponentialDecay(0.01, 3, 0.5)))
_other("smooth_labels", loss=losses.CategoricalCrossentropy(label_smoothing=0.1))
_other(
    "logits",
    lambda: network(activation=None),
    y=classes(43),
    loss=losses.SparseCategoricalCrossentropy(from_logits=True),
)
_other("another_loss", lambda: network(activation=None), loss="mae")
_other("few_zeros", x=rows(43, 40))
