"""A cluster in this process: the Jobs and Data services with threads instead of workers.

It speaks the same messages and reads the same store files, so that the client is tested without
the Go program. Units run one at a time, in order of arrival.
"""

from __future__ import annotations

import io
import pickle
import queue
import sys
import threading
import traceback
import warnings
from collections.abc import Callable, Iterator
from concurrent import futures
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any

import grpc
from blake3 import blake3

from crossfold import _arrow
from crossfold._runtime._objects import dumps
from crossfold.v1 import data_pb2, data_pb2_grpc, job_pb2, job_pb2_grpc
from crossfold.v1 import task_pb2 as pb


def address_of(data: bytes) -> str:
    """The content address of these bytes."""
    return blake3(data).hexdigest()


class Cluster(job_pb2_grpc.JobsServicer, data_pb2_grpc.DataServicer):
    """Serves on ``folder/sock`` until `close`."""

    def __init__(self, folder: Path, slots: int = 2, shared_store: bool = True) -> None:
        self.slots = slots
        self.specs: list[job_pb2.JobSpec] = []
        self.appends: list[job_pb2.Append] = []
        self.steps: list[str] = []
        self.received = threading.Event()
        self.stopped = threading.Event()
        self.closed = threading.Event()
        self.sessions = 0
        self.hello_error: tuple[grpc.StatusCode, str] | None = None
        self.job_error: tuple[int, str] | None = None
        self.poison: Callable[[dict[str, Any]], bool] = lambda arguments: False
        self.gate = threading.Event()
        self.gate.set()
        self.url = f"unix://{folder}/sock"
        self.store = folder / "store"
        self.store.mkdir()
        self._advertised = str(self.store) if shared_store else "/nonexistent"
        self._server = grpc.server(futures.ThreadPoolExecutor(8))
        job_pb2_grpc.add_JobsServicer_to_server(self, self._server)
        data_pb2_grpc.add_DataServicer_to_server(self, self._server)
        self._server.add_insecure_port(f"unix:{folder}/sock")
        self._server.start()

    def close(self) -> None:
        self.gate.set()
        self._server.stop(grace=None).wait(5)

    def fits(self) -> int:
        """How many fits were submitted."""
        return sum(len(append.fits) for append in self.appends)

    def calls(self) -> int:
        """How many opaque calls were submitted."""
        return sum(len(append.calls) for append in self.appends)

    # Jobs

    def Hello(self, request: Any, context: Any) -> job_pb2.HelloResponse:
        if self.hello_error is not None:
            context.abort(*self.hello_error)
        return job_pb2.HelloResponse(
            version="double", store_dir=self._advertised, workers=1, slots=self.slots
        )

    def Stats(self, request: Any, context: Any) -> job_pb2.StatsResponse:
        worker = pb.WorkerInfo(id="w", slots=self.slots)
        return job_pb2.StatsResponse(workers=[worker], tasks_completed=7, fits_completed=5, calls_completed=2)

    def Session(self, requests: Any, context: Any) -> Iterator[job_pb2.SessionResponse]:
        self.sessions += 1
        out: queue.Queue[job_pb2.Event | None] = queue.Queue()
        context.add_callback(lambda: out.put(None))
        runner = _Runner(self, out)
        threading.Thread(target=self._receive, args=(requests, runner), daemon=True).start()
        while (event := out.get()) is not None:
            yield job_pb2.SessionResponse(events=[event])
        runner.work.put(None)

    def _receive(self, requests: Any, runner: _Runner) -> None:
        try:
            for request in requests:
                self.steps.append(request.WhichOneof("step"))
                runner.take(request)
        except Exception:
            return

    # Data

    def Put(self, requests: Any, context: Any) -> data_pb2.PutResponse:
        chunks = list(requests)
        data = b"".join(chunk.chunk for chunk in chunks)
        object_id = chunks[0].id
        if object_id[3:] != address_of(data):
            context.abort(grpc.StatusCode.INVALID_ARGUMENT, f"{object_id} does not match its bytes")
        (self.store / object_id).write_bytes(data)
        return data_pb2.PutResponse(id=object_id, size_bytes=len(data))

    def Get(self, request: Any, context: Any) -> Iterator[data_pb2.GetResponse]:
        data = (self.store / request.id).read_bytes()
        for start in range(0, len(data), 1 << 20):
            yield data_pb2.GetResponse(chunk=data[start : start + (1 << 20)])


