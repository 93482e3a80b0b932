"""320 SVC fits on scikit-learn's digits: 64 candidates x 5 folds."""

from __future__ import annotations

from collections.abc import Sequence

from bench.figures import Figure
from bench.searches import compared_search
from bench.sides import Sides

REPEAT = 7
PEERS = ("loky", "processpool", "dask", "dask-ml", "ray", "spark")


def run(peers: Sequence[str], repeat: int) -> list[Figure]:
    """Seconds of `fit` with all sides warm."""
    with Sides(peers) as sides:
        ahead = "ahead of every peer, >= 97 % of the limit"
        row = compared_search(
            "plain",
            "plain",
            sides,
            repeat,
            goal=ahead,
            met=lambda ours, all_: ours <= min(all_.values(), default=ours),
        )
    return [row]
