from crossfold.v1 import task_pb2 as _task_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class ToZygote(_message.Message):
    __slots__ = ("fork",)
    FORK_FIELD_NUMBER: _ClassVar[int]
    fork: Fork
    def __init__(self, fork: _Optional[_Union[Fork, _Mapping]] = ...) -> None: ...

class Fork(_message.Message):
    __slots__ = ("id", "preload", "rehearse")
    ID_FIELD_NUMBER: _ClassVar[int]
    PRELOAD_FIELD_NUMBER: _ClassVar[int]
    REHEARSE_FIELD_NUMBER: _ClassVar[int]
    id: int
    preload: _containers.RepeatedScalarFieldContainer[str]
    rehearse: bool
    def __init__(self, id: _Optional[int] = ..., preload: _Optional[_Iterable[str]] = ..., rehearse: _Optional[bool] = ...) -> None: ...

class FromZygote(_message.Message):
    __slots__ = ("ready", "forked", "exited")
    READY_FIELD_NUMBER: _ClassVar[int]
    FORKED_FIELD_NUMBER: _ClassVar[int]
    EXITED_FIELD_NUMBER: _ClassVar[int]
    ready: ZygoteReady
    forked: Forked
    exited: Exited
    def __init__(self, ready: _Optional[_Union[ZygoteReady, _Mapping]] = ..., forked: _Optional[_Union[Forked, _Mapping]] = ..., exited: _Optional[_Union[Exited, _Mapping]] = ...) -> None: ...

class ZygoteReady(_message.Message):
    __slots__ = ("protocol", "environment")
    PROTOCOL_FIELD_NUMBER: _ClassVar[int]
    ENVIRONMENT_FIELD_NUMBER: _ClassVar[int]
    protocol: int
    environment: _task_pb2.Environment
    def __init__(self, protocol: _Optional[int] = ..., environment: _Optional[_Union[_task_pb2.Environment, _Mapping]] = ...) -> None: ...

class Forked(_message.Message):
    __slots__ = ("id", "pid", "error")
    ID_FIELD_NUMBER: _ClassVar[int]
    PID_FIELD_NUMBER: _ClassVar[int]
    ERROR_FIELD_NUMBER: _ClassVar[int]
    id: int
    pid: int
    error: str
    def __init__(self, id: _Optional[int] = ..., pid: _Optional[int] = ..., error: _Optional[str] = ...) -> None: ...

class Exited(_message.Message):
    __slots__ = ("id", "pid", "status")
    ID_FIELD_NUMBER: _ClassVar[int]
    PID_FIELD_NUMBER: _ClassVar[int]
    STATUS_FIELD_NUMBER: _ClassVar[int]
    id: int
    pid: int
    status: int
    def __init__(self, id: _Optional[int] = ..., pid: _Optional[int] = ..., status: _Optional[int] = ...) -> None: ...

class ToChild(_message.Message):
    __slots__ = ("run",)
    RUN_FIELD_NUMBER: _ClassVar[int]
    run: Run
    def __init__(self, run: _Optional[_Union[Run, _Mapping]] = ...) -> None: ...

class Run(_message.Message):
    __slots__ = ("task", "store_dir")
    TASK_FIELD_NUMBER: _ClassVar[int]
    STORE_DIR_FIELD_NUMBER: _ClassVar[int]
    task: _task_pb2.Task
    store_dir: str
    def __init__(self, task: _Optional[_Union[_task_pb2.Task, _Mapping]] = ..., store_dir: _Optional[str] = ...) -> None: ...

class FromChild(_message.Message):
    __slots__ = ("ready", "started", "finished", "done")
    READY_FIELD_NUMBER: _ClassVar[int]
    STARTED_FIELD_NUMBER: _ClassVar[int]
    FINISHED_FIELD_NUMBER: _ClassVar[int]
    DONE_FIELD_NUMBER: _ClassVar[int]
    ready: ChildReady
    started: Started
    finished: Finished
    done: Done
    def __init__(self, ready: _Optional[_Union[ChildReady, _Mapping]] = ..., started: _Optional[_Union[Started, _Mapping]] = ..., finished: _Optional[_Union[Finished, _Mapping]] = ..., done: _Optional[_Union[Done, _Mapping]] = ...) -> None: ...

class ChildReady(_message.Message):
    __slots__ = ("pid",)
    PID_FIELD_NUMBER: _ClassVar[int]
    pid: int
    def __init__(self, pid: _Optional[int] = ...) -> None: ...

class Started(_message.Message):
    __slots__ = ("index",)
    INDEX_FIELD_NUMBER: _ClassVar[int]
    index: int
    def __init__(self, index: _Optional[int] = ...) -> None: ...

class Finished(_message.Message):
    __slots__ = ("result",)
    RESULT_FIELD_NUMBER: _ClassVar[int]
    result: _task_pb2.Result
    def __init__(self, result: _Optional[_Union[_task_pb2.Result, _Mapping]] = ...) -> None: ...

class Done(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...
