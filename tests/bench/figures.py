"""What a benchmark reports, and how repetitions are taken."""

from __future__ import annotations

import math
import os
import statistics
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

CORES = len(os.sched_getaffinity(0))
OURS = "crossfold"


class ResultsDiffer(Exception):
    """Two sides of a benchmark did not compute the same: their times say nothing."""


@dataclass(frozen=True)
class Figure:
    """One line of the table: Crossfold's median, its peers', and the goal.

    `ratio` is how many times better Crossfold is than the first peer, see `ratios`.
    `goal` is the bound in words, `limit` the share of the physical limit that was reached; `label` says
    what a gain comes from.
    """

    case: str
    what: str
    unit: str
    ours: float
    spread: tuple[float, float]
    goal: str
    met: bool | None
    peers: Mapping[str, float] = field(default_factory=dict)
    ratio: float | None = None
    note: str = ""
    peer_spreads: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    limit: float | None = None
    label: str = "same work"


def interleaved(sides: Mapping[str, Callable[[], float]], repeat: int) -> dict[str, list[float]]:
    """Measure every side once per round, `repeat` rounds: a change of the machine's mood hits all.

    Every other round goes backwards, so that a slow change favours no side.
    """
    measured: dict[str, list[float]] = {name: [] for name in sides}
    for number in range(repeat):
        for name in list(sides) if number % 2 == 0 else reversed(list(sides)):
            measured[name].append(sides[name]())
    return measured


def ratios(measured: Mapping[str, Sequence[float]]) -> dict[str, float]:
    """How many times each peer's figure is Crossfold's: the middle of the rounds, within each of which the
    machine is most alike; of the medians where a side has not as many figures."""
    ours = measured[OURS]
    return {
        name: _middle(value / own for value, own in zip(values, ours, strict=True))
        if len(values) == len(ours)
        else statistics.median(values) / statistics.median(ours)
        for name, values in measured.items()
        if name != OURS
    }


def _middle(ratios: Iterable[float]) -> float:
    """Their median; of two in the middle the geometric mean, which is the same the other way round."""
    ordered = list(ratios)
    return math.sqrt(statistics.median_low(ordered) * statistics.median_high(ordered))


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

    `met` gets Crossfold's median and, for each peer, that times the peer's ratio. A KeyError of it says
    that the peer of the goal was not run.
    """
    middle, spread = medians(measured), spreads(measured)
    ours = middle.pop(OURS)
    own_spread = spread.pop(OURS)
    times = ratios(measured)
    first = next(iter(times.values()), None)
    ratio = 1 / first if first is not None and more_is_better else first
    return Figure(
        case=case,
        what=what,
        unit=unit,
        ours=ours,
        spread=own_spread,
        goal=goal,
        met=_verdict(met, ours, {name: ours * by for name, by in times.items()}),
        peers=middle,
        ratio=ratio,
        peer_spreads=spread,
        **rest,
    )


def _verdict(
    met: Callable[[float, Mapping[str, float]], bool], ours: float, peers: Mapping[str, float]
) -> bool | None:
    try:
        return met(ours, peers)
    except KeyError:
        return None


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
            {True: "yes", False: "no", None: "-"}[figure.met],
            "; ".join(filter(None, [figure.label, figure.note])),
        )
        for figure in figures
    ]
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    return "\n".join("  ".join(map(str.ljust, row, widths)).rstrip() for row in rows)


def short(value: float) -> str:
    """Three digits, or a whole number with thousands."""
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}"
