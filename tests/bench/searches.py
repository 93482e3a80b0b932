"""One search on every side: compared to the bit first, then by time."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Mapping

from bench import work
from bench.figures import CORES, OURS, Figure, figure, interleaved
from bench.sides import Sides


def compared_search(
    case: str,
    search: str,
    sides: Sides,
    repeat: int,
    *,
    goal: str,
    met: Callable[[float, Mapping[str, float]], bool],
) -> Figure:
    """Warm every side up with one search, compare the scores, then measure in turns.

    The limit is (sum of fit and score times) / cores, as Crossfold's own results tell it.
    """
    for name in sides:
        sides[name].search(search)
    sides.check()
    limits: list[float] = []

    def seconds_of(name: str) -> float:
        seconds = sides[name].search(search)
        if name == OURS:
            limits.append(sides[OURS].busy_seconds / CORES / seconds)
        return seconds

    measured = interleaved({name: lambda name=name: seconds_of(name) for name in sides}, repeat)
    sides.check()
    return figure(
        case,
        work.summary(search),
        "s",
        measured,
        goal,
        met,
        limit=statistics.median(limits),
        note=f"limit: sum of fits / {CORES} cores",
    )
