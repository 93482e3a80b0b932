"""Several searches and the ensemble of their candidates as one job."""

from __future__ import annotations

import crossfold._early  # noqa: F401 # isort: skip - before scikit-learn, whose import takes long

import os
from collections.abc import Callable, Iterable, Sequence
from copy import deepcopy
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, MetaEstimatorMixin, clone, is_classifier
from sklearn.metrics import get_scorer
from sklearn.model_selection import ParameterGrid, check_cv
from sklearn.utils import get_tags, indexable
from sklearn.utils.metaestimators import available_if
from sklearn.utils.validation import _num_samples, check_is_fitted, column_or_1d

from crossfold import _combining, _meta_model
from crossfold._member_fits import MemberFit, MemberFits, fitted_members
from crossfold._predictions import Predictions
from crossfold.v1 import job_pb2 as pb

METRICS = (
    "accuracy", "balanced_accuracy", "f1", "f1_macro", "f1_micro", "f1_weighted", "neg_log_loss",
    "neg_mean_absolute_error", "neg_mean_squared_error", "r2", "roc_auc", "roc_auc_ovo",
    "roc_auc_ovo_weighted", "roc_auc_ovr", "roc_auc_ovr_weighted",
)  # fmt: skip
"""The scorers that the coordinator has, too."""

_OF_VALUES = ("neg_mean_absolute_error", "neg_mean_squared_error", "r2")

METHODS = ("greedy", "blend", "mean", "vote", "rank", "policy", "stack")

Candidate = tuple[Any, dict[str, Any]]
F = TypeVar("F", bound=Callable[..., Any])


def _has(name: str) -> Callable[[F], F]:
    """Give an ensemble a method only if its members predict so, or its final estimator."""
    decorator: Callable[[F], F] = available_if(lambda self: self._predicts(name))
    return decorator


