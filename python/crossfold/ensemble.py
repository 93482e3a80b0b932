"""scikit-learn's ensembles, fitted by the cluster: same names, same arguments, same results.

n_jobs=None uses every slot, n_jobs=k at most k at a time, and n_jobs=1 runs in this process as it
does with joblib. Predictions and the final estimator of a stack are made in this process.
"""

from __future__ import annotations

import crossfold._early  # noqa: F401 # isort: skip - before scikit-learn, whose import takes long

import functools
from typing import Any

# What is not taken to the cluster is scikit-learn's own.
from sklearn.ensemble import (
    AdaBoostClassifier,
    AdaBoostRegressor,
    BaseEnsemble,
    ExtraTreesClassifier,
    ExtraTreesRegressor,
    GradientBoostingClassifier,
    GradientBoostingRegressor,
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
    IsolationForest,
    RandomForestClassifier,
    RandomForestRegressor,
    RandomTreesEmbedding,
)

# Bound once, here: a name looked up at call time could have been replaced by ours.
from sklearn.ensemble import BaggingClassifier as _BaggingClassifier
from sklearn.ensemble import BaggingRegressor as _BaggingRegressor
from sklearn.ensemble import StackingClassifier as _StackingClassifier
from sklearn.ensemble import StackingRegressor as _StackingRegressor
from sklearn.ensemble import VotingClassifier as _VotingClassifier
from sklearn.ensemble import VotingRegressor as _VotingRegressor

from crossfold._ensemble_search import EnsembleSearchCV
from crossfold._page import ScikitLearnPage
from crossfold._partitioned import PartitionedEnsemble
from crossfold._run import label_of, on_cluster
from crossfold._stacking import StackingOnCluster
from crossfold.joblib import CrossfoldBackend

__all__ = [
    "AdaBoostClassifier",
    "AdaBoostRegressor",
    "BaggingClassifier",
    "BaggingRegressor",
    "BaseEnsemble",
    "EnsembleSearchCV",
    "ExtraTreesClassifier",
    "ExtraTreesRegressor",
    "GradientBoostingClassifier",
    "GradientBoostingRegressor",
    "HistGradientBoostingClassifier",
    "HistGradientBoostingRegressor",
    "IsolationForest",
    "PartitionedEnsemble",
    "RandomForestClassifier",
    "RandomForestRegressor",
    "RandomTreesEmbedding",
    "StackingClassifier",
    "StackingRegressor",
    "VotingClassifier",
    "VotingRegressor",
]

# A bag is cut into this many calls a slot: no slot waits long for the last, and little is lost with one.
_PORTIONS = 4


class VotingClassifier(ScikitLearnPage, _VotingClassifier):
    __doc__ = _VotingClassifier.__doc__

    @functools.wraps(_VotingClassifier.fit)
    def fit(self, X: Any, y: Any, **fit_params: Any) -> VotingClassifier:
        with on_cluster(label_of(self), estimator=self):
            super().fit(X, y, **fit_params)
        return self


class VotingRegressor(ScikitLearnPage, _VotingRegressor):
    __doc__ = _VotingRegressor.__doc__

    @functools.wraps(_VotingRegressor.fit)
    def fit(self, X: Any, y: Any, **fit_params: Any) -> VotingRegressor:
        with on_cluster(label_of(self), estimator=self):
            super().fit(X, y, **fit_params)
        return self


class StackingClassifier(ScikitLearnPage, _StackingClassifier, StackingOnCluster):
    __doc__ = _StackingClassifier.__doc__


class StackingRegressor(ScikitLearnPage, _StackingRegressor, StackingOnCluster):
    __doc__ = _StackingRegressor.__doc__


class _Portions(CrossfoldBackend):
    """Says that there are more slots: scikit-learn cuts a bag into one call for each."""

    def effective_n_jobs(self, n_jobs: int | None) -> int:
        slots = super().effective_n_jobs(n_jobs)
        return slots * _PORTIONS if n_jobs is None or n_jobs < 0 else slots


class BaggingClassifier(ScikitLearnPage, _BaggingClassifier):
    __doc__ = _BaggingClassifier.__doc__

    @functools.wraps(_BaggingClassifier.fit)
    def fit(self, X: Any, y: Any, sample_weight: Any = None, **fit_params: Any) -> BaggingClassifier:
        with on_cluster(label_of(self), backend=_Portions, estimator=self):
            super().fit(X, y, sample_weight, **fit_params)
        return self


class BaggingRegressor(ScikitLearnPage, _BaggingRegressor):
    __doc__ = _BaggingRegressor.__doc__

    @functools.wraps(_BaggingRegressor.fit)
    def fit(self, X: Any, y: Any, sample_weight: Any = None, **fit_params: Any) -> BaggingRegressor:
        with on_cluster(label_of(self), backend=_Portions, estimator=self):
            super().fit(X, y, sample_weight, **fit_params)
        return self
