"""A script, so that what it defines lives in `__main__`: each case runs alone and on the cluster.

Its last line is a JSON object: for each case "identical", or what differs. What needs no tracing
runs eagerly, which is fast for the few steps of a test.
"""

import json
import pickle
import sys
import traceback

import crossfold.joblib
import crossfold.model_selection
import joblib
import keras
import numpy as np
import sklearn.model_selection
import tensorflow as tf
from keras.wrappers import SKLearnClassifier, SKLearnRegressor, SKLearnTransformer
from sklearn.base import BaseEstimator
from sklearn.datasets import load_iris
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline

from e2e.compare import assert_same

keras.utils.disable_interactive_logging()
X, y = (rows[::3] for rows in load_iris(return_X_y=True))
X = X.astype("float32")
BRIEF = {"epochs": 2, "batch_size": 25, "verbose": 0}


def double_loss(truth, predicted):
    return 2 * keras.losses.categorical_crossentropy(truth, predicted)


def distance(truth, predicted):
    return keras.ops.mean(keras.ops.abs(truth - predicted))


class Halved(keras.layers.Layer):
    def call(self, x):
        return x / 2


@keras.saving.register_keras_serializable("mine")
class Network(keras.Model):
    def __init__(self, classes, **options):
        super().__init__(**options)
        self.classes = classes
        self.halved = Halved()
        self.out = keras.layers.Dense(classes, activation="softmax")

    def call(self, x):
        return self.out(self.halved(x))

    def get_config(self):
        return {**super().get_config(), "classes": self.classes}


def own_network(X, y):
    keras.utils.set_random_seed(1)
    model = Network(y.shape[1])
    model.compile(keras.optimizers.Adam(0.01), loss=double_loss, metrics=[distance], run_eagerly=True)
    return model


def functional(X, y, hidden=4):
    keras.utils.set_random_seed(2)
    normalized = keras.layers.Normalization()
    normalized.adapt(tf.data.Dataset.from_tensor_slices(np.asarray(X)).batch(16))
    inputs = keras.Input((X.shape[1],))
    features = keras.layers.Dense(hidden, activation="relu")(normalized(inputs))
    model = keras.Model(inputs, keras.layers.Dense(y.shape[1], activation="softmax")(features))
    model.compile("adam", loss="categorical_crossentropy")
    return model


def regression(X, y):
    keras.utils.set_random_seed(3)
    model = keras.Sequential([keras.Input((X.shape[1],)), keras.layers.Dense(1)])
    model.compile(keras.optimizers.SGD(0.01), loss="mse", run_eagerly=True)
    return model


def encoder(X, y=None):
    keras.utils.set_random_seed(4)
    model = keras.Sequential([keras.Input((X.shape[1],)), keras.layers.Dense(2, activation="tanh")])
    model.compile("sgd", loss="mse", run_eagerly=True)
    return model


def finds_and_refits(ms):
    grid = {"model_kwargs": [{"hidden": 2}, {"hidden": 6}]}
    search = ms.GridSearchCV(SKLearnClassifier(functional), grid, cv=2).fit(X, y, **BRIEF)
    again = pickle.loads(pickle.dumps(search.best_estimator_.model_)).predict(X)
    return search.cv_results_["mean_test_score"], search.predict(X), again


def returns_parts_of_the_users_own(ms):
    estimator = SKLearnClassifier(own_network)
    found = ms.cross_validate(estimator, X, y, cv=2, params=BRIEF, return_estimator=True)
    models = found["estimator"]
    assert all(type(each.model_) is Network for each in models)
    return found["test_score"], [each.model_.predict(X) for each in models]


def takes_a_compiled_model(ms):
    model = Network(3)
    model(X[:1])
    model.compile("adam", loss="categorical_crossentropy", run_eagerly=True)
    # Keras draws new weights for each fit of a model that is given ready-made.
    return np.isfinite(ms.cross_val_score(SKLearnClassifier(model), X, y, cv=2, params=BRIEF))


def stops_early(ms):
    stop = keras.callbacks.EarlyStopping(patience=1, min_delta=1e3, restore_best_weights=True)
    options = {"epochs": 9, "validation_split": 0.2, "callbacks": [stop], "verbose": 0}
    estimator = SKLearnRegressor(regression)
    found = ms.cross_validate(estimator, X, y, cv=2, params=options, return_estimator=True)
    epochs = [len(each.history_.history["loss"]) for each in found["estimator"]]
    assert epochs == [2, 2], epochs
    return found["test_score"], [each.predict(X) for each in found["estimator"]]


def transforms_in_a_pipeline(ms):
    pipeline = make_pipeline(SKLearnTransformer(encoder), LogisticRegression())
    options = {f"sklearntransformer__{name}": value for name, value in BRIEF.items()}
    return ms.cross_val_predict(pipeline, X, y, cv=2, params=options)


def mixes_openmp_and_tensorflow(ms):
    forest = HistGradientBoostingClassifier(max_iter=3, random_state=0)
    network = SKLearnClassifier(functional)
    runs = ((forest, None), (network, BRIEF), (forest, None))
    return [ms.cross_val_score(model, X, y, cv=2, params=params) for model, params in runs]


def trained_weights(seed):
    model = regression(X, y)
    model.fit(X, y + seed, epochs=1, verbose=0)
    return model.get_weights()


def trains_in_calls(ms):
    backend = "crossfold" if ms is crossfold.model_selection else "sequential"
    with joblib.parallel_config(backend):
        return joblib.Parallel()(joblib.delayed(trained_weights)(seed) for seed in range(3))


class Looks(BaseEstimator):
    def fit(self, X, y):
        return self

    def score(self, X, y):
        return float("tensorflow" in sys.modules)


def leaves_tensorflow_out_of_other_fits(ms):
    scores = ms.cross_val_score(Looks(), X, y, cv=4)
    return scores if ms is crossfold.model_selection else np.zeros(4)


CASES = [
    finds_and_refits,
    returns_parts_of_the_users_own,
    takes_a_compiled_model,
    stops_early,
    transforms_in_a_pipeline,
    mixes_openmp_and_tensorflow,
    trains_in_calls,
    leaves_tensorflow_out_of_other_fits,
]


def outcome(case):
    """What became of a case."""
    try:
        expected = case(sklearn.model_selection)
        assert_same(case(crossfold.model_selection), expected)
    except Exception:
        return traceback.format_exc()
    return "identical"


if __name__ == "__main__":
    print(json.dumps({case.__name__: outcome(case) for case in CASES}))
