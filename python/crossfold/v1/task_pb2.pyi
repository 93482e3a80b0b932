from crossfold.v1 import data_pb2 as _data_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class Outcome(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    OUTCOME_UNSPECIFIED: _ClassVar[Outcome]
    OUTCOME_OK: _ClassVar[Outcome]
    OUTCOME_RAISED: _ClassVar[Outcome]
    OUTCOME_POISON: _ClassVar[Outcome]
    OUTCOME_LIMIT: _ClassVar[Outcome]
    OUTCOME_PRUNED: _ClassVar[Outcome]
OUTCOME_UNSPECIFIED: Outcome
OUTCOME_OK: Outcome
OUTCOME_RAISED: Outcome
OUTCOME_POISON: Outcome
OUTCOME_LIMIT: Outcome
OUTCOME_PRUNED: Outcome

class Code(_message.Message):
    __slots__ = ("blob_id", "recipe", "sys_path", "working_dir", "preload", "sharing", "threads", "multiprocessing_key")
    BLOB_ID_FIELD_NUMBER: _ClassVar[int]
    RECIPE_FIELD_NUMBER: _ClassVar[int]
    SYS_PATH_FIELD_NUMBER: _ClassVar[int]
    WORKING_DIR_FIELD_NUMBER: _ClassVar[int]
    PRELOAD_FIELD_NUMBER: _ClassVar[int]
    SHARING_FIELD_NUMBER: _ClassVar[int]
    THREADS_FIELD_NUMBER: _ClassVar[int]
    MULTIPROCESSING_KEY_FIELD_NUMBER: _ClassVar[int]
    blob_id: str
    recipe: Recipe
    sys_path: _containers.RepeatedScalarFieldContainer[str]
    working_dir: str
    preload: _containers.RepeatedScalarFieldContainer[str]
    sharing: Sharing
    threads: int
    multiprocessing_key: bytes
    def __init__(self, blob_id: _Optional[str] = ..., recipe: _Optional[_Union[Recipe, _Mapping]] = ..., sys_path: _Optional[_Iterable[str]] = ..., working_dir: _Optional[str] = ..., preload: _Optional[_Iterable[str]] = ..., sharing: _Optional[_Union[Sharing, _Mapping]] = ..., threads: _Optional[int] = ..., multiprocessing_key: _Optional[bytes] = ...) -> None: ...

class Sharing(_message.Message):
    __slots__ = ("prefixes", "solver", "compiled_keras")
    PREFIXES_FIELD_NUMBER: _ClassVar[int]
    SOLVER_FIELD_NUMBER: _ClassVar[int]
    COMPILED_KERAS_FIELD_NUMBER: _ClassVar[int]
    prefixes: bool
    solver: bool
    compiled_keras: bool
    def __init__(self, prefixes: _Optional[bool] = ..., solver: _Optional[bool] = ..., compiled_keras: _Optional[bool] = ...) -> None: ...

class Recipe(_message.Message):
    __slots__ = ("steps", "scoring", "features", "target", "return_train_score", "error_score", "import_paths")
    STEPS_FIELD_NUMBER: _ClassVar[int]
    SCORING_FIELD_NUMBER: _ClassVar[int]
    FEATURES_FIELD_NUMBER: _ClassVar[int]
    TARGET_FIELD_NUMBER: _ClassVar[int]
    RETURN_TRAIN_SCORE_FIELD_NUMBER: _ClassVar[int]
    ERROR_SCORE_FIELD_NUMBER: _ClassVar[int]
    IMPORT_PATHS_FIELD_NUMBER: _ClassVar[int]
    steps: _containers.RepeatedCompositeFieldContainer[Step]
    scoring: _containers.RepeatedScalarFieldContainer[str]
    features: _containers.RepeatedScalarFieldContainer[str]
    target: str
    return_train_score: bool
    error_score: str
    import_paths: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, steps: _Optional[_Iterable[_Union[Step, _Mapping]]] = ..., scoring: _Optional[_Iterable[str]] = ..., features: _Optional[_Iterable[str]] = ..., target: _Optional[str] = ..., return_train_score: _Optional[bool] = ..., error_score: _Optional[str] = ..., import_paths: _Optional[_Iterable[str]] = ...) -> None: ...

class Step(_message.Message):
    __slots__ = ("name", "entry_point", "params_json")
    NAME_FIELD_NUMBER: _ClassVar[int]
    ENTRY_POINT_FIELD_NUMBER: _ClassVar[int]
    PARAMS_JSON_FIELD_NUMBER: _ClassVar[int]
    name: str
    entry_point: str
    params_json: str
    def __init__(self, name: _Optional[str] = ..., entry_point: _Optional[str] = ..., params_json: _Optional[str] = ...) -> None: ...

