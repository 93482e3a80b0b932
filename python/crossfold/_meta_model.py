"""The meta model of a stack: what it is fitted on, and its fits, which workers run."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import is_classifier
from sklearn.linear_model import LogisticRegression, RidgeCV
from sklearn.metrics import get_scorer

from crossfold import _combining
from crossfold._member_fits import MemberFit, MemberFits, fitted_members
from crossfold._predictions import Predictions
from crossfold.v1 import job_pb2 as pb

Split = tuple[NDArray[np.int64], NDArray[np.int64]]


@dataclass(frozen=True)
class MetaModel:
    """A fitted meta model, and what it predicts for rows that it was not fitted on."""

    model: Any
    score: float
    out_of_fold: Predictions


def default(classifies: bool) -> Any:
    """What scikit-learn's stackers take."""
    return LogisticRegression() if classifies else RidgeCV()


def check_splits(splits: Sequence[Split], rows: NDArray[np.int64]) -> None:
    """Refuse splits that leave some row without predictions."""
    missing = np.setdiff1d(rows, np.concatenate([rows[test] for _, test in splits]))
    if len(missing):
        raise ValueError(
            f'row {missing[0]} is in no test set: method="stack" needs splits that test every row'
        )


def features(parts: Sequence[NDArray[np.float64]], method: str) -> NDArray[np.float64]:
    """Join the members' outputs, (rows,) or (rows, outputs), to (rows, features) as scikit-learn's
    stackers do: of two classes' probabilities only the second."""
    columns = [part.reshape(len(part), -1) for part in parts]
    if method == "predict_proba":
        columns = [part[:, 1:] if part.shape[1] == 2 else part for part in columns]
    return np.hstack(columns)


def features_of(
    members: Sequence[Any], folds: int, X: Any, method: str, classes: NDArray[Any] | None
) -> NDArray[np.float64]:
    """The same of fitted members for new rows; the models of `folds` splits stand for one member."""
    groups = [members[first : first + folds] for first in range(0, len(members), folds)]
    equal = np.ones(folds)
    return features([_combining.mean(group, equal, X, method, classes) for group in groups], method)


def fit(
    name: str,
    estimator: Any,
    member_predictions: Sequence[Predictions],
    y: Any,
    splits: Sequence[Split],
    metric: str,
    predictions: str,
) -> MetaModel:
    """Fit the meta model on every split, for its score, and on all rows.

    Raises
    ------
    ValueError
        The meta model can't be fitted.
    """
    method = member_predictions[0].method
    X = features([each.aligned() for each in member_predictions], method)
    scorer = get_scorer(metric)
    # One dict for all fits: they are of one candidate.
    parameters: dict[str, Any] = {}
    with MemberFits(f"{name}'s final_estimator", X, y, scorer, [predictions]) as fits:
        returned = fits.run([MemberFit(estimator, parameters, train, test) for train, test in splits])
        errors = [value["fit_error"] for value in returned if value.get("fit_error")]
        if errors:
            raise ValueError(f"final_estimator could not be fitted:\n{errors[0]}")
        # There is one candidate, so nothing is averaged; of labels there is no mean.
        combine = "vote" if is_classifier(estimator) and predictions == "predict" else "mean"
        answer, combined = fits.combine(pb.EnsembleRequest(combine=combine, metric=metric))
        [model] = fitted_members(fits, [MemberFit.final(estimator, parameters, np.arange(len(X)))])
    return MetaModel(model, answer.score, combined)
