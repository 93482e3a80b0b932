"""The functions: cross_validate, cross_val_score and cross_val_predict."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.model_selection import GroupKFold, KFold, StratifiedKFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC, LinearSVC
from sklearn.tree import DecisionTreeClassifier

from e2e.cases import case, classes, numbers


@case
def validate_one_metric(ms: Any) -> Any:
    return ms.cross_validate(SVC(), *classes())


@case
def validate_with_estimators_train_scores_and_rows(ms: Any) -> Any:
    X, y = classes()
    found = ms.cross_validate(
        RandomForestClassifier(5, random_state=0), X, y, cv=StratifiedKFold(3, shuffle=True, random_state=1),
        scoring=["accuracy", "neg_log_loss"], return_train_score=True, return_estimator=True,
        return_indices=True,
    )  # fmt: skip
    return found, [model.predict_proba(X) for model in found["estimator"]]


@case
def validate_with_groups_and_weights(ms: Any) -> Any:
    X, y = classes()
    return ms.cross_validate(
        LogisticRegression(max_iter=300), X, y, groups=np.arange(90) % 5, cv=GroupKFold(3),
        params={"sample_weight": np.linspace(0.5, 1.5, 90)},
    )  # fmt: skip


@case
def score_by_name(ms: Any) -> Any:
    return ms.cross_val_score(Ridge(), *numbers(), cv=KFold(6), scoring="neg_median_absolute_error")


@case
def score_with_the_estimators_own_metric(ms: Any) -> Any:
    return ms.cross_val_score(make_pipeline(StandardScaler(), SVC()), *classes(), cv=4)


@case
def predict(ms: Any) -> Any:
    return ms.cross_val_predict(DecisionTreeClassifier(random_state=0), *classes(), cv=4)


@case
def predict_probabilities(ms: Any) -> Any:
    model = RandomForestClassifier(6, random_state=0)
    return ms.cross_val_predict(model, *classes(), cv=3, method="predict_proba")


@case
def predict_with_a_decision_function(ms: Any) -> Any:
    cv = StratifiedKFold(3, shuffle=True, random_state=0)
    return ms.cross_val_predict(LinearSVC(random_state=0), *classes(), cv=cv, method="decision_function")


@case
def predict_probabilities_of_a_class_that_a_split_lacks(ms: Any) -> Any:
    X, y = classes()
    order = np.argsort(y, kind="stable")
    model = LogisticRegression(max_iter=300)
    return ms.cross_val_predict(model, X[order], y[order], cv=KFold(3), method="predict_log_proba")


@case
def predict_several_targets(ms: Any) -> Any:
    return ms.cross_val_predict(Ridge(), *numbers(targets=2), cv=3)
