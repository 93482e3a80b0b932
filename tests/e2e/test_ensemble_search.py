"""EnsembleSearchCV and PartitionedEnsemble: equal to plain numpy, nothing fitted twice."""

from __future__ import annotations

import pickle
from typing import Any

import crossfold
import numpy as np
import pytest
from crossfold._client import default_client
from crossfold._ensemble_search import METRICS
from crossfold.ensemble import EnsembleSearchCV, PartitionedEnsemble
from crossfold.model_selection import cross_val_score
from crossfold.v1 import job_pb2
from sklearn.base import BaseEstimator, ClassifierMixin, clone
from sklearn.datasets import load_diabetes, load_digits
from sklearn.ensemble import StackingClassifier, StackingRegressor, VotingClassifier
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression, Perceptron, Ridge
from sklearn.model_selection import KFold, StratifiedKFold, cross_val_predict
from sklearn.naive_bayes import GaussianNB
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.svm import LinearSVC
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor
from sklearn.utils.estimator_checks import check_estimator

from e2e import ensemble_reference as reference

CANDIDATES = [
    (KNeighborsClassifier(), {"n_neighbors": [1, 5, 15]}),
    (DecisionTreeClassifier(random_state=0), {"max_depth": [4, 8]}),
    (GaussianNB(), {"var_smoothing": [1e-9, 1e-2]}),
]
CV = StratifiedKFold(3, shuffle=True, random_state=0)


@pytest.fixture(scope="module")
def digits() -> tuple[np.ndarray, np.ndarray]:
    X, y = load_digits(return_X_y=True)
    return X[:500], y[:500]


@pytest.mark.parametrize("scoring", ["accuracy", "neg_log_loss"])
def test_greedy_equals_plain_numpy(digits: Any, scoring: str) -> None:
    X, y = digits
    library = reference.out_of_fold(CANDIDATES, X, y, CV)
    score = getattr(reference, scoring)
    weights, best = reference.greedy(library, y, score, rounds=20)
    before = crossfold.stats()["fits_completed"]
    search = EnsembleSearchCV(CANDIDATES, scoring=scoring, cv=CV, rounds=20).fit(X, y)
    fits = crossfold.stats()["fits_completed"] - before

    members = np.flatnonzero(weights)
    np.testing.assert_array_equal(search.member_indices_, members)
    np.testing.assert_allclose(search.weights_, weights[members], rtol=0, atol=1e-12)
    mean = sum(weight * member for weight, member in zip(weights, library, strict=True))
    np.testing.assert_allclose(search.oof_predictions_, mean, rtol=0, atol=1e-12)
    singles = [score(y, member) for member in library]
    assert search.ensemble_score_ == pytest.approx(best, abs=1e-12)
    assert search.best_single_score_ == pytest.approx(max(singles), abs=1e-12)
    assert search.best_single_index_ == int(np.argmax(singles))
    # Every candidate once on every split, and each member once more on all rows.
    assert fits == len(library) * 3 + len(members)


def test_greedy_starts_from_the_best_ones(digits: Any) -> None:
    X, y = digits
    library = reference.out_of_fold(CANDIDATES, X, y, CV)
    weights, best = reference.greedy(library, y, reference.neg_log_loss, rounds=6, initial=4)
    search = EnsembleSearchCV(CANDIDATES, scoring="neg_log_loss", cv=CV, rounds=6, initial=4).fit(X, y)
    np.testing.assert_array_equal(search.member_indices_, np.flatnonzero(weights))
    np.testing.assert_allclose(search.weights_, weights[np.flatnonzero(weights)], rtol=0, atol=1e-12)
    assert search.ensemble_score_ == pytest.approx(best, abs=1e-12)


def test_members_are_averaged_for_new_rows(digits: Any) -> None:
    X, y = digits
    search = EnsembleSearchCV(CANDIDATES, scoring="neg_log_loss", cv=CV).fit(X[:400], y[:400])
    total = sum(w * m.predict_proba(X[400:]) for w, m in zip(search.weights_, search.members_, strict=True))
    np.testing.assert_allclose(search.predict_proba(X[400:]), total, rtol=0, atol=1e-12)
    np.testing.assert_array_equal(search.predict(X[400:]), total.argmax(axis=1))
    again = pickle.loads(pickle.dumps(search))
    np.testing.assert_array_equal(again.predict_proba(X[400:]), search.predict_proba(X[400:]))
    assert search.n_features_in_ == 64


