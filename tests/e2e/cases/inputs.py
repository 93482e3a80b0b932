"""One search for each kind of X, y and fit parameter."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import polars
import sklearn
from scipy import sparse
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.compose import ColumnTransformer, make_column_selector
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression, Ridge, SGDClassifier
from sklearn.metrics.pairwise import rbf_kernel
from sklearn.naive_bayes import MultinomialNB
from sklearn.neighbors import KNeighborsRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler
from sklearn.svm import SVC

from e2e.cases import case, classes, numbers
from e2e.compare import search_view

_WORDS = "good great fine bad poor awful quick slow bright dim solid loose".split()


def _texts(rows: int = 80) -> tuple[list[str], np.ndarray]:
    random = np.random.RandomState(0)
    drawn = random.randint(0, len(_WORDS), size=(rows, 7))
    y = (drawn < 3).sum(axis=1) > (drawn % 5 == 4).sum(axis=1)
    return [" ".join(_WORDS[word] for word in row) for row in drawn], y.astype(int)


def _frame() -> tuple[pd.DataFrame, pd.Series]:
    X, y = classes()
    frame = pd.DataFrame(X[:, :3], columns=["width", "height", "age"], index=np.arange(90) * 2 + 1)
    frame.loc[frame.index[::9], "age"] = np.nan
    frame["town"] = pd.Categorical.from_codes(np.arange(90) % 3, ["Aba", "Bor", "Cis"])
    frame["note"] = np.where(X[:, 4] > 0, "over", "under")
    return frame, pd.Series(np.array(["low", "mid", "top"])[y], index=frame.index, name="grade")


def _columns() -> ColumnTransformer:
    return ColumnTransformer(
        [
            ("numbers", make_pipeline(SimpleImputer(), StandardScaler()), ["width", "height", "age"]),
            ("words", OneHotEncoder(handle_unknown="ignore"), make_column_selector(pattern="town|note")),
        ]
    )


def _logistic(ms: Any, X: Any, y: Any, **fit: Any) -> dict[str, Any]:
    search = ms.GridSearchCV(LogisticRegression(max_iter=400), {"C": [0.1, 1.0, 10.0]}, cv=3)
    return search_view(search.fit(X, y, **fit), X)


@case
def data_frame_with_column_transformer(ms: Any) -> Any:
    X, y = _frame()
    pipeline = make_pipeline(_columns(), LogisticRegression(max_iter=300))
    grid = {
        "columntransformer__numbers__simpleimputer__strategy": ["mean", "median"],
        "logisticregression__C": [0.1, 1.0],
    }
    return search_view(ms.GridSearchCV(pipeline, grid, cv=3).fit(X, y), X)


@case
def data_frame_out_of_transformers(ms: Any) -> Any:
    X, y = _frame()
    pipeline = make_pipeline(SimpleImputer(), StandardScaler(), LogisticRegression(max_iter=300)).set_output(
        transform="pandas"
    )
    search = ms.GridSearchCV(pipeline, {"logisticregression__C": [0.1, 1.0]}, cv=3)
    return search_view(search.fit(X[["width", "age"]], y), X[["width", "age"]]), search.feature_names_in_


@case
def polars_frame(ms: Any) -> Any:
    X, y = classes()
    frame = polars.DataFrame({f"x{i}": X[:, i] for i in range(6)})
    return _logistic(ms, frame, polars.Series("y", y))


@case
def csr_matrix(ms: Any) -> Any:
    X, y = classes()
    return _logistic(ms, sparse.csr_matrix(np.where(np.abs(X) > 0.7, X, 0)), y)


@case
def csc_array(ms: Any) -> Any:
    X, y = classes()
    return _logistic(ms, sparse.csc_array(np.where(np.abs(X) > 0.7, X, 0)), y)


@case
def coo_matrix(ms: Any) -> Any:
    X, y = classes()
    return _logistic(ms, sparse.coo_matrix(np.where(np.abs(X) > 0.7, X, 0)), y)


@case
def texts_as_a_list(ms: Any) -> Any:
    X, y = _texts()
    pipeline = make_pipeline(TfidfVectorizer(), MultinomialNB())
    grid = {"tfidfvectorizer__ngram_range": [(1, 1), (1, 2)], "multinomialnb__alpha": [0.1, 1.0]}
    return search_view(ms.GridSearchCV(pipeline, grid, cv=4).fit(X, y), X)


@case
def texts_as_an_object_array(ms: Any) -> Any:
    X, y = _texts()
    pipeline = make_pipeline(TfidfVectorizer(), SGDClassifier(random_state=0))
    search = ms.GridSearchCV(pipeline, {"sgdclassifier__alpha": [1e-4, 1e-3]}, cv=3)
    return search_view(search.fit(np.array(X, dtype=object), y), X)


@case
def texts_as_a_series(ms: Any) -> Any:
    X, y = _texts()
    pipeline = make_pipeline(TfidfVectorizer(sublinear_tf=True), LogisticRegression())
    search = ms.GridSearchCV(pipeline, {"tfidfvectorizer__min_df": [1, 3]}, cv=3)
    return search_view(search.fit(pd.Series(X), pd.Series(y)), X)


@case
def lists_of_lists_with_text_labels(ms: Any) -> Any:
    X, y = classes()
    return _logistic(ms, X.tolist(), [f"class {label}" for label in y])


@case
def single_precision(ms: Any) -> Any:
    X, y = classes()
    return _logistic(ms, X.astype(np.float32), y.astype(np.int8))


@case
def fortran_order(ms: Any) -> Any:
    X, y = classes()
    return _logistic(ms, np.asfortranarray(X), y)


@case
def a_view_with_strides(ms: Any) -> Any:
    X, y = classes(180)
    return _logistic(ms, X[::2, ::-1], y[::2])


@case
def small_integers_and_booleans(ms: Any) -> Any:
    X, y = classes()
    return _logistic(ms, (X > 0).astype(np.uint8), y == 1)


@case
def a_memory_mapped_file(ms: Any) -> Any:
    X, y = classes()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "x.npy"
        np.save(path, X)
        return _logistic(ms, np.load(path, mmap_mode="r"), y)


@case
def several_targets(ms: Any) -> Any:
    X, y = numbers(targets=3)
    search = ms.GridSearchCV(KNeighborsRegressor(), {"n_neighbors": [2, 6]}, cv=3, scoring="r2")
    return search_view(search.fit(X, y), X)


@case
def targets_as_a_frame(ms: Any) -> Any:
    X, y = numbers(targets=2)
    search = ms.GridSearchCV(Ridge(), {"alpha": [0.1, 1.0]}, cv=3)
    return search_view(search.fit(pd.DataFrame(X), pd.DataFrame(y, columns=["a", "b"])), X)


@case
def a_precomputed_kernel(ms: Any) -> Any:
    X, y = classes()
    search = ms.GridSearchCV(SVC(kernel="precomputed"), {"C": [0.1, 1.0, 10.0]}, cv=3)
    return search_view(search.fit(rbf_kernel(X), y), rbf_kernel(X))


@case
def sample_weights(ms: Any) -> Any:
    X, y = classes()
    return _logistic(ms, X, y, sample_weight=np.linspace(0.1, 2.0, 90))


@case
def sample_weights_in_a_list_for_a_step(ms: Any) -> Any:
    X, y = numbers()
    pipeline = make_pipeline(StandardScaler(), Ridge())
    search = ms.GridSearchCV(pipeline, {"ridge__alpha": [0.1, 1.0]}, cv=3)
    return search_view(search.fit(X, y, ridge__sample_weight=[1.0, 2.0, 0.5] * 30), X)


@case
def routed_metadata(ms: Any) -> Any:
    X, y = classes()
    with sklearn.config_context(enable_metadata_routing=True):
        model = LogisticRegression(max_iter=300).set_fit_request(sample_weight=True)
        model.set_score_request(sample_weight=True)
        search = ms.GridSearchCV(model, {"C": [0.1, 1.0]}, cv=3)
        return search_view(search.fit(X, y, sample_weight=np.linspace(0.1, 2.0, 90)), X)


class Centroid(ClassifierMixin, BaseEstimator):
    """Nearest centroid, scaled by `power`; its fit takes an option that is no array."""

    def __init__(self, power: float = 1.0) -> None:
        self.power = power

    def fit(self, X: Any, y: Any, shift: float = 0.0, per_row: Any = None) -> Centroid:
        self.classes_ = np.unique(y)
        rows = X if per_row is None else X * np.asarray(per_row)[:, None]
        self.centroids_ = np.stack([rows[y == label].mean(axis=0) + shift for label in self.classes_])
        return self

    def predict(self, X: Any) -> np.ndarray:
        distances = np.abs(X[:, None, :] - self.centroids_[None]) ** self.power
        return self.classes_[distances.sum(axis=2).argmin(axis=1)]


@case
def fit_parameters_by_row_and_for_all(ms: Any) -> Any:
    X, y = classes()
    search = ms.GridSearchCV(Centroid(), {"power": [0.5, 1.0, 2.0]}, cv=3)
    return search_view(search.fit(X, y, shift=0.25, per_row=np.linspace(0.5, 1.5, 90)), X)


@case
def three_dimensional_rows(ms: Any) -> Any:
    class Flat(Centroid):
        def fit(self, X: Any, y: Any) -> Flat:
            return super().fit(X.reshape(len(X), -1), y)

        def predict(self, X: Any) -> np.ndarray:
            return super().predict(X.reshape(len(X), -1))

    X, y = classes()
    return search_view(
        ms.GridSearchCV(Flat(), {"power": [1.0, 2.0]}, cv=3).fit(X.reshape(90, 2, 3), y), X.reshape(90, 2, 3)
    )
