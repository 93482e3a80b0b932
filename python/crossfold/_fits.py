"""Jobs of lifted fits: one dataset, its splits, and candidates that are fitted on them."""

from __future__ import annotations

import hashlib
import pickle
from collections.abc import Iterable

from crossfold import _preload, _sources
from crossfold._errors import CrossfoldError, PicklingError
from crossfold._hints import Hints
from crossfold._identity import IdentityMap
from crossfold._job import Job, Watcher
from crossfold._lift import Fit, failed_score
from crossfold._outcome import Outcome
from crossfold._pickling import dumps, explain
from crossfold._pruning import pruned_score
from crossfold._session import Session
from crossfold._sharing import Datasets
from crossfold.v1 import job_pb2 as pb
from crossfold.v1 import task_pb2


class FitJob(Job):
    """Units are `Fit`s with the same key."""

    def __init__(
        self,
        session: Session,
        name: str,
        max_parallel: int,
        watcher: Watcher | None,
        datasets: Datasets,
        first: Fit,
    ) -> None:
        super().__init__(session, name, max_parallel, watcher)
        self._datasets = datasets
        # Keeps alive what the fits' key identifies.
        self._first = first
        self._splits: IdentityMap[int] = IdentityMap()
        self._split_rows: list[int] = []
        self._settings: IdentityMap[int] = IdentityMap()
        self._by_digest: dict[bytes, int] = {}
        self._hints = Hints()
        self._candidates = 0
        self._fits: list[tuple[int, int]] = []

    def describe(self, spec: pb.JobSpec, first: Fit) -> None:
        try:
            code = dumps({"function": first.function, "kwargs": first.shared}, "The search")
        except PicklingError:
            # The default scorer holds the estimator: when that is at fault, name it directly.
            dumps(first.candidate, "The estimator")
            raise
        spec.environment.code.update(_sources.needed_by(first.candidate, pickled=code))
        spec.code.CopyFrom(_preload.surroundings())
        spec.code.blob_id = self.session.objects.blob(code)
        used = [*first.candidate.values(), *(first.candidate.get("parameters") or {}).values()]
        spec.code.preload.extend(_preload.for_estimators([*used, first.shared.get("scorer")]))
        try:
            spec.dataset_id = self._datasets.of(self.session.objects, first.X, first.y)
        except (OSError, CrossfoldError):
            raise
        except Exception as error:
            raise explain({"X": first.X, "y": first.y}, "The data", error) from error
        if self.watcher is not None and self.watcher.pruning is not None:
            spec.pruning.CopyFrom(self.watcher.pruning)

    def encode(self, payload: Fit, append: pb.Append) -> None:
        candidate = self._candidate(payload, append)
        split = self._split(payload, append)
        extra = pickle.dumps(payload.extra) if payload.extra else b""
        append.fits.add(candidate=candidate, split=split, extra=extra)
        self._fits.append((candidate, split))

    def _candidate(self, fit: Fit, append: pb.Append) -> int:
        """The candidate's position. All fits of one setting share it, and so do equal pickles."""
        setting = fit.candidate.get("parameters")
        known = self._settings.get(setting) if setting is not None else None
        if known is not None:
            return known
        data = dumps(fit.candidate, "The estimator")
        position = self._by_digest.get(digest := hashlib.sha256(data).digest())
        if position is None or setting is not None:
            position = self._candidates
            candidate = append.candidates.add(pickle=self.session.objects.value(data))
            self._hints.give(candidate, fit.candidate)
            self._candidates += 1
            self._by_digest[digest] = position
        if setting is not None:
            self._settings.put(position, setting)
        return position

    def _split(self, fit: Fit, append: pb.Append) -> int:
        known = self._splits.get(fit.train, fit.test)
        if known is not None:
            return known
        position = len(self._split_rows)
        append.splits.append(self.session.objects.split(fit.train, fit.test))
        self._split_rows.append(len(fit.test))
        self._splits.put(position, fit.train, fit.test)
        return position

    def faulted(self, fault: task_pb2.Fault) -> None:
        if fault.HasField("running"):
            self._record(fault.running, fault.worker, fault.attempt, None, 0.0, fault.reason, [])

    def ended(self, result: task_pb2.Result) -> Outcome:
        seconds = result.slot_seconds or result.fit_seconds + result.score_seconds
        error = result.failure.message or result.failure.type if result.HasField("failure") else None
        saved = result.shared_seconds
        self._record(result.index, result.worker, result.attempt, seconds, saved, error, result.ways)
        shared = self._first.shared
        if result.outcome == task_pb2.OUTCOME_PRUNED:
            _, split = self._fits[result.index]
            return Outcome(value=pruned_score(shared, self._first.candidate, self._split_rows[split]))
        if result.outcome == task_pb2.OUTCOME_POISON and self._first.may_fail:
            # One setting that kills its process must not end the search: it is a fit that failed.
            _, split = self._fits[result.index]
            text = f"PoisonFitError: {result.failure.message}"
            return Outcome(value=failed_score(shared, self._first.candidate, self._split_rows[split], text))
        return super().ended(result)

    def _record(
        self,
        index: int,
        worker: str,
        attempt: int,
        seconds: float | None,
        shared_seconds: float,
        error: str | None,
        ways: Iterable[str],
    ) -> None:
        if self.watcher is None or index >= len(self._fits):
            return
        candidate, split = self._fits[index]
        self.watcher.ran(
            {
                "job_id": self.id,
                "candidate": candidate,
                "split": split,
                "worker": worker,
                "attempt": attempt,
                "seconds": seconds,
                "shared_seconds": shared_seconds,
                "error": error,
                "ways": "; ".join(ways),
            }
        )