def test_fold_models_can_be_averaged_instead(digits: Any) -> None:
    X, y = digits
    search = EnsembleSearchCV(CANDIDATES, method="mean", cv=CV, cross_fit=True).fit(X[:400], y[:400])
    assert [len(folds) for folds in search.members_] == [3] * 7
    models = [model for folds in search.members_ for model in folds]
    mean = np.mean([model.predict_proba(X[400:]) for model in models], axis=0)
    np.testing.assert_allclose(search.predict_proba(X[400:]), mean, rtol=0, atol=1e-12)


@pytest.mark.parametrize("method", ["blend", "vote", "rank", "mean"])
def test_other_ways_to_combine(digits: Any, method: str) -> None:
    X, y = digits
    names = np.array([f"digit {label}" for label in y])
    search = EnsembleSearchCV(CANDIDATES[:2], method=method, cv=CV).fit(X[:400], names[:400])
    assert search.weights_.sum() == pytest.approx(1)
    assert search.score(X[400:], names[400:]) > 0.85
    assert set(search.predict(X[400:])) <= set(names)


@pytest.mark.parametrize("classes", [2, 10])
def test_a_stack_equals_scikit_learns(digits: Any, classes: int) -> None:
    X, y = digits
    X, y = X[y < classes], y[y < classes]
    half = len(y) // 2
    members = [("nb", GaussianNB()), ("tree", DecisionTreeClassifier(max_depth=3, random_state=0))]
    theirs = StackingClassifier(members, final_estimator=LogisticRegression(C=0.1), cv=CV)
    theirs.fit(X[:half], y[:half])
    before = crossfold.stats()["fits_completed"]
    stack = EnsembleSearchCV(
        [(member, {}) for _, member in members],
        method="stack",
        final_estimator=LogisticRegression(C=0.1),
        scoring="neg_log_loss",
        cv=CV,
    )
    stack.fit(X[:half], y[:half])
    # Members and final estimator once on every split and once on all rows.
    assert crossfold.stats()["fits_completed"] - before == 3 * (3 + 1)
    np.testing.assert_array_equal(stack.predict_proba(X[half:]), theirs.predict_proba(X[half:]))
    np.testing.assert_array_equal(stack.predict(X[half:]), theirs.predict(X[half:]))
    np.testing.assert_array_equal(stack.final_estimator_.coef_, theirs.final_estimator_.coef_)
    assert stack.weights_ is None

    library = [
        cross_val_predict(member, X[:half], y[:half], cv=CV, method="predict_proba") for _, member in members
    ]
    features = np.hstack([part[:, 1:] if classes == 2 else part for part in library])
    expected = cross_val_predict(LogisticRegression(C=0.1), features, y[:half], cv=CV, method="predict_proba")
    np.testing.assert_array_equal(stack.oof_predictions_, expected)
    assert stack.ensemble_score_ == pytest.approx(reference.neg_log_loss(y[:half], expected), abs=1e-12)


def test_a_stack_of_regressors_and_of_fold_models() -> None:
    X, y = load_diabetes(return_X_y=True)
    members = [("ridge", Ridge()), ("tree", DecisionTreeRegressor(max_depth=3, random_state=0))]
    theirs = StackingRegressor(members, cv=KFold(4)).fit(X, y)
    candidates = [(member, {}) for _, member in members]
    stack = EnsembleSearchCV(candidates, method="stack", cv=KFold(4)).fit(X, y)
    np.testing.assert_array_equal(stack.predict(X), theirs.predict(X))
    assert stack.final_estimator_.alpha_ == theirs.final_estimator_.alpha_

    crossed = EnsembleSearchCV(candidates, method="stack", cv=KFold(4), cross_fit=True).fit(X, y)
    assert crossed.ensemble_score_ == stack.ensemble_score_
    of_folds = [np.mean([model.predict(X) for model in folds], axis=0) for folds in crossed.members_]
    expected = crossed.final_estimator_.predict(np.stack(of_folds, axis=1))
    np.testing.assert_allclose(crossed.predict(X), expected, rtol=0, atol=1e-9)


def test_a_stack_may_end_in_an_estimator_that_only_predicts(digits: Any) -> None:
    X, y = digits
    final = VotingClassifier([("nb", GaussianNB()), ("lr", LogisticRegression(C=0.1))])
    members = [("nb", GaussianNB()), ("tree", DecisionTreeClassifier(max_depth=3, random_state=0))]
    theirs = StackingClassifier(members, final_estimator=final, cv=CV).fit(X, y)
    stack = EnsembleSearchCV(
        [(member, {}) for _, member in members], method="stack", final_estimator=final, cv=CV
    )
    np.testing.assert_array_equal(stack.fit(X, y).predict(X), theirs.predict(X))
    assert not hasattr(stack, "predict_proba") and 0.5 < stack.ensemble_score_ < 1


