"""A coordinator under the load of thousands of simulated workers over real NATS, and its restart."""

from __future__ import annotations

import json
import statistics
import subprocess
from collections.abc import Sequence

from bench import work
from bench.figures import OURS, Figure, figure
from bench.sides import REPOSITORY

REPEAT = 3
PEERS = ()
FITS = 20_000 if work.QUICK else 1_000_000
WORKERS = 100 if work.QUICK else 2_000


def run(peers: Sequence[str], repeat: int) -> list[Figure]:
    """The load is a program of its own, `tests/bench/load`."""
    binary = REPOSITORY / "out" / "bench" / "load"
    subprocess.run(["go", "build", "-o", str(binary), "./tests/bench/load"], cwd=REPOSITORY, check=True)
    command = [str(binary), "-fits", str(FITS), "-workers", str(WORKERS)]
    runs = [json.loads(subprocess.check_output(command, text=True, timeout=600)) for _ in range(repeat)]

    def row(key: str, what: str, unit: str, goal: str, met, **rest: object) -> Figure:
        measured = {OURS: [run[key] for run in runs]}
        return figure("scale", what, unit, measured, goal, lambda ours, _: met(ours), label="", **rest)

    load = f"{FITS:,} fits, {WORKERS:,} simulated workers"
    messages = statistics.median(run["fits_per_message"] for run in runs)
    return [
        row(
            "fits_per_second",
            f"{load}: stored, gathered",
            "fits/s",
            ">= 20,000 fits/s",
            lambda ours: ours >= 20_000,
            more_is_better=True,
            note=f"{messages:.0f} fits a message",
        ),
        row("bytes_per_fit", f"{load}: coordinator's memory", "B/fit", "<= 300 B", lambda ours: ours <= 300),
        row("recovery_seconds", f"{FITS:,} fits recovered", "s", "<= 5 s", lambda ours: ours <= 5),
    ]
