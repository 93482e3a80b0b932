"""Jobs of opaque calls: what joblib hands over and nothing is known about."""

from __future__ import annotations

import sys
from typing import Any

import numpy as np
from joblib.parallel import BatchedCalls

from crossfold import _preload, _sources
from crossfold._arrow import INLINE_LIMIT
from crossfold._identity import IdentityMap
from crossfold._job import Job, Watcher
from crossfold._pickling import FunctionCache, dumps
from crossfold._session import Session
from crossfold.v1 import job_pb2 as pb


class CallJob(Job):
    """Units are joblib's BatchedCalls; each is one call of the job."""

    def __init__(self, session: Session, name: str, max_parallel: int, watcher: Watcher | None) -> None:
        super().__init__(session, name, max_parallel, watcher)
        self._functions = FunctionCache()
        self._arrays: IdentityMap[str] = IdentityMap()

    def describe(self, spec: pb.JobSpec, first: BatchedCalls) -> None:
        spec.environment.code.update(_sources.needed_by(first.items[0]))
        spec.code.CopyFrom(_preload.surroundings())
        spec.code.preload.extend(_preload.for_function(first.items[0][0]))

    def encode(self, payload: BatchedCalls, append: pb.Append) -> None:
        data = dumps(self._slim(payload), "The call", self._share)
        if len(data) <= INLINE_LIMIT:
            append.calls.add().pickle.inline = data
        else:
            append.calls.add().pickle.CopyFrom(self.session.objects.value(data))

    def _slim(self, batch: BatchedCalls) -> BatchedCalls:
        """The same calls, with functions that go by value pickled once for the whole job."""
        items = [(self._functions.wrap(function), args, kwargs) for function, args, kwargs in batch.items]
        if all(new[0] is old[0] for new, old in zip(items, batch.items, strict=True)):
            return batch
        return BatchedCalls(items, (batch._backend, batch._n_jobs))

    def _share(self, array: np.ndarray[Any, Any]) -> str:
        object_id = self._arrays.get(array)
        if object_id is None:
            object_id = self.session.objects.dataset(array, None)
            self._arrays.put(object_id, array)
        return object_id


def name_of(batch: BatchedCalls) -> str:
    """What to call a job in lists, knowing its first unit."""
    function = batch.items[0][0]
    name = getattr(function, "__qualname__", type(function).__qualname__)
    module = getattr(function, "__module__", None)
    return f"{module}.{name}" if module and module in sys.modules else str(name)
