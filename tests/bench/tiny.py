"""2,000 empty calls, one call a batch, and 2,000 fits of about a millisecond."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from bench import work
from bench.figures import OURS, Figure, figure, interleaved
from bench.searches import compared_search
from bench.sides import Sides

REPEAT = 7
PEERS = ("loky", "processpool", "dask", "ray", "spark")
JOBLIB = ("loky", "dask", "ray", "spark")
OWN = ("ray", "dask", "processpool", "spark")


def run(peers: Sequence[str], repeat: int) -> list[Figure]:
    """Calls per second, and seconds of a search, all sides warm."""
    with Sides(peers) as sides:
        fits = compared_search(
            "tiny",
            "fits",
            sides,
            repeat,
            goal=">= 2 x loky",
            met=lambda ours, others: others["loky"] >= 2 * ours,
        )
        return [*_calls(sides, repeat), fits]


def _calls(sides: Sides, repeat: int) -> list[Figure]:
    through = {name: f"{name} joblib" for name in JOBLIB if name in sides}
    own = {name: f"{name} own" for name in OWN if name in sides}
    rates: dict[str, Callable[[], float]] = {OURS: lambda: sides[OURS].calls("joblib")}
    rates |= {label: lambda name=name: sides[name].calls("joblib") for name, label in through.items()}
    rates |= {label: lambda name=name: sides[name].calls("own") for name, label in own.items()}
    for rate in rates.values():
        rate()
    measured = interleaved(rates, repeat)

    def row(
        what: str, labels: Sequence[str], goal: str, met: Callable[[float, Mapping[str, float]], bool]
    ) -> Figure:
        shown = {label: measured[label] for label in (OURS, *labels)}
        return figure("tiny", what, "calls/s", shown, goal, met, more_is_better=True)

    calls = f"{work.CALLS:,} empty calls through joblib"
    return [
        row(calls, list(through.values()), ">= 10,000 calls/s", lambda ours, _: ours >= 10_000),
        row(
            f"{calls}, peers by their own API",
            list(own.values()),
            ">= 5 x Ray's own API",
            lambda ours, peers: ours >= 5 * peers["ray own"],
        ),
    ]