class EnsembleSearchCV(MetaEstimatorMixin, BaseEstimator):
    """Search over several estimators and combine their candidates into one ensemble.

    Every candidate is fitted on every split, once; what it predicts for the rows it was not trained on
    is kept, and the coordinator chooses the members and their weights by those. All of it is one job.

    Parameters
    ----------
    candidates
        A list of (estimator, param_grid); the grid is a dict of lists or a list of such dicts, {} for the
        estimator as it is. All are classifiers, or all are regressors.
    method
        "greedy": forward selection with replacement (Caruana et al. 2004); "blend": non-negative least
        squares; "mean" and "rank": equal weights, of predictions or of their ranks; "vote": the
        majority of predicted classes; "policy": what `weights(results)` of the policy returns; "stack": a
        final estimator that is fitted on what the candidates predict, as in scikit-learn's stackers.
    scoring
        The name of a scorer, one of `METRICS`. None: accuracy, or r2.
    cv
        The splits, as everywhere in scikit-learn. No row may be in two test sets.
    rounds
        The most picks of "greedy".
    initial
        The most candidates that "greedy" starts from: the best by themselves, as many of them as score
        best together.
    bags
        "greedy" on so many random halves of the candidates, averaged; 0: once on all of them.
    random_state
        The seed of the bags, an int.
    cross_fit
        False: the members are fitted again on all rows. True: the models of the folds are kept and
        averaged, and nothing is fitted again; the client holds the fold models of every candidate
        until the members are chosen.
    policy
        The path of a policy with `weights(results)`, for method="policy".
    final_estimator
        For method="stack". None: `LogisticRegression()`, or `RidgeCV()`.

    Attributes
    ----------
    members_
        The fitted estimators that take part; with cross_fit a list of the folds' models for each.
    weights_
        Their weights, which sum to 1; None with "stack".
    final_estimator_
        With "stack", the final estimator, fitted on the members' out-of-fold predictions.
    member_indices_
        Their positions among the candidates.
    oof_predictions_
        (rows, outputs): what the ensemble predicts for rows its models were not trained on; NaN for rows
        in no test set. Columns as in `predict_proba`; a label is a position in `classes_`.
    ensemble_score_, best_single_score_
        The scores of those, and of the best candidate's. With "stack" the final estimator has not seen
        the rows of a split that it is scored on.
    best_single_index_
        The position of that candidate.
    cv_results_
        For each candidate estimator, params, the scores by split and their mean.
    marks_
        Sentences on what is odd: candidates left out, equal predictions, classes missing in a fold.
    classes_
        The classes of a classifier, sorted.
    """

    def __init__(
        self,
        candidates: Sequence[Candidate],
        *,
        method: str = "greedy",
        scoring: str | None = None,
        cv: Any = None,
        rounds: int = 50,
        initial: int = 0,
        bags: int = 0,
        random_state: int = 0,
        cross_fit: bool = False,
        policy: str | os.PathLike[str] | None = None,
        final_estimator: Any = None,
    ) -> None:
        self.candidates = candidates
        self.method = method
        self.scoring = scoring
        self.cv = cv
        self.rounds = rounds
        self.initial = initial
        self.bags = bags
        self.random_state = random_state
        self.cross_fit = cross_fit
        self.policy = policy
        self.final_estimator = final_estimator

    def fit(self, X: Any, y: Any = None, *, groups: Any = None) -> EnsembleSearchCV:
        """Search, combine, and fit the members on all rows.

        Raises
        ------
        ValueError
            A parameter is of no use, or all fits failed.
        InvalidJob
            The candidates' predictions can't be combined.
        """
        if y is None:
            raise ValueError("EnsembleSearchCV requires y to be passed, but the target y is None")
        candidates = self._expand()
        scorer = get_scorer(self._scoring())
        request = self._request()
        method = self._method_of_predictions()
        if is_classifier(self):
            y = column_or_1d(y, warn=True)
        X, y, groups = indexable(X, y, groups)
        rows = np.arange(_num_samples(X))
        splits = list(check_cv(self.cv, y, classifier=is_classifier(self)).split(X, y, groups))
        if self.method == "stack":
            _meta_model.check_splits(splits, rows)
        with MemberFits(type(self).__name__, X, y, scorer, [method]) as fits:
            options = {"return_estimator": True} if self.cross_fit else {}
            returned = fits.run(
                [
                    MemberFit(estimator, params, np.asarray(train), np.asarray(test), options)
                    for estimator, params in candidates
                    for train, test in splits
                ]
            )
            self.cv_results_ = _results(candidates, returned, len(splits))
            if not np.isfinite(self.cv_results_["mean_test_score"]).any():
                # Its error says more than that of a part of the rows.
                _fit_again(fits, candidates[:1], rows)
                raise ValueError(
                    f"No candidate was fitted and scored on every split. {_first_error(returned)}"
                )
            answer, combined = fits.combine(request)
            members = {c: w for c, w in zip(answer.candidates, answer.weights, strict=True) if w > 0}
            if self.method == "stack":
                out_of_fold = list(fits.predictions(list(members)))
                combined = self._fit_final(out_of_fold, y, splits, answer)
            if self.cross_fit:
                k = len(splits)
                self.members_ = [
                    [value["estimator"] for value in returned[c * k : (c + 1) * k]] for c in members
                ]
            else:
                self.members_ = _fit_again(fits, [candidates[c] for c in members], rows)
        self.scorer_ = scorer
        self.member_indices_ = list(members)
        weights: Any = None if self.method == "stack" else np.array(list(members.values()))
        self.weights_ = weights
        self._keep(answer, combined)
        if is_classifier(self):
            self.classes_ = np.unique(np.asarray(y))
        return self

    def _fit_final(
        self, out_of_fold: list[Predictions], y: Any, splits: list[Any], answer: pb.EnsembleResponse
    ) -> Predictions:
        """Fit the final estimator; what it predicts out of fold, and in the answer its score."""
        name, estimator = type(self).__name__, self._final()
        fitted = _meta_model.fit(name, estimator, out_of_fold, y, splits, self._scoring(), self._output())
        self.final_estimator_ = fitted.model
        answer.score = fitted.score
        return fitted.out_of_fold

    def _keep(self, answer: pb.EnsembleResponse, combined: Predictions) -> None:
        values = combined.aligned()
        self.oof_predictions_ = values[:, 0] if values.shape[1] == 1 else values
        self.ensemble_score_ = answer.score
        self.best_single_score_ = answer.best_single_score
        self.best_single_index_ = answer.best_single
        self.marks_ = list(answer.marks)

    # What predicts.

    def predict(self, X: Any) -> NDArray[Any]:
        """Predict classes (rows,), or values (rows,) or (rows, outputs)."""
        check_is_fitted(self, "members_")
        if self.method == "stack":
            return self._of_final("predict", X)
        members, weights = self._weighted()
        classes = getattr(self, "classes_", None)
        if classes is None:
            values: NDArray[Any] = _combining.mean(members, weights, X, "predict", None)
            return values
        method = self._method_of_predictions()
        if method == "predict":
            return _combining.vote(members, weights, X, classes)
        average = _combining.rank_mean if self.method == "rank" else _combining.mean
        return _combining.labels(average(members, weights, X, method, classes), classes)

    @_has("predict_proba")
    def predict_proba(self, X: Any) -> NDArray[np.float64]:
        """The weighted mean of the members' probabilities, (rows, classes)."""
        return self._mean_of("predict_proba", X)

    @_has("decision_function")
    def decision_function(self, X: Any) -> NDArray[np.float64]:
        """The weighted mean of the members' decisions, (rows,) for two classes, else (rows, classes)."""
        return self._mean_of("decision_function", X)

    def score(self, X: Any, y: Any) -> float:
        """The score of the ensemble by `scoring`."""
        check_is_fitted(self, "members_")
        return float(self.scorer_(self, X, y))

    def _mean_of(self, method: str, X: Any) -> NDArray[np.float64]:
        check_is_fitted(self, "members_")
        if self.method == "stack":
            return self._of_final(method, X)
        members, weights = self._weighted()
        values: NDArray[np.float64] = _combining.mean(members, weights, X, method, self.classes_)
        return values

    def _of_final(self, method: str, X: Any) -> NDArray[Any]:
        """What the final estimator predicts of what the members predict."""
        folds = len(self.members_[0]) if self.cross_fit else 1
        classes = getattr(self, "classes_", None)
        features = _meta_model.features_of(self._models(), folds, X, self._method_of_predictions(), classes)
        predicted: NDArray[Any] = getattr(self.final_estimator_, method)(features)
        return predicted

    def _models(self) -> list[Any]:
        """The models, member by member; with cross_fit those of the folds."""
        return [model for member in self.members_ for model in member] if self.cross_fit else self.members_

    def _weighted(self) -> tuple[list[Any], NDArray[np.float64]]:
        """The models and their weights; the folds of a member share its own."""
        if not self.cross_fit:
            return self._models(), self.weights_
        return self._models(), np.repeat(self.weights_, [len(member) for member in self.members_])

    # What is checked before anything runs.

    def _expand(self) -> list[Candidate]:
        expanded: list[Candidate] = []
        for position, candidate in enumerate(self._pairs()):
            estimator, grid = candidate
            if is_classifier(estimator) != is_classifier(self):
                raise ValueError(
                    f"candidates[{position}] is {estimator!r}: an ensemble has classifiers only, or none"
                )
            expanded += [(estimator, params) for params in ParameterGrid(grid)]
        return expanded

    def _pairs(self) -> list[Candidate]:
        if not isinstance(self.candidates, Iterable):
            raise ValueError(f"candidates is {self.candidates!r}: give a list of (estimator, param_grid)")
        pairs = list(self.candidates)
        for position, pair in enumerate(pairs):
            if not isinstance(pair, (tuple, list)) or len(pair) != 2 or not hasattr(pair[0], "fit"):
                raise ValueError(f"candidates[{position}] is {pair!r}: give (estimator, param_grid)")
        if not pairs:
            raise ValueError("candidates is empty: give at least one (estimator, param_grid)")
        return pairs

    def _scoring(self) -> str:
        scoring = self.scoring or ("accuracy" if is_classifier(self) else "r2")
        if scoring not in METRICS:
            raise ValueError(f"scoring is {scoring!r}: use one of {', '.join(METRICS)}")
        return scoring

    def _check_scoring(self, scoring: str) -> None:
        """The scorer gets what the members predict, and what is made of it."""
        if is_classifier(self) == (scoring in _OF_VALUES):
            kind = "classifiers" if is_classifier(self) else "regressors"
            raise ValueError(f"scoring is {scoring!r}, which does not score {kind}: use another")
        if scoring.startswith(("neg_log_loss", "roc_auc")):
            needed = (
                ["predict_proba"] if scoring == "neg_log_loss" else ["predict_proba", "decision_function"]
            )
            for whose, output in (("members", self._method_of_predictions()), ("ensemble", self._output())):
                if output not in needed:
                    raise ValueError(f"scoring is {scoring!r}, which can't score {output} of the {whose}")

    def _request(self) -> pb.EnsembleRequest:
        if self.method not in METHODS:
            raise ValueError(f"method is {self.method!r}: use one of {', '.join(METHODS)}")
        if (self.method == "policy") != (self.policy is not None):
            raise ValueError(f"method is {self.method!r} and policy is {self.policy!r}: they go together")
        for name, least in (("rounds", 1), ("initial", 0), ("bags", 0), ("random_state", 0)):
            value = getattr(self, name)
            if not isinstance(value, (int, np.integer)) or value < least:
                raise ValueError(f"{name} is {value!r}: give an int of at least {least}")
        if self.final_estimator is not None and self.method != "stack":
            raise ValueError(f'method is {self.method!r}: final_estimator goes with method="stack"')
        if is_classifier(self._final()) != is_classifier(self):
            raise ValueError(f"final_estimator is {self._final()!r}: give a classifier with classifiers")
        if self.method in ("vote", "rank") and not is_classifier(self):
            raise ValueError(f"method is {self.method!r}, which combines classifiers: use another")
        self._check_scoring(scoring := self._scoring())
        # Of a stack's members, too, the coordinator tells who takes part and who is best.
        combine = "mean" if self.method == "stack" else self.method
        request = pb.EnsembleRequest(combine=combine, metric=scoring)
        if self.initial > self.rounds:
            raise ValueError(f"initial is {self.initial}: give at most rounds, which is {self.rounds}")
        greedy = request.greedy
        greedy.rounds, greedy.initial, greedy.bags = self.rounds, self.initial, self.bags
        greedy.seed = self.random_state
        if self.policy is not None:
            request.policy = Path(self.policy).read_text(encoding="utf-8")
        return request

    def _method_of_predictions(self) -> str:
        """What the members predict: the first of predict_proba and decision_function that all have."""
        if self.method == "vote" or not is_classifier(self):
            return "predict"
        method = self._output_of([_configured(candidate) for candidate in self._expand()])
        if method == "predict":
            raise ValueError(
                'the candidates have neither predict_proba nor decision_function in common: use method="vote"'
            )
        return method

    def _output_of(self, estimators: Sequence[Any]) -> str:
        if is_classifier(self):
            for method in ("predict_proba", "decision_function"):
                if all(hasattr(estimator, method) for estimator in estimators):
                    return method
        return "predict"

    def _output(self) -> str:
        """The method of a classifier that gives the like of what is made of the members' predictions."""
        if self.method == "stack":
            return self._output_of([self._final()])
        return "decision_function" if self.method == "rank" else self._method_of_predictions()

    def _predicts(self, name: str) -> bool:
        if self.method == "stack":
            return hasattr(getattr(self, "final_estimator_", None) or self._final(), name)
        return self._method_of_predictions() == name

    def _final(self) -> Any:
        if self.final_estimator is None:
            return _meta_model.default(is_classifier(self))
        return self.final_estimator

    # What scikit-learn asks.

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        inner = get_tags(self._pairs()[0][0])
        tags.estimator_type = inner.estimator_type
        tags.classifier_tags = deepcopy(inner.classifier_tags)
        tags.regressor_tags = deepcopy(inner.regressor_tags)
        tags.target_tags = deepcopy(inner.target_tags)
        tags.target_tags.required = True
        tags.input_tags = deepcopy(inner.input_tags)
        return tags

    @property
    def n_features_in_(self) -> int:
        """The number of features that the members were fitted on."""
        return int(self._first_member().n_features_in_)

    @property
    def feature_names_in_(self) -> Any:
        """Their names, if the members were fitted on a table with names."""
        return self._first_member().feature_names_in_

    def _first_member(self) -> Any:
        if not hasattr(self, "members_"):
            raise AttributeError(f"{type(self).__name__} has no features yet: fit it first")
        first = self.members_[0]
        return first[0] if self.cross_fit else first


def _configured(candidate: Candidate) -> Any:
    estimator, params = candidate
    return clone(estimator).set_params(**clone(params, safe=False)) if params else estimator


def _fit_again(fits: MemberFits, members: list[Candidate], rows: NDArray[np.int64]) -> list[Any]:
    return fitted_members(fits, [MemberFit.final(estimator, params, rows) for estimator, params in members])


def _first_error(returned: list[dict[str, Any]]) -> str:
    errors = [value["fit_error"] for value in returned if value.get("fit_error")]
    return f"The first error:\n{errors[0]}" if errors else "Every score is NaN: see the warnings."


def _results(candidates: list[Candidate], returned: list[dict[str, Any]], splits: int) -> dict[str, Any]:
    scores = np.array([value["test_scores"] for value in returned], dtype=float).reshape(-1, splits)
    results: dict[str, Any] = {
        "estimator": [estimator for estimator, _ in candidates],
        "params": [params for _, params in candidates],
    }
    for split in range(splits):
        results[f"split{split}_test_score"] = scores[:, split]
    results["mean_test_score"] = scores.mean(axis=1)
    return results
