"""What a fit of a Keras model leaves behind, as JSON with every number to the bit."""

from __future__ import annotations

import random
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from keras import layers


def left_behind(model: Any) -> dict[str, Any]:
    """All that a fit leaves: in the model, and in the random streams of the process."""
    made = {
        "weights": model.variables,
        "metrics": model.metrics_variables,
        "optimizer": model.optimizer.variables,
    }
    left: dict[str, Any] = {
        name: [[v.path, str(v.dtype), v.numpy().tobytes().hex()] for v in variables]
        for name, variables in made.items()
    }
    left |= {
        "history": {k: [float(v).hex() for v in values] for k, values in model.history.history.items()},
        "epoch": model.history.epoch,
        "params": model.history.params,
        "stopped": model.stop_training,
        "drawn": getattr(model, "drawn", None),
        "random": [random.random().hex(), np.random.random().hex(), random.randint(0, 9)],
        "tensorflow": np.asarray(tf.random.normal([2])).tobytes().hex(),
        "keras": np.asarray(keras.random.normal((2,))).tobytes().hex(),
        "next name": layers.Dense(1).name,
    }
    return left


def evaluated(model: Any) -> dict[str, Any]:
    """What it finds in rows it has not seen, and what that leaves."""
    (shape,) = (t.shape[1:] for t in model.inputs)
    whole = np.issubdtype(np.dtype(model.inputs[0].dtype), np.integer) or "embedding" in model.layers[0].name
    drawn = np.random.default_rng(9).normal(size=(70, *shape)).astype("float32")
    x = np.zeros_like(drawn, "int32") if whole else drawn
    shown = [model.predict(x, verbose=0), model.predict(x[:6], batch_size=3, verbose=0)]
    return {"predicted": [[str(a.dtype), a.shape, a.tobytes().hex()] for a in shown]}
