"""Writes what the tests' tasks refer to into a store; prints the ids as JSON."""

import json
import os
import sys
import warnings

import cloudpickle
import numpy as np
from crossfold import _arrow
from sklearn import get_config
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import check_scoring
from sklearn.model_selection._validation import _fit_and_score
from sklearn.utils.parallel import _FuncWrapper


def behave(estimator, X, y, *, train, test, expression):
    """Do what the candidate says."""
    return eval(expression, {"os": os})


def main(store):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(60, 4))
    y = (X[:, 0] > 0).astype(int)
    split, _, _ = _arrow.write_split(store, np.arange(40), np.arange(40, 60))
    wrapper = _FuncWrapper(_fit_and_score)
    wrapper.with_config_and_warning_filters(get_config(), warnings.filters)
    scoring = {
        "scorer": check_scoring(LogisticRegression(), "accuracy"),
        "verbose": 0,
        "fit_params": {},
        "score_params": {},
        "return_times": True,
        "return_train_score": True,
        "error_score": np.nan,
    }
    ids = {
        "dataset": _arrow.write_dataset(store, X, y),
        "split": split,
        "behave": write_code(store, behave, {}),
        "score": write_code(store, wrapper, scoring),
        "candidates": [candidate(C) for C in (0.1, 1.0, -1.0)],
    }
    print(json.dumps(ids))


def write_code(store, function, kwargs):
    return _arrow.write_blob(
        store,
        cloudpickle.dumps({"function": function, "kwargs": kwargs}),
    )


def candidate(C):
    setting = {"estimator": LogisticRegression(), "parameters": {"C": C}}
    return cloudpickle.dumps(setting).hex()


main(sys.argv[1])
