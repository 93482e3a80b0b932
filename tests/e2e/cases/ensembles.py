"""Ensembles: voting, stacking and bagging. These are functions of the module that provides ensembles."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import sklearn
from scipy import sparse
from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression, Ridge, RidgeClassifier
from sklearn.model_selection import KFold, ShuffleSplit, StratifiedKFold
from sklearn.naive_bayes import GaussianNB, MultinomialNB
from sklearn.neighbors import KNeighborsClassifier, KNeighborsRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC, SVR, LinearSVC
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

from e2e.cases import classes, ensemble_case, failing_ensemble_case, numbers
from e2e.cases.failures import Fragile
from e2e.cases.inputs import _texts

_LEARNED = (
    "classes_", "estimators_", "named_estimators_", "stack_method_", "n_features_in_", "feature_names_in_",
    "estimators_samples_", "estimators_features_", "oob_score_", "oob_decision_function_", "oob_prediction_",
)  # fmt: skip
_METHODS = ("predict", "predict_proba", "decision_function", "predict_log_proba", "transform")


def _view(ensemble: Any, X: Any) -> dict[str, Any]:
    """Everything a user reads off a fitted ensemble."""
    learned = {name: getattr(ensemble, name) for name in _LEARNED if hasattr(ensemble, name)}
    called = {name: getattr(ensemble, name)(X) for name in _METHODS if hasattr(ensemble, name)}
    members = [each.predict(X) for each in ensemble.estimators_ if "estimators_features_" not in learned]
    return {**learned, **called, "members": members, "repr": repr(ensemble)}


def _classifiers() -> list[tuple[str, Any]]:
    return [
        ("scaled", make_pipeline(StandardScaler(), LogisticRegression())),
        ("tree", DecisionTreeClassifier(max_depth=3, random_state=0)),
        ("bayes", GaussianNB()),
    ]


def _regressors() -> list[tuple[str, Any]]:
    return [("ridge", Ridge()), ("tree", DecisionTreeRegressor(max_depth=3, random_state=0)), ("svr", SVR())]


def _frame() -> tuple[pd.DataFrame, pd.Series]:
    X, y = classes()
    labels = np.array(["low", "mid", "top"])[y]
    return pd.DataFrame(X, columns=[f"x{i}" for i in range(6)]), pd.Series(labels)


@ensemble_case
def voting_by_majority(es: Any) -> Any:
    X, y = classes()
    return _view(es.VotingClassifier(_classifiers()).fit(X, y), X)


@ensemble_case
def voting_by_weighted_probabilities_of_text_labels(es: Any) -> Any:
    X, y = _frame()
    vote = es.VotingClassifier(_classifiers(), voting="soft", weights=[2, 1, 1], flatten_transform=False)
    return _view(vote.fit(X, y), X), vote.fit_transform(X, y)


@ensemble_case
def voting_of_regressors_with_one_dropped(es: Any) -> Any:
    X, y = numbers()
    vote = es.VotingRegressor(_regressors(), weights=[1, 2, 3]).set_params(tree="drop")
    return _view(vote.fit(X, y, sample_weight=np.linspace(0.5, 1.5, 90)), X)


@ensemble_case
def voting_out_of_transformers_as_frames(es: Any) -> Any:
    X, y = numbers()
    vote = es.VotingRegressor(_regressors()).set_output(transform="pandas")
    return vote.fit_transform(X, y), vote.get_feature_names_out()


@ensemble_case
def voting_that_is_talkative(es: Any) -> Any:
    X, y = classes()
    return _view(es.VotingClassifier(_classifiers(), verbose=True).fit(X, y), X)


@ensemble_case
def voting_with_routed_metadata(es: Any) -> Any:
    X, y = numbers()
    with sklearn.config_context(enable_metadata_routing=True):
        weighted = Ridge().set_fit_request(sample_weight=True)
        plain = DecisionTreeRegressor(max_depth=2, random_state=0).set_fit_request(sample_weight=False)
        vote = es.VotingRegressor([("weighted", weighted), ("plain", plain)])
        return _view(vote.fit(X, y, sample_weight=np.linspace(0.1, 2.0, 90)), X)


@failing_ensemble_case(TypeError)
def voting_with_weights_that_a_member_does_not_take(es: Any) -> Any:
    members = [("tree", DecisionTreeClassifier()), ("near", KNeighborsClassifier())]
    return es.VotingClassifier(members).fit(*classes(), sample_weight=np.ones(90))


@failing_ensemble_case(ValueError)
def voting_without_members(es: Any) -> Any:
    return es.VotingClassifier([]).fit(*classes())


@ensemble_case
def stacking_of_classifiers(es: Any) -> Any:
    X, y = classes()
    return _view(es.StackingClassifier(_classifiers()).fit(X, y), X)


@ensemble_case
def stacking_of_text_labels_with_the_columns_themselves(es: Any) -> Any:
    X, y = _frame()
    members = [*_classifiers(), ("margin", LinearSVC(random_state=0)), ("gone", "drop")]
    stack = es.StackingClassifier(
        members, final_estimator=RidgeClassifier(), passthrough=True,
        cv=StratifiedKFold(3, shuffle=True, random_state=0),
    )  # fmt: skip
    return _view(stack.fit(X, y), X), stack.get_feature_names_out()


@ensemble_case
def stacking_of_two_classes_with_weights(es: Any) -> Any:
    X, y = classes(count=2)
    stack = es.StackingClassifier(_classifiers()[1:], cv=3, stack_method="predict_proba")
    return _view(stack.fit(X, y, sample_weight=np.linspace(0.5, 1.5, 90)), X)


@ensemble_case
def stacking_of_several_labels_at_once(es: Any) -> Any:
    X, _ = classes()
    y = (X[:, :3] > 0).astype(int)
    tree = DecisionTreeClassifier(max_depth=2, random_state=0)
    members = [("near", KNeighborsClassifier()), ("tree", tree)]
    stack = es.StackingClassifier(members, final_estimator=KNeighborsClassifier(), cv=3)
    return _view(stack.fit(X, y), X)


@ensemble_case
def stacking_of_regressors(es: Any) -> Any:
    X, y = numbers()
    stack = es.StackingRegressor(_regressors(), cv=KFold(4, shuffle=True, random_state=1))
    return _view(stack.fit(X, y), X), stack.fit_transform(X, y)


@ensemble_case
def stacking_of_sparse_rows(es: Any) -> Any:
    X, y = classes()
    X = sparse.csr_matrix(np.where(np.abs(X) > 0.7, X, 0))
    members = [("tree", DecisionTreeClassifier(max_depth=3, random_state=0)), ("svc", SVC())]
    stack = es.StackingClassifier(members, cv=3, passthrough=True)
    view = _view(stack.fit(X, y), X)
    return {**view, "transform": view["transform"].toarray()}


@ensemble_case
def stacking_of_texts(es: Any) -> Any:
    X, y = _texts()
    members = [
        ("bayes", make_pipeline(TfidfVectorizer(), MultinomialNB())),
        ("svc", make_pipeline(TfidfVectorizer(ngram_range=(1, 2)), LinearSVC(random_state=0))),
    ]
    stack = es.StackingClassifier(members, cv=3).fit(X, y)
    return stack.predict_proba(X), stack.transform(X), stack.stack_method_


@ensemble_case
def stacking_of_members_that_are_fitted(es: Any) -> Any:
    X, y = classes()
    members = [(name, each.fit(X, y)) for name, each in _classifiers()]
    return _view(es.StackingClassifier(members, cv="prefit").fit(X, y), X)


@ensemble_case
def stacking_with_routed_metadata(es: Any) -> Any:
    X, y = numbers()
    with sklearn.config_context(enable_metadata_routing=True):
        members = [(name, each.set_fit_request(sample_weight=True)) for name, each in _regressors()]
        final = Ridge().set_fit_request(sample_weight=True)
        stack = es.StackingRegressor(members, final_estimator=final, cv=3)
        return _view(stack.fit(X, y, sample_weight=np.linspace(0.1, 2.0, 90)), X)


class Between(RegressorMixin, BaseEstimator):
    """A regressor that has a decision function: its stack has to do with encoded targets."""

    def fit(self, X: Any, y: Any) -> Between:
        self.classes_ = np.unique(y)
        self.middle_ = np.mean(y)
        return self

    def decision_function(self, X: Any) -> np.ndarray:
        return np.asarray(X)[:, 0] - self.middle_

    def predict(self, X: Any) -> np.ndarray:
        return self.decision_function(X)


@ensemble_case
def stacking_of_a_regressor_with_a_decision_function(es: Any) -> Any:
    X, y = numbers(60)
    y = np.sign(y)
    stack = es.StackingRegressor([("between", Between()), ("ridge", Ridge())], cv=3)
    return _view(stack.fit(X, y), X)


@ensemble_case
def stacking_by_splits_given_as_a_generator(es: Any) -> Any:
    X, y = numbers()
    stack = es.StackingRegressor(_regressors(), cv=(split for split in KFold(3).split(X)))
    stack.fit(X, y)
    return stack.predict(X), stack.transform(X)


@failing_ensemble_case(ValueError)
def stacking_by_splits_that_are_no_partition(es: Any) -> Any:
    return es.StackingRegressor(_regressors(), cv=ShuffleSplit(3, random_state=0)).fit(*numbers())


@failing_ensemble_case(ValueError)
def stacking_of_a_member_that_fails(es: Any) -> Any:
    return es.StackingClassifier([("tree", DecisionTreeClassifier()), ("bad", Fragile(3.0))]).fit(*classes())


@failing_ensemble_case(TypeError)
def stacking_with_weights_that_a_member_does_not_take(es: Any) -> Any:
    members = [("near", KNeighborsRegressor()), ("ridge", Ridge())]
    return es.StackingRegressor(members).fit(*numbers(), sample_weight=np.ones(90))


@failing_ensemble_case(ValueError)
def stacking_by_a_method_that_a_member_lacks(es: Any) -> Any:
    return es.StackingClassifier([("svc", LinearSVC())], stack_method="predict_proba").fit(*classes())


class Silent(ClassifierMixin, BaseEstimator):
    """Has no way to predict, and takes no weights: which of the two is the error?"""

    def fit(self, X: Any, y: Any) -> Silent:
        self.classes_ = np.unique(y)
        return self


@failing_ensemble_case(TypeError)
def stacking_of_a_member_that_takes_no_weights_and_predicts_nothing(es: Any) -> Any:
    members = [("silent", Silent()), ("tree", DecisionTreeClassifier())]
    return es.StackingClassifier(members).fit(*classes(), sample_weight=np.ones(90))


@failing_ensemble_case(ValueError)
def stacking_with_a_final_estimator_of_another_kind(es: Any) -> Any:
    return es.StackingClassifier(_classifiers(), final_estimator=Ridge()).fit(*classes())


@ensemble_case
def bagging_of_trees_with_scores_out_of_the_bag(es: Any) -> Any:
    X, y = classes()
    return _view(es.BaggingClassifier(n_estimators=25, oob_score=True, random_state=0).fit(X, y), X)


@ensemble_case
def bagging_of_regressors_on_parts_of_rows_and_columns(es: Any) -> Any:
    X, y = numbers()
    bag = es.BaggingRegressor(
        KNeighborsRegressor(), n_estimators=11, max_samples=0.6, max_features=0.5, bootstrap=False,
        bootstrap_features=True, random_state=np.random.RandomState(3),
    )  # fmt: skip
    return _view(bag.fit(X, y), X)


@ensemble_case
def bagging_with_weights(es: Any) -> Any:
    X, y = classes()
    bag = es.BaggingClassifier(LogisticRegression(max_iter=300), n_estimators=7, random_state=1)
    return _view(bag.fit(X, y, sample_weight=np.linspace(0.5, 1.5, 90)), X)


@ensemble_case
def bagging_that_grows(es: Any) -> Any:
    X, y = classes()
    bag = es.BaggingClassifier(n_estimators=4, warm_start=True, random_state=5).fit(X, y)
    return _view(bag.set_params(n_estimators=9).fit(X, y), X)


@ensemble_case
def bagging_of_sparse_rows_in_a_row_of_its_own(es: Any) -> Any:
    X, y = classes()
    X = sparse.csc_matrix(np.where(np.abs(X) > 0.7, X, 0))
    return _view(es.BaggingClassifier(SVC(), n_estimators=3, max_features=4, random_state=0).fit(X, y), X)


@ensemble_case
def bagging_of_several_targets(es: Any) -> Any:
    X, y = numbers(targets=2)
    bag = es.BaggingRegressor(Ridge(), n_estimators=5, random_state=0).fit(X, y)
    return bag.predict(X), bag.estimators_samples_


@failing_ensemble_case(ValueError)
def bagging_with_scores_of_rows_that_are_never_out(es: Any) -> Any:
    return es.BaggingClassifier(bootstrap=False, oob_score=True).fit(*classes())


@failing_ensemble_case(ValueError)
def bagging_of_members_that_fail(es: Any) -> Any:
    return es.BaggingClassifier(Fragile(3.0), n_estimators=3).fit(*classes())
