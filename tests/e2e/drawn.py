"""Searches and cross validations drawn at random: estimator, pipeline, grid, splitter, scoring, weights,
kind of input. A drawn case is plain data; `run` builds everything anew, so that no run sees another."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from hypothesis import strategies as st
from scipy import sparse, stats
from sklearn.cluster import KMeans
from sklearn.compose import ColumnTransformer
from sklearn.decomposition import PCA, TruncatedSVD
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.dummy import DummyClassifier, DummyRegressor
from sklearn.ensemble import (
    AdaBoostClassifier,
    AdaBoostRegressor,
    BaggingClassifier,
    ExtraTreesClassifier,
    GradientBoostingClassifier,
    GradientBoostingRegressor,
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
    RandomForestClassifier,
    RandomForestRegressor,
)
from sklearn.feature_extraction.text import CountVectorizer, TfidfVectorizer
from sklearn.feature_selection import SelectKBest, f_regression
from sklearn.impute import SimpleImputer
from sklearn.linear_model import ElasticNet, Lasso, LogisticRegression, Ridge, RidgeClassifier, SGDClassifier
from sklearn.metrics import accuracy_score, make_scorer, mean_absolute_error
from sklearn.naive_bayes import GaussianNB, MultinomialNB
from sklearn.neighbors import KNeighborsClassifier, KNeighborsRegressor
from sklearn.pipeline import FeatureUnion, Pipeline
from sklearn.preprocessing import MinMaxScaler, OneHotEncoder, PolynomialFeatures, StandardScaler
from sklearn.svm import SVC, SVR, LinearSVC
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

from e2e.compare import search_view

Grid = dict[str, list[Any]]
Choice = tuple[Callable[[], Any], Grid]

_WORDS = "good bad film plot cast dull fine weak long short slow warm cold great poor".split()

_CLASSIFIERS: dict[str, Choice] = {
    "svc": (lambda: SVC(), {"C": [0.1, 1, 10.0], "kernel": ["linear", "rbf"], "gamma": ["scale", 0.1]}),
    "svc-probability": (lambda: SVC(), {"C": [0.5, 2.0], "class_weight": [None, "balanced"]}),
    "logistic": (lambda: LogisticRegression(max_iter=200), {"C": [0.01, 1.0, 100.0]}),
    "sgd": (lambda: SGDClassifier(random_state=3, max_iter=20, tol=None), {"alpha": [1e-4, 1e-2]}),
    "ridge-classifier": (lambda: RidgeClassifier(), {"alpha": [0.1, 1.0]}),
    "tree": (
        lambda: DecisionTreeClassifier(random_state=0),
        {"max_depth": [1, 3, None], "criterion": ["gini", "entropy"]},
    ),
    "forest": (lambda: RandomForestClassifier(5, random_state=1), {"max_features": [1, "sqrt"]}),
    "extra-trees": (lambda: ExtraTreesClassifier(5, random_state=1), {"n_estimators": [2, 4, 6]}),
    "hist-boosting": (
        lambda: HistGradientBoostingClassifier(max_iter=3, random_state=0),
        {"max_leaf_nodes": [3, 7]},
    ),
    "neighbors": (
        lambda: KNeighborsClassifier(),
        {"n_neighbors": [1, 3, 5], "weights": ["uniform", "distance"]},
    ),
    # Families: the larger ones hold the smaller ones.
    "forest-sizes": (
        lambda: RandomForestClassifier(random_state=2),
        {"n_estimators": [3, 20, 8], "max_depth": [2, None]},
    ),
    "boosting-sizes": (
        lambda: GradientBoostingClassifier(random_state=0, max_depth=2),
        {"n_estimators": [2, 12, 5], "subsample": [0.6, 1.0]},
    ),
    "adaptive-sizes": (lambda: AdaBoostClassifier(random_state=0), {"n_estimators": [2, 15, 6]}),
    "bagging-sizes": (lambda: BaggingClassifier(random_state=0), {"n_estimators": [2, 15, 6]}),
    "pruned-trees": (lambda: DecisionTreeClassifier(random_state=1), {"ccp_alpha": [0.1, 0.0, 0.02]}),
    "naive-bayes": (lambda: GaussianNB(), {"var_smoothing": [1e-9, 1e-2]}),
    "lda": (lambda: LinearDiscriminantAnalysis(), {"solver": ["svd", "lsqr"]}),
    "linear-svc": (lambda: LinearSVC(random_state=0, max_iter=300), {"C": [0.1, 1.0]}),
    "dummy": (lambda: DummyClassifier(random_state=0), {"strategy": ["prior", "stratified", "uniform"]}),
    # Every other candidate fails to fit.
    "failing": (lambda: SVC(), {"C": [1.0, -1.0], "kernel": ["rbf"]}),
}

_REGRESSORS: dict[str, Choice] = {
    "ridge": (lambda: Ridge(), {"alpha": [0.01, 1.0, 100.0], "fit_intercept": [True, False]}),
    "lasso": (lambda: Lasso(), {"alpha": [0.01, 1.0]}),
    "elastic-net": (lambda: ElasticNet(), {"alpha": [0.1], "l1_ratio": [0.2, 0.8]}),
    "svr": (lambda: SVR(), {"C": [0.1, 10.0], "epsilon": [0.1, 1]}),
    "tree": (lambda: DecisionTreeRegressor(random_state=0), {"max_depth": [1, 4], "ccp_alpha": [0.0, 0.1]}),
    "forest": (lambda: RandomForestRegressor(4, random_state=7), {"n_estimators": [2, 5]}),
    "boosting": (
        lambda: GradientBoostingRegressor(random_state=0),
        {"n_estimators": [2, 5], "subsample": [0.5, 1.0]},
    ),
    "neighbors": (lambda: KNeighborsRegressor(), {"n_neighbors": [1, 4], "p": [1, 2]}),
    "forest-sizes": (
        lambda: RandomForestRegressor(random_state=2),
        {"n_estimators": [3, 20, 8], "max_depth": [2, None]},
    ),
    "adaptive-sizes": (lambda: AdaBoostRegressor(random_state=0), {"n_estimators": [2, 15, 6]}),
    "histogram-sizes": (
        lambda: HistGradientBoostingRegressor(random_state=0, min_samples_leaf=5),
        {"max_iter": [2, 12, 5]},
    ),
    "dummy": (lambda: DummyRegressor(), {"strategy": ["mean", "median"]}),
    "failing": (lambda: Lasso(), {"alpha": [0.1, "much"]}),
}

_TEXT: dict[str, Choice] = {
    "counts": (
        lambda: Pipeline([("words", CountVectorizer()), ("model", MultinomialNB())]),
        {"words__ngram_range": [(1, 1), (1, 2)], "model__alpha": [0.1, 1.0]},
    ),
    "tfidf": (
        lambda: Pipeline([("words", TfidfVectorizer()), ("model", LogisticRegression())]),
        {"words__sublinear_tf": [False, True], "model__C": [0.1, 1.0, 10.0]},
    ),
    "svd": (
        lambda: Pipeline(
            [("words", TfidfVectorizer()), ("svd", TruncatedSVD(3, random_state=0)), ("model", SVC())]
        ),
        {"svd__n_components": [2, 3], "model__C": [1.0, 3.0]},
    ),
}

# Steps before the model: what they are called and the part of the grid that belongs to them.
_STEPS: dict[str, tuple[Callable[[], list[tuple[str, Any]]], Grid]] = {
    "none": (lambda: [], {}),
    "scale": (lambda: [("scale", StandardScaler())], {"scale__with_mean": [True, False]}),
    "pca": (
        lambda: [("scale", MinMaxScaler()), ("pca", PCA(2, random_state=0))],
        {"pca__n_components": [1, 2]},
    ),
    "seeded-pca": (
        lambda: [("pca", PCA(2, svd_solver="randomized", random_state=5))],
        {"pca__whiten": [False, True]},
    ),
    "swapped": (lambda: [("scale", StandardScaler())], {"scale": ["passthrough", MinMaxScaler()]}),
    "polynomial": (lambda: [("poly", PolynomialFeatures(2, include_bias=False))], {"poly__degree": [1, 2]}),
    "union": (
        lambda: [
            (
                "union",
                FeatureUnion([("pca", PCA(1, random_state=0)), ("best", SelectKBest(f_regression, k=2))]),
            )
        ],
        {"union__best__k": [1, 3]},
    ),
    "kmeans": (lambda: [("kmeans", KMeans(2, n_init=1, random_state=0))], {"kmeans__n_clusters": [2, 3]}),
}

_SPLITTERS: dict[str, Callable[[Any, Any], Any]] = {
    "2": lambda ms, y: 2,
    "3": lambda ms, y: 3,
    "k-fold": lambda ms, y: ms.KFold(3),
    "shuffled": lambda ms, y: ms.KFold(3, shuffle=True, random_state=11),
    "stratified": lambda ms, y: ms.StratifiedKFold(3, shuffle=True, random_state=2),
    "shuffle-split": lambda ms, y: ms.ShuffleSplit(2, test_size=0.3, random_state=4),
    "repeated": lambda ms, y: ms.RepeatedKFold(n_splits=2, n_repeats=2, random_state=0),
    "groups": lambda ms, y: ms.GroupKFold(3),
    "one-group-out": lambda ms, y: ms.LeaveOneGroupOut(),
    "time": lambda ms, y: ms.TimeSeriesSplit(2),
    "predefined": lambda ms, y: ms.PredefinedSplit(np.arange(len(y)) % 4 - 1),
    "pairs": lambda ms, y: [(np.arange(0, len(y), 2), np.arange(1, len(y), 2))] * 2,
    "generator": lambda ms, y: iter(list(ms.KFold(3).split(y))),
    "too-many": lambda ms, y: 1000,
}


def _mean_error(estimator: Any, X: Any, y: Any) -> float:
    return -float(np.mean(estimator.predict(X) != y))


def _two_figures(estimator: Any, X: Any, y: Any) -> dict[str, float]:
    predicted = estimator.predict(X)
    return {"first": float(np.mean(predicted == y)), "rows": float(len(predicted))}


_CLASS_SCORES: dict[str, Any] = {
    "default": None,
    "accuracy": "accuracy",
    "f1": "f1_macro",
    "several": ["accuracy", "balanced_accuracy", "f1_weighted"],
    "named": {"hits": "accuracy", "misses": make_scorer(accuracy_score, greater_is_better=False)},
    "callable": _mean_error,
    "callable-several": _two_figures,
    "log-loss": "neg_log_loss",
}
_VALUE_SCORES: dict[str, Any] = {
    "default": None,
    "r2": "r2",
    "several": ("r2", "neg_mean_squared_error"),
    "named": {"absolute": make_scorer(mean_absolute_error, greater_is_better=False), "r2": "r2"},
    "maximum": "max_error",
}
_SEVERAL = {"several": ("accuracy", "r2"), "named": ("hits", "r2"), "callable-several": ("first", "first")}

_INPUTS = (
    "float64",
    "float32",
    "fortran",
    "strided",
    "lists",
    "frame",
    "mixed-frame",
    "csr",
    "csc",
    "nan",
    "object",
)
_TARGETS = ("binary", "three", "strings", "booleans", "values", "float32-values", "two-outputs")
_FUNCTIONS = ("grid", "grid", "grid", "random", "cross_validate", "cross_val_score", "cross_val_predict")


@dataclass(frozen=True)
class Case:
    """What was drawn; every field is a key of a table above or a plain number."""

    function: str
    target: str
    kind: str
    estimator: str
    steps: str
    splitter: str
    scoring: str
    weights: str
    rows: int
    seed: int
    train_scores: bool
    refit: bool
    error_score: float | str
    picked: int

    def run(self, ms: Any) -> Any:
        """Run it with a module that has model_selection's names; what a caller can see of it."""
        X, y = self._data()
        estimator, grid = self._estimator()
        options: dict[str, Any] = {"cv": _SPLITTERS[self.splitter](_splitters(), y), "n_jobs": None}
        fit_options: dict[str, Any] = {}
        if self.splitter in ("groups", "one-group-out"):
            fit_options["groups"] = np.arange(self.rows) % 3
        if self.weights != "none":
            fit_options["params"] = {f"{self._model_prefix}sample_weight": self._weights()}
        if self.function == "cross_val_predict":
            return ms.cross_val_predict(estimator, X, y, **options, **fit_options)
        options |= {"scoring": self._scoring(), "error_score": self.error_score}
        if self.function == "cross_val_score":
            options["scoring"] = None if self.scoring in _SEVERAL else options["scoring"]
            return ms.cross_val_score(estimator, X, y, **options, **fit_options)
        if self.function == "cross_validate":
            options |= {"return_train_score": self.train_scores, "return_indices": self.refit}
            return ms.cross_validate(estimator, X, y, **options, **fit_options)
        options |= {"return_train_score": self.train_scores, "refit": self._refit()}
        if self.function == "random":
            search = ms.RandomizedSearchCV(
                estimator, self._distributions(grid), n_iter=3, random_state=self.seed, **options
            )
        else:
            search = ms.GridSearchCV(estimator, grid, **options)
        search.fit(X, y, **fit_options.pop("params", {}), **fit_options)
        return search_view(search, X)

    @property
    def _is_classifier(self) -> bool:
        return self.target in ("binary", "three", "strings", "booleans")

    @property
    def _model_prefix(self) -> str:
        return "model__" if self.kind == "text" or self.steps != "none" or self.kind in _WRAPPED else ""

    def _estimator(self) -> tuple[Any, Grid]:
        table = _TEXT if self.kind == "text" else _CLASSIFIERS if self._is_classifier else _REGRESSORS
        make, grid = table[self.estimator]
        if self.kind != "text" and self._model_prefix:
            before, steps_grid = _STEPS[self.steps]
            first = [("columns", _WRAPPED[self.kind]())] if self.kind in _WRAPPED else []
            grid = {**steps_grid, **{f"model__{name}": values for name, values in grid.items()}}
            return Pipeline([*first, *before(), ("model", make())]), self._few(grid)
        return make(), self._few(grid)

    def _few(self, grid: Grid) -> Grid:
        """Two of the grid's parameters, with all of their values: small, and different by `picked`."""
        names = sorted(grid)
        kept = {names[self.picked % len(names)], names[(self.picked // 7) % len(names)]}
        return {name: grid[name] for name in grid if name in kept}

    def _distributions(self, grid: Grid) -> dict[str, Any]:
        return {
            name: stats.uniform(0.1, 2.0)
            if name.endswith(("C", "alpha")) and values[-1] != "much"
            else values
            for name, values in grid.items()
        }

    def _scoring(self) -> Any:
        return (_CLASS_SCORES if self._is_classifier else _VALUE_SCORES)[self.scoring]

    def _refit(self) -> bool | str:
        if self.scoring in _SEVERAL and self.refit:
            return _SEVERAL[self.scoring][0 if self._is_classifier else 1]
        return self.refit

    def _weights(self) -> Any:
        weights = np.random.default_rng(self.seed + 1).integers(
            0 if self.weights == "zeros" else 1, 4, self.rows
        )
        return weights.tolist() if self.weights == "list" else weights.astype(float)

    def _data(self) -> tuple[Any, Any]:
        random = np.random.default_rng(self.seed)
        X = random.normal(size=(self.rows, 4))
        y = self._target(X, random)
        if self.kind == "text":
            texts = [" ".join(random.choice(_WORDS, 1 + row % 5)) for row in range(self.rows)]
            return texts, y
        return _as_kind(X, self.kind, random), y

    def _target(self, X: Any, random: np.random.Generator) -> Any:
        value = X[:, 0] - X[:, 1] + random.normal(scale=0.5, size=self.rows)
        match self.target:
            case "binary":
                return (value > 0).astype(int)
            case "booleans":
                return value > 0
            case "three":
                return np.digitize(value, [-0.7, 0.7])
            case "strings":
                return np.array(["low", "middle", "high"])[np.digitize(value, [-0.7, 0.7])]
            case "float32-values":
                return value.astype(np.float32)
            case "two-outputs":
                return np.column_stack([value, X[:, 2]])
            case _:
                return value


def _splitters() -> Any:
    import sklearn.model_selection

    return sklearn.model_selection


def _mixed_columns() -> Any:
    return ColumnTransformer(
        [("numbers", StandardScaler(), ["a", "b", "c", "d"]), ("kinds", OneHotEncoder(), ["kind"])]
    )


_WRAPPED: dict[str, Callable[[], Any]] = {
    "mixed-frame": _mixed_columns,
    "nan": lambda: SimpleImputer(),
}


def _as_kind(X: Any, kind: str, random: np.random.Generator) -> Any:
    match kind:
        case "float32":
            return X.astype(np.float32)
        case "fortran":
            return np.asfortranarray(X)
        case "strided":
            return np.repeat(X, 2, axis=0)[::2]
        case "lists":
            return X.tolist()
        case "object":
            return X.astype(object)
        case "csr" | "csc":
            X[X < 0] = 0
            return sparse.csr_matrix(X) if kind == "csr" else sparse.csc_array(X)
        case "nan":
            X[random.random(X.shape) < 0.1] = np.nan
            return X
        case "frame" | "mixed-frame":
            frame = pd.DataFrame(X, columns=list("abcd"), index=np.arange(len(X))[::-1] * 3)
            if kind == "mixed-frame":
                frame["kind"] = pd.Categorical(np.array(["x", "y"])[np.arange(len(X)) % 2])
            return frame
        case _:
            return X


@st.composite
def cases(draw: st.DrawFn) -> Case:
    """Any case, also ones that scikit-learn refuses: then both refuse alike."""
    kind = draw(st.sampled_from((*_INPUTS, "text")))
    targets = _TARGETS[:4] if kind == "text" else _TARGETS
    target = draw(st.sampled_from(targets))
    is_classifier = target in _TARGETS[:4]
    table = _TEXT if kind == "text" else _CLASSIFIERS if is_classifier else _REGRESSORS
    return Case(
        function=draw(st.sampled_from(_FUNCTIONS)),
        target=target,
        kind=kind,
        estimator=draw(st.sampled_from(sorted(table))),
        steps="none" if kind == "text" else draw(st.sampled_from(sorted(_STEPS))),
        splitter=draw(st.sampled_from(sorted(_SPLITTERS))),
        scoring=draw(st.sampled_from(sorted(_CLASS_SCORES if is_classifier else _VALUE_SCORES))),
        weights=draw(st.sampled_from(("none", "none", "floats", "zeros", "list"))),
        rows=draw(st.integers(30, 60)),
        seed=draw(st.integers(0, 2**16)),
        train_scores=draw(st.booleans()),
        refit=draw(st.booleans()),
        error_score=draw(st.sampled_from((float("nan"), 0.0, "raise"))),
        picked=draw(st.integers(0, 48)),
    )
