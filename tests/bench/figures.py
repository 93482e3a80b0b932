"""What a benchmark reports, and how repetitions are taken."""

from __future__ import annotations

import os
import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

CORES = len(os.sched_getaffinity(0))


class ResultsDiffer(Exception):
    """Two sides of a benchmark did not compute the same: their times say nothing."""


@dataclass(frozen=True)
class Figure:
    """One line of the table: Crossfold's median, its peers', and the goal.

    `ratio` is how many times better Crossfold is than the first peer. `goal` is the bound in words.
    """

    case: str
    what: str
    unit: str
    ours: float
    spread: tuple[float, float]
    goal: str
    met: bool
    peers: Mapping[str, float] = field(default_factory=dict)
    ratio: float | None = None
    note: str = ""


def interleaved(sides: Mapping[str, Callable[[], float]], repeat: int) -> dict[str, list[float]]:
    """Measure every side once per round, `repeat` rounds: a change of the machine's mood hits all."""
    measured: dict[str, list[float]] = {name: [] for name in sides}
    for _ in range(repeat):
        for name, measure in sides.items():
            measured[name].append(measure())
    return measured


def medians(measured: Mapping[str, Sequence[float]]) -> dict[str, float]:
    """The median of each side."""
    return {name: statistics.median(values) for name, values in measured.items()}


def table(figures: Sequence[Figure]) -> str:
    """The figures as aligned text."""
    rows = [("case", "what", "crossfold", "spread", "peers", "ratio", "goal", "met", "note")]
    for figure in figures:
        peers = "  ".join(f"{name} {_short(value)}" for name, value in figure.peers.items())
        rows.append(
            (
                figure.case,
                figure.what,
                f"{_short(figure.ours)} {figure.unit}",
                f"{_short(figure.spread[0])}..{_short(figure.spread[1])}",
                peers or "-",
                "-" if figure.ratio is None else f"{figure.ratio:.2f}",
                figure.goal,
                "yes" if figure.met else "no",
                figure.note,
            )
        )
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    return "\n".join("  ".join(map(str.ljust, row, widths)).rstrip() for row in rows)


def _short(value: float) -> str:
    return f"{value:,.0f}" if value >= 1000 else f"{value:.3g}"
