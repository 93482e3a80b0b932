from crossfold.v1 import data_pb2 as _data_pb2
from crossfold.v1 import task_pb2 as _task_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class HelloRequest(_message.Message):
    __slots__ = ("environment", "no_wait")
    ENVIRONMENT_FIELD_NUMBER: _ClassVar[int]
    NO_WAIT_FIELD_NUMBER: _ClassVar[int]
    environment: _task_pb2.Environment
    no_wait: bool
    def __init__(self, environment: _Optional[_Union[_task_pb2.Environment, _Mapping]] = ..., no_wait: _Optional[bool] = ...) -> None: ...

class HelloResponse(_message.Message):
    __slots__ = ("version", "store_dir", "workers", "slots", "environment")
    VERSION_FIELD_NUMBER: _ClassVar[int]
    STORE_DIR_FIELD_NUMBER: _ClassVar[int]
    WORKERS_FIELD_NUMBER: _ClassVar[int]
    SLOTS_FIELD_NUMBER: _ClassVar[int]
    ENVIRONMENT_FIELD_NUMBER: _ClassVar[int]
    version: str
    store_dir: str
    workers: int
    slots: int
    environment: _task_pb2.Environment
    def __init__(self, version: _Optional[str] = ..., store_dir: _Optional[str] = ..., workers: _Optional[int] = ..., slots: _Optional[int] = ..., environment: _Optional[_Union[_task_pb2.Environment, _Mapping]] = ...) -> None: ...

class JobSpec(_message.Message):
    __slots__ = ("name", "environment", "code", "dataset_id", "split_spec", "splits", "candidates", "fits", "max_parallel", "limits", "predictions", "pruning", "in_order")
    NAME_FIELD_NUMBER: _ClassVar[int]
    ENVIRONMENT_FIELD_NUMBER: _ClassVar[int]
    CODE_FIELD_NUMBER: _ClassVar[int]
    DATASET_ID_FIELD_NUMBER: _ClassVar[int]
    SPLIT_SPEC_FIELD_NUMBER: _ClassVar[int]
    SPLITS_FIELD_NUMBER: _ClassVar[int]
    CANDIDATES_FIELD_NUMBER: _ClassVar[int]
    FITS_FIELD_NUMBER: _ClassVar[int]
    MAX_PARALLEL_FIELD_NUMBER: _ClassVar[int]
    LIMITS_FIELD_NUMBER: _ClassVar[int]
    PREDICTIONS_FIELD_NUMBER: _ClassVar[int]
    PRUNING_FIELD_NUMBER: _ClassVar[int]
    IN_ORDER_FIELD_NUMBER: _ClassVar[int]
    name: str
    environment: _task_pb2.Environment
    code: _task_pb2.Code
    dataset_id: str
    split_spec: _data_pb2.SplitSpec
    splits: _containers.RepeatedCompositeFieldContainer[_data_pb2.Split]
    candidates: _containers.RepeatedCompositeFieldContainer[_task_pb2.Candidate]
    fits: _containers.RepeatedCompositeFieldContainer[JobFit]
    max_parallel: int
    limits: _task_pb2.Limits
    predictions: _containers.RepeatedScalarFieldContainer[str]
    pruning: Pruning
    in_order: bool
    def __init__(self, name: _Optional[str] = ..., environment: _Optional[_Union[_task_pb2.Environment, _Mapping]] = ..., code: _Optional[_Union[_task_pb2.Code, _Mapping]] = ..., dataset_id: _Optional[str] = ..., split_spec: _Optional[_Union[_data_pb2.SplitSpec, _Mapping]] = ..., splits: _Optional[_Iterable[_Union[_data_pb2.Split, _Mapping]]] = ..., candidates: _Optional[_Iterable[_Union[_task_pb2.Candidate, _Mapping]]] = ..., fits: _Optional[_Iterable[_Union[JobFit, _Mapping]]] = ..., max_parallel: _Optional[int] = ..., limits: _Optional[_Union[_task_pb2.Limits, _Mapping]] = ..., predictions: _Optional[_Iterable[str]] = ..., pruning: _Optional[_Union[Pruning, _Mapping]] = ..., in_order: _Optional[bool] = ...) -> None: ...

class Pruning(_message.Message):
    __slots__ = ("rule", "params_json", "policy")
    RULE_FIELD_NUMBER: _ClassVar[int]
    PARAMS_JSON_FIELD_NUMBER: _ClassVar[int]
    POLICY_FIELD_NUMBER: _ClassVar[int]
    rule: str
    params_json: str
    policy: str
    def __init__(self, rule: _Optional[str] = ..., params_json: _Optional[str] = ..., policy: _Optional[str] = ...) -> None: ...

