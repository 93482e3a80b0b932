"""The versions of Keras and TensorFlow whose inner workings the twins were compared with to the bit."""

from __future__ import annotations

KERAS = "3.15"
TENSORFLOW = "2.21"


def known() -> bool:
    """Whether this process has those versions, Keras runs on TensorFlow, and only on CPUs."""
    import keras

    if keras.backend.backend() != "tensorflow" or not keras.__version__.startswith(f"{KERAS}."):
        return False
    import tensorflow

    if not tensorflow.__version__.startswith(f"{TENSORFLOW}."):
        return False
    return all(device.device_type == "CPU" for device in tensorflow.config.list_physical_devices())
