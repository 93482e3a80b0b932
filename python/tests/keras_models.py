"""Small models, rows for them, and how the cases fit them."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
from keras import layers


def rows(count: int, *shape: int, seed: int = 0, dtype: str = "float32") -> Any:
    return np.random.default_rng(seed).normal(size=(count, *shape)).astype(dtype)


def classes(count: int, kinds: int = 3) -> Any:
    return np.random.default_rng(1).integers(0, kinds, count)


def onehot(count: int, kinds: int = 3) -> Any:
    return np.eye(kinds)[classes(count, kinds)]


def dense(*middle: Any, out: int = 3, activation: str | None = "softmax", width: int = 5) -> Any:
    return keras.Sequential(
        [layers.Input((width,)), layers.Dense(6, "relu"), *middle, layers.Dense(out, activation)]
    )


def fitted(model: Any, x: Any, y: Any, optimizer: Any = "adam", **options: Any) -> Any:
    """Compile and fit; options of compile are those that fit does not have."""
    compiled = {k: options.pop(k) for k in list(options) if k in COMPILE}
    model.compile(optimizer, compiled.pop("loss", "categorical_crossentropy"), **compiled)
    model.fit(x, y, **{"epochs": 2, "batch_size": 8, "verbose": 0} | options)
    return model


COMPILE = (
    "loss",
    "metrics",
    "weighted_metrics",
    "run_eagerly",
    "jit_compile",
    "steps_per_execution",
    "loss_weights",
)
