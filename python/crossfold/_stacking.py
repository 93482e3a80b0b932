"""Stacking in one wave: the fits on all rows and the fits on folds do not wait for each other."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import sklearn
from scipy import sparse
from sklearn.base import _fit_context, clone, is_classifier
from sklearn.ensemble._base import _fit_single_estimator
from sklearn.ensemble._stacking import _BaseStacking
from sklearn.model_selection import check_cv
from sklearn.model_selection._validation import _fit_and_predict
from sklearn.utils import Bunch, indexable
from sklearn.utils.parallel import Parallel, delayed

from crossfold._run import label_of, on_cluster
from crossfold._worker import in_worker

# Predictions with a column for each class: y has to be encoded for them, and a classifier's is.
_PER_CLASS = ("predict_proba", "decision_function", "predict_log_proba")


class StackingOnCluster(_BaseStacking):  # type: ignore[misc, unused-ignore]
    """Comes after scikit-learn's class among the bases: it gets y as that has checked and encoded it."""

    @_fit_context(  # type: ignore[untyped-decorator, unused-ignore]
        prefer_skip_nested_validation=False
    )
    def fit(self, X: Any, y: Any, **fit_params: Any) -> Any:
        if self.cv == "prefit" or self.n_jobs == 1 or in_worker():
            return super().fit(X, y, **fit_params)
        names, estimators = self._validate_estimators()
        members = {name: each for name, each in zip(names, estimators, strict=True) if each != "drop"}
        methods = self._methods(members)
        if methods is None:
            # scikit-learn's own two waves: the fits on all rows, then those on folds.
            with on_cluster(label_of(self), calls=2, estimator=self):
                return super().fit(X, y, **fit_params)
        self._validate_final_estimator()
        weight = {name: fit_params[name] for name in ("sample_weight",) if name in fit_params}
        with on_cluster(label_of(self), calls=2, estimator=self):
            self.estimators_, predictions = self._fit_members(list(members.values()), methods, X, y, weight)
        self._name_members(names, members)
        self.stack_method_ = methods
        _fit_single_estimator(
            self.final_estimator_, self._concatenate_predictions(X, predictions), y, fit_params=fit_params
        )
        return self

    def _methods(self, members: dict[str, Any]) -> list[str] | None:
        """How each member predicts; None where `cross_val_predict` has to do more than fit on folds:
        route metadata, encode targets, change the namespace. None as well for a member that can't
        predict, which is an error only when all members can be fitted."""
        config = sklearn.get_config()
        if config["enable_metadata_routing"] or config["array_api_dispatch"]:
            return None
        try:
            methods = [self._method_name(name, each, self.stack_method) for name, each in members.items()]
        except ValueError:
            return None
        return methods if is_classifier(self) or set(methods).isdisjoint(_PER_CLASS) else None

    def _fit_members(
        self, members: list[Any], methods: list[str], X: Any, y: Any, fit_params: dict[str, Any]
    ) -> tuple[list[Any], list[Any]]:
        """The members fitted on all rows, and each one's predictions for rows it was not fitted on."""
        rows, targets = indexable(X, y)
        cv = check_cv(self.cv, y=y, classifier=is_classifier(self))
        if getattr(cv, "random_state", 0) is None:
            # As scikit-learn does, on the caller's own splitter.
            cv.random_state = np.random.RandomState()
        splits = list(cv.split(rows, targets))
        tested = np.concatenate([test for _, test in splits])
        if not np.array_equal(np.sort(tested), np.arange(len(targets))):
            raise ValueError("cross_val_predict only works for partitions")
        whole = (delayed(_fit_single_estimator)(clone(each), X, y, fit_params) for each in members)
        parts = (
            delayed(_fit_and_predict)(clone(each), rows, targets, train, test, fit_params, method)
            for each, method in zip(members, methods, strict=True)
            for train, test in splits
        )
        with self._started(whole) as on_all_rows, self._started(parts) as on_folds:
            # A member that can't be fitted fails on all rows first, as in scikit-learn.
            fitted = list(on_all_rows)
            found = list(on_folds)
        order = np.argsort(tested)
        by_member = [found[start : start + len(splits)] for start in range(0, len(found), len(splits))]
        return fitted, [_joined(each, order, method) for each, method in zip(by_member, methods, strict=True)]

    @contextmanager
    def _started(self, calls: Iterator[Any]) -> Iterator[Iterator[Any]]:
        """Hand calls to the cluster; their results, in order. What is left at the end is stopped."""
        results = Parallel(n_jobs=self.n_jobs, verbose=self.verbose, return_as="generator")(calls)
        try:
            yield results
        finally:
            with warnings.catch_warnings():
                # After an error nobody needs to be told that the other fits were in vain.
                warnings.simplefilter("ignore")
                results.close()

    def _name_members(self, names: tuple[str, ...], members: dict[str, Any]) -> None:
        fitted = dict(zip(members, self.estimators_, strict=True))
        self.named_estimators_ = Bunch(**{name: fitted.get(name, "drop") for name in names})
        for each in self.estimators_:
            if hasattr(each, "feature_names_in_"):
                self.feature_names_in_ = each.feature_names_in_


def _joined(parts: list[Any], order: Any, method: str) -> Any:
    """The predictions of all folds as one, row by row; a list of arrays has one for each target."""
    if sparse.issparse(parts[0]):
        return sparse.vstack(parts, format=parts[0].format)[order]
    if isinstance(parts[0], list) and method in _PER_CLASS:
        return [np.concatenate(target)[order] for target in zip(*parts, strict=True)]
    return np.concatenate(parts)[order]
