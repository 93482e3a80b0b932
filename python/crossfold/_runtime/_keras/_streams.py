"""What the user's code could notice of models being made: random streams and Keras' counters."""

from __future__ import annotations

import copy
import random
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
from keras.src.backend.common import global_state
from tensorflow.python.eager import context


@contextmanager
def kept() -> Iterator[None]:
    """Leave the random streams of Python, NumPy, TensorFlow and Keras, and Keras' names, as they were."""
    tensorflow = context.context()
    tracker = global_state.GLOBAL_STATE_TRACKER.__dict__
    python_state, numpy_state = random.getstate(), np.random.get_state()
    # There is none before the first seed or operation.
    drawn = getattr(tensorflow, "_rng", None)
    tensorflow_state = drawn.getstate() if drawn else None
    keras_state = dict(tracker)
    for name in ("object_name_uids",):
        if name in tracker:
            tracker[name] = copy.copy(tracker[name])
    try:
        yield
    finally:
        random.setstate(python_state)
        np.random.set_state(numpy_state)
        if tensorflow_state is not None:
            tensorflow._rng.setstate(tensorflow_state)
        tracker.clear()
        tracker.update(keras_state)