class JobFit(_message.Message):
    __slots__ = ("candidate", "split", "extra")
    CANDIDATE_FIELD_NUMBER: _ClassVar[int]
    SPLIT_FIELD_NUMBER: _ClassVar[int]
    EXTRA_FIELD_NUMBER: _ClassVar[int]
    candidate: int
    split: int
    extra: bytes
    def __init__(self, candidate: _Optional[int] = ..., split: _Optional[int] = ..., extra: _Optional[bytes] = ...) -> None: ...

class SessionRequest(_message.Message):
    __slots__ = ("job_id", "open", "append", "close", "stop")
    JOB_ID_FIELD_NUMBER: _ClassVar[int]
    OPEN_FIELD_NUMBER: _ClassVar[int]
    APPEND_FIELD_NUMBER: _ClassVar[int]
    CLOSE_FIELD_NUMBER: _ClassVar[int]
    STOP_FIELD_NUMBER: _ClassVar[int]
    job_id: str
    open: JobSpec
    append: Append
    close: Close
    stop: Stop
    def __init__(self, job_id: _Optional[str] = ..., open: _Optional[_Union[JobSpec, _Mapping]] = ..., append: _Optional[_Union[Append, _Mapping]] = ..., close: _Optional[_Union[Close, _Mapping]] = ..., stop: _Optional[_Union[Stop, _Mapping]] = ...) -> None: ...

class Append(_message.Message):
    __slots__ = ("splits", "candidates", "fits", "calls")
    SPLITS_FIELD_NUMBER: _ClassVar[int]
    CANDIDATES_FIELD_NUMBER: _ClassVar[int]
    FITS_FIELD_NUMBER: _ClassVar[int]
    CALLS_FIELD_NUMBER: _ClassVar[int]
    splits: _containers.RepeatedCompositeFieldContainer[_data_pb2.Split]
    candidates: _containers.RepeatedCompositeFieldContainer[_task_pb2.Candidate]
    fits: _containers.RepeatedCompositeFieldContainer[JobFit]
    calls: _containers.RepeatedCompositeFieldContainer[_task_pb2.Call]
    def __init__(self, splits: _Optional[_Iterable[_Union[_data_pb2.Split, _Mapping]]] = ..., candidates: _Optional[_Iterable[_Union[_task_pb2.Candidate, _Mapping]]] = ..., fits: _Optional[_Iterable[_Union[JobFit, _Mapping]]] = ..., calls: _Optional[_Iterable[_Union[_task_pb2.Call, _Mapping]]] = ...) -> None: ...

