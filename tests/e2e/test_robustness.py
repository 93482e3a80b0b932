"""crossfold.robustness: the same scores as by hand, and the statistics over them."""

from __future__ import annotations

import crossfold
import numpy as np
import pytest
from crossfold._robustness import Robustness
from scipy import stats
from sklearn.base import clone
from sklearn.datasets import load_iris
from sklearn.metrics import accuracy_score
from sklearn.model_selection import StratifiedKFold, cross_val_score
from sklearn.naive_bayes import GaussianNB
from sklearn.tree import ExtraTreeClassifier


def test_repeats_equal_those_by_hand() -> None:
    X, y = load_iris(return_X_y=True)
    tree = ExtraTreeClassifier(max_depth=3, random_state=7)
    found = crossfold.robustness(
        [tree, GaussianNB()], X, y, seeds=2, orders=2, noise=[0.0, 1.0], repeats=2, cv=3
    )
    splits = list(StratifiedKFold(3).split(X, y))
    np.testing.assert_array_equal(found.scores["plain"][0, 0], cross_val_score(tree, X, y, cv=splits))
    for seed in range(2):
        seeded = clone(tree).set_params(random_state=seed)
        np.testing.assert_array_equal(found.scores["seed"][0, seed], cross_val_score(seeded, X, y, cv=splits))
        drawn = np.random.default_rng(seed)
        ordered = [
            accuracy_score(y[test], clone(tree).fit(X[rows], y[rows]).predict(X[test]))
            for rows, test in [(drawn.permutation(train), test) for train, test in splits]
        ]
        np.testing.assert_array_equal(found.scores["order"][0, seed], ordered)
    np.testing.assert_array_equal(found.scores["noise", 0.0][:, 0], found.scores["plain"][:, 0])
    assert found.scores["noise", 1.0].shape == (2, 2, 3) and found.std("seed")[1] == 0
    assert "GaussianNB()" in str(found)


def test_the_statistics() -> None:
    random = np.random.default_rng(0)
    scores = random.random((3, 4, 5))
    found = Robustness(["a", "b", "c"], {"plain": scores}, train_rows=80, test_rows=20)
    ranks = stats.rankdata(-scores.mean(axis=2), axis=0)
    w = stats.friedmanchisquare(*ranks).statistic / (4 * 2)
    assert found.rank_stability("plain") == pytest.approx(w)
    difference = (scores[0] - scores[2]).reshape(-1)
    t = difference.mean() / np.sqrt((1 / 20 + 20 / 80) * difference.var(ddof=1))
    assert found.compare(0, 2) == pytest.approx((difference.mean(), 2 * stats.t.sf(abs(t), 19)))
    assert found.compare(1, 1) == (0.0, 1.0)
    with pytest.raises(ValueError, match="score alike"):
        Robustness(["a", "b"], {"plain": np.ones((2, 3, 2))}, 1, 1).rank_stability("plain")


def test_bad_input_is_named() -> None:
    X, y = load_iris(return_X_y=True)
    for options, text in [
        ({"seeds": -1}, "seeds is -1"),
        ({"noise": [float("nan")]}, "noise has nan"),
        ({"orders": 1.5}, "orders is 1.5"),
    ]:
        with pytest.raises(ValueError, match=text):
            crossfold.robustness(GaussianNB(), X, y, **options)
    with pytest.raises(ValueError, match="no estimators"):
        crossfold.robustness([], X, y)
