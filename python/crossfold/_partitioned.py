"""One model per partition of the rows, fitted side by side and averaged."""

from __future__ import annotations

import crossfold._early  # noqa: F401 # isort: skip - before scikit-learn, whose import takes long

from collections.abc import Callable
from copy import deepcopy
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, MetaEstimatorMixin, is_classifier
from sklearn.metrics import accuracy_score, r2_score
from sklearn.utils import check_random_state, get_tags, indexable
from sklearn.utils.metaestimators import available_if
from sklearn.utils.validation import _num_samples, check_is_fitted, column_or_1d

from crossfold import _combining
from crossfold._member_fits import MemberFit, MemberFits, fitted_members

F = TypeVar("F", bound=Callable[..., Any])


def _has_probabilities(method: F) -> F:
    """Give an ensemble a method only if its estimator has predict_proba."""
    guarded: F = available_if(lambda self: hasattr(self.estimator, "predict_proba"))(method)
    return guarded


class PartitionedEnsemble(MetaEstimatorMixin, BaseEstimator):
    """Fit a clone of an estimator on each part of the rows and average what they predict.

    A fit needs the memory and time of one part only; the parts are fitted at the same time.

    Parameters
    ----------
    estimator
        A classifier or regressor.
    n_partitions
        How many parts, of sizes that differ by one row at most.
    shuffle
        False: parts are runs of consecutive rows, as record batches are. True: rows are drawn at random,
        which keeps sorted data from giving parts that know few of the classes.
    random_state
        Of the shuffling.

    Attributes
    ----------
    estimators_
        The models, one per part.
    partitions_
        The row numbers of each part.
    classes_
        The classes of a classifier, sorted.
    """

    def __init__(
        self, estimator: Any, *, n_partitions: int = 4, shuffle: bool = False, random_state: Any = None
    ) -> None:
        self.estimator = estimator
        self.n_partitions = n_partitions
        self.shuffle = shuffle
        self.random_state = random_state

    def fit(self, X: Any, y: Any = None) -> PartitionedEnsemble:
        """Fit the models on the cluster, as one job.

        Raises
        ------
        ValueError
            n_partitions is no number from 1 to the number of rows.
        """
        if y is None:
            raise ValueError("PartitionedEnsemble requires y to be passed, but the target y is None")
        if is_classifier(self):
            y = column_or_1d(y, warn=True)
        X, y = indexable(X, y)
        self.partitions_ = self._partitions(_num_samples(X))
        with MemberFits(type(self).__name__, X, y, None) as fits:
            self.estimators_ = fitted_members(
                fits, [MemberFit.final(self.estimator, {}, rows) for rows in self.partitions_]
            )
        if is_classifier(self):
            self.classes_ = np.unique(np.asarray(y))
        return self

    def _partitions(self, rows: int) -> list[NDArray[np.int64]]:
        if not isinstance(self.n_partitions, (int, np.integer)) or not 1 <= self.n_partitions <= rows:
            raise ValueError(
                f"n_partitions={self.n_partitions!r} can't cut n_samples={rows}: give an int from 1 to {rows}"
            )
        order = np.arange(rows)
        if self.shuffle:
            check_random_state(self.random_state).shuffle(order)
        return [np.sort(part) for part in np.array_split(order, self.n_partitions)]

    def predict(self, X: Any) -> NDArray[Any]:
        """Predict classes (rows,), or values (rows,) or (rows, outputs).

        Classifiers without predict_proba vote.
        """
        check_is_fitted(self, "estimators_")
        models, weights = self.estimators_, self._weights()
        if not is_classifier(self):
            values: NDArray[Any] = _combining.mean(models, weights, X, "predict", None)
            return values
        if hasattr(self, "predict_proba"):
            return _combining.labels(self.predict_proba(X), self.classes_)
        return _combining.vote(models, weights, X, self.classes_)

    @_has_probabilities
    def predict_proba(self, X: Any) -> NDArray[np.float64]:
        """The mean of the models' probabilities, weighted by their rows, (rows, classes)."""
        check_is_fitted(self, "estimators_")
        values: NDArray[np.float64] = _combining.mean(
            self.estimators_, self._weights(), X, "predict_proba", self.classes_
        )
        return values

    def score(self, X: Any, y: Any, sample_weight: Any = None) -> float:
        """Accuracy of a classifier, R² of a regressor."""
        measure = accuracy_score if is_classifier(self) else r2_score
        return float(measure(y, self.predict(X), sample_weight=sample_weight))

    def _weights(self) -> NDArray[np.float64]:
        return np.array([len(rows) for rows in self.partitions_], dtype=np.float64)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        inner = get_tags(self.estimator)
        tags.estimator_type = inner.estimator_type
        tags.classifier_tags = deepcopy(inner.classifier_tags)
        tags.regressor_tags = deepcopy(inner.regressor_tags)
        tags.target_tags = deepcopy(inner.target_tags)
        tags.target_tags.required = True
        tags.input_tags = deepcopy(inner.input_tags)
        # Parts are other rows than the whole: where columns stand for rows, they can't be cut.
        tags.input_tags.pairwise = False
        return tags

    @property
    def n_features_in_(self) -> int:
        """The number of features that the models were fitted on."""
        if not hasattr(self, "estimators_"):
            raise AttributeError("PartitionedEnsemble has no features yet: fit it first")
        return int(self.estimators_[0].n_features_in_)
