"""What is remembered about how searches were run."""

from __future__ import annotations

import weakref
from dataclasses import dataclass, field
from typing import Any

COLUMNS = ("job_id", "candidate", "split", "worker", "attempt", "seconds", "shared_seconds", "error", "ways")


@dataclass(frozen=True)
class Report:
    """How a search was run.

    Attributes
    ----------
    job_id
        The search's job; the first one when it had several.
    history
        One row per attempt at a fit, in order of completion: a pandas DataFrame when pandas can be
        imported, else a list of dicts. `candidate` and `split` are positions in the job, `attempt`
        counts from 0, `seconds` is the time a slot was busy, `shared_seconds` is the work on the
        fit's prefix that another fit of the split did for it, `error` is None for a fit that worked.
        `ways` says how it was run where there was a choice, such as "keras: whole epochs in the graph";
        several are separated by "; ".
    """

    job_id: str
    history: Any = field(repr=False)


# Not on the search itself: its attributes and pickles stay scikit-learn's own.
_attempts: weakref.WeakKeyDictionary[object, list[dict[str, Any]]] = weakref.WeakKeyDictionary()


def remember(search: object, attempts: list[dict[str, Any]]) -> None:
    """Keep the attempts of a search's last fit as long as the search lives."""
    _attempts[search] = attempts


def report(search: object) -> Report:
    """See `crossfold.report`."""
    attempts = _attempts.get(search)
    if not attempts:
        raise ValueError(
            f"There is no report on this {type(search).__name__}: this process did not fit it on a cluster. "
            "Fit a search of crossfold.model_selection first, with n_jobs other than 1."
        )
    return Report(job_id=attempts[0]["job_id"], history=_table(attempts))


def _table(attempts: list[dict[str, Any]]) -> Any:
    try:
        import pandas
    except ImportError:
        return [dict(attempt) for attempt in attempts]
    return pandas.DataFrame(attempts, columns=list(COLUMNS))
