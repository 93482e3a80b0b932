"""A two-layer network over learning rates × layer sizes × 3 folds of digits, with Keras' own wrapper."""

from __future__ import annotations

import time
from pathlib import Path

import keras
import matplotlib
import numpy as np
import pyarrow.parquet
import sklearn.model_selection
from crossfold.model_selection import GridSearchCV
from keras.wrappers import SKLearnClassifier
from reporting import compare, heading, leaderboard
from sklearn.datasets import load_digits

matplotlib.use("Agg")

REPOSITORY = Path(__file__).resolve().parent.parent
MNIST = REPOSITORY.parent / "shared" / "data" / "digits.parquet"
HEAT_MAP = REPOSITORY / "out" / "digits_network.png"

ROWS = 2_000
LEARNING_RATES = [0.0003, 0.001, 0.003]
HIDDEN = [16, 64, 256]
TRAINING = {"epochs": 3, "batch_size": 64, "verbose": 0}


def build(hidden: int, learning_rate: float, X: np.ndarray, y: np.ndarray) -> keras.Model:
    """One hidden and one output layer, compiled; Keras' wrapper calls it with X and the one-hot y."""
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


def load() -> tuple[np.ndarray, np.ndarray, str]:
    """Pixels between 0 and 1 (float32), labels, and what they are: MNIST where its file is there."""
    if not MNIST.exists():
        X, y = load_digits(return_X_y=True)
        return (X / 16).astype(np.float32), y, "scikit-learn's digits"
    table = pyarrow.parquet.read_table(MNIST).slice(0, ROWS)
    pixels = np.stack(table["pixels"].to_numpy())
    return (pixels / 255).astype(np.float32), table["digit"].to_numpy(), "MNIST digits"


def heat_map(search: GridSearchCV, path: Path) -> None:
    """Save the mean test score by learning rate × layer size as a PNG."""
    from matplotlib import pyplot

    scores = search.cv_results_["mean_test_score"].reshape(len(LEARNING_RATES), len(HIDDEN))
    figure, axes = pyplot.subplots(figsize=(6, 4.5), layout="constrained")
    image = axes.imshow(scores, cmap="viridis", origin="lower")
    axes.set(
        title=f"Mean accuracy over {search.n_splits_} folds",
        xlabel="units in the hidden layer",
        ylabel="learning rate",
        xticks=range(len(HIDDEN)),
        xticklabels=HIDDEN,
        yticks=range(len(LEARNING_RATES)),
        yticklabels=LEARNING_RATES,
    )
    for (row, column), score in np.ndenumerate(scores):
        shade = "white" if score < scores.mean() else "black"
        axes.text(column, row, f"{score:.3f}", ha="center", va="center", color=shade)
    figure.colorbar(image, label="accuracy")
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=120)
    pyplot.close(figure)


def main() -> bool:
    """Search with Crossfold and with scikit-learn, draw the heat map; whether both found the same."""
    X, y, name = load()
    settings = [{"hidden": hidden, "learning_rate": rate} for rate in LEARNING_RATES for hidden in HIDDEN]
    grid = {"model_kwargs": settings}
    heading(f"Two-layer network: {len(settings)} candidates x 3 folds on {len(X)} {name}")

    began = time.perf_counter()
    search = GridSearchCV(SKLearnClassifier(build), grid, cv=3).fit(X, y, **TRAINING)
    seconds = time.perf_counter() - began
    leaderboard(search)
    heat_map(search, HEAT_MAP)
    print(f"heat map: {HEAT_MAP}")

    print("\nThe same search with scikit-learn in one process ...", flush=True)
    began = time.perf_counter()
    alone = sklearn.model_selection.GridSearchCV(SKLearnClassifier(build), grid, cv=3)
    alone.fit(X, y, **TRAINING)
    return compare(search, alone, X, seconds, time.perf_counter() - began)


if __name__ == "__main__":
    raise SystemExit(0 if main() else 1)
