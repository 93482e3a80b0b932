"""The fingerprint of what can change a result: the client's, and the workers' that it is compared with."""

from __future__ import annotations

import functools
import platform
from importlib import metadata

from crossfold.v1 import task_pb2 as pb

# Name in the fingerprint, and the distributions that may provide it.
_PACKAGES = {
    "numpy": ("numpy",),
    "scipy": ("scipy",),
    "scikit-learn": ("scikit-learn",),
    "joblib": ("joblib",),
    "cloudpickle": ("cloudpickle",),
    "pandas": ("pandas",),
    "polars": ("polars",),
    "pyarrow": ("pyarrow",),
    "tensorflow": ("tensorflow", "tensorflow-cpu"),
    "keras": ("keras",),
    "xgboost": ("xgboost", "xgboost-cpu"),
    "lightgbm": ("lightgbm",),
    "catboost": ("catboost",),
    "crossfold": ("crossfold",),
}


@functools.cache
def environment() -> pb.Environment:
    """Python's version and those of the packages, read from metadata: nothing is imported."""
    packages = {}
    for name, distributions in _PACKAGES.items():
        version = next((v for v in map(_version, distributions) if v is not None), None)
        if version is not None:
            packages[name] = version
    return pb.Environment(python=platform.python_version(), packages=packages)


def _version(distribution: str) -> str | None:
    try:
        return metadata.version(distribution)
    except metadata.PackageNotFoundError:
        return None
