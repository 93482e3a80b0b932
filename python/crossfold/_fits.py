"""Jobs of lifted fits: one dataset, its splits, and candidates that are fitted on them."""

from __future__ import annotations

import hashlib
from typing import Any

from crossfold import _eval_set, _preload, _sources
from crossfold._errors import CrossfoldError, PicklingError
from crossfold._hints import Hints
from crossfold._identity import IdentityMap
from crossfold._job import Job, Watcher
from crossfold._lift import Fit, failed_score, missing_score, scores_of
from crossfold._options import DEFAULTS, Options
from crossfold._outcome import Outcome
from crossfold._pickling import dumps, explain
from crossfold._report import attempt_of_fault, attempt_of_result
from crossfold._session import Session
from crossfold._sharing import Datasets
from crossfold.v1 import job_pb2 as pb
from crossfold.v1 import task_pb2

_KILLED = (task_pb2.OUTCOME_POISON, task_pb2.OUTCOME_LIMIT)


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
        options: Options = DEFAULTS,
    ) -> None:
        super().__init__(session, name, max_parallel, watcher, options)
        self._datasets = datasets
        # Keeps alive what the fits' key identifies.
        self._first = first
        self._splits: IdentityMap[int] = IdentityMap()
        self._split_rows: list[int] = []
        self._settings: IdentityMap[int] = IdentityMap()
        self._by_digest: dict[bytes, int] = {}
        # Callbacks hear of every step, also of one that another fit has done.
        self._shares_prefixes = self.options.share_prefixes and not first.is_heard
        self._hints = Hints(self._shares_prefixes)
        self.candidates = 0
        # Names of the metrics, once a fit told them; None for a single one.
        self._metrics: list[str] | None = None
        self._fits: list[tuple[int, int]] = []

    def describe(self, spec: pb.JobSpec, first: Fit) -> None:
        work: dict[str, Any] = {"function": first.function, "kwargs": first.shared}
        if self.options.eval_set:
            _eval_set.check(first.candidate["estimator"], first.candidate.get("parameters"))
            work["eval_set"] = True
        if self.options.keep_models is not None:
            work["keep_models"] = True
        try:
            code = dumps(work, "The search")
        except PicklingError:
            # The default scorer holds the estimator: when that is at fault, name it directly.
            dumps(first.candidate, "The estimator")
            raise
        spec.environment.code.update(_sources.needed_by(first.candidate, pickled=code))
        spec.code.CopyFrom(_preload.surroundings())
        spec.code.blob_id = self.session.objects.blob(code)
        spec.code.sharing.prefixes = self._shares_prefixes
        spec.code.sharing.compiled_keras = self.options.compiled_keras
        spec.code.sharing.solver = self.options.share_solver
        used = [*first.candidate.values(), *(first.candidate.get("parameters") or {}).values()]
        spec.code.preload.extend(_preload.for_estimators([*used, first.shared.get("scorer")]))
        try:
            spec.dataset_id = self._datasets.of(self.session.objects, first.X, first.y)
        except (OSError, CrossfoldError):
            raise
        except Exception as error:
            raise explain({"X": first.X, "y": first.y}, "The data", error) from error
        spec.predictions.extend(self.options.methods)
        if self.watcher is not None and self.watcher.pruning is not None:
            spec.pruning.CopyFrom(self.watcher.pruning)

    def encode(self, payload: Fit, append: pb.Append) -> None:
        if self.candidates == 0 and self.watcher is not None:
            self._hints.expect(payload.candidate["estimator"], self.watcher.expected(self))
        candidate = self._candidate(payload, append)
        split = self._split(payload, append)
        extra = dumps(payload.extra, "The fit's callbacks") if payload.extra else b""
        append.fits.add(candidate=candidate, split=split, extra=extra)
        self._fits.append((candidate, split))

    def _candidate(self, fit: Fit, append: pb.Append) -> int:
        """The candidate's position. All fits of one setting share it, and so do equal pickles."""
        setting = fit.candidate.get("parameters")
        known = self._settings.get(setting) if setting is not None else None
        if known is not None:
            return known
        if self.options.eval_set:
            _eval_set.check(fit.candidate["estimator"], setting)
        data = dumps(fit.candidate, "The estimator")
        position = self._by_digest.get(digest := hashlib.sha256(data).digest())
        if position is None or setting is not None:
            position = self.candidates
            candidate = append.candidates.add(pickle=self.session.objects.value(data))
            self._hints.give(candidate, fit.candidate)
            self.candidates += 1
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
            self._record(fault.running, attempt_of_fault(fault))

    def ended(self, result: task_pb2.Result) -> Outcome:
        self._record(result.index, attempt_of_result(result))
        if result.predictions and self.watcher is not None:
            candidate, split = self._fits[result.index]
            self.watcher.predicted(self, candidate, split, result.predictions)
        if result.outcome == task_pb2.OUTCOME_PRUNED:
            return Outcome(value=self._missing(self._rows_of(result)))
        if result.outcome in _KILLED and self._first.may_fail:
            return Outcome(value=self._failed(result))
        outcome = super().ended(result)
        if self.options.keep_models is not None and isinstance(outcome.value, dict):
            self._keep(result, outcome.value)
        return outcome

    def answered(self, result: task_pb2.Result, outcome: Outcome) -> None:
        if self.watcher is None or not isinstance(outcome.value, dict):
            return
        if result.outcome == task_pb2.OUTCOME_PRUNED:
            return
        scores = outcome.value.get("test_scores")
        if isinstance(scores, dict) and self._metrics is None:
            self._metrics = list(scores)
        candidate, split = self._fits[result.index]
        self.watcher.fitted(self, candidate, split, scores_of(scores), outcome.value)

    def unfinished(self) -> Outcome:
        return Outcome(value=self._missing(0))

    def _missing(self, test_rows: int) -> dict[str, Any]:
        return missing_score(self._first.shared, self._first.candidate, test_rows, self._metrics)

    def _failed(self, result: task_pb2.Result) -> dict[str, Any]:
        """One setting that kills its process must not end the search: it is a fit that failed."""
        text = f"{result.failure.type.rpartition('.')[2]}: {result.failure.message}"
        value = failed_score(self._first.shared, self._first.candidate, self._rows_of(result), text)
        if "fit_time" in value:
            value["fit_time"] = result.fit_seconds
        return value

    def _rows_of(self, result: task_pb2.Result) -> int:
        _, split = self._fits[result.index]
        return self._split_rows[split]

    def _keep(self, result: task_pb2.Result, value: dict[str, Any]) -> None:
        """Hand the model over and forget it: it may be large, and there is one per fit."""
        model = value.pop("estimator", None)
        if model is not None and self.watcher is not None:
            candidate, split = self._fits[result.index]
            self.watcher.model(self, candidate, split, scores_of(value["test_scores"]), model)

    def _record(self, index: int, attempt: dict[str, Any]) -> None:
        if self.watcher is None or index >= len(self._fits):
            return
        candidate, split = self._fits[index]
        self.watcher.ran({"job_id": self.id, "candidate": candidate, "split": split, **attempt})
