"""A script's first small search: 10 SVC fits in a fresh process, imports done."""

from __future__ import annotations

import statistics
import tempfile
from collections.abc import Sequence
from pathlib import Path

from e2e.cluster import PrivateCluster

from bench.figures import CORES, Figure, ResultsDiffer, interleaved

REPEAT = 7

# Prints the seconds of `fit` and the scores. The imports are in the order that formatters give them:
# the cluster comes up while scikit-learn is imported.
SCRIPT = """
import time
from {module} import GridSearchCV
from sklearn.datasets import load_iris
from sklearn.svm import SVC

X, y = load_iris(return_X_y=True)
search = GridSearchCV(SVC(), {{"C": [0.1, 1.0]}}, cv=5, refit=False, n_jobs={jobs})
began = time.perf_counter()
search.fit(X, y)
print(time.perf_counter() - began, search.cv_results_["mean_test_score"].tobytes().hex())
"""


def run(peers: Sequence[str], repeat: int) -> list[Figure]:
    """Seconds of `fit` with nothing running, and with the cluster up; peers always start."""
    with PrivateCluster("300s", CORES) as cluster, tempfile.TemporaryDirectory() as folder:
        ours, theirs = Path(folder, "ours.py"), Path(folder, "theirs.py")
        ours.write_text(SCRIPT.format(module="crossfold.model_selection", jobs=None))
        theirs.write_text(SCRIPT.format(module="sklearn.model_selection", jobs=CORES))
        scores: set[str] = set()

        def seconds_of(script: Path) -> float:
            seconds, found = cluster.run(script).split()
            scores.add(found)
            return float(seconds)

        def cold() -> float:
            cluster.stop()
            return seconds_of(ours)

        sides = {"cold": cold, "warm": lambda: seconds_of(ours)}
        sides |= {name: lambda: seconds_of(theirs) for name in peers}
        measured = interleaved(sides, repeat)
    if len(scores) != 1:
        raise ResultsDiffer(f"{len(scores)} different results of the same search")

    def figure(side: str, what: str, goal: str, met: bool) -> Figure:
        seconds = statistics.median(measured[side])
        others = {name: statistics.median(measured[name]) for name in peers}
        return Figure(
            case="first",
            what=what,
            unit="s",
            ours=seconds,
            spread=(min(measured[side]), max(measured[side])),
            peers=others,
            ratio=others[peers[0]] / seconds if peers else None,
            goal=goal,
            met=met,
            note="same work",
        )

    cold_seconds = statistics.median(measured["cold"])
    bound = 0.7 * statistics.median(measured[peers[0]]) if peers else cold_seconds
    return [
        figure("cold", "10 fits, nothing running", "<= 0.7 x loky", cold_seconds <= bound),
        figure("warm", "10 fits, cluster up", "<= 0.2 s", statistics.median(measured["warm"]) <= 0.2),
    ]
