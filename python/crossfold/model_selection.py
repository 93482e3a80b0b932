"""scikit-learn's model selection, run by the cluster: same names, same arguments, same results.

n_jobs=None uses every slot, n_jobs=k at most k at a time, and n_jobs=1 runs in this process as
it does with joblib. The final refit on all data runs in this process.
"""

from __future__ import annotations

import crossfold._early  # noqa: F401 # isort: skip - before scikit-learn, whose import takes long

import copy
import functools
from collections.abc import Callable, Iterator
from typing import Any, TypeVar

from sklearn.base import is_classifier

# What has nothing to run is scikit-learn's own.
from sklearn.model_selection import (
    BaseCrossValidator,
    BaseShuffleSplit,
    FixedThresholdClassifier,
    GroupKFold,
    GroupShuffleSplit,
    KFold,
    LearningCurveDisplay,
    LeaveOneGroupOut,
    LeaveOneOut,
    LeavePGroupsOut,
    LeavePOut,
    ParameterGrid,
    ParameterSampler,
    PredefinedSplit,
    RepeatedKFold,
    RepeatedStratifiedKFold,
    ShuffleSplit,
    StratifiedGroupKFold,
    StratifiedKFold,
    StratifiedShuffleSplit,
    TimeSeriesSplit,
    TunedThresholdClassifierCV,
    ValidationCurveDisplay,
    check_cv,
    train_test_split,
)

# Bound once, here: a name looked up at call time could have been replaced by ours.
from sklearn.model_selection import GridSearchCV as _GridSearchCV
from sklearn.model_selection import RandomizedSearchCV as _RandomizedSearchCV
from sklearn.model_selection import cross_val_predict as _cross_val_predict
from sklearn.model_selection import cross_val_score as _cross_val_score
from sklearn.model_selection import cross_validate as _cross_validate
from sklearn.model_selection import learning_curve as _learning_curve
from sklearn.model_selection import permutation_test_score as _permutation_test_score
from sklearn.model_selection import validation_curve as _validation_curve

# Where they are defined: under sklearn.model_selection they appear only once somebody enables them.
from sklearn.model_selection._search_successive_halving import HalvingGridSearchCV as _HalvingGridSearchCV
from sklearn.model_selection._search_successive_halving import HalvingRandomSearchCV as _HalvingRandomSearchCV
from sklearn.utils.metadata_routing import get_routing_for_object

from crossfold._deciding import takes_rules
from crossfold._options import FOR_FUNCTIONS, Options, documented, extended
from crossfold._page import ScikitLearnPage
from crossfold._run import on_cluster
from crossfold._search import Search, accepts_options

__all__ = [
    "BaseCrossValidator",
    "BaseShuffleSplit",
    "FixedThresholdClassifier",
    "GridSearchCV",
    "GroupKFold",
    "GroupShuffleSplit",
    "HalvingGridSearchCV",
    "HalvingRandomSearchCV",
    "KFold",
    "LearningCurveDisplay",
    "LeaveOneGroupOut",
    "LeaveOneOut",
    "LeavePGroupsOut",
    "LeavePOut",
    "ParameterGrid",
    "ParameterSampler",
    "PredefinedSplit",
    "RandomizedSearchCV",
    "RepeatedKFold",
    "RepeatedStratifiedKFold",
    "ShuffleSplit",
    "StratifiedGroupKFold",
    "StratifiedKFold",
    "StratifiedShuffleSplit",
    "TimeSeriesSplit",
    "TunedThresholdClassifierCV",
    "ValidationCurveDisplay",
    "check_cv",
    "cross_val_predict",
    "cross_val_score",
    "cross_validate",
    "learning_curve",
    "permutation_test_score",
    "train_test_split",
    "validation_curve",
]

R = TypeVar("R")


@accepts_options
@takes_rules
class GridSearchCV(Search, ScikitLearnPage, _GridSearchCV):
    __doc__ = _GridSearchCV.__doc__

    @functools.wraps(_GridSearchCV.fit)
    def fit(self, X: Any, y: Any = None, **params: Any) -> GridSearchCV:
        self._fit_on_cluster(super().fit, X, y, params)
        return self


