"""The bench runs, keeps what it measured, and does not time wrong answers."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from bench import report
from bench.figures import ResultsDiffer, figure, interleaved
from bench.sides import REPOSITORY, SIDES, Side


def test_a_quick_run_leaves_its_figures(tmp_path: Path) -> None:
    command = [sys.executable, "tests/bench/run.py", "--quick", "--case", "tiny,memory", "--peers", "none"]
    done = subprocess.run(
        [*command, "--out", str(tmp_path)], cwd=REPOSITORY, capture_output=True, text=True, timeout=100
    )
    assert done.returncode == 0, done.stderr
    records = [json.loads((tmp_path / f"{case}.json").read_text()) for case in ("tiny", "memory")]
    assert [len(record["figures"]) for record in records] == [3, 1]
    assert all(figure["ours"] > 0 for record in records for figure in record["figures"])
    assert (tmp_path / "tiny.png").read_bytes().startswith(b"\x89PNG")
    page = report.markdown(records)
    assert "Quick run" in page
    assert page.count("| tiny |") == 3


@pytest.mark.parametrize(
    ("tolerance", "difference", "same"),
    [(0, 0.0, True), (0, 1e-16, False), (1e-9, 1e-10, True), (1e-9, 1e-8, False)],
)
def test_scores_are_compared_before_times(tolerance: float, difference: float, same: bool) -> None:
    def side(scores: np.ndarray) -> Side:
        made = object.__new__(Side)  # without its processes
        made.name, made.scores = "peer", scores
        made.peer = type(SIDES["loky"])("", "", "", tolerance)
        return made

    ours, theirs = side(np.array([0.25])), side(np.array([0.25 + difference]))
    if same:
        theirs.check(ours)
    else:
        with pytest.raises(ResultsDiffer, match="not those of peer"):
            theirs.check(ours)


def test_ratios_say_how_many_times_better() -> None:
    met = []
    measured = {"crossfold": [2.0, 1.0, 3.0], "loky": [8.0], "ray": [9.0]}
    seconds = figure("c", "w", "s", measured, "g", lambda ours, peers: bool(met.append((ours, peers))))
    rates = figure("c", "w", "calls/s", measured, "g", lambda *_: True, more_is_better=True)
    assert (seconds.ours, seconds.spread, seconds.ratio, rates.ratio) == (2.0, (1.0, 3.0), 4.0, 0.25)
    assert met == [(2.0, {"loky": 8.0, "ray": 9.0})]


def test_sides_are_compared_within_rounds() -> None:
    # The machine grew slower from round to round; the peer was behind in each.
    measured = {"crossfold": [1.0, 2.0, 9.0], "loky": [1.5, 3.0, 9.9]}
    assert figure("c", "w", "s", measured, "g", lambda ours, peers: peers["loky"] == 3.0).met
    untold = figure("c", "w", "s", measured, "g", lambda ours, peers: peers["ray"] >= ours)
    assert untold.met is None
    assert figure("c", "w", "s", measured, "g", lambda *_: True).ratio == 1.5


def test_every_other_round_goes_backwards() -> None:
    order: list[str] = []
    sides = {name: lambda name=name: order.append(name) or 0.0 for name in "ab"}
    assert interleaved(sides, 3) == {"a": [0.0] * 3, "b": [0.0] * 3}
    assert "".join(order) == "abbaab"
