"""One search for each kind of estimator."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.calibration import CalibratedClassifierCV
from sklearn.cluster import KMeans
from sklearn.compose import TransformedTargetRegressor
from sklearn.decomposition import PCA
from sklearn.ensemble import (
    GradientBoostingClassifier,
    HistGradientBoostingClassifier,
    RandomForestClassifier,
    RandomForestRegressor,
    StackingClassifier,
    VotingClassifier,
)
from sklearn.feature_selection import SelectKBest
from sklearn.linear_model import Lasso, LogisticRegression, Ridge, SGDClassifier
from sklearn.naive_bayes import GaussianNB
from sklearn.neighbors import KernelDensity, KNeighborsClassifier
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC
from sklearn.tree import DecisionTreeClassifier

from e2e.cases import case, classes, numbers
from e2e.compare import search_view


def _grid(ms: Any, estimator: Any, grid: Any, X: Any, y: Any, **options: Any) -> dict[str, Any]:
    return search_view(ms.GridSearchCV(estimator, grid, **options).fit(X, y), X)


@case
def svc(ms: Any) -> Any:
    return _grid(ms, SVC(), {"C": [0.1, 1, 10], "gamma": ["scale", 0.1]}, *classes())


@case
def svc_with_grids_that_leave_parameters_out(ms: Any) -> Any:
    grids = [{"kernel": ["linear"], "C": [1, 10]}, {"kernel": ["rbf"], "gamma": [0.1, 0.01]}]
    return _grid(ms, SVC(), grids, *classes())


@case
def svc_probabilities_by_platt_scaling(ms: Any) -> Any:
    return _grid(ms, SVC(probability=True, random_state=3), {"C": [0.5, 2.0]}, *classes(), cv=3)


@case
def logistic_regression_with_convergence_warnings(ms: Any) -> Any:
    return _grid(ms, LogisticRegression(max_iter=3), {"C": np.logspace(-2, 2, 4)}, *classes(), cv=3)


@case
def ridge(ms: Any) -> Any:
    return _grid(ms, Ridge(), {"alpha": np.logspace(-3, 3, 5), "solver": ["svd", "cholesky"]}, *numbers())


@case
def lasso(ms: Any) -> Any:
    return _grid(ms, Lasso(), {"alpha": [0.01, 0.1, 1.0]}, *numbers(), scoring="neg_mean_squared_error")


@case
def random_forest_seeded(ms: Any) -> Any:
    forest = RandomForestClassifier(n_estimators=8, random_state=0)
    return _grid(ms, forest, {"max_depth": [2, 4, None]}, *classes(), cv=3)


@case
def random_forest_with_a_random_state_object(ms: Any) -> Any:
    forest = RandomForestRegressor(n_estimators=5, random_state=np.random.RandomState(7))
    return _grid(ms, forest, {"max_features": [2, 4]}, *numbers(), cv=3)


@case
def histogram_boosting_with_missing_values(ms: Any) -> Any:
    X, y = classes()
    X[::7, 2] = np.nan
    model = HistGradientBoostingClassifier(max_iter=8, random_state=0)
    return _grid(ms, model, {"max_leaf_nodes": [4, 8]}, X, y, cv=3)


@case
def gradient_boosting(ms: Any) -> Any:
    model = GradientBoostingClassifier(n_estimators=6, random_state=1)
    return _grid(ms, model, {"learning_rate": [0.05, 0.2], "subsample": [0.7, 1.0]}, *classes(), cv=3)


@case
def nearest_neighbours(ms: Any) -> Any:
    grid = {"n_neighbors": [1, 5, 9], "weights": ["uniform", "distance"]}
    return _grid(ms, KNeighborsClassifier(), grid, *classes())


@case
def naive_bayes(ms: Any) -> Any:
    return _grid(ms, GaussianNB(), {"var_smoothing": np.logspace(-9, -1, 4)}, *classes())


@case
def neural_network_seeded(ms: Any) -> Any:
    model = MLPClassifier(max_iter=12, random_state=5)
    return _grid(ms, model, {"hidden_layer_sizes": [(4,), (6, 4)]}, *classes(), cv=3)


@case
def decision_tree(ms: Any) -> Any:
    grid = {"criterion": ["gini", "entropy"], "max_depth": [1, 3, None]}
    return _grid(ms, DecisionTreeClassifier(random_state=0), grid, *classes())


@case
def stochastic_gradient_descent(ms: Any) -> Any:
    model = SGDClassifier(loss="log_loss", max_iter=30, tol=1e-3, random_state=2)
    return _grid(ms, model, {"alpha": [1e-4, 1e-2]}, *classes())


@case
def pipeline_of_scaler_pca_and_svc(ms: Any) -> Any:
    pipeline = make_pipeline(StandardScaler(), PCA(random_state=0), SVC())
    return _grid(ms, pipeline, {"pca__n_components": [2, 4], "svc__C": [0.3, 3]}, *classes())


@case
def pipeline_with_steps_swapped_by_the_grid(ms: Any) -> Any:
    pipeline = Pipeline([("reduce", "passthrough"), ("model", SVC())])
    grid = {
        "reduce": ["passthrough", PCA(2), SelectKBest(k=3)],
        "model": [SVC(C=2.0), LogisticRegression(max_iter=500)],
    }
    return _grid(ms, pipeline, grid, *classes(), cv=3)


@case
def calibrated_classifier(ms: Any) -> Any:
    model = CalibratedClassifierCV(GaussianNB(), cv=3)
    return _grid(ms, model, {"method": ["sigmoid", "isotonic"]}, *classes(), cv=3)


@case
def stacked_and_voting_classifiers(ms: Any) -> Any:
    members = [("bayes", GaussianNB()), ("tree", DecisionTreeClassifier(max_depth=2, random_state=0))]
    stack = StackingClassifier(members, final_estimator=LogisticRegression(), cv=2)
    vote = VotingClassifier(members, voting="soft")
    return _grid(ms, Pipeline([("model", stack)]), {"model": [stack, vote]}, *classes(), cv=3)


@case
def transformed_target(ms: Any) -> Any:
    X, y = numbers()
    model = TransformedTargetRegressor(Ridge(), func=np.cbrt, inverse_func=_cube)
    return _grid(ms, model, {"regressor__alpha": [0.1, 10.0]}, X, y, cv=3)


@case
def kmeans_without_y(ms: Any) -> Any:
    X, _ = classes()
    return _grid(ms, KMeans(n_init=2, random_state=0), {"n_clusters": [2, 3, 4]}, X, None, cv=3)


@case
def kernel_density_without_y(ms: Any) -> Any:
    X, _ = numbers()
    search = ms.GridSearchCV(KernelDensity(), {"bandwidth": [0.5, 1.0, 2.0]}, cv=4).fit(X)
    return search.cv_results_, search.best_index_, search.best_score_, search.score_samples(X)


@case
def search_inside_a_search(ms: Any) -> Any:
    inner = ms.GridSearchCV(Ridge(), {"alpha": [0.1, 1.0]}, cv=2)
    pipeline = Pipeline([("scale", StandardScaler()), ("inner", inner)])
    return _grid(ms, pipeline, {"scale__with_mean": [True, False]}, *numbers(60), cv=3)


def _cube(values: np.ndarray) -> np.ndarray:
    return values**3
