"""10,000 candidates x 5 folds of an estimator that does nothing, and a quarter of that."""

from __future__ import annotations

import json
import statistics
import tempfile
from collections.abc import Sequence
from pathlib import Path

from e2e.cluster import PrivateCluster

from bench import work
from bench.figures import CORES, OURS, Figure, figure

REPEAT = 1
PEERS = ()
MANY, FOLDS = 400 if work.QUICK else 10_000, 5
FEW = MANY // 4
GOAL_RATIO = 1.5
GOAL_MB = 200.0
REFERENCE = "sklearn"

# Prints seconds per fit, and by how many bytes the process's own memory grew while it kept the search.
SCRIPT = """
import gc, importlib, json, sys, time
import numpy as np
import psutil
from sklearn.base import BaseEstimator, ClassifierMixin


class Empty(ClassifierMixin, BaseEstimator):
    def __init__(self, number=0):
        self.number = number

    def fit(self, X, y):
        return self

    def score(self, X, y):
        return 0.5


package, candidates, folds = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
module = importlib.import_module(package + ".model_selection")
X, y = np.arange(200.0).reshape(100, 2), np.arange(100) % 2


def search(n):
    grid = {"number": list(range(n))}
    return module.GridSearchCV(Empty(), grid, cv=folds, refit=False).fit(X, y)


search(20)
gc.collect()
before = psutil.Process().memory_full_info().uss
began = time.perf_counter()
kept = search(candidates)
seconds = time.perf_counter() - began
gc.collect()
grown = psutil.Process().memory_full_info().uss - before
print(json.dumps({"per_fit": seconds / candidates / folds, "bytes": grown}))
"""


def run(peers: Sequence[str], repeat: int) -> list[Figure]:
    """Seconds per fit, many candidates by few; and the client's memory beyond scikit-learn's own."""
    with PrivateCluster("300s", CORES) as cluster, tempfile.TemporaryDirectory() as folder:
        script = Path(folder, "many.py")
        script.write_text(SCRIPT)

        def measure(package: str, candidates: int) -> dict[str, float]:
            return json.loads(cluster.run(script, package, str(candidates), str(FOLDS), timeout=900))

        rounds = [(measure("crossfold", FEW), measure("crossfold", MANY)) for _ in range(repeat)]
        reference = measure(REFERENCE, MANY)
    ratios = [many["per_fit"] / few["per_fit"] for few, many in rounds]
    megabytes = [(many["bytes"] - reference["bytes"]) / 1e6 for _, many in rounds]
    return [
        figure(
            "many",
            f"time per fit, {MANY:,} candidates by {FEW:,}",
            "",
            {OURS: ratios},
            f"<= {GOAL_RATIO}",
            lambda ours, _: ours <= GOAL_RATIO,
            note=f"{statistics.median(many['per_fit'] for _, many in rounds) * 1e3:.2f} ms a fit",
        ),
        figure(
            "many",
            "client's memory, beyond scikit-learn's",
            "MB",
            {OURS: megabytes},
            f"<= {GOAL_MB:.0f} MB",
            lambda ours, _: ours <= GOAL_MB,
            note=f"scikit-learn alone {reference['bytes'] / 1e6:.0f} MB",
        ),
    ]
