"""What workers run for the ensembles that are Crossfold's own."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sklearn.base import clone
from sklearn.model_selection._validation import _fit_and_score
from sklearn.utils.metaestimators import _safe_split

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


def fit_member(
    estimator: Any,
    X: Any,
    y: Any,
    *,
    train: NDArray[np.int64],
    test: NDArray[np.int64],
    parameters: dict[str, Any],
    scorer: Any,
    error_score: float,
    final: bool = False,
    return_estimator: bool = False,
) -> dict[str, Any]:
    """Fit one candidate on the train rows.

    A final fit gives the fitted estimator; its error is raised. Any other is scored on the test rows
    as in a search: its error becomes the `error_score`.
    """
    if final:
        # Parameters may hold estimators, which must not be shared between fits.
        estimator = clone(estimator).set_params(**clone(parameters, safe=False))
        X_train, y_train = _safe_split(estimator, X, y, train)
        return {"estimator": estimator.fit(X_train, y_train)}
    returned: dict[str, Any] = _fit_and_score(
        clone(estimator),
        X,
        y,
        scorer=scorer,
        train=train,
        test=test,
        verbose=0,
        parameters=clone(parameters, safe=False),
        fit_params={},
        score_params={},
        return_times=True,
        return_estimator=return_estimator,
        error_score=error_score,
    )
    return returned