@accepts_options
@takes_rules
class RandomizedSearchCV(Search, ScikitLearnPage, _RandomizedSearchCV):
    __doc__ = _RandomizedSearchCV.__doc__

    @functools.wraps(_RandomizedSearchCV.fit)
    def fit(self, X: Any, y: Any = None, **params: Any) -> RandomizedSearchCV:
        self._fit_on_cluster(super().fit, X, y, params)
        return self


@accepts_options
class HalvingGridSearchCV(Search, ScikitLearnPage, _HalvingGridSearchCV):
    __doc__ = _HalvingGridSearchCV.__doc__

    @functools.wraps(_HalvingGridSearchCV.fit)
    def fit(self, X: Any, y: Any = None, **params: Any) -> HalvingGridSearchCV:
        self._fit_on_cluster(super().fit, X, y, params)
        return self


@accepts_options
class HalvingRandomSearchCV(Search, ScikitLearnPage, _HalvingRandomSearchCV):
    __doc__ = _HalvingRandomSearchCV.__doc__

    @functools.wraps(_HalvingRandomSearchCV.fit)
    def fit(self, X: Any, y: Any = None, **params: Any) -> HalvingRandomSearchCV:
        self._fit_on_cluster(super().fit, X, y, params)
        return self


def _drop_in(function: Callable[..., R]) -> Callable[..., R]:
    @functools.wraps(function)
    def run(*args: Any, **kwargs: Any) -> R:
        options = Options(**{name: kwargs.pop(name) for name in FOR_FUNCTIONS if name in kwargs})
        estimator = args[0] if args else kwargs.get("estimator")
        with on_cluster(function.__name__, options=options, estimator=estimator):
            return function(*args, **kwargs)

    # Pickles name it by this module, not by scikit-learn's.
    run.__module__ = __name__
    run.__doc__ = documented(function.__doc__, FOR_FUNCTIONS)
    run.__signature__ = extended(function, FOR_FUNCTIONS)  # type: ignore[attr-defined]
    return run


cross_validate = _drop_in(_cross_validate)
cross_val_score = _drop_in(_cross_val_score)
cross_val_predict = _drop_in(_cross_val_predict)
learning_curve = _drop_in(_learning_curve)
validation_curve = _drop_in(_validation_curve)


@functools.wraps(_permutation_test_score)
def permutation_test_score(estimator: Any, X: Any, y: Any, **options: Any) -> Any:
    with on_cluster("permutation_test_score", at_once=False, estimator=estimator) as run:
        try:
            splitter = check_cv(options.get("cv"), y, classifier=is_classifier(estimator))
        except Exception:
            # Arguments that are no good: scikit-learn says why.
            return _permutation_test_score(estimator, X, y, **options)
        options["cv"] = _FirstRoundHere(splitter, run.enter)
        return _permutation_test_score(estimator, X, y, **options)


permutation_test_score.__module__ = __name__


class _FirstRoundHere:
    """A splitter that calls `then` when its first round of splits has been used.

    scikit-learn fits the unpermuted target in this process first. An estimator that is parallel
    itself must not take the cluster for that, and would sum in another order if it did.
    """

    def __init__(self, splitter: Any, then: Callable[[], None]) -> None:
        self._splitter = splitter
        self._then: Callable[[], None] | None = then

    def split(self, X: Any, y: Any = None, **params: Any) -> Iterator[tuple[Any, Any]]:
        yield from self._splitter.split(X, y, **params)
        then, self._then = self._then, None
        if then is not None:
            then()

    def get_n_splits(self, X: Any = None, y: Any = None, **params: Any) -> int:
        n_splits: int = self._splitter.get_n_splits(X, y, **params)
        return n_splits

    def get_metadata_routing(self) -> Any:
        return get_routing_for_object(self._splitter)

    def __reduce__(self) -> Any:
        # The workers get the splitter itself.
        return copy.copy, (self._splitter,)
