"""Forests and boostings over their number of trees, neighbours over k, 5 folds: the largest once per fold."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import replace

from bench.figures import OURS, Figure
from bench.searches import compared_search
from bench.sides import Sides

REPEAT = 3
PEERS = ("loky",)

# What Crossfold has to beat loky by: each search, and the factor.
_GOALS = {"forests": 5.0, "boostings": 5.0, "neighbours": 1.5}


def run(peers: Sequence[str], repeat: int) -> list[Figure]:
    """Seconds of `fit` with all sides warm; prints how often something was done for all."""
    figures = []
    with Sides(peers) as sides:
        for search, factor in _GOALS.items():
            figure = compared_search(
                "family",
                search,
                sides,
                repeat,
                goal=f"loky {factor:g} x",
                met=lambda ours, others, factor=factor: all(
                    seconds >= factor * ours for seconds in others.values()
                ),
            )
            # Who does the work for all takes nothing over.
            done = sum(fit["shared_seconds"] == 0 for fit in sides[OURS].fits)
            counts = f"largest {done} times, models {len(sides[OURS].fits)} times"
            print(f"family: {search}: {counts}", file=sys.stderr)
            figures.append(replace(figure, label="shared work", note=f"{figure.note}; {counts}"))
    return figures
