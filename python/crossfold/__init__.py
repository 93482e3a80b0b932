"""Crossfold runs scikit-learn and TensorFlow code, fold by fold, on every core and machine you own.

    from crossfold.model_selection import GridSearchCV

    GridSearchCV(SVC(), {"C": [1, 10]}).fit(X, y)

The first fit finds or starts a cluster on this machine; `connect(url)` uses another one.
Nothing heavy is imported until it is needed.
"""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from crossfold._errors import (
    BinaryNotFound,
    ConnectionFailed,
    CrossfoldError,
    EnvironmentMismatch,
    FitMemoryExceeded,
    FitTimeout,
    InvalidJob,
    JobFailed,
    NothingFinished,
    PartialSearchWarning,
    PicklingError,
    PoisonFitError,
    PolicyError,
    RemoteError,
    WorkerLost,
)

if TYPE_CHECKING:
    from crossfold import ensemble, joblib, model_selection, policy
    from crossfold._client import Client
    from crossfold._report import Report
    from crossfold._robustness import Robustness
    from crossfold.policy import choice, loguniform, randint, seed, uniform

__version__ = "0.1.0"

__all__ = [
    "BinaryNotFound",
    "ConnectionFailed",
    "CrossfoldError",
    "EnvironmentMismatch",
    "FitMemoryExceeded",
    "FitTimeout",
    "InvalidJob",
    "JobFailed",
    "NothingFinished",
    "PartialSearchWarning",
    "PicklingError",
    "PoisonFitError",
    "PolicyError",
    "RemoteError",
    "WorkerLost",
    "__version__",
    "choice",
    "connect",
    "ensemble",
    "joblib",
    "loguniform",
    "model_selection",
    "policy",
    "randint",
    "report",
    "robustness",
    "seed",
    "stats",
    "uniform",
]

_SUBMODULES = frozenset({"ensemble", "joblib", "model_selection", "policy"})
# A policy file says `import crossfold` and means these, in the coordinator and under CPython.
_POLICY_HELPERS = frozenset({"choice", "loguniform", "randint", "seed", "uniform"})


def connect(url: str | None = None) -> Client:
    """Choose the cluster that this process uses from now on, and connect to it.

    Parameters
    ----------
    url
        ``unix:///path/to/sock`` for a cluster on this machine, ``grpcs://host:port`` for another
        (with ``CROSSFOLD_TOKEN``, and ``CROSSFOLD_CA`` for a private certificate authority).
        None: ``CROSSFOLD_URL``, else the embedded cluster of this user and environment, which is
        started when it does not run.

    Raises
    ------
    ConnectionFailed
        No cluster could be reached or started.
    EnvironmentMismatch
        The workers run another Python or other package versions.
    """
    from crossfold import _client

    return _client.connect(url)


def stats() -> dict[str, int]:
    """Count what the cluster has and did: workers, slots, tasks_completed, fits_completed,
    calls_completed, faults, jobs_running. The counts start with the coordinator."""
    from crossfold import _client

    return _client.default_client().stats()


def report(search: object) -> Report:
    """Say how a fitted search of `crossfold.model_selection` was run: its job and every fit.

    `Report.history` has one row per attempt at a fit, in order of completion, with the columns
    job_id, candidate, split, worker, attempt, seconds, shared_seconds, error and ways: a pandas
    DataFrame when pandas can be imported, else a list of dicts. `Report.partial` says whether fits
    are missing, and `Report.model(candidate, split)` loads a model of a search with keep_models.

    Raises
    ------
    ValueError
        The search was not fitted on a cluster by this process.
    """
    from crossfold import _report

    return _report.report(search)


def robustness(
    estimators: Any,
    X: Any,
    y: Any,
    *,
    seeds: int = 5,
    orders: int = 5,
    noise: Sequence[float] = (),
    repeats: int = 3,
    cv: Any = None,
    scoring: Any = None,
) -> Robustness:
    """Cross-validate estimators again and again, as one job, to see what their scores hang on.

    Parameters
    ----------
    estimators
        One estimator or a list of them.
    seeds
        Repeats with other values of every `random_state` parameter.
    orders
        Repeats with the train rows in another order.
    noise
        Levels of Gaussian noise on the train rows, as parts of a column's standard deviation; X is numeric.
    repeats
        Repeats of each level.

    Raises
    ------
    ValueError
        A number is of no use.
    """
    from crossfold import _robustness

    return _robustness.robustness(estimators, X, y, seeds, orders, noise, repeats, cv, scoring)


def __getattr__(name: str) -> Any:
    if name in _SUBMODULES:
        return importlib.import_module(f"crossfold.{name}")
    if name in _POLICY_HELPERS:
        return getattr(importlib.import_module("crossfold.policy"), name)
    raise AttributeError(f"module 'crossfold' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
