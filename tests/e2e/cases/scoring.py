"""One search for each way to score, to choose the best, and to report."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy.stats import loguniform, randint
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.metrics import f1_score, log_loss, make_scorer
from sklearn.svm import SVC
from sklearn.tree import DecisionTreeClassifier

from e2e.cases import case, classes, numbers
from e2e.compare import search_view

_TREE = DecisionTreeClassifier(random_state=0)
_DEPTHS = {"max_depth": [1, 2, 4], "min_samples_leaf": [1, 5]}


def _tree(ms: Any, **options: Any) -> dict[str, Any]:
    X, y = classes()
    return search_view(ms.GridSearchCV(_TREE, _DEPTHS, cv=3, **options).fit(X, y), X)


@case
def scoring_by_name_with_train_scores(ms: Any) -> Any:
    return _tree(ms, scoring="balanced_accuracy", return_train_score=True)


@case
def several_metrics_with_a_named_refit(ms: Any) -> Any:
    names = ["accuracy", "f1_macro", "roc_auc_ovr", "neg_log_loss"]
    return _tree(ms, scoring=names, refit="f1_macro", return_train_score=True)


@case
def several_metrics_without_refit(ms: Any) -> Any:
    return _tree(ms, scoring=("accuracy", "recall_macro"), refit=False)


@case
def a_dict_of_scorers(ms: Any) -> Any:
    scorers = {
        "loss": make_scorer(log_loss, greater_is_better=False, response_method="predict_proba"),
        "f1": make_scorer(f1_score, average="weighted"),
        "plain": "accuracy",
    }
    return _tree(ms, scoring=scorers, refit="loss")


def share_right(estimator: Any, X: Any, y: Any) -> float:
    """A scorer of the user's own."""
    return float(np.mean(estimator.predict(X) == y))


def right_and_depth(estimator: Any, X: Any, y: Any) -> dict[str, float]:
    """A scorer that gives two metrics."""
    return {"right": share_right(estimator, X, y), "depth": estimator.get_depth()}


@case
def a_callable_scorer(ms: Any) -> Any:
    return _tree(ms, scoring=share_right)


@case
def a_callable_scorer_of_two_metrics(ms: Any) -> Any:
    return _tree(ms, scoring=right_and_depth, refit="right")


@case
def a_closure_as_scorer(ms: Any) -> Any:
    penalty = 0.01

    def small_is_better(estimator: Any, X: Any, y: Any) -> float:
        return share_right(estimator, X, y) - penalty * estimator.get_n_leaves()

    return _tree(ms, scoring=small_is_better)


@case
def a_callable_refit(ms: Any) -> Any:
    def least_deep_of_the_good(results: dict[str, Any]) -> int:
        good = results["mean_test_score"] >= results["mean_test_score"].max() - 0.02
        return int(np.flatnonzero(good)[0])

    return _tree(ms, refit=least_deep_of_the_good)


@case
def randomized_search_over_distributions(ms: Any) -> Any:
    X, y = classes()
    space = {"C": loguniform(1e-2, 1e2), "gamma": loguniform(1e-3, 1e0)}
    search = ms.RandomizedSearchCV(SVC(), space, n_iter=8, cv=3, random_state=4)
    return search_view(search.fit(X, y), X)


@case
def randomized_search_over_lists(ms: Any) -> Any:
    X, y = classes()
    space = [{"max_depth": randint(1, 6)}, {"criterion": ["gini", "entropy"], "min_samples_leaf": [1, 2]}]
    search = ms.RandomizedSearchCV(
        _TREE,
        space,
        n_iter=6,
        random_state=np.random.RandomState(1),
        scoring=["accuracy", "f1_micro"],
        refit="accuracy",
        return_train_score=True,
    )
    return search_view(search.fit(X, y), X)


@case
def one_candidate_on_two_splits(ms: Any) -> Any:
    X, y = numbers()
    return search_view(ms.GridSearchCV(Ridge(), {}, cv=2).fit(X, y), X)


@case
def ties_between_candidates(ms: Any) -> Any:
    X, y = classes()
    grid = {"max_depth": [3, 3, 1], "random_state": [0, 1]}
    return search_view(ms.GridSearchCV(DecisionTreeClassifier(), grid, cv=3).fit(X, y), X)


@case
def parameters_of_mixed_types(ms: Any) -> Any:
    X, y = classes()
    grid = {"max_features": [1, 0.5, "sqrt", None], "class_weight": [None, {0: 2, 1: 1, 2: 1}, "balanced"]}
    return search_view(ms.GridSearchCV(_TREE, grid, cv=2).fit(X, y), X)


@case
def a_refit_search_scores_new_rows(ms: Any) -> Any:
    X, y = classes()
    search = ms.GridSearchCV(LogisticRegression(max_iter=300), {"C": [0.1, 1.0]}, scoring="neg_log_loss")
    return search.fit(X[:60], y[:60]).score(X[60:], y[60:]), search.classes_, search.n_features_in_
