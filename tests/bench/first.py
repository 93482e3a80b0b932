"""A script's first small search: 10 SVC fits in a fresh process, imports done."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

from e2e.cluster import PrivateCluster

from bench.figures import CORES, OURS, Figure, ResultsDiffer, figure, interleaved
from bench.sides import Side, startable

REPEAT = 7
PEERS = ("loky", "processpool", "dask", "dask-ml", "ray", "spark")

# Prints the seconds of `fit` and the scores. The imports are in the order that formatters give them:
# the cluster comes up while scikit-learn is imported.
SCRIPT = """
import time
from crossfold.model_selection import GridSearchCV
from sklearn.datasets import load_iris
from sklearn.svm import SVC

from bench.work import scores

X, y = load_iris(return_X_y=True)
search = GridSearchCV(SVC(), {"C": [0.1, 1.0]}, cv=5, refit=False)
began = time.perf_counter()
search.fit(X, y)
print(time.perf_counter() - began, scores(search.cv_results_, 5).tobytes().hex())
"""


# The same of a network of two layers; the earlier search of the same kind had the workers import TensorFlow.
KERAS = """
import time
import keras
import numpy as np
from crossfold.model_selection import GridSearchCV
from keras.wrappers import SKLearnClassifier
from sklearn.datasets import load_digits
from sklearn.model_selection import ShuffleSplit


def build(X, y, units):
    keras.utils.disable_interactive_logging()
    hidden, output = keras.layers.Dense(units, "relu"), keras.layers.Dense(y.shape[1], "softmax")
    model = keras.Sequential([keras.layers.Input((X.shape[1],)), hidden, output])
    model.compile("adam", "categorical_crossentropy")
    return model


X, y = load_digits(return_X_y=True)
grid = {"model_kwargs": [{"units": 8}]}
search = GridSearchCV(SKLearnClassifier(build), grid, cv=ShuffleSplit(FITS), refit=False)
began = time.perf_counter()
search.fit(X[:200] / 16, y[:200], epochs=1, verbose=0)
print(time.perf_counter() - began)
"""


def run(peers: Sequence[str], repeat: int) -> list[Figure]:
    """Seconds of `fit`: with nothing running, where peers start their processes, too; and with all up."""
    peers = startable(peers)
    with PrivateCluster("300s", CORES) as cluster, tempfile.TemporaryDirectory() as folder:
        script = Path(folder, "first.py")
        script.write_text(SCRIPT)
        found: dict[str, list[bytes]] = {}
        ready: dict[str, list[float]] = {name: [] for name in peers}

        def ours() -> float:
            seconds, scores = cluster.run(script).split()
            found.setdefault(OURS, []).append(bytes.fromhex(scores))
            return float(seconds)

        def cold() -> float:
            cluster.stop()
            return ours()

        def theirs(name: str) -> float:
            with Side(name) as side:
                seconds = side.search("first")
                found.setdefault(name, []).append(side.scores.tobytes())
            ready[name].append(seconds)
            return side.ready_seconds + seconds

        sides: dict[str, Callable[[], float]] = {OURS: cold, "warm": ours}
        sides |= {name: lambda name=name: theirs(name) for name in peers}
        measured = interleaved(sides, repeat)
        networks = _networks(cluster, Path(folder), repeat)
    for name, scores in found.items():
        if set(scores) != {found[OURS][0]}:
            raise ResultsDiffer(
                f"the test scores of {name} are not the same in every run, or not crossfold's"
            )
    warm = {OURS: measured.pop("warm"), **ready}
    return [
        figure("first", "10 fits, nothing running", "s", measured, "<= 0.5 s", lambda ours, _: ours <= 0.5),
        figure("first", "10 fits, cluster up", "s", warm, "<= 0.1 s", lambda ours, _: ours <= 0.1),
        *networks,
    ]


def _networks(cluster: PrivateCluster, folder: Path, repeat: int) -> list[Figure]:
    """Seconds of a script's first Keras fit, and of the first two at once."""
    scripts = {fits: folder / f"networks_{fits}.py" for fits in (1, 2)}

    def seconds(fits: int) -> float:
        return float(cluster.run(scripts[fits], timeout=300))

    for fits, script in scripts.items():
        script.write_text(KERAS.replace("FITS", str(fits)))
        seconds(fits)
    measured = interleaved({str(fits): lambda fits=fits: seconds(fits) for fits in scripts}, repeat)

    def row(what: str, fits: int) -> Figure:
        ours, note = {OURS: measured[str(fits)]}, "TensorFlow preloaded by an earlier search"
        return figure("first", what, "s", ours, "<= 1 s", lambda ours, _: ours <= 1, note=note)

    return [row("1 Keras fit, cluster up", 1), row("2 Keras fits, one a slot", 2)]
