"""The fingerprint of what can change a result."""

from __future__ import annotations

import platform
from importlib import metadata

from crossfold.v1.task_pb2 import Environment

_DISTRIBUTIONS = (
    "cloudpickle",
    "joblib",
    "keras",
    "numpy",
    "pandas",
    "polars",
    "pyarrow",
    "scikit-learn",
    "scipy",
    "tensorflow",
    "tensorflow-cpu",
)


def environment() -> Environment:
    """Return this interpreter's version and those of the installed distributions that count."""
    packages = {}
    for name in _DISTRIBUTIONS:
        try:
            packages[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return Environment(python=platform.python_version(), packages=packages)
