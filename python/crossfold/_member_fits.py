"""The fits of an ensemble of Crossfold's own: one job, from the first fit to the last."""

from __future__ import annotations

import threading
import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any

import numpy as np
import sklearn
from numpy.typing import NDArray
from sklearn.utils.parallel import _FuncWrapper

from crossfold import _client, _predictions
from crossfold._errors import CrossfoldError, JobFailed
from crossfold._fits import FitJob
from crossfold._lift import Fit
from crossfold._member import fit_member
from crossfold._outcome import Outcome
from crossfold._sharing import Datasets
from crossfold._worker import in_worker
from crossfold.v1 import data_pb2
from crossfold.v1 import job_pb2 as pb


@dataclass(frozen=True, slots=True)
class MemberFit:
    """One candidate to fit on the train rows and score on the test rows; see `fit_member`."""

    estimator: Any
    parameters: dict[str, Any]
    train: NDArray[np.int64]
    test: NDArray[np.int64]
    options: dict[str, Any] = field(default_factory=dict)

    @classmethod
    def final(cls, estimator: Any, parameters: dict[str, Any], rows: NDArray[np.int64]) -> MemberFit:
        """A fit on these rows that returns the fitted estimator; there is nothing to score it on."""
        return cls(estimator, parameters, rows, rows[:0], {"final": True})


class _MemberJob(FitJob):
    predictions: Sequence[str] = ()

    def describe(self, spec: pb.JobSpec, first: Fit) -> None:
        super().describe(spec, first)
        spec.predictions.extend(self.predictions)


class MemberFits:
    """Runs fits of one job and combines what they predicted; a context manager that ends the job."""

    def __init__(self, name: str, X: Any, y: Any, scorer: Any, predictions: Sequence[str] = ()) -> None:
        if in_worker():
            raise CrossfoldError(
                f"{name} can't be fitted inside of a fit, where there is no cluster to ask. "
                "Evaluate it with n_jobs=1: then its own fits use every slot."
            )
        self.name = name
        self._X, self._y = X, y
        self._scorer = scorer
        self._predictions = predictions
        # With the configuration and the warning filters of the caller, as joblib's calls have.
        self._function = _FuncWrapper(fit_member).with_config_and_warning_filters(
            sklearn.get_config(), list(warnings.filters)
        )
        self._client = _client.default_client()
        self._job: _MemberJob | None = None

    def __enter__(self) -> MemberFits:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: BaseException | TracebackType | None) -> None:
        if self._job is None:
            return
        if kind is None:
            self._job.close()
        else:
            self._job.stop()

    def run(self, fits: Sequence[MemberFit]) -> list[dict[str, Any]]:
        """Run fits; what each returned, in order. The error of a final fit is raised."""
        collected = _Collected(len(fits))
        for position, fit in enumerate(fits):
            lifted = self._lift(fit)
            if self._job is None:
                self._job = _MemberJob(self._client.session(), self.name, 0, None, Datasets(), lifted)
                self._job.predictions = self._predictions
            self._job.submit(lifted, collected.slot(position))
        try:
            return collected.get()
        finally:
            if self._job is not None:
                self._job.flush_warnings()

    def _lift(self, fit: MemberFit) -> Fit:
        return Fit(
            function=self._function,
            X=self._X,
            y=self._y,
            train=fit.train,
            test=fit.test,
            shared={"scorer": self._scorer, "error_score": float("nan")},
            candidate={"estimator": fit.estimator, "parameters": fit.parameters},
            extra=fit.options,
            is_heard=False,
        )

    def combine(self, request: pb.EnsembleRequest) -> tuple[pb.EnsembleResponse, _predictions.Predictions]:
        """Have the coordinator combine the predictions of the fits that were run."""
        assert self._job is not None
        request.job_id = self._job.id
        answer = self._client.ensemble(request)
        return answer, self._read(answer.predictions_id)

    def predictions(self, candidates: Sequence[int]) -> Iterator[_predictions.Predictions]:
        """Yield what these candidates predicted out of fold, each aligned by row."""
        assert self._job is not None
        request = pb.PredictionsRequest(job_id=self._job.id, candidates=candidates)
        for object_id in self._client.predictions(request).predictions_ids:
            yield self._read(object_id)

    def _read(self, object_id: str) -> _predictions.Predictions:
        return _predictions.read(self._client.objects.read(data_pb2.Value(blob_id=object_id)))


def fitted_members(fits: MemberFits, members: Sequence[MemberFit]) -> list[Any]:
    """Run final fits; the fitted estimators.

    Raises
    ------
    JobFailed
        A fit killed its process. Any other error of a fit is raised as it was.
    """
    returned = fits.run(members)
    for value in returned:
        if "estimator" not in value:
            raise JobFailed(f"A member of {fits.name} could not be fitted: {value['fit_error']}")
    return [value["estimator"] for value in returned]


class _Collected:
    """Collects the outcomes of fits from the session's threads."""

    def __init__(self, size: int) -> None:
        self._outcomes: list[Outcome | None] = [None] * size
        self._missing = size
        self._complete = threading.Event()
        self._lock = threading.Lock()

    def slot(self, position: int) -> Callable[[Outcome], None]:
        def put(outcome: Outcome) -> None:
            self._outcomes[position] = outcome
            with self._lock:
                self._missing -= 1
                # What fails for one fit, such as a lost cluster, needs no waiting for the others.
                if self._missing == 0 or outcome.error is not None:
                    self._complete.set()

        return put

    def get(self) -> list[Any]:
        # A job whose cluster is lost fails all of its units, so this ends.
        self._complete.wait()
        for outcome in self._outcomes:
            if outcome is not None and outcome.error is not None:
                raise outcome.error
        return [outcome.value for outcome in self._outcomes if outcome is not None]
