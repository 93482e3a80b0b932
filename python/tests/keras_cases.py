"""Fits of Keras models, run in a process of their own with the twins or without them.

A request is ``(kind, name, options)``; the answer is JSON: what the fit left behind, every number to the bit,
and the ways it went.
"""

from __future__ import annotations

import json
import os
import warnings
from collections.abc import Callable
from contextlib import suppress
from multiprocessing.connection import Connection
from typing import Any

os.environ |= {"TF_NUM_INTRAOP_THREADS": "1", "TF_NUM_INTEROP_THREADS": "1", "TF_CPP_MIN_LOG_LEVEL": "3"}

import keras
import numpy as np
import tensorflow as tf
from keras import callbacks, layers, optimizers, regularizers
from keras_asked import ASKED
from keras_left import evaluated, left_behind
from keras_models import classes, dense, fitted, onehot, rows
from keras_refused import REFUSED
from keras_zeros import NOT_FOR_THE_LOOP, ZEROS

from crossfold._runtime import _keras, _ways
from crossfold._runtime._keras import _pristine

Table = dict[str, Callable[[], Any]]
CASES: Table = {}


def case(table: Table) -> Callable[[Callable[[], Any]], Callable[[], Any]]:
    def add(function: Callable[[], Any]) -> Callable[[], Any]:
        table[function.__name__] = function
        return function

    return add


@case(CASES)
def full_batches() -> Any:
    return fitted(dense(), rows(32, 5), onehot(32))


@case(CASES)
def short_last_batch() -> Any:
    return fitted(dense(), rows(35, 5), onehot(35), metrics=["accuracy"], epochs=3)


@case(CASES)
def fewer_rows_than_a_batch() -> Any:
    return fitted(dense(), rows(5, 5), onehot(5), batch_size=None)


@case(CASES)
def without_shuffling() -> Any:
    return fitted(dense(), rows(35, 5), onehot(35), shuffle=False, steps_per_execution=3)


@case(CASES)
def double_precision_columns_in_fortran_order() -> Any:
    return fitted(dense(), np.asfortranarray(rows(35, 5, dtype="float64")), onehot(35))


@case(CASES)
def sparse_labels() -> Any:
    metrics = ["accuracy", keras.metrics.SparseTopKCategoricalAccuracy(k=2)]
    model = fitted(dense(), rows(35, 5), classes(35), loss="crossentropy", metrics=metrics)
    model.drawn = [
        model.evaluate(rows(35, 5), classes(35), verbose=0),
        model.evaluate(rows(32, 5), classes(32), verbose=0, batch_size=4, return_dict=True),
    ]
    return model


@case(CASES)
def binary_labels() -> Any:
    model = dense(out=1, activation="sigmoid")
    metrics = [keras.metrics.AUC(), "accuracy", keras.metrics.Precision(), keras.metrics.BinaryAccuracy()]
    loss = keras.losses.BinaryCrossentropy(label_smoothing=0.1)
    return fitted(model, rows(35, 5), classes(35, 2), loss=loss, metrics=metrics)


@case(CASES)
def regression() -> Any:
    model = dense(out=1, activation=None)
    weighted = [keras.metrics.RootMeanSquaredError()]
    loss = keras.losses.huber
    return fitted(model, rows(35, 5), rows(35), loss=loss, metrics=["mae", "mse"], weighted_metrics=weighted)


@case(CASES)
def dropout() -> Any:
    noise = [layers.Dropout(0.3), layers.GaussianNoise(0.1), layers.Dropout(0.2, seed=4)]
    return fitted(dense(*noise, layers.GaussianDropout(0.1)), rows(35, 5), onehot(35), epochs=3)


@case(CASES)
def normalisation() -> Any:
    middle = [layers.BatchNormalization(), layers.LayerNormalization(), layers.Activation("gelu")]
    return fitted(dense(*middle), rows(35, 5), onehot(35), epochs=3)


@case(CASES)
def activations() -> Any:
    middle = [layers.LeakyReLU(), layers.PReLU(), layers.ELU(), layers.ReLU(6), layers.Softmax()]
    return fitted(dense(*middle, layers.Rescaling(2.0)), rows(35, 5), onehot(35))


