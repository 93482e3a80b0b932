"""2,000 empty calls through joblib, one call a batch in the caller's code."""

from __future__ import annotations

import statistics
import time
from collections.abc import Sequence

import crossfold.joblib  # noqa: F401  (registers the backend)
from joblib import Parallel, delayed, parallel_config

from bench.figures import CORES, Figure, ResultsDiffer, interleaved

REPEAT = 7
CALLS = 2_000


def nothing(number: int) -> int:
    """The empty call."""
    return number


def run(peers: Sequence[str], repeat: int) -> list[Figure]:
    """Calls per second with both sides warm."""

    def rate(backend: str) -> float:
        with parallel_config(backend=backend, n_jobs=CORES):
            began = time.perf_counter()
            found = Parallel(batch_size=1)(delayed(nothing)(i) for i in range(CALLS))
            seconds = time.perf_counter() - began
        if found != list(range(CALLS)):
            raise ResultsDiffer(f"{backend} returned other values, or in another order")
        return CALLS / seconds

    sides = ["crossfold", *peers]
    for name in sides:
        rate(name)
    measured = interleaved({name: lambda name=name: rate(name) for name in sides}, repeat)
    ours = statistics.median(measured["crossfold"])
    others = {name: statistics.median(measured[name]) for name in peers}
    return [
        Figure(
            case="calls",
            what=f"{CALLS:,} empty calls",
            unit="calls/s",
            ours=ours,
            spread=(min(measured["crossfold"]), max(measured["crossfold"])),
            peers=others,
            ratio=ours / others[peers[0]] if peers else None,
            goal=">= 5,000 calls/s",
            met=ours >= 5_000,
            note="same work",
        )
    ]
