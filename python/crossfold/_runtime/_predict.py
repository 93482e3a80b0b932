"""Out-of-fold predictions: what a fit's estimator says of its test rows, written to the store."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from sklearn.base import is_classifier
from sklearn.utils.metaestimators import _safe_split
from sklearn.utils.validation import _num_samples

from crossfold import _predictions
from crossfold._predictions import TARGET
from crossfold.v1.task_pb2 import Predictions

if TYPE_CHECKING:
    from numpy.typing import NDArray

_KINDS = {"predict": "labels", "predict_proba": "probabilities", "decision_function": "decisions"}


class Predictor:
    """Writes the predictions of fits; the classes of a dataset are found once."""

    def __init__(self) -> None:
        self._dataset_id = ""
        self._classes: NDArray[Any] | None = None

    def write(
        self,
        store_dir: str,
        dataset_id: str,
        methods: Sequence[str],
        estimator: Any,
        X: Any,
        y: Any,
        train: NDArray[np.int64],
        test: NDArray[np.int64],
    ) -> list[Predictions]:
        """Predict the test rows with a fitted estimator by each method, and write the truth beside it.

        A method that fails gives an entry with the error: the fit and its score stand.
        """
        try:
            scribe = _Scribe(
                store_dir, estimator, _num_samples(X), test, self._classes_of(dataset_id, estimator, y)
            )
            written = [scribe.target(y)]
            X_test, _ = _safe_split(estimator, X, y, test, train)
        except Exception as error:
            return [Predictions(method=method, error=_text(error)) for method in methods]
        return written + [scribe.predictions(method, X_test) for method in methods]

    def _classes_of(self, dataset_id: str, estimator: Any, y: Any) -> NDArray[Any] | None:
        if not is_classifier(estimator):
            return None
        if self._dataset_id != dataset_id or self._classes is None:
            labels = np.asarray(y)
            if labels.ndim != 1:
                raise ValueError(f"y has shape {labels.shape}; predictions of several outputs are not kept")
            self._dataset_id, self._classes = dataset_id, np.unique(labels)
        return self._classes


class _Scribe:
    """Writes tables about the same test rows."""

    def __init__(
        self,
        store_dir: str,
        estimator: Any,
        dataset_rows: int,
        test: NDArray[np.int64],
        classes: NDArray[Any] | None,
    ) -> None:
        self._store_dir = store_dir
        self._estimator = estimator
        self._dataset_rows = dataset_rows
        self._test = test
        self._classes = classes

    def target(self, y: Any) -> Predictions:
        if y is None:
            raise ValueError("there is no y to compare predictions with")
        truth = np.asarray(y)[self._test]
        if self._classes is None:
            return self._write(TARGET, "values", _columns(truth), None)
        return self._write(TARGET, "labels", _positions(truth, self._classes), self._classes)

    def predictions(self, method: str, X_test: Any) -> Predictions:
        try:
            predicted = np.asarray(getattr(self._estimator, method)(X_test))
            if self._classes is None:
                return self._write(method, "values", _columns(predicted), None)
            known = np.asarray(self._estimator.classes_)
            values = _positions(predicted, known) if method == "predict" else _columns(predicted)
            return self._write(method, _KINDS[method], values, known)
        except Exception as error:
            return Predictions(method=method, error=_text(error))

    def _write(
        self, method: str, kind: str, values: NDArray[np.float64], classes: NDArray[Any] | None
    ) -> Predictions:
        table = _predictions.Predictions(
            method=method,
            kind=kind,
            rows=self._test,
            values=values,
            dataset_rows=self._dataset_rows,
            classes=_names(classes),
            all_classes=_names(self._classes),
        )
        rows, columns = values.shape
        if rows != len(self._test):
            raise ValueError(f"{method} gave {rows} rows for {len(self._test)} test rows")
        if not np.isfinite(values).all():
            row, column = np.argwhere(~np.isfinite(values))[0]
            raise ValueError(f"row {self._test[row]}, column {column} is {values[row, column]}")
        return Predictions(
            method=method, object_id=_predictions.write(self._store_dir, table), rows=rows, columns=columns
        )


def _columns(values: NDArray[Any]) -> NDArray[np.float64]:
    if values.ndim > 2:
        raise ValueError(f"predictions of shape {values.shape} are not kept: one or two dimensions are")
    return values.astype(np.float64, copy=False).reshape(len(values), -1)


def _positions(labels: NDArray[Any], classes: NDArray[Any]) -> NDArray[np.float64]:
    """Return the labels' positions in the sorted classes as one column."""
    positions = np.searchsorted(classes, labels).clip(max=len(classes) - 1)
    if not np.array_equal(classes[positions], labels):
        raise ValueError("a predicted label is not one of the estimator's classes_")
    return positions.astype(np.float64).reshape(-1, 1)


def _names(classes: NDArray[Any] | None) -> list[str]:
    return [] if classes is None else [str(value) for value in classes.tolist()]


def _text(error: Exception) -> str:
    return f"{type(error).__name__}: {error}"
