"""A two-layer Keras network on 10,000 digits: 4 learning rates x 4 layer sizes x 3 folds, weights compared.

The build function and `model.fit` are the person's own. Both sides run Keras with one thread a process.
The compiled loop, an option, is close to them: of it, accuracies are compared.
"""

from __future__ import annotations

import hashlib
import os
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from bench import work
from bench.figures import CORES, OURS, Figure, ResultsDiffer, figure, interleaved

REPEAT = 7
DIGITS = Path(__file__).resolve().parents[3] / "shared" / "data" / "digits.parquet"
ROWS = 600 if work.QUICK else 10_000
FOLDS = 3
EPOCHS = 3
LEARNING_RATES = [0.001] if work.QUICK else [0.0003, 0.001, 0.003, 0.01]
COMPILED = "compiled"
CLOSE = 0.005
"""Most that accuracies of the compiled loop may differ from Keras' own, on average over the fits. Single
fits at a high learning rate differ more: low bits grow with every step."""
HIDDEN = [16] if work.QUICK else [32, 64, 128, 256]


def build(hidden: int, learning_rate: float, X: Any, y: Any) -> Any:
    """One hidden and one output layer, compiled; Keras' wrapper calls it with X and the one-hot y."""
    import keras

    keras.utils.set_random_seed(7)
    keras.utils.disable_interactive_logging()
    layers = [
        keras.layers.Input((X.shape[1],)),
        keras.layers.Dense(hidden, activation="relu"),
        keras.layers.Dense(y.shape[1], activation="softmax"),
    ]
    model = keras.Sequential(layers)
    model.compile(keras.optimizers.Adam(learning_rate), loss="categorical_crossentropy")
    return model


def score(estimator: Any, X: Any, y: Any) -> dict[str, float]:
    """Accuracy, and 48 bits of a hash over every weight: equal weights show in `cv_results_`."""
    weights = hashlib.sha256(b"".join(w.tobytes() for w in estimator.model_.get_weights()))
    return {
        "accuracy": estimator.score(X, y),
        "weights": float(int.from_bytes(weights.digest()[:6], "little")),
    }


def run(peers: Sequence[str], repeat: int) -> list[Figure]:
    """Seconds of `fit` with all sides warm."""
    os.environ |= {"TF_NUM_INTRAOP_THREADS": "1", "TF_NUM_INTEROP_THREADS": "1", "TF_CPP_MIN_LOG_LEVEL": "3"}
    import crossfold
    import sklearn.model_selection
    from crossfold.model_selection import GridSearchCV
    from keras.wrappers import SKLearnClassifier

    X, y = _digits()
    grid = {"model_kwargs": [{"hidden": h, "learning_rate": r} for r in LEARNING_RATES for h in HIDDEN]}
    latest: dict[str, Any] = {}

    def search(name: str) -> float:
        of = {"scoring": score, "cv": FOLDS, "refit": False}
        if name in (OURS, COMPILED):
            of["compiled_keras"] = name == COMPILED
            latest[name] = GridSearchCV(SKLearnClassifier(build), grid, **of)
        else:
            latest[name] = sklearn.model_selection.GridSearchCV(
                SKLearnClassifier(build), grid, n_jobs=CORES, **of
            )
        began = time.perf_counter()
        latest[name].fit(X, y, epochs=EPOCHS, batch_size=32, verbose=0)
        return time.perf_counter() - began

    sides = [OURS, COMPILED, *peers]
    for name in sides:
        search(name)
    _check(latest)
    measured = interleaved({name: lambda name=name: search(name) for name in sides}, repeat)
    _check(latest)
    compiled = measured.pop(COMPILED)

    def row(side: str, what: str, times: list[float], factor: int, **rest: Any) -> Figure:
        ways = Counter(
            way for row in crossfold.report(latest[side]).history["ways"] for way in row.split("; ")
        )
        return figure(
            "keras",
            f"{len(grid['model_kwargs']) * FOLDS} fits of a network, {what}",
            "s",
            measured | {OURS: times},
            f">= {factor} x loky",
            lambda ours, others: others["loky"] >= factor * ours,
            limit=_flops(X, y) / CORES / _sgemm() / float(np.median(times)),
            note="limit: multiplications / measured sgemm; "
            + ", ".join(f"{count} x {way}" for way, count in ways.items()),
            **rest,
        )

    mean, most = _differences(latest)
    return [
        row(OURS, "weights equal to the bit", measured[OURS], 4),
        row(
            COMPILED,
            f"compiled loop: accuracies differ by {mean:.4f} on average, {most:.4f} at most",
            compiled,
            15,
            label="close",
        ),
    ]


def _digits() -> tuple[Any, Any]:
    if not DIGITS.exists():
        from sklearn.datasets import load_digits

        X, y = load_digits(return_X_y=True)
        return (X[:ROWS] / 16).astype(np.float32), y[:ROWS]
    import pyarrow.parquet

    table = pyarrow.parquet.read_table(DIGITS).slice(0, ROWS)
    return (np.stack(table["pixels"].to_numpy()) / 255).astype(np.float32), table["digit"].to_numpy()


def _check(latest: dict[str, Any]) -> None:
    ours = latest[OURS].cv_results_
    for name, other in latest.items():
        for key, values in other.cv_results_.items():
            if name != COMPILED and "_test_" in key and ours[key].tobytes() != values.tobytes():
                raise ResultsDiffer(f"{key} of {OURS} is not that of {name}")
    mean, _ = _differences(latest)
    if not mean <= CLOSE:
        raise ResultsDiffer(f"accuracies of the compiled loop differ by {mean} on average")


def _differences(latest: dict[str, Any]) -> tuple[float, float]:
    """How much the accuracies of the compiled loop's fits differ from Keras' own: on average, at most."""
    keys = [f"split{fold}_test_accuracy" for fold in range(FOLDS)]
    exact, close = (np.stack([latest[n].cv_results_[k] for k in keys]) for n in (OURS, COMPILED))
    differences = np.abs(exact - close)
    return float(differences.mean()), float(differences.max())


def _flops(X: Any, y: Any) -> float:
    """Multiplications and additions of the products of matrices of all fits, with zeros, too."""
    train, test = len(X) * (FOLDS - 1) / FOLDS, len(X) / FOLDS
    columns, kinds = X.shape[1], len(np.unique(y))
    forward = sum(2 * h * (columns + kinds) for h in HIDDEN)
    # Backward: both kernels' gradients, and the hidden layer's.
    backward = forward + sum(2 * h * kinds for h in HIDDEN)
    return len(LEARNING_RATES) * FOLDS * (EPOCHS * train * (forward + backward) + test * forward)


def _sgemm() -> float:
    """Operations a second of this machine's product of two float32 matrices, one thread."""
    a = np.ones((1024, 1024), np.float32)
    a @ a
    best = min(_seconds_of_product(a) for _ in range(5))
    return 2 * len(a) ** 3 / best


def _seconds_of_product(a: Any) -> float:
    began = time.perf_counter()
    a @ a
    return time.perf_counter() - began