class _Runner:
    """One session's jobs, run by one thread."""

    def __init__(self, cluster: Cluster, out: queue.Queue[job_pb2.Event | None]) -> None:
        self.cluster = cluster
        self.out = out
        self.work: queue.Queue[Callable[[], None] | None] = queue.Queue()
        self.jobs: dict[str, _Job] = {}
        threading.Thread(target=self._run, daemon=True).start()

    def take(self, request: job_pb2.SessionRequest) -> None:
        step = request.WhichOneof("step")
        if step == "open":
            self.cluster.specs.append(request.open)
            self.jobs[request.job_id] = _Job(request.job_id, request.open)
            if self.cluster.job_error is not None:
                code, text = self.cluster.job_error
                self.end(request.job_id, job_pb2.JobState.PHASE_FAILED, error=text, error_code=code)
            return
        job = self.jobs[request.job_id]
        if step == "append":
            self.cluster.appends.append(request.append)
            self.cluster.received.set()
            self.work.put(lambda: self._append(job, request.append))
        elif step == "close":
            self.cluster.closed.set()
            self.work.put(lambda: self.end(job.id, job_pb2.JobState.PHASE_DONE))
        elif step == "stop":
            job.stopped = True
            self.end(job.id, job_pb2.JobState.PHASE_CANCELLED)
            self.cluster.stopped.set()

    def end(self, job_id: str, phase: Any, **more: Any) -> None:
        self.out.put(job_pb2.Event(job_id=job_id, state=job_pb2.JobState(phase=phase, **more)))

    def _run(self) -> None:
        while (step := self.work.get()) is not None:
            step()

    def _append(self, job: _Job, append: job_pb2.Append) -> None:
        job.splits.extend(append.splits)
        job.candidates.extend(append.candidates)
        units: list[Any] = [*append.fits, *append.calls]
        for unit in units:
            self.cluster.gate.wait(20)
            if job.stopped:
                return
            result = self._result(job, unit)
            self.out.put(job_pb2.Event(job_id=job.id, result=result))

    def _result(self, job: _Job, unit: Any) -> pb.Result:
        result = pb.Result(job_id=job.id, index=job.next_index, outcome=pb.OUTCOME_OK, worker="double")
        job.next_index += 1
        call = self._fit(job, unit) if isinstance(unit, job_pb2.JobFit) else self._call(unit)
        if isinstance(call, pb.Failure):
            result.outcome = pb.OUTCOME_POISON
            result.failure.CopyFrom(call)
            return result
        output = _OwnOutput()
        with warnings.catch_warnings(record=True) as caught, redirect_stdout(output):
            warnings.simplefilter("always")
            try:
                value = call()
                result.value.CopyFrom(_arrow.make_value(str(self.cluster.store), dumps(value)))
            except Exception as error:
                result.outcome = pb.OUTCOME_RAISED
                result.failure.CopyFrom(_failure(error))
        result.output = output.getvalue()
        for warning in caught:
            result.warnings.add(
                category=pickle.dumps(warning.category),
                message=str(warning.message),
                filename=warning.filename,
                line=warning.lineno,
            )
        return result

    def _fit(self, job: _Job, fit: job_pb2.JobFit) -> Callable[[], Any] | pb.Failure:
        store = str(self.cluster.store)
        code = pickle.loads((self.cluster.store / job.spec.code.blob_id).read_bytes())
        X, y = _arrow.open_dataset(store, job.spec.dataset_id)
        train, test = _arrow.open_split(store, job.splits[fit.split].id)
        arguments = {**code["kwargs"], **self._load(job.candidates[fit.candidate].pickle)}
        if fit.extra:
            arguments.update(pickle.loads(fit.extra))
        if self.cluster.poison(arguments):
            return pb.Failure(type="crossfold.PoisonFitError", message="killed by signal 11 three times")
        estimator = arguments.pop("estimator")
        return lambda: code["function"](estimator, X, y, train=train, test=test, **arguments)

    def _call(self, call: pb.Call) -> Callable[[], Any]:
        work = self._load(call.pickle)
        if isinstance(work, list):
            return lambda: [function(*args, **kwargs) for function, args, kwargs in work]
        return work

    def _load(self, value: data_pb2.Value) -> Any:
        store = str(self.cluster.store)

        class Unpickler(pickle.Unpickler):
            def persistent_load(self, pid: Any) -> Any:
                assert pid[0] == "crossfold-object"
                if len(pid) == 3:
                    return _arrow.open_dataset(store, pid[1])[pid[2]]
                return _arrow.open_object(store, pid[1])

        return Unpickler(io.BytesIO(bytes(_arrow.read_value(store, value)))).load()


class _Job:
    def __init__(self, job_id: str, spec: job_pb2.JobSpec) -> None:
        self.id = job_id
        self.spec = spec
        self.splits: list[data_pb2.Split] = []
        self.candidates: list[pb.Candidate] = []
        self.next_index = 0
        self.stopped = False


class _OwnOutput(io.StringIO):
    """What this thread prints; the client prints in the same process and is let through."""

    def __init__(self) -> None:
        super().__init__()
        self._owner = threading.get_ident()
        self._outer = sys.stdout

    def write(self, text: str) -> int:
        if threading.get_ident() == self._owner:
            return super().write(text)
        return self._outer.write(text)


def _failure(error: Exception) -> pb.Failure:
    failure = pb.Failure(
        type=f"{type(error).__module__}.{type(error).__qualname__}",
        message=str(error),
        traceback="".join(traceback.format_exception(error)),
    )
    try:
        data = pickle.dumps(error)
        pickle.loads(data)
    except Exception:
        return failure
    failure.pickle.inline = data
    return failure