class Candidate(_message.Message):
    __slots__ = ("pickle", "params_json", "prefix_key", "features", "family_key", "family_size", "family")
    class FeaturesEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: float
        def __init__(self, key: _Optional[str] = ..., value: _Optional[float] = ...) -> None: ...
    PICKLE_FIELD_NUMBER: _ClassVar[int]
    PARAMS_JSON_FIELD_NUMBER: _ClassVar[int]
    PREFIX_KEY_FIELD_NUMBER: _ClassVar[int]
    FEATURES_FIELD_NUMBER: _ClassVar[int]
    FAMILY_KEY_FIELD_NUMBER: _ClassVar[int]
    FAMILY_SIZE_FIELD_NUMBER: _ClassVar[int]
    FAMILY_FIELD_NUMBER: _ClassVar[int]
    pickle: _data_pb2.Value
    params_json: str
    prefix_key: str
    features: _containers.ScalarMap[str, float]
    family_key: str
    family_size: int
    family: Family
    def __init__(self, pickle: _Optional[_Union[_data_pb2.Value, _Mapping]] = ..., params_json: _Optional[str] = ..., prefix_key: _Optional[str] = ..., features: _Optional[_Mapping[str, float]] = ..., family_key: _Optional[str] = ..., family_size: _Optional[int] = ..., family: _Optional[_Union[Family, _Mapping]] = ...) -> None: ...

class Family(_message.Message):
    __slots__ = ("members", "largest", "total")
    MEMBERS_FIELD_NUMBER: _ClassVar[int]
    LARGEST_FIELD_NUMBER: _ClassVar[int]
    TOTAL_FIELD_NUMBER: _ClassVar[int]
    members: int
    largest: int
    total: int
    def __init__(self, members: _Optional[int] = ..., largest: _Optional[int] = ..., total: _Optional[int] = ...) -> None: ...

class TaskFit(_message.Message):
    __slots__ = ("index", "candidate_index", "split_index", "candidate", "extra", "sharers", "family")
    INDEX_FIELD_NUMBER: _ClassVar[int]
    CANDIDATE_INDEX_FIELD_NUMBER: _ClassVar[int]
    SPLIT_INDEX_FIELD_NUMBER: _ClassVar[int]
    CANDIDATE_FIELD_NUMBER: _ClassVar[int]
    EXTRA_FIELD_NUMBER: _ClassVar[int]
    SHARERS_FIELD_NUMBER: _ClassVar[int]
    FAMILY_FIELD_NUMBER: _ClassVar[int]
    index: int
    candidate_index: int
    split_index: int
    candidate: Candidate
    extra: bytes
    sharers: int
    family: Family
    def __init__(self, index: _Optional[int] = ..., candidate_index: _Optional[int] = ..., split_index: _Optional[int] = ..., candidate: _Optional[_Union[Candidate, _Mapping]] = ..., extra: _Optional[bytes] = ..., sharers: _Optional[int] = ..., family: _Optional[_Union[Family, _Mapping]] = ...) -> None: ...

class Call(_message.Message):
    __slots__ = ("index", "pickle")
    INDEX_FIELD_NUMBER: _ClassVar[int]
    PICKLE_FIELD_NUMBER: _ClassVar[int]
    index: int
    pickle: _data_pb2.Value
    def __init__(self, index: _Optional[int] = ..., pickle: _Optional[_Union[_data_pb2.Value, _Mapping]] = ...) -> None: ...

class Task(_message.Message):
    __slots__ = ("id", "job_id", "session_id", "attempt", "code", "dataset_id", "split", "fits", "calls", "limits", "environment", "predictions", "split_fits")
    ID_FIELD_NUMBER: _ClassVar[int]
    JOB_ID_FIELD_NUMBER: _ClassVar[int]
    SESSION_ID_FIELD_NUMBER: _ClassVar[int]
    ATTEMPT_FIELD_NUMBER: _ClassVar[int]
    CODE_FIELD_NUMBER: _ClassVar[int]
    DATASET_ID_FIELD_NUMBER: _ClassVar[int]
    SPLIT_FIELD_NUMBER: _ClassVar[int]
    FITS_FIELD_NUMBER: _ClassVar[int]
    CALLS_FIELD_NUMBER: _ClassVar[int]
    LIMITS_FIELD_NUMBER: _ClassVar[int]
    ENVIRONMENT_FIELD_NUMBER: _ClassVar[int]
    PREDICTIONS_FIELD_NUMBER: _ClassVar[int]
    SPLIT_FITS_FIELD_NUMBER: _ClassVar[int]
    id: str
    job_id: str
    session_id: str
    attempt: int
    code: Code
    dataset_id: str
    split: _data_pb2.Split
    fits: _containers.RepeatedCompositeFieldContainer[TaskFit]
    calls: _containers.RepeatedCompositeFieldContainer[Call]
    limits: Limits
    environment: Environment
    predictions: _containers.RepeatedScalarFieldContainer[str]
    split_fits: int
    def __init__(self, id: _Optional[str] = ..., job_id: _Optional[str] = ..., session_id: _Optional[str] = ..., attempt: _Optional[int] = ..., code: _Optional[_Union[Code, _Mapping]] = ..., dataset_id: _Optional[str] = ..., split: _Optional[_Union[_data_pb2.Split, _Mapping]] = ..., fits: _Optional[_Iterable[_Union[TaskFit, _Mapping]]] = ..., calls: _Optional[_Iterable[_Union[Call, _Mapping]]] = ..., limits: _Optional[_Union[Limits, _Mapping]] = ..., environment: _Optional[_Union[Environment, _Mapping]] = ..., predictions: _Optional[_Iterable[str]] = ..., split_fits: _Optional[int] = ...) -> None: ...