def test_what_a_stack_refuses(digits: Any) -> None:
    X, y = digits
    members = [(GaussianNB(), {}), (KNeighborsClassifier(), {})]
    with pytest.raises(ValueError, match='goes with method="stack"'):
        EnsembleSearchCV(members, final_estimator=LogisticRegression()).fit(X, y)
    with pytest.raises(ValueError, match="final_estimator is Ridge.*give a classifier"):
        EnsembleSearchCV(members, method="stack", final_estimator=Ridge()).fit(X, y)
    with pytest.raises(ValueError, match="(?s)final_estimator could not be fitted.*no good"):
        EnsembleSearchCV(members, method="stack", final_estimator=Fragile("fit"), cv=CV).fit(X, y)


def test_regressors_and_texts() -> None:
    X, y = load_diabetes(return_X_y=True)
    candidates = [
        (Ridge(), {"alpha": [0.1, 1.0]}),
        (DecisionTreeRegressor(random_state=0), {"max_depth": [2, 4]}),
    ]
    search = EnsembleSearchCV(candidates, cv=4).fit(X, y)
    assert search.ensemble_score_ >= search.best_single_score_ > 0.3
    mean = sum(
        w * cross_val_predict(clone(m), X, y, cv=4)
        for w, m in zip(search.weights_, search.members_, strict=True)
    )
    np.testing.assert_allclose(search.oof_predictions_, mean, rtol=0, atol=1e-9)

    texts = [
        f"{word} {number}"
        for number in range(10)
        for word in ("good fine", "bad awful", "good nice", "bad poor")
    ]
    labels = ["good" in text for text in texts]
    words = make_pipeline(TfidfVectorizer(), LinearSVC())
    search = EnsembleSearchCV([(words, {"linearsvc__C": [0.1, 1.0]})], cv=2).fit(texts, labels)
    assert search.predict(["good", "bad"]).tolist() == [True, False]
    assert not hasattr(search, "predict_proba")


class Fragile(ClassifierMixin, BaseEstimator):
    """Fails as `how` says, else knows nothing."""

    def __init__(self, how: str = "") -> None:
        self.how = how

    def fit(self, X: Any, y: Any) -> Fragile:
        if self.how == "fit":
            raise ValueError("this setting is no good")
        self.classes_ = np.unique(y)
        return self

    def predict_proba(self, X: Any) -> np.ndarray:
        if self.how == "NaN":
            return np.full((len(X), len(self.classes_)), np.nan)
        return np.full((len(X), len(self.classes_)), 1 / len(self.classes_))

    def predict(self, X: Any) -> np.ndarray:
        return np.full(len(X), self.classes_[0])


@pytest.mark.filterwarnings("ignore:Scoring failed")
def test_candidates_that_fail_are_left_out_and_named(digits: Any) -> None:
    X, y = digits
    candidates = [(Fragile(), {"how": ["fit", "NaN", ""]}), (GaussianNB(), {})]
    search = EnsembleSearchCV(candidates, method="mean", cv=CV).fit(X, y)
    assert search.member_indices_ == [2, 3]
    marks = "\n".join(search.marks_)
    assert "candidate 0 was left out: its fit on split 0 failed: ValueError: this setting" in marks
    assert "candidate 1 was left out: split 0 gave no predict_proba: ValueError: row" in marks
    assert "candidate 2: the predictions of all 500 rows are equal" in marks
    with pytest.raises(ValueError, match="this setting is no good"):
        EnsembleSearchCV([(Fragile("fit"), {})], cv=CV).fit(X, y)


def test_a_class_missing_in_a_fold_is_marked(digits: Any) -> None:
    X, y = digits
    order = np.argsort(y, kind="stable")
    X, y = X[order], y[order]
    search = EnsembleSearchCV([(GaussianNB(), {}), (DecisionTreeClassifier(), {})], cv=KFold(3)).fit(X, y)
    assert any('class "0" was not among the train rows' in mark for mark in search.marks_)
    assert (search.oof_predictions_[y == 0, 0] == 0).all()


