"""Searches in which something raises, warns or is given wrong values."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
from sklearn.ensemble import AdaBoostRegressor
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.model_selection import StratifiedKFold
from sklearn.svm import SVC
from sklearn.tree import DecisionTreeClassifier

from e2e.cases import case, classes, failing_case, numbers
from e2e.cases.inputs import Centroid
from e2e.compare import search_view


class Fragile(Centroid):
    """Fails to fit for one value of its parameter."""

    def fit(self, X: Any, y: Any) -> Fragile:
        if self.power == 3.0:
            raise ValueError(f"power {self.power} is too much")
        return super().fit(X, y)


_POWERS = {"power": [1.0, 3.0, 2.0]}


@case
def failing_candidates_score_nan(ms: Any) -> Any:
    X, y = classes()
    return search_view(ms.GridSearchCV(Fragile(), _POWERS, cv=3).fit(X, y), X)


@case
def failing_candidates_score_a_number(ms: Any) -> Any:
    X, y = classes()
    search = ms.GridSearchCV(Fragile(), _POWERS, cv=3, error_score=-1.0, return_train_score=True)
    return search_view(search.fit(X, y), X)


@failing_case(ValueError)
def the_first_failure_is_raised(ms: Any) -> Any:
    return ms.GridSearchCV(Fragile(), _POWERS, cv=3, error_score="raise").fit(*classes())


class Talking(Fragile):
    """Warns of every fit, also of the one that fails."""

    def fit(self, X: Any, y: Any) -> Talking:
        warnings.warn(f"power {self.power}", UserWarning, stacklevel=1)
        return super().fit(X, y)


@failing_case(ValueError)
def warnings_before_the_first_failure_are_given(ms: Any) -> Any:
    grid = {"power": [1.0, 2.0, 3.0, 4.0]}
    return ms.GridSearchCV(Talking(), grid, cv=3, error_score="raise").fit(*classes())


@failing_case(ValueError)
def every_fit_fails(ms: Any) -> Any:
    return ms.GridSearchCV(Fragile(), {"power": [3.0]}, cv=3).fit(*classes())


@case
def some_fits_of_cross_validate_fail(ms: Any) -> Any:
    X, y = classes()
    y[:] = np.sort(y)
    rows = np.arange(90)
    one_class = [(rows[:20], rows[20:]), (rows[::2], rows[1::2])]
    return ms.cross_validate(LogisticRegression(), X, y, cv=one_class, error_score=0.0)


@failing_case(ValueError)
def every_fit_of_a_family_fails(ms: Any) -> Any:
    X, y = numbers()
    grid = {"n_estimators": [2, 5, 9]}
    return ms.GridSearchCV(AdaBoostRegressor(random_state=0), grid, cv=2).fit(X, np.stack([y, y], axis=1))


def never(estimator: Any, X: Any, y: Any) -> float:
    """A scorer that fails for deep trees."""
    if estimator.max_depth == 2:
        raise RuntimeError("no score for this one")
    return float(estimator.score(X, y))


@case
def a_scorer_fails(ms: Any) -> Any:
    X, y = classes()
    search = ms.GridSearchCV(DecisionTreeClassifier(random_state=0), {"max_depth": [1, 2, 3]}, scoring=never)
    return search_view(search.fit(X, y), X)


@case
def one_of_several_scorers_fails(ms: Any) -> Any:
    X, y = classes()
    tree = DecisionTreeClassifier(random_state=0)
    scoring = {"never": never, "accuracy": "accuracy"}
    search = ms.GridSearchCV(tree, {"max_depth": [1, 2]}, scoring=scoring, refit="accuracy", cv=3)
    return search_view(search.fit(X, y), X)


@case
def warnings_of_a_metric(ms: Any) -> Any:
    X, y = classes()
    grid = {"max_depth": [1], "class_weight": [{0: 1e6, 1: 1e-6, 2: 1e-6}, None]}
    search = ms.GridSearchCV(DecisionTreeClassifier(random_state=0), grid, scoring="precision_macro", cv=3)
    return search_view(search.fit(X, y), X)


@failing_case(ValueError)
def an_unknown_parameter(ms: Any) -> Any:
    return ms.GridSearchCV(SVC(), {"Cc": [1.0, 2.0]}, cv=3).fit(*classes())


@case
def a_parameter_out_of_range(ms: Any) -> Any:
    return ms.GridSearchCV(Ridge(), {"alpha": [-1.0, 1.0]}, cv=3).fit(*numbers()).cv_results_


@failing_case(ValueError)
def no_candidates(ms: Any) -> Any:
    return ms.GridSearchCV(SVC(), {"C": []}, cv=3).fit(*classes())


@failing_case(ValueError)
def more_folds_than_rows(ms: Any) -> Any:
    X, y = classes()
    return ms.GridSearchCV(SVC(), {"C": [1.0]}, cv=StratifiedKFold(91)).fit(X, y)


@failing_case(ValueError)
def nan_in_y(ms: Any) -> Any:
    X, y = numbers()
    y[5] = np.nan
    return ms.GridSearchCV(Ridge(), {"alpha": [1.0]}, cv=3).fit(X, y)


@failing_case(ValueError)
def nan_in_y_of_classes(ms: Any) -> Any:
    X, y = classes()
    labels = y.astype(float)
    labels[5] = np.nan
    return ms.GridSearchCV(SVC(), {"C": [1.0]}, cv=3).fit(X, labels)


@failing_case(ValueError)
def rows_of_x_and_y_differ(ms: Any) -> Any:
    X, y = classes()
    return ms.GridSearchCV(SVC(), {"C": [1.0]}, cv=3).fit(X, y[:-1])


@failing_case(ValueError)
def predictions_that_fail(ms: Any) -> Any:
    return ms.cross_val_predict(Fragile(power=3.0), *classes(), cv=3)
