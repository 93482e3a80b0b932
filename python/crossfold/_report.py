"""What is remembered about how searches were run."""

from __future__ import annotations

import weakref
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from crossfold import _models
from crossfold._out_of_fold import OutOfFold
from crossfold.v1 import task_pb2

if TYPE_CHECKING:
    from numpy.typing import NDArray

COLUMNS = ("job_id", "candidate", "split", "worker", "attempt", "seconds", "shared_seconds", "error", "ways")


def attempt_of_result(result: task_pb2.Result) -> dict[str, Any]:
    """The columns of a history's row that a finished fit tells."""
    failed = result.HasField("failure")
    return {
        "worker": result.worker,
        "attempt": result.attempt,
        "seconds": result.slot_seconds or result.fit_seconds + result.score_seconds,
        "shared_seconds": result.shared_seconds,
        "error": result.failure.message or result.failure.type if failed else None,
        "ways": "; ".join(result.ways),
    }


def attempt_of_fault(fault: task_pb2.Fault) -> dict[str, Any]:
    """The same of a fit whose process died."""
    return {
        "worker": fault.worker,
        "attempt": fault.attempt,
        "seconds": None,
        "shared_seconds": 0.0,
        "error": fault.reason,
        "ways": "",
    }


@dataclass(frozen=True)
class Report:
    """How a search was run.

    Attributes
    ----------
    job_id
        The search's job; the first one when it had several.
    name
        What the job is called in `crossfold jobs`.
    partial
        Whether it was ended before all of its fits were run: by its budget or stop_at, or by Ctrl-C.
    history
        One row per attempt at a fit, in order of completion: a pandas DataFrame when pandas can be
        imported, else a list of dicts. `candidate` and `split` are positions in the job, `attempt`
        counts from 0, `seconds` is the time a slot was busy, `shared_seconds` is the work on the
        fit's prefix that another fit of the split did for it, `error` is None for a fit that worked.
        `ways` says how it was run where there was a choice, such as "keras: whole epochs in the graph";
        several are separated by "; ".
    """

    job_id: str
    name: str
    partial: bool
    history: Any = field(repr=False)
    _models: Path | None = field(repr=False, default=None)
    _predictions: OutOfFold | None = field(repr=False, default=None)

    def model(self, candidate: int, split: int) -> Any:
        """The fitted model of one candidate, a row of `cv_results_`, and one split.

        Raises
        ------
        ValueError
            The search was made without keep_models.
        KeyError
            The fit failed or was not run.
        """
        if self._models is None:
            raise ValueError("The models of this search were not kept. Give it keep_models=folder.")
        return _models.load(self._models, candidate, split)

    def predictions(self, candidate: int, method: str | None = None) -> NDArray[Any]:
        """What the fits of one candidate predicted for the rows they were not trained on.

        `candidate` is a row of `cv_results_`; `method` is needed when the search keeps several. Gives
        (rows of X,) or (rows of X, columns) float64, NaN for rows in no test set or of fits that failed or
        were not run. Columns are the sorted classes; a predicted label is a position among them.

        Raises
        ------
        ValueError
            The search was made without predictions, or these can't be joined by row.
        KeyError
            No fit of the candidate has predictions.
        """
        if self._predictions is None:
            raise ValueError(
                'The predictions of this search were not kept. Give it predictions="predict_proba".'
            )
        return self._predictions.of(candidate, method)


@dataclass
class Record:
    """What one fit of a search leaves behind."""

    name: str
    partial: bool = False
    models: Path | None = None
    predictions: OutOfFold | None = None
    attempts: list[dict[str, Any]] = field(default_factory=list)


# Not on the search itself: its attributes and pickles stay scikit-learn's own.
_records: weakref.WeakKeyDictionary[object, Record] = weakref.WeakKeyDictionary()


def remember(search: object, record: Record) -> None:
    """Keep the record of a search's last fit as long as the search lives."""
    _records[search] = record


def report(search: object) -> Report:
    """See `crossfold.report`."""
    record = _records.get(search)
    if record is None or not record.attempts:
        raise ValueError(
            f"There is no report on this {type(search).__name__}: this process did not fit it on a cluster. "
            "Fit a search of crossfold.model_selection first, with n_jobs other than 1."
        )
    attempts = record.attempts
    return Report(
        attempts[0]["job_id"],
        record.name,
        record.partial,
        _table(attempts),
        record.models,
        record.predictions,
    )


def _table(attempts: list[dict[str, Any]]) -> Any:
    try:
        import pandas
    except ImportError:
        return [dict(attempt) for attempt in attempts]
    return pandas.DataFrame(attempts, columns=list(COLUMNS))
