"""A coordinator under thousands of simulated workers on real NATS, its restart; simulated clusters."""

from __future__ import annotations

import json
import statistics
import subprocess
from collections.abc import Callable, Sequence

from e2e.cluster import BINARY

from bench import work
from bench.figures import OURS, Figure, figure
from bench.plain import SERVICE_TIMES
from bench.sides import REPOSITORY, PeerFailed

REPEAT = 3
PEERS = ()
LOAD = REPOSITORY / "bin" / "load"
FITS = 20_000 if work.QUICK else 1_000_000
WORKERS = 100 if work.QUICK else 2_000


def run(peers: Sequence[str], repeat: int) -> list[Figure]:
    """`tests/bench/load`, then `crossfold bench simulate`."""
    return [*_load(repeat), *_simulated()]


def _load(repeat: int) -> list[Figure]:
    if not LOAD.exists():
        raise PeerFailed(f"{LOAD} is missing: `make bench` builds it")
    command = [str(LOAD), "-fits", str(FITS), "-workers", str(WORKERS)]
    runs = [json.loads(subprocess.check_output(command, text=True, timeout=600)) for _ in range(repeat)]

    def row(
        key: str, what: str, unit: str, goal: str, met: Callable[[float], bool], **rest: object
    ) -> Figure:
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


def _simulated() -> list[Figure]:
    """From the times that the last `plain` left, or from those recorded with the program."""
    command = [str(BINARY), "bench", "simulate", "--json", "--nodes", "1,2,13", "--workers", "1000"]
    command += ["--fits-per-worker", "4" if work.QUICK else "400"]
    if SERVICE_TIMES.exists() and not work.QUICK:
        command += ["--inputs", str(SERVICE_TIMES)]
    report = json.loads(subprocess.check_output(command, text=True, timeout=600))

    def row(what: str, unit: str, value: float, goal: float, goal_text: str) -> Figure:
        measured = {OURS: [value]}
        met = value >= goal
        return figure("scale", what, unit, measured, goal_text, lambda *_: met, label="simulated")

    thirteen = report["rows"][-1]
    lost = next(row for row in report["large"] if row["scenario"].endswith("lost"))
    return [
        row(
            "plain on 13 nodes: speed-up",
            "x",
            thirteen["speedup"],
            12.5,
            ">= 12.5 x (Databricks: 7 x)",
        ),
        row(
            f"{lost['fits']:,} fits of 1 s, 1,000 workers, {lost['scenario']}",
            "% busy",
            100 * lost["efficiency"],
            90,
            ">= 90 %",
        ),
    ]