@case(CASES)
def images() -> Any:
    model = keras.Sequential(
        [
            layers.Input((8, 8, 1)),
            layers.Conv2D(4, 3, activation="relu", padding="same"),
            layers.BatchNormalization(),
            layers.MaxPooling2D(2),
            layers.SpatialDropout2D(0.2),
            layers.SeparableConv2D(4, 2),
            layers.ZeroPadding2D(1),
            layers.DepthwiseConv2D(2),
            layers.UpSampling2D(2),
            layers.AveragePooling2D(2),
            layers.Flatten(),
            layers.Dense(3, "softmax"),
        ]
    )
    return fitted(model, rows(35, 8, 8, 1), onehot(35), metrics=["accuracy"])


@case(CASES)
def full_batches_of_images() -> Any:
    model = keras.Sequential(
        [
            layers.Input((6, 6, 1)),
            layers.Conv2D(4, 3, activation="relu"),
            layers.GlobalAveragePooling2D(),
            layers.Dense(3, "softmax"),
        ]
    )
    return fitted(model, rows(32, 6, 6, 1), onehot(32))


@case(CASES)
def series() -> Any:
    model = keras.Sequential(
        [
            layers.Input((12, 2)),
            layers.Conv1D(4, 3, activation="relu"),
            layers.SpatialDropout1D(0.2),
            layers.MaxPooling1D(2),
            layers.ZeroPadding1D(1),
            layers.AveragePooling1D(2),
            layers.TimeDistributed(layers.Dense(3)),
            layers.Permute((2, 1)),
            layers.GlobalMaxPooling1D(),
            layers.RepeatVector(2),
            layers.Reshape((-1,)),
            layers.Dense(3, "softmax"),
        ]
    )
    return fitted(model, rows(35, 12, 2), onehot(35))


@case(CASES)
def words() -> Any:
    model = keras.Sequential(
        [
            layers.Input((7,), dtype="int32"),
            layers.Embedding(20, 4),
            layers.Bidirectional(layers.LSTM(3, return_sequences=True)),
            layers.GRU(3, dropout=0.2, recurrent_dropout=0.1),
            layers.Dense(3, "softmax"),
        ]
    )
    tokens = np.random.default_rng(2).integers(0, 20, (35, 7)).astype("int32")
    return fitted(model, tokens, onehot(35))


@case(CASES)
def masked_words() -> Any:
    model = keras.Sequential(
        [
            layers.Input((7,)),
            layers.Embedding(20, 4, mask_zero=True),
            layers.SimpleRNN(3),
            layers.Dense(1, "sigmoid"),
        ]
    )
    tokens = np.random.default_rng(2).integers(0, 20, (35, 7))
    return fitted(model, tokens, classes(35, 2), "rmsprop", loss="binary_crossentropy")


@case(CASES)
def functional() -> Any:
    inputs = keras.Input((5,))
    inside = layers.Dense(4, "tanh", name="inside", trainable=False)(inputs)
    inside = layers.Dense(4, "gelu")(inside)
    return fitted(keras.Model(inputs, layers.Dense(3, "softmax")(inside)), rows(35, 5), onehot(35))


@case(CASES)
def penalties_and_constraints() -> Any:
    layer = layers.Dense(
        4,
        kernel_regularizer=regularizers.L1L2(1e-3, 1e-2),
        activity_regularizer=regularizers.L2(1e-3),
        kernel_constraint=keras.constraints.MaxNorm(1.0),
    )
    more = layers.Dense(5, kernel_regularizer="l2", bias_regularizer="l1")
    return fitted(dense(layer, more), rows(35, 5), onehot(35), optimizers.Adam(clipnorm=0.1))


