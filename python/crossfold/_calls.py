"""Jobs of opaque calls: what joblib hands over and nothing is known about."""

from __future__ import annotations

import sys
from typing import Any

import numpy as np
from joblib.parallel import BatchedCalls, ThreadingBackend

from crossfold import _preload, _sources
from crossfold._arrow import INLINE_LIMIT
from crossfold._job import Job, Watcher
from crossfold._options import DEFAULTS, Options
from crossfold._pickling import FunctionCache, dumps
from crossfold._session import Session
from crossfold._sharing import Datasets
from crossfold.v1 import job_pb2 as pb

_Items = list[tuple[Any, tuple[Any, ...], dict[str, Any]]]


class CallJob(Job):
    """Units are joblib's BatchedCalls; each is one call of the job."""

    def __init__(
        self,
        session: Session,
        name: str,
        max_parallel: int,
        watcher: Watcher | None,
        datasets: Datasets,
        options: Options = DEFAULTS,
    ) -> None:
        super().__init__(session, name, max_parallel, watcher, options)
        self._functions = FunctionCache()
        self._datasets = datasets

    def describe(self, spec: pb.JobSpec, first: BatchedCalls) -> None:
        spec.environment.code.update(_sources.needed_by(first.items[0]))
        spec.code.CopyFrom(_preload.surroundings())
        spec.code.preload.extend(_preload.for_function(first.items[0][0]))

    def encode(self, payload: BatchedCalls, append: pb.Append) -> None:
        data = dumps(self._slim(payload), "The call", self._share)
        self.sent_bytes += len(data)
        if len(data) <= INLINE_LIMIT:
            append.calls.add().pickle.inline = data
        else:
            append.calls.add().pickle.CopyFrom(self.session.objects.value(data))

    def _slim(self, batch: BatchedCalls) -> _Items | BatchedCalls:
        """The same calls, with functions that go by value pickled once for the whole job, and data
        that scikit-learn's functions share stored once.

        A worker runs a plain list of calls under the backend that nested calls of a top-level
        Parallel get; only another backend has to travel along.
        """
        objects = self.session.objects
        items = [
            (self._functions.wrap(function), *self._datasets.slim(objects, function, args, kwargs))
            for function, args, kwargs in batch.items
        ]
        nested = batch._backend
        if type(nested) is ThreadingBackend and nested.nesting_level == 1 and batch._n_jobs is None:
            return items
        return BatchedCalls(items, (nested, batch._n_jobs))

    def _share(self, array: np.ndarray[Any, Any]) -> str:
        before = self._datasets.stored_bytes
        object_id = self._datasets.of(self.session.objects, array)
        self.sent_bytes += self._datasets.stored_bytes - before
        return object_id


def name_of(batch: BatchedCalls) -> str:
    """What to call a job in lists, knowing its first unit."""
    function = batch.items[0][0]
    name = getattr(function, "__qualname__", type(function).__qualname__)
    module = getattr(function, "__module__", None)
    return f"{module}.{name}" if module and module in sys.modules else str(name)
