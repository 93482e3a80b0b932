"""What a benchmark reports, and how repetitions are taken."""

from __future__ import annotations

import os
import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

CORES = len(os.sched_getaffinity(0))
OURS = "crossfold"


class ResultsDiffer(Exception):
    """Two sides of a benchmark did not compute the same: their times say nothing."""


@dataclass(frozen=True)
class Figure:
    """One line of the table: Crossfold's median, its peers', and the goal.

    `ratio` is how many times better Crossfold is than the first peer. `goal` is the bound in words.
    `limit` is the share of the physical limit that was reached; `label` says what a gain comes from.
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
    peer_spreads: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    limit: float | None = None
    label: str = "same work"


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


def spreads(measured: Mapping[str, Sequence[float]]) -> dict[str, tuple[float, float]]:
    """The least and the most of each side."""
    return {name: (min(values), max(values)) for name, values in measured.items()}


def figure(
    case: str,
    what: str,
    unit: str,
    measured: Mapping[str, Sequence[float]],
    goal: str,
    met: Callable[[float, Mapping[str, float]], bool],
    *,
    more_is_better: bool = False,
    **rest: object,
) -> Figure:
    """The figure of what `interleaved` measured: side `crossfold` beside all others.

    `met` gets Crossfold's median and the peers'.
    """
    middle, spread = medians(measured), spreads(measured)
    ours = middle.pop(OURS)
    own_spread = spread.pop(OURS)
    first = next(iter(middle.values()), None)
    ratio = None if first is None else ours / first if more_is_better else first / ours
    return Figure(
        case=case,
        what=what,
        unit=unit,
        ours=ours,
        spread=own_spread,
        goal=goal,
        met=met(ours, middle),
        peers=middle,
        ratio=ratio,
        peer_spreads=spread,
        **rest,
    )


def table(figures: Sequence[Figure]) -> str:
    """The figures as aligned text."""
    rows = [("case", "what", "crossfold", "spread", "peers", "ratio", "limit", "goal", "met", "note")]
    rows += [
        (
            figure.case,
            figure.what,
            f"{short(figure.ours)} {figure.unit}",
            f"{short(figure.spread[0])}..{short(figure.spread[1])}",
            "  ".join(f"{name} {short(value)}" for name, value in figure.peers.items()) or "-",
            "-" if figure.ratio is None else f"{figure.ratio:.2f}",
            "-" if figure.limit is None else f"{figure.limit:.0%}",
            figure.goal,
            "yes" if figure.met else "no",
            "; ".join(filter(None, [figure.label, figure.note])),
        )
        for figure in figures
    ]
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    return "\n".join("  ".join(map(str.ljust, row, widths)).rstrip() for row in rows)


def short(value: float) -> str:
    """Three digits, or a whole number with thousands."""
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}"