OPTIMIZERS: dict[str, Callable[[], Any]] = {
    "SGD": lambda: optimizers.SGD(
        optimizers.schedules.ExponentialDecay(0.05, 3, 0.9), momentum=0.9, nesterov=True
    ),
    "Adam": lambda: optimizers.Adam(0.01, amsgrad=True, gradient_accumulation_steps=2),
    "AdamW": lambda: optimizers.AdamW(0.01, use_ema=True, ema_overwrite_frequency=3),
    "RMSprop": lambda: optimizers.RMSprop(0.01, momentum=0.5, centered=True),
    "Nadam": lambda: optimizers.Nadam(0.01),
    "Adagrad": lambda: optimizers.Adagrad(0.01),
}

for _name, _make in OPTIMIZERS.items():
    CASES[f"optimizer_{_name}"] = lambda make=_make: fitted(  # type: ignore[misc]
        dense(out=1, activation=None), rows(35, 5), rows(35), make(), loss="mse"
    )


@case(CASES)
def early_stopping() -> Any:
    stop = callbacks.EarlyStopping("val_loss", patience=1, restore_best_weights=True, start_from_epoch=1)
    return fitted(
        dense(layers.Dropout(0.2)),
        rows(41, 5),
        onehot(41),
        optimizers.Adam(0.3),
        callbacks=[stop],
        validation_split=0.2,
        epochs=12,
    )


@case(CASES)
def falling_learning_rates() -> Any:
    fall = [
        callbacks.ReduceLROnPlateau("loss", factor=0.5, patience=1, min_delta=0.5),
        callbacks.LearningRateScheduler(lambda epoch, rate: rate * (0.9 if epoch else 1.0)),
    ]
    return fitted(dense(), rows(35, 5), onehot(35), callbacks=fall, epochs=5)


@case(CASES)
def validation_data() -> Any:
    held_out = (rows(11, 5, seed=3), onehot(11))
    options = {"validation_data": held_out, "validation_batch_size": 4, "validation_freq": 2, "epochs": 4}
    return fitted(
        dense(layers.BatchNormalization()), rows(35, 5), onehot(35), metrics=["accuracy"], **options
    )


@case(CASES)
def training_goes_on() -> Any:
    model = fitted(dense(layers.Dropout(0.2)), rows(35, 5), onehot(35))
    model.train_on_batch(rows(8, 5), onehot(8))
    model.fit(rows(35, 5), onehot(35), batch_size=8, epochs=4, initial_epoch=2, verbose=0)
    return model


@case(CASES)
def plain_with_penalties() -> Any:
    middle = [
        layers.Dense(4, "tanh", kernel_regularizer="l2", kernel_constraint=keras.constraints.MaxNorm(1.0)),
        layers.PReLU(),
    ]
    return fitted(dense(*middle), rows(35, 5), onehot(35), optimizers.AdamW(0.01), metrics=["accuracy"])


@case(CASES)
def plain_until_it_gets_no_better() -> Any:
    stop = callbacks.EarlyStopping("val_loss", patience=1, restore_best_weights=True)
    options = {"callbacks": [stop], "validation_split": 0.2, "epochs": 12}
    return fitted(dense(), rows(41, 5), onehot(41), optimizers.Adam(0.3), **options)


@case(CASES)
def plain_evaluated() -> Any:
    model = fitted(dense(), rows(35, 5), classes(35), loss="crossentropy", metrics=["accuracy"])
    model.drawn = model.evaluate(rows(35, 5), classes(35), verbose=0)
    return model


@case(CASES)
def large_rows_again_and_with_one_other_number() -> Any:
    x, drawn = rows(4096, 5), []
    (other := x.copy())[1234, 3] = 50.0
    for values in (x, other, x.astype("f8"), other.astype("f8"), x.copy()):
        keras.utils.set_random_seed(5)
        model = fitted(dense(), values, onehot(4096), batch_size=64)
        model.drawn = drawn = [*drawn, *(float(np.abs(w).sum()) for w in model.get_weights())]
    return model


@case(CASES)
def stateful_random_operations_beside_it() -> Any:
    model = fitted(dense(), rows(35, 5), onehot(35))
    drawn = [tf.random.normal([2]), tf.random.uniform([2], seed=3), tf.random.shuffle(tf.range(9))]
    keras.utils.set_random_seed(5)
    drawn += [tf.random.normal([2]), tf.random.uniform([2], seed=3), tf.random.shuffle(tf.range(9))]
    keras.utils.set_random_seed(5)
    drawn += [tf.random.normal([2]), keras.random.normal((2,))]
    model.drawn = [np.asarray(value).tobytes().hex() for value in drawn]
    return model


