"""What is asked of drop-ins beyond scores: outputs, attributes, errors, nested ones."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import sklearn
from scipy import sparse
from sklearn.base import BaseEstimator, ClassifierMixin, TransformerMixin
from sklearn.decomposition import PCA
from sklearn.dummy import DummyClassifier
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.metrics import get_scorer
from sklearn.metrics.pairwise import euclidean_distances, rbf_kernel
from sklearn.model_selection import GroupKFold, PredefinedSplit
from sklearn.multioutput import MultiOutputClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC
from sklearn.tree import DecisionTreeClassifier

from e2e.cases import case, classes, failing_case, numbers
from e2e.compare import search_view


class Square(ClassifierMixin, BaseEstimator):
    """Keeps the shapes it was given: a square X must be cut by rows and by columns."""

    def __init__(self, neighbours: int = 1) -> None:
        self.neighbours = neighbours

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.pairwise = True
        return tags

    def fit(self, X: Any, y: Any) -> Square:
        assert X.shape[0] == X.shape[1] == len(y) and np.allclose(X, X.T)
        self.classes_, self.y_ = np.unique(y), np.asarray(y)
        return self

    def predict(self, X: Any) -> np.ndarray:
        assert X.shape[1] == len(self.y_)
        return self.y_[np.argsort(X, axis=1)[:, self.neighbours - 1]]


@case
def distances_cut_by_rows_and_columns(ms: Any) -> Any:
    X, y = classes()
    distances = euclidean_distances(X)
    search = ms.GridSearchCV(Square(), {"neighbours": [1, 2, 3]}, cv=3).fit(distances, y)
    return search_view(search, distances), ms.cross_val_predict(Square(), distances, y, cv=4)


@case
def precomputed_kernels_everywhere(ms: Any) -> Any:
    X, y = classes()
    kernel, svc = rbf_kernel(X), SVC(kernel="precomputed")
    order = np.random.RandomState(0).permutation(90)
    return (
        ms.cross_validate(svc, kernel, y, cv=[(order[:60], order[60:]), (order[30:], order[:30])]),
        ms.cross_val_predict(svc, kernel, y, cv=3, method="decision_function"),
        ms.validation_curve(svc, kernel, y, param_name="C", param_range=[0.1, 1.0], cv=3),
        ms.permutation_test_score(svc, kernel, y, n_permutations=4, cv=3),
    )


@case
def frames_out_of_a_search(ms: Any) -> Any:
    X, y = classes()
    frame = pd.DataFrame(X, columns=list("abcdef"))
    pipeline = make_pipeline(StandardScaler(), PCA()).set_output(transform="pandas")
    search = ms.GridSearchCV(pipeline, {"pca__n_components": [2, 3]}, cv=3).fit(frame, y)
    return search.transform(frame), search.n_features_in_, search.feature_names_in_


@case
def probabilities_of_several_targets(ms: Any) -> Any:
    X, y = classes()
    targets = np.column_stack([y, y == 1])
    model = MultiOutputClassifier(LogisticRegression(max_iter=300))
    return ms.cross_val_predict(model, X, targets, cv=3, method="predict_proba")


class Counts(TransformerMixin, BaseEstimator):
    """Predicts sparse rows."""

    def fit(self, X: Any, y: Any = None) -> Counts:
        self.mean_ = np.asarray(X).mean(axis=0)
        return self

    def predict(self, X: Any) -> Any:
        return sparse.csr_matrix(np.where(X > self.mean_, 1.0, 0.0))


@case
def predictions_that_are_sparse(ms: Any) -> Any:
    X, y = classes()
    return ms.cross_val_predict(Counts(), X, y, cv=3)


@case
def two_metrics_and_a_callable_refit(ms: Any) -> Any:
    X, y = classes()

    def simplest(results: dict[str, Any]) -> int:
        good = results["mean_test_accuracy"] >= results["mean_test_accuracy"].max() - 0.05
        return int(np.flatnonzero(good)[0])

    search = ms.RandomizedSearchCV(
        DecisionTreeClassifier(random_state=0), {"max_depth": [1, 2, 3, 5, None]}, n_iter=4, cv=3,
        scoring={"accuracy": "accuracy", "loss": get_scorer("neg_log_loss")}, refit=simplest, random_state=0,
    )  # fmt: skip
    return search_view(search.fit(X, y), X)


@case
def rows_that_are_never_tested(ms: Any) -> Any:
    X, y = classes()
    folds = PredefinedSplit(np.r_[np.full(30, -1), np.zeros(30), np.ones(30)])
    return ms.cross_validate(SVC(), X, y, cv=folds, return_indices=True, return_train_score=True)


@case
def routed_metadata_for_scorer_and_splitter(ms: Any) -> Any:
    X, y = classes()
    with sklearn.config_context(enable_metadata_routing=True):
        scorer = get_scorer("balanced_accuracy").set_score_request(sample_weight="importance")
        model = LogisticRegression(max_iter=300).set_fit_request(sample_weight=False)
        search = ms.GridSearchCV(model, {"C": [0.1, 1.0]}, scoring=scorer, cv=GroupKFold(3))
        search.fit(X, y, importance=np.linspace(0.1, 2.0, 90), groups=np.arange(90) % 5)
        return search_view(search, X), repr(search.get_metadata_routing())


@case
def frames_from_polars_with_text(ms: Any) -> Any:
    import polars

    X, y = numbers()
    frame = polars.DataFrame({"a": X[:, 0], "b": X[:, 1], "town": ["Aba", "Bor", "Cis"] * 30})
    numeric = make_pipeline(StandardScaler(), Ridge())
    return ms.cross_val_predict(numeric, frame.select("a", "b"), polars.Series("y", y), cv=3)


@case
def lists_of_texts_as_targets_and_rows(ms: Any) -> Any:
    X = [f"{number} sheep" for number in range(60)]
    y = ["few" if number < 30 else "many" for number in range(60)]
    return ms.cross_val_predict(DummyClassifier(), X, y, cv=3), ms.cross_val_score(DummyClassifier(), X, y)


@case
def a_search_of_ensembles(ms: Any) -> Any:
    import importlib

    ensembles = importlib.import_module(ms.__name__.replace("model_selection", "ensemble"))
    X, y = classes()
    members = [("svc", SVC()), ("tree", DecisionTreeClassifier(max_depth=3, random_state=0))]
    stack = ensembles.StackingClassifier(members, DecisionTreeClassifier(max_depth=2, random_state=0), cv=2)
    bag = ensembles.BaggingClassifier(SVC(), n_estimators=3, random_state=0)
    vote = ensembles.VotingClassifier([("bag", bag), ("stack", stack)])
    search = ms.GridSearchCV(vote, {"stack__cv": [2, 3], "bag__max_samples": [0.5, 1.0]}, cv=2)
    return search_view(search.fit(X, y), X)


@failing_case(AttributeError)
def probabilities_that_the_best_model_lacks(ms: Any) -> Any:
    X, y = classes()
    return ms.GridSearchCV(SVC(), {"C": [1.0]}, cv=2).fit(X, y).predict_proba(X)


@failing_case(AttributeError)
def predictions_without_a_refit(ms: Any) -> Any:
    X, y = classes()
    return ms.GridSearchCV(SVC(), {"C": [1.0]}, cv=2, refit=False).fit(X, y).predict(X)


@failing_case(AttributeError)
def columns_of_a_search_that_is_not_fitted(ms: Any) -> Any:
    return ms.HalvingGridSearchCV(SVC(), {"C": [1.0]}).n_features_in_


@failing_case(ValueError)
def groups_passed_by_their_old_way_under_routing(ms: Any) -> Any:
    X, y = classes()
    with sklearn.config_context(enable_metadata_routing=True):
        return ms.learning_curve(SVC(), X, y, groups=np.arange(90) % 3)