class Close(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class Stop(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class SessionResponse(_message.Message):
    __slots__ = ("events",)
    EVENTS_FIELD_NUMBER: _ClassVar[int]
    events: _containers.RepeatedCompositeFieldContainer[Event]
    def __init__(self, events: _Optional[_Iterable[_Union[Event, _Mapping]]] = ...) -> None: ...

class Event(_message.Message):
    __slots__ = ("job_id", "result", "fault", "state")
    JOB_ID_FIELD_NUMBER: _ClassVar[int]
    RESULT_FIELD_NUMBER: _ClassVar[int]
    FAULT_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    job_id: str
    result: _task_pb2.Result
    fault: _task_pb2.Fault
    state: JobState
    def __init__(self, job_id: _Optional[str] = ..., result: _Optional[_Union[_task_pb2.Result, _Mapping]] = ..., fault: _Optional[_Union[_task_pb2.Fault, _Mapping]] = ..., state: _Optional[_Union[JobState, _Mapping]] = ...) -> None: ...

class JobState(_message.Message):
    __slots__ = ("phase", "total", "finished", "failed", "error", "error_code")
    class Phase(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
        __slots__ = ()
        PHASE_UNSPECIFIED: _ClassVar[JobState.Phase]
        PHASE_RUNNING: _ClassVar[JobState.Phase]
        PHASE_DONE: _ClassVar[JobState.Phase]
        PHASE_CANCELLED: _ClassVar[JobState.Phase]
        PHASE_FAILED: _ClassVar[JobState.Phase]
    PHASE_UNSPECIFIED: JobState.Phase
    PHASE_RUNNING: JobState.Phase
    PHASE_DONE: JobState.Phase
    PHASE_CANCELLED: JobState.Phase
    PHASE_FAILED: JobState.Phase
    PHASE_FIELD_NUMBER: _ClassVar[int]
    TOTAL_FIELD_NUMBER: _ClassVar[int]
    FINISHED_FIELD_NUMBER: _ClassVar[int]
    FAILED_FIELD_NUMBER: _ClassVar[int]
    ERROR_FIELD_NUMBER: _ClassVar[int]
    ERROR_CODE_FIELD_NUMBER: _ClassVar[int]
    phase: JobState.Phase
    total: int
    finished: int
    failed: int
    error: str
    error_code: int
    def __init__(self, phase: _Optional[_Union[JobState.Phase, str]] = ..., total: _Optional[int] = ..., finished: _Optional[int] = ..., failed: _Optional[int] = ..., error: _Optional[str] = ..., error_code: _Optional[int] = ...) -> None: ...

class SubmitRequest(_message.Message):
    __slots__ = ("job",)
    JOB_FIELD_NUMBER: _ClassVar[int]
    job: JobSpec
    def __init__(self, job: _Optional[_Union[JobSpec, _Mapping]] = ...) -> None: ...

class SubmitResponse(_message.Message):
    __slots__ = ("job_id",)
    JOB_ID_FIELD_NUMBER: _ClassVar[int]
    job_id: str
    def __init__(self, job_id: _Optional[str] = ...) -> None: ...

class EventsRequest(_message.Message):
    __slots__ = ("job_id",)
    JOB_ID_FIELD_NUMBER: _ClassVar[int]
    job_id: str
    def __init__(self, job_id: _Optional[str] = ...) -> None: ...

class CancelRequest(_message.Message):
    __slots__ = ("job_id",)
    JOB_ID_FIELD_NUMBER: _ClassVar[int]
    job_id: str
    def __init__(self, job_id: _Optional[str] = ...) -> None: ...

class CancelResponse(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class ListRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class ListResponse(_message.Message):
    __slots__ = ("jobs",)
    JOBS_FIELD_NUMBER: _ClassVar[int]
    jobs: _containers.RepeatedCompositeFieldContainer[JobInfo]
    def __init__(self, jobs: _Optional[_Iterable[_Union[JobInfo, _Mapping]]] = ...) -> None: ...

class JobInfo(_message.Message):
    __slots__ = ("job_id", "name", "state", "submitted_unix")
    JOB_ID_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    SUBMITTED_UNIX_FIELD_NUMBER: _ClassVar[int]
    job_id: str
    name: str
    state: JobState
    submitted_unix: int
    def __init__(self, job_id: _Optional[str] = ..., name: _Optional[str] = ..., state: _Optional[_Union[JobState, _Mapping]] = ..., submitted_unix: _Optional[int] = ...) -> None: ...

class StatsRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class StatsResponse(_message.Message):
    __slots__ = ("workers", "tasks_completed", "fits_completed", "calls_completed", "faults", "jobs_running")
    WORKERS_FIELD_NUMBER: _ClassVar[int]
    TASKS_COMPLETED_FIELD_NUMBER: _ClassVar[int]
    FITS_COMPLETED_FIELD_NUMBER: _ClassVar[int]
    CALLS_COMPLETED_FIELD_NUMBER: _ClassVar[int]
    FAULTS_FIELD_NUMBER: _ClassVar[int]
    JOBS_RUNNING_FIELD_NUMBER: _ClassVar[int]
    workers: _containers.RepeatedCompositeFieldContainer[_task_pb2.WorkerInfo]
    tasks_completed: int
    fits_completed: int
    calls_completed: int
    faults: int
    jobs_running: int
    def __init__(self, workers: _Optional[_Iterable[_Union[_task_pb2.WorkerInfo, _Mapping]]] = ..., tasks_completed: _Optional[int] = ..., fits_completed: _Optional[int] = ..., calls_completed: _Optional[int] = ..., faults: _Optional[int] = ..., jobs_running: _Optional[int] = ...) -> None: ...

class EnsembleRequest(_message.Message):
    __slots__ = ("job_id", "predictions", "combine", "metric", "candidates", "weights", "greedy", "policy")
    JOB_ID_FIELD_NUMBER: _ClassVar[int]
    PREDICTIONS_FIELD_NUMBER: _ClassVar[int]
    COMBINE_FIELD_NUMBER: _ClassVar[int]
    METRIC_FIELD_NUMBER: _ClassVar[int]
    CANDIDATES_FIELD_NUMBER: _ClassVar[int]
    WEIGHTS_FIELD_NUMBER: _ClassVar[int]
    GREEDY_FIELD_NUMBER: _ClassVar[int]
    POLICY_FIELD_NUMBER: _ClassVar[int]
    job_id: str
    predictions: str
    combine: str
    metric: str
    candidates: _containers.RepeatedScalarFieldContainer[int]
    weights: _containers.RepeatedScalarFieldContainer[float]
    greedy: GreedyOptions
    policy: str
    def __init__(self, job_id: _Optional[str] = ..., predictions: _Optional[str] = ..., combine: _Optional[str] = ..., metric: _Optional[str] = ..., candidates: _Optional[_Iterable[int]] = ..., weights: _Optional[_Iterable[float]] = ..., greedy: _Optional[_Union[GreedyOptions, _Mapping]] = ..., policy: _Optional[str] = ...) -> None: ...

class PredictionsRequest(_message.Message):
    __slots__ = ("job_id", "predictions", "candidates")
    JOB_ID_FIELD_NUMBER: _ClassVar[int]
    PREDICTIONS_FIELD_NUMBER: _ClassVar[int]
    CANDIDATES_FIELD_NUMBER: _ClassVar[int]
    job_id: str
    predictions: str
    candidates: _containers.RepeatedScalarFieldContainer[int]
    def __init__(self, job_id: _Optional[str] = ..., predictions: _Optional[str] = ..., candidates: _Optional[_Iterable[int]] = ...) -> None: ...

class PredictionsResponse(_message.Message):
    __slots__ = ("candidates", "predictions_ids", "marks")
    CANDIDATES_FIELD_NUMBER: _ClassVar[int]
    PREDICTIONS_IDS_FIELD_NUMBER: _ClassVar[int]
    MARKS_FIELD_NUMBER: _ClassVar[int]
    candidates: _containers.RepeatedScalarFieldContainer[int]
    predictions_ids: _containers.RepeatedScalarFieldContainer[str]
    marks: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, candidates: _Optional[_Iterable[int]] = ..., predictions_ids: _Optional[_Iterable[str]] = ..., marks: _Optional[_Iterable[str]] = ...) -> None: ...

class StackResponse(_message.Message):
    __slots__ = ("dataset_id", "features", "target", "marks")
    DATASET_ID_FIELD_NUMBER: _ClassVar[int]
    FEATURES_FIELD_NUMBER: _ClassVar[int]
    TARGET_FIELD_NUMBER: _ClassVar[int]
    MARKS_FIELD_NUMBER: _ClassVar[int]
    dataset_id: str
    features: _containers.RepeatedScalarFieldContainer[str]
    target: str
    marks: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, dataset_id: _Optional[str] = ..., features: _Optional[_Iterable[str]] = ..., target: _Optional[str] = ..., marks: _Optional[_Iterable[str]] = ...) -> None: ...

class GreedyOptions(_message.Message):
    __slots__ = ("rounds", "initial", "bags", "fraction", "seed")
    ROUNDS_FIELD_NUMBER: _ClassVar[int]
    INITIAL_FIELD_NUMBER: _ClassVar[int]
    BAGS_FIELD_NUMBER: _ClassVar[int]
    FRACTION_FIELD_NUMBER: _ClassVar[int]
    SEED_FIELD_NUMBER: _ClassVar[int]
    rounds: int
    initial: int
    bags: int
    fraction: float
    seed: int
    def __init__(self, rounds: _Optional[int] = ..., initial: _Optional[int] = ..., bags: _Optional[int] = ..., fraction: _Optional[float] = ..., seed: _Optional[int] = ...) -> None: ...

class EnsembleResponse(_message.Message):
    __slots__ = ("candidates", "weights", "scores", "score", "best_single", "best_single_score", "predictions_id", "marks")
    CANDIDATES_FIELD_NUMBER: _ClassVar[int]
    WEIGHTS_FIELD_NUMBER: _ClassVar[int]
    SCORES_FIELD_NUMBER: _ClassVar[int]
    SCORE_FIELD_NUMBER: _ClassVar[int]
    BEST_SINGLE_FIELD_NUMBER: _ClassVar[int]
    BEST_SINGLE_SCORE_FIELD_NUMBER: _ClassVar[int]
    PREDICTIONS_ID_FIELD_NUMBER: _ClassVar[int]
    MARKS_FIELD_NUMBER: _ClassVar[int]
    candidates: _containers.RepeatedScalarFieldContainer[int]
    weights: _containers.RepeatedScalarFieldContainer[float]
    scores: _containers.RepeatedScalarFieldContainer[float]
    score: float
    best_single: int
    best_single_score: float
    predictions_id: str
    marks: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, candidates: _Optional[_Iterable[int]] = ..., weights: _Optional[_Iterable[float]] = ..., scores: _Optional[_Iterable[float]] = ..., score: _Optional[float] = ..., best_single: _Optional[int] = ..., best_single_score: _Optional[float] = ..., predictions_id: _Optional[str] = ..., marks: _Optional[_Iterable[str]] = ...) -> None: ...