def blank(x: Any, columns: Any = slice(None, None, 3)) -> Any:
    """Return rows with columns of zeros."""
    x[:, columns] = 0
    return x


@case(CASES)
def zeros_in_columns() -> Any:
    x = blank(rows(43, 40))
    return fitted(
        dense(width=40), x, onehot(43), metrics=["accuracy"], validation_data=(rows(9, 40), onehot(9))
    )


@case(CASES)
def zeros_in_columns_of_a_functional_model() -> Any:
    inputs = keras.Input((24,))
    model = keras.Model(inputs, layers.Dense(3, "softmax")(layers.Dense(7, use_bias=False)(inputs)))
    optimizer = optimizers.SGD(0.1, momentum=0.9, nesterov=True, global_clipnorm=0.5)
    return fitted(model, blank(rows(35, 24)), onehot(35), optimizer)


@case(CASES)
def zeros_in_all_columns() -> Any:
    return fitted(
        dense(width=12), np.zeros((16, 12), "float32"), onehot(16), optimizers.RMSprop(0.01, centered=True)
    )


@case(CASES)
def zeros_in_columns_that_had_others_before() -> Any:
    model = fitted(dense(width=20), rows(16, 20), onehot(16))
    model.fit(blank(rows(16, 20)), onehot(16), verbose=0)
    return model


@case(CASES)
def zeros_in_columns_that_decay() -> Any:
    return fitted(dense(width=20), blank(rows(16, 20)), onehot(16), optimizers.Adam(0.01, weight_decay=0.1))


@case(CASES)
def zeros_in_columns_with_a_penalty() -> Any:
    inputs = [layers.Input((20,)), layers.Dense(6, "relu", kernel_regularizer="l2")]
    return fitted(keras.Sequential([*inputs, layers.Dense(3, "softmax")]), blank(rows(16, 20)), onehot(16))


@case(CASES)
def zeros_in_a_few_columns() -> Any:
    return fitted(dense(width=20), blank(rows(16, 20), [3, 5]), onehot(16))


def main(connection: Connection, way: str = "", store: str = "") -> None:
    """Answer requests until the connection ends."""
    if way:
        _pristine.remember()
        _keras.install(way == "compiled", store)
    keras.utils.disable_interactive_logging()
    warnings.simplefilter("error")
    # Keras on NumPy 2.
    warnings.filterwarnings("ignore", "__array__ implementation", DeprecationWarning)
    with suppress(EOFError):
        while True:
            kind, name, options = connection.recv()
            connection.send(json.dumps([answer(kind, name, options), _ways.take()]))


def answer(kind: str, name: str, options: dict[str, Any]) -> dict[str, Any]:
    if kind in ASKED:
        return ASKED[kind](**options)
    keras.utils.clear_session()
    keras.utils.set_random_seed(options.get("seed", 7))
    if kind == "refused":
        with warnings.catch_warnings(action="ignore"):
            REFUSED[name]()
        return {}
    tables = {"case": CASES, "zeros": ZEROS, "not for the loop": NOT_FOR_THE_LOOP}
    model = drawn(options) if kind == "drawn" else tables[kind][name]()
    return left_behind(model) | evaluated(model)


def drawn(options: dict[str, Any]) -> Any:
    """Fit a network that hypothesis described."""
    middle: list[Any] = []
    for width, activation, rate, norm in options["hidden"]:
        middle += [layers.Dense(width, activation), *([layers.BatchNormalization()] if norm else [])]
        middle += [layers.Dropout(rate)] if rate else []
    count = options["rows"]
    optimizer = OPTIMIZERS[options["optimizer"]]()
    return fitted(
        dense(*middle),
        rows(count, 5),
        onehot(count),
        optimizer,
        metrics=["accuracy"],
        epochs=options["epochs"],
        batch_size=options["batch"],
        shuffle=options["shuffle"],
    )