class Limits(_message.Message):
    __slots__ = ("fit_seconds", "fit_bytes")
    FIT_SECONDS_FIELD_NUMBER: _ClassVar[int]
    FIT_BYTES_FIELD_NUMBER: _ClassVar[int]
    fit_seconds: float
    fit_bytes: int
    def __init__(self, fit_seconds: _Optional[float] = ..., fit_bytes: _Optional[int] = ...) -> None: ...

class Failure(_message.Message):
    __slots__ = ("type", "message", "traceback", "pickle")
    TYPE_FIELD_NUMBER: _ClassVar[int]
    MESSAGE_FIELD_NUMBER: _ClassVar[int]
    TRACEBACK_FIELD_NUMBER: _ClassVar[int]
    PICKLE_FIELD_NUMBER: _ClassVar[int]
    type: str
    message: str
    traceback: str
    pickle: _data_pb2.Value
    def __init__(self, type: _Optional[str] = ..., message: _Optional[str] = ..., traceback: _Optional[str] = ..., pickle: _Optional[_Union[_data_pb2.Value, _Mapping]] = ...) -> None: ...

class Warning(_message.Message):
    __slots__ = ("category", "message", "filename", "line")
    CATEGORY_FIELD_NUMBER: _ClassVar[int]
    MESSAGE_FIELD_NUMBER: _ClassVar[int]
    FILENAME_FIELD_NUMBER: _ClassVar[int]
    LINE_FIELD_NUMBER: _ClassVar[int]
    category: bytes
    message: str
    filename: str
    line: int
    def __init__(self, category: _Optional[bytes] = ..., message: _Optional[str] = ..., filename: _Optional[str] = ..., line: _Optional[int] = ...) -> None: ...

class Result(_message.Message):
    __slots__ = ("job_id", "index", "outcome", "test_scores", "train_scores", "fit_seconds", "score_seconds", "slot_seconds", "value", "failure", "output", "warnings", "worker", "attempt", "shared_seconds", "ways", "predictions")
    class TestScoresEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: float
        def __init__(self, key: _Optional[str] = ..., value: _Optional[float] = ...) -> None: ...
    class TrainScoresEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: float
        def __init__(self, key: _Optional[str] = ..., value: _Optional[float] = ...) -> None: ...
    JOB_ID_FIELD_NUMBER: _ClassVar[int]
    INDEX_FIELD_NUMBER: _ClassVar[int]
    OUTCOME_FIELD_NUMBER: _ClassVar[int]
    TEST_SCORES_FIELD_NUMBER: _ClassVar[int]
    TRAIN_SCORES_FIELD_NUMBER: _ClassVar[int]
    FIT_SECONDS_FIELD_NUMBER: _ClassVar[int]
    SCORE_SECONDS_FIELD_NUMBER: _ClassVar[int]
    SLOT_SECONDS_FIELD_NUMBER: _ClassVar[int]
    VALUE_FIELD_NUMBER: _ClassVar[int]
    FAILURE_FIELD_NUMBER: _ClassVar[int]
    OUTPUT_FIELD_NUMBER: _ClassVar[int]
    WARNINGS_FIELD_NUMBER: _ClassVar[int]
    WORKER_FIELD_NUMBER: _ClassVar[int]
    ATTEMPT_FIELD_NUMBER: _ClassVar[int]
    SHARED_SECONDS_FIELD_NUMBER: _ClassVar[int]
    WAYS_FIELD_NUMBER: _ClassVar[int]
    PREDICTIONS_FIELD_NUMBER: _ClassVar[int]
    job_id: str
    index: int
    outcome: Outcome
    test_scores: _containers.ScalarMap[str, float]
    train_scores: _containers.ScalarMap[str, float]
    fit_seconds: float
    score_seconds: float
    slot_seconds: float
    value: _data_pb2.Value
    failure: Failure
    output: str
    warnings: _containers.RepeatedCompositeFieldContainer[Warning]
    worker: str
    attempt: int
    shared_seconds: float
    ways: _containers.RepeatedScalarFieldContainer[str]
    predictions: _containers.RepeatedCompositeFieldContainer[Predictions]
    def __init__(self, job_id: _Optional[str] = ..., index: _Optional[int] = ..., outcome: _Optional[_Union[Outcome, str]] = ..., test_scores: _Optional[_Mapping[str, float]] = ..., train_scores: _Optional[_Mapping[str, float]] = ..., fit_seconds: _Optional[float] = ..., score_seconds: _Optional[float] = ..., slot_seconds: _Optional[float] = ..., value: _Optional[_Union[_data_pb2.Value, _Mapping]] = ..., failure: _Optional[_Union[Failure, _Mapping]] = ..., output: _Optional[str] = ..., warnings: _Optional[_Iterable[_Union[Warning, _Mapping]]] = ..., worker: _Optional[str] = ..., attempt: _Optional[int] = ..., shared_seconds: _Optional[float] = ..., ways: _Optional[_Iterable[str]] = ..., predictions: _Optional[_Iterable[_Union[Predictions, _Mapping]]] = ...) -> None: ...

