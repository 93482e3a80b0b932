"""Networks of the user's own, through Keras' own scikit-learn wrappers."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from e2e.cluster import PrivateCluster

pytestmark = pytest.mark.timeout(240)

SOURCE = """
import sys
import keras
from keras.wrappers import SKLearnClassifier
from sklearn.datasets import load_digits


def build(hidden, learning_rate, X, y):
    keras.utils.set_random_seed(1)
    keras.utils.disable_interactive_logging()
    model = keras.Sequential(
        [
            keras.layers.Input((X.shape[1],)),
            keras.layers.Dense(hidden, activation="relu"),
            keras.layers.Dense(y.shape[1], activation="softmax"),
        ]
    )
    model.compile(keras.optimizers.Adam(learning_rate), loss="categorical_crossentropy")
    return model


X, y = load_digits(return_X_y=True)
X, y = (X[:400] / 16).astype("float32"), y[:400]
grid = {"model_kwargs": [{"hidden": h, "learning_rate": r} for h in (8, 16) for r in (0.003, 0.03)]}


def run(GridSearchCV):
    search = GridSearchCV(SKLearnClassifier(build), grid, cv=3, return_train_score=True)
    search.fit(X, y, epochs=2, batch_size=32, verbose=0)
    scores = [key for key in search.cv_results_ if "_test_" in key or "_train_" in key]
    print([(key, search.cv_results_[key].tobytes().hex()) for key in scores])
    print(search.best_params_, search.predict(X).tolist())
"""

CLOSE = """
import crossfold
import numpy as np
from crossfold.model_selection import GridSearchCV


def fitted(X=X, **options):
    search = GridSearchCV(SKLearnClassifier(build), grid, cv=3, refit=False, **options)
    search.fit(X, y, epochs=1, batch_size=32, verbose=0)
    return search.cv_results_["mean_test_score"], set(crossfold.report(search).history["ways"])


(before, own), (close, compiled), (after, again) = fitted(), fitted(compiled_keras=True), fitted()
print(*compiled)
print(before.tobytes() == after.tobytes(), own == again, np.abs(close - before).max() < 0.01)

strokes = np.where(X > 0.7, X, 0)
(own, _), (close, compiled) = fitted(strokes), fitted(strokes, compiled_keras=True)
print(*compiled)
print(np.abs(close - own).max() < 0.01)
"""

# Where a plain search and one whose fit imports TensorFlow by itself find it imported.
WHERE = """
import sys
from crossfold.model_selection import cross_val_score
from sklearn.base import BaseEstimator
from sklearn.datasets import load_iris


class Asks(BaseEstimator):
    def __init__(self, use=None):
        self.use = use

    def fit(self, X, y):
        if self.use:
            __import__(self.use)
        return self

    def score(self, X, y):
        return float("tensorflow" in sys.modules)


X, y = load_iris(return_X_y=True)
print(cross_val_score(Asks(), X, y, cv=4).sum(), "tensorflow" in sys.modules)
"""


def test_a_grid_of_networks_equals_one_process(
    shared_cluster: PrivateCluster, script: Callable[..., Path]
) -> None:
    ours = script(SOURCE + "\nfrom crossfold.model_selection import GridSearchCV\nrun(GridSearchCV)\n")
    alone = script(
        SOURCE + "\nfrom sklearn.model_selection import GridSearchCV\nrun(GridSearchCV)\n", "alone.py"
    )
    reference = subprocess.run(
        [sys.executable, str(alone)],
        env=shared_cluster.environment(),
        capture_output=True,
        text=True,
        timeout=110,
    )
    assert reference.returncode == 0, reference.stderr

    assert shared_cluster.run(ours, timeout=110) == reference.stdout
    traces = set(shared_cluster.home.glob("**/.traces/*"))
    assert traces
    # Processes of the next script take the traces over.
    assert shared_cluster.run(ours, timeout=110) == reference.stdout
    assert set(shared_cluster.home.glob("**/.traces/*")) == traces


def test_a_compiled_loop_is_close_and_the_next_search_is_exact_again(
    shared_cluster: PrivateCluster, script: Callable[..., Path]
) -> None:
    assert shared_cluster.run(script(SOURCE + CLOSE), timeout=220).splitlines() == [
        "keras: columns of zeros left out; keras: compiled loop (close, not bit-equal);"
        " keras: predictions in large batches (close, not bit-equal)",
        "True True True",
        "keras: zeros left out; keras: compiled loop (close, not bit-equal);"
        " keras: predictions in large batches (close, not bit-equal)",
        "True",
    ]


@pytest.fixture(scope="module")
def outcomes(shared_cluster: PrivateCluster) -> dict[str, str]:
    """What became of each case of the client: TensorFlow takes too long to import once a case."""
    printed = shared_cluster.run(Path(__file__).with_name("keras_client.py"), timeout=220)
    return json.loads(printed.splitlines()[-1])


@pytest.mark.parametrize(
    "case",
    [
        "finds_and_refits",
        "returns_parts_of_the_users_own",
        "takes_a_compiled_model",
        "stops_early",
        "transforms_in_a_pipeline",
        "mixes_openmp_and_tensorflow",
        "trains_in_calls",
        "leaves_tensorflow_out_of_other_fits",
    ],
)
def test_a_client_of_keras_finds_what_one_process_finds(case: str, outcomes: dict[str, str]) -> None:
    assert outcomes.pop(case) == "identical"


def test_no_case_of_the_client_is_left_out(outcomes: dict[str, str]) -> None:
    assert outcomes == {}


def test_tensorflow_stays_out_of_clients_and_workers_that_do_not_use_it(
    shared_cluster: PrivateCluster, script: Callable[..., Path]
) -> None:
    assert shared_cluster.run(script(WHERE)) == "0.0 False\n"


def test_a_fit_may_import_tensorflow_that_its_client_never_imports(
    shared_cluster: PrivateCluster, script: Callable[..., Path]
) -> None:
    client = script(WHERE.replace("Asks()", 'Asks("tensorflow")').replace("cv=4", "cv=2"))
    assert shared_cluster.run(client, timeout=110) == "2.0 False\n"
    assert shared_cluster.run(script(WHERE)) == "0.0 False\n"
