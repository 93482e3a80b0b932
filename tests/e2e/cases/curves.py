"""The functions that fit one estimator many times: curves and the permutation test."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import sklearn
from sklearn.ensemble import RandomForestClassifier
from sklearn.exceptions import UnsetMetadataPassedError
from sklearn.linear_model import LogisticRegression, Ridge, SGDClassifier, SGDRegressor
from sklearn.metrics.pairwise import rbf_kernel
from sklearn.model_selection import GroupKFold, KFold, PredefinedSplit, ShuffleSplit, StratifiedKFold
from sklearn.naive_bayes import GaussianNB
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC
from sklearn.utils._param_validation import InvalidParameterError

from e2e.cases import case, classes, failing_case, numbers
from e2e.cases.failures import Fragile


@case
def learning_curve_of_a_pipeline(ms: Any) -> Any:
    model = make_pipeline(StandardScaler(), SVC())
    return ms.learning_curve(model, *classes(), train_sizes=[0.3, 0.6, 1.0], cv=3)


@case
def learning_curve_of_shuffled_rows_with_times(ms: Any) -> Any:
    sizes, train, test, fit_time, score_time = ms.learning_curve(
        GaussianNB(), *classes(), train_sizes=[10, 20, 50], cv=ShuffleSplit(4, random_state=0),
        shuffle=True, random_state=2, return_times=True, scoring="balanced_accuracy",
    )  # fmt: skip
    return sizes, train, test, {"fit_time": fit_time, "score_time": score_time}


@case
def learning_curve_that_goes_on_from_size_to_size(ms: Any) -> Any:
    model = SGDClassifier(random_state=0)
    sizes, train, test, fit_time, score_time = ms.learning_curve(
        model, *classes(), cv=3, exploit_incremental_learning=True, shuffle=True, random_state=1,
        return_times=True,
    )  # fmt: skip
    return sizes, train, test, {"fit_time": fit_time, "score_time": score_time}


@case
def learning_curve_of_a_regression_that_goes_on(ms: Any) -> Any:
    X, y = numbers()
    weight = {"sample_weight": np.linspace(0.5, 1.5, 90)}
    return ms.learning_curve(
        SGDRegressor(random_state=0), X, y, exploit_incremental_learning=True, params=weight, cv=KFold(3)
    )


@case
def learning_curve_with_sizes_said_twice(ms: Any) -> Any:
    return ms.learning_curve(GaussianNB(), *classes(), train_sizes=[20, 20, 40], cv=3)


@case
def learning_curve_of_a_precomputed_kernel(ms: Any) -> Any:
    X, y = classes()
    return ms.learning_curve(
        SVC(kernel="precomputed"), rbf_kernel(X), y, train_sizes=[0.5, 1.0], cv=3, shuffle=True,
        random_state=0,
    )  # fmt: skip


@failing_case(ValueError)
def learning_curve_where_some_sizes_fail_for_good(ms: Any) -> Any:
    X, y = classes()
    y = np.sort(y)
    return ms.learning_curve(
        LogisticRegression(), X, y, train_sizes=[5, 60], cv=KFold(3), error_score="raise"
    )


@case
def learning_curve_where_some_sizes_fail(ms: Any) -> Any:
    X, y = classes()
    return ms.learning_curve(LogisticRegression(), X, np.sort(y), train_sizes=[5, 60], cv=KFold(3))


@failing_case(ValueError)
def learning_curve_that_cannot_go_on(ms: Any) -> Any:
    return ms.learning_curve(SVC(), *classes(), exploit_incremental_learning=True)


@case
def validation_curve_of_a_kernel_width(ms: Any) -> Any:
    X, y = classes()
    return ms.validation_curve(SVC(), X, y, param_name="gamma", param_range=np.logspace(-3, 1, 4), cv=3)


@case
def validation_curve_of_a_frame_with_groups_and_weights(ms: Any) -> Any:
    X, y = numbers()
    return ms.validation_curve(
        Ridge(), pd.DataFrame(X), pd.Series(y), param_name="alpha", param_range=[0.1, 1.0, 10.0],
        groups=np.arange(90) % 6, cv=GroupKFold(3), scoring="neg_mean_absolute_error",
        params={"sample_weight": np.linspace(0.5, 1.5, 90)},
    )  # fmt: skip


@case
def validation_curve_with_a_value_that_fails(ms: Any) -> Any:
    return ms.validation_curve(
        Fragile(), *classes(), param_name="power", param_range=[1.0, 3.0], cv=3, error_score=-1.0
    )


@case
def validation_curve_with_routed_metadata(ms: Any) -> Any:
    X, y = classes()
    with sklearn.config_context(enable_metadata_routing=True):
        model = LogisticRegression(max_iter=300).set_fit_request(sample_weight=True)
        model.set_score_request(sample_weight=False)
        params = {"sample_weight": np.linspace(0.1, 2.0, 90), "groups": np.arange(90) % 6}
        return ms.validation_curve(
            model, X, y, param_name="C", param_range=[0.1, 1.0], cv=GroupKFold(3), params=params
        )


@failing_case(UnsetMetadataPassedError)
def validation_curve_with_metadata_that_nobody_asked_for(ms: Any) -> Any:
    X, y = classes()
    with sklearn.config_context(enable_metadata_routing=True):
        return ms.validation_curve(
            LogisticRegression(), X, y, param_name="C", param_range=[1.0],
            params={"sample_weight": np.ones(90)},
        )  # fmt: skip


@case
def permutation_test(ms: Any) -> Any:
    return ms.permutation_test_score(SVC(), *classes(60), n_permutations=12, random_state=3)


@case
def permutation_test_of_a_parallel_estimator(ms: Any) -> Any:
    model = RandomForestClassifier(5, random_state=0, n_jobs=2)
    cv = StratifiedKFold(2, shuffle=True, random_state=0)
    return ms.permutation_test_score(model, *classes(60), cv=cv, n_permutations=6)


@case
def permutation_test_within_groups(ms: Any) -> Any:
    X, y = classes(60)
    return ms.permutation_test_score(
        GaussianNB(), X, y, groups=np.arange(60) % 4, cv=GroupKFold(2),
        n_permutations=8, scoring="f1_macro", random_state=np.random.RandomState(2),
    )  # fmt: skip


@case
def permutation_test_of_splits_given_as_a_generator(ms: Any) -> Any:
    X, y = numbers(60)
    splits = (split for split in PredefinedSplit(np.arange(60) % 3).split())
    weight = {"sample_weight": np.linspace(0.5, 1.5, 60)}
    return ms.permutation_test_score(Ridge(), X, y, cv=splits, n_permutations=5, params=weight)


@case
def permutation_test_with_routed_metadata(ms: Any) -> Any:
    X, y = classes(60)
    with sklearn.config_context(enable_metadata_routing=True):
        model = LogisticRegression(max_iter=300).set_fit_request(sample_weight=True)
        model.set_score_request(sample_weight=True)
        params = {"sample_weight": np.linspace(0.1, 2.0, 60), "groups": np.arange(60) % 4}
        return ms.permutation_test_score(model, X, y, cv=GroupKFold(2), n_permutations=4, params=params)


@failing_case(InvalidParameterError)
def permutation_test_of_one_fold(ms: Any) -> Any:
    return ms.permutation_test_score(SVC(), *classes(60), cv=1)


@failing_case(ValueError)
def permutation_test_of_an_estimator_that_fails(ms: Any) -> Any:
    return ms.permutation_test_score(Fragile(power=3.0), *classes(60), cv=2)
