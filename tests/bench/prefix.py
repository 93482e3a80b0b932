"""Reviews, TF-IDF in two settings, 24 ridge penalties each, 5 folds: each distinct prefix fitted once."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace

from bench.figures import OURS, Figure
from bench.searches import compared_search
from bench.sides import Sides

REPEAT = 7
PEERS = ("loky", "memory", "dask-ml")

# What Crossfold has to beat, and by how much. How far ahead of loky it can be depends on how much of the
# fits is their prefix: there the distinct work is the measure.
_GOALS = {"loky": 1.0, "memory": 1.0, "dask-ml": 1.5}


def run(peers: Sequence[str], repeat: int) -> list[Figure]:
    """Seconds of `fit` with all sides warm; prints how often each stage was fitted."""
    with Sides(peers) as sides:
        figure = compared_search(
            "prefix",
            "prefix",
            sides,
            repeat,
            goal="<= 1.3 x distinct work / cores; >= 1.5 x dask-ml",
            met=_is_ahead,
        )
        # Who fits a prefix itself takes nothing over.
        fitted = sum(fit["shared_seconds"] == 0 for fit in sides[OURS].fits)
        counts = f"prefixes fitted {fitted} times, models {len(sides[OURS].fits)} times"
    print(f"prefix: {counts}", file=sys.stderr)
    reached = figure.limit is None or figure.limit >= 1 / 1.3
    return [replace(figure, met=figure.met and reached, label="shared work", note=f"{figure.note}; {counts}")]


def _is_ahead(ours: float, others: Mapping[str, float]) -> bool:
    return all(seconds >= _GOALS[name] * ours for name, seconds in others.items())
