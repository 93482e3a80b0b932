"""Writes what the tests' tasks refer to into a store; prints the ids as JSON."""

import json
import os
import sys
import time
import warnings

import cloudpickle
import numpy as np
from sklearn import get_config
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import check_scoring
from sklearn.model_selection._validation import _fit_and_score
from sklearn.utils.parallel import _FuncWrapper

from crossfold import _arrow


def behave(estimator, X, y, *, train, test, expression):
    """Do what the candidate says."""
    return eval(expression, {"os": os, "time": time, "np": np, "X": X, "y": y, "train": train, "test": test})


def main(store):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(60, 4))
    y = (X[:, 0] > 0).astype(int)
    split, train_rows, test_rows = _arrow.write_split(store, np.arange(40), np.arange(40, 60))
    wrapper = _FuncWrapper(_fit_and_score).with_config_and_warning_filters(get_config(), warnings.filters)
    scoring = dict(
        scorer=check_scoring(LogisticRegression(), "accuracy"),
        verbose=0,
        fit_params={},
        score_params={},
        return_times=True,
        return_train_score=True,
        error_score=np.nan,
    )
    print(
        json.dumps(
            {
                "dataset": _arrow.write_dataset(store, X, y),
                "split": split,
                "train_rows": train_rows,
                "test_rows": test_rows,
                "behave": _arrow.write_blob(store, cloudpickle.dumps({"function": behave, "kwargs": {}})),
                "score": _arrow.write_blob(store, cloudpickle.dumps({"function": wrapper, "kwargs": scoring})),
                "candidates": [
                    cloudpickle.dumps({"estimator": LogisticRegression(), "parameters": {"C": C}}).hex()
                    for C in (0.1, 1.0, -1.0)
                ],
            }
        )
    )


main(sys.argv[1])
