"""320 SVC fits on scikit-learn's digits: 64 candidates x 5 folds; their times feed the simulation."""

from __future__ import annotations

import json
from collections.abc import Sequence

from sklearn.model_selection import ParameterGrid

from bench import work
from bench.figures import CORES, OURS, Figure
from bench.searches import compared_search
from bench.sides import REPOSITORY, Sides

SERVICE_TIMES = REPOSITORY / "out" / "bench" / "service-times.json"
REPEAT = 7
PEERS = ("loky", "processpool", "dask", "dask-ml", "ray", "spark")


def run(peers: Sequence[str], repeat: int) -> list[Figure]:
    """Seconds of `fit` with all sides warm; writes out/bench/service-times.json."""
    with Sides(peers) as sides:
        ahead = compared_search(
            "plain",
            "plain",
            sides,
            repeat,
            goal="ahead of every peer, >= 97 % of the limit",
            met=lambda ours, others: ours <= min(others.values(), default=ours),
        )
        if not work.QUICK:
            _save_service_times(sides[OURS].fits, ahead)
    return [ahead]


def _save_service_times(fits: Sequence[dict[str, float]], plain: Figure) -> None:
    """Write the measured inputs of `crossfold bench simulate`: every cost beside the fits is the task's."""
    busy = sum(fit["seconds"] for fit in fits)
    source = f"{work.summary('plain')}, seconds in a slot, {CORES} cores"
    idle = max(0.0, CORES * plain.ours - busy) / len(fits)
    inputs = {
        "source": source,
        "task_seconds": idle,
        "result_seconds": 0,
        "coordinator_seconds": 0,
        "candidates": list(ParameterGrid(work.search("plain").grid)),
        "fits": [{key: fit[key] for key in ("candidate", "split", "seconds")} for fit in fits],
    }
    SERVICE_TIMES.parent.mkdir(parents=True, exist_ok=True)
    SERVICE_TIMES.write_text(json.dumps(inputs) + "\n")