class Predictions(_message.Message):
    __slots__ = ("method", "object_id", "rows", "columns", "error")
    METHOD_FIELD_NUMBER: _ClassVar[int]
    OBJECT_ID_FIELD_NUMBER: _ClassVar[int]
    ROWS_FIELD_NUMBER: _ClassVar[int]
    COLUMNS_FIELD_NUMBER: _ClassVar[int]
    ERROR_FIELD_NUMBER: _ClassVar[int]
    method: str
    object_id: str
    rows: int
    columns: int
    error: str
    def __init__(self, method: _Optional[str] = ..., object_id: _Optional[str] = ..., rows: _Optional[int] = ..., columns: _Optional[int] = ..., error: _Optional[str] = ...) -> None: ...

class Fault(_message.Message):
    __slots__ = ("task_id", "job_id", "attempt", "running", "reason", "worker")
    TASK_ID_FIELD_NUMBER: _ClassVar[int]
    JOB_ID_FIELD_NUMBER: _ClassVar[int]
    ATTEMPT_FIELD_NUMBER: _ClassVar[int]
    RUNNING_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    WORKER_FIELD_NUMBER: _ClassVar[int]
    task_id: str
    job_id: str
    attempt: int
    running: int
    reason: str
    worker: str
    def __init__(self, task_id: _Optional[str] = ..., job_id: _Optional[str] = ..., attempt: _Optional[int] = ..., running: _Optional[int] = ..., reason: _Optional[str] = ..., worker: _Optional[str] = ...) -> None: ...

class WorkerInfo(_message.Message):
    __slots__ = ("id", "host", "pid", "slots", "busy", "environment", "refused")
    ID_FIELD_NUMBER: _ClassVar[int]
    HOST_FIELD_NUMBER: _ClassVar[int]
    PID_FIELD_NUMBER: _ClassVar[int]
    SLOTS_FIELD_NUMBER: _ClassVar[int]
    BUSY_FIELD_NUMBER: _ClassVar[int]
    ENVIRONMENT_FIELD_NUMBER: _ClassVar[int]
    REFUSED_FIELD_NUMBER: _ClassVar[int]
    id: str
    host: str
    pid: int
    slots: int
    busy: int
    environment: Environment
    refused: str
    def __init__(self, id: _Optional[str] = ..., host: _Optional[str] = ..., pid: _Optional[int] = ..., slots: _Optional[int] = ..., busy: _Optional[int] = ..., environment: _Optional[_Union[Environment, _Mapping]] = ..., refused: _Optional[str] = ...) -> None: ...

class Environment(_message.Message):
    __slots__ = ("python", "packages", "code")
    class PackagesEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    class CodeEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    PYTHON_FIELD_NUMBER: _ClassVar[int]
    PACKAGES_FIELD_NUMBER: _ClassVar[int]
    CODE_FIELD_NUMBER: _ClassVar[int]
    python: str
    packages: _containers.ScalarMap[str, str]
    code: _containers.ScalarMap[str, str]
    def __init__(self, python: _Optional[str] = ..., packages: _Optional[_Mapping[str, str]] = ..., code: _Optional[_Mapping[str, str]] = ...) -> None: ...