def test_what_can_not_be_combined_is_said_before_a_fit(digits: Any) -> None:
    X, y = digits
    before = crossfold.stats()["fits_completed"]
    for wrong, text in [
        (EnsembleSearchCV([]), "candidates is empty"),
        (EnsembleSearchCV([GaussianNB()]), r"candidates\[0\] is GaussianNB\(\)"),
        (EnsembleSearchCV([(GaussianNB(), {}), (Ridge(), {})]), r"candidates\[1\] is Ridge\(\)"),
        (EnsembleSearchCV(CANDIDATES, scoring="gini"), "scoring is 'gini'"),
        (EnsembleSearchCV(CANDIDATES, method="median"), "method is 'median'"),
        (EnsembleSearchCV(CANDIDATES, rounds=0), "rounds is 0"),
        (EnsembleSearchCV(CANDIDATES, rounds=3, initial=4), "initial is 4: give at most rounds, which is 3"),
        (EnsembleSearchCV(CANDIDATES, scoring="r2"), "'r2', which does not score classifiers"),
        (EnsembleSearchCV(CANDIDATES, method="vote", scoring="neg_log_loss"), "can't score predict of"),
        (
            EnsembleSearchCV([(LinearSVC(), {})], scoring="neg_log_loss"),
            "'neg_log_loss', which can't score decision_function",
        ),
        (
            EnsembleSearchCV(
                CANDIDATES, method="stack", final_estimator=Perceptron(), scoring="neg_log_loss"
            ),
            "can't score decision_function",
        ),
        (EnsembleSearchCV(CANDIDATES, method="rank", scoring="neg_log_loss"), "of the ensemble"),
        (
            EnsembleSearchCV([(LinearSVC(), {})], method="stack", scoring="neg_log_loss"),
            "can't score decision_function of the members",
        ),
        (EnsembleSearchCV([(Ridge(), {})], method="vote"), "method is 'vote', which combines classifiers"),
        (
            EnsembleSearchCV(CANDIDATES, method="stack", cv=[(np.arange(100, 500), np.arange(50))]),
            "row 50 is in no test set",
        ),
        (EnsembleSearchCV(CANDIDATES, method="policy"), "go together"),
        (EnsembleSearchCV([(GaussianNB(), {}), (LinearSVC(), {})]), 'method="vote"'),
        (PartitionedEnsemble(GaussianNB(), n_partitions=501), "n_partitions=501"),
    ]:
        with pytest.raises(ValueError, match=text):
            wrong.fit(X, y)
    assert crossfold.stats()["fits_completed"] == before


def test_the_metrics_are_the_coordinators() -> None:
    request = job_pb2.EnsembleRequest(job_id="none", metric="gini")
    with pytest.raises(crossfold.InvalidJob, match="gini") as refused:
        default_client().ensemble(request)
    assert ", ".join(METRICS) in str(refused.value)


def test_it_says_why_it_can_not_be_fitted_in_a_worker(digits: Any) -> None:
    X, y = digits
    search = EnsembleSearchCV(CANDIDATES[2:], cv=2)
    with pytest.raises(Exception, match="n_jobs=1"):
        cross_val_score(search, X, y, cv=2, error_score="raise")
    assert cross_val_score(search, X, y, cv=2, n_jobs=1).shape == (2,)


def test_partitions_have_a_model_each(digits: Any) -> None:
    X, y = digits
    ensemble = PartitionedEnsemble(GaussianNB(var_smoothing=1e-2), n_partitions=3).fit(X, y)
    parts = np.array_split(np.arange(500), 3)
    models = [GaussianNB(var_smoothing=1e-2).fit(X[part], y[part]) for part in parts]
    sizes = np.array([len(part) for part in parts], dtype=float)
    mean = np.average([model.predict_proba(X) for model in models], axis=0, weights=sizes)
    np.testing.assert_allclose(ensemble.predict_proba(X), mean, rtol=0, atol=1e-12)
    voting = PartitionedEnsemble(LinearSVC(), n_partitions=3, shuffle=True, random_state=0).fit(X, y)
    assert voting.score(X, y) > 0.9 and not hasattr(voting, "predict_proba")


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(
    "estimator",
    [
        EnsembleSearchCV([(LogisticRegression(max_iter=20), {})], cv=2, rounds=1),
        PartitionedEnsemble(DecisionTreeRegressor(random_state=0), n_partitions=2),
    ],
    ids=lambda estimator: type(estimator).__name__,
)
def test_scikit_learns_checks(estimator: Any) -> None:
    failed = [
        found
        for found in check_estimator(estimator, on_fail=None, on_skip=None)
        if found["status"] == "failed"
    ]
    # One row can't be cut in two, which is said in other words.
    assert [found["check_name"] for found in failed if found["check_name"] != "check_fit2d_1sample"] == []
