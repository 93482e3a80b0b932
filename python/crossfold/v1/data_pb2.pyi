from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class PutRequest(_message.Message):
    __slots__ = ("id", "chunk")
    ID_FIELD_NUMBER: _ClassVar[int]
    CHUNK_FIELD_NUMBER: _ClassVar[int]
    id: str
    chunk: bytes
    def __init__(self, id: _Optional[str] = ..., chunk: _Optional[bytes] = ...) -> None: ...

class PutResponse(_message.Message):
    __slots__ = ("id", "size_bytes")
    ID_FIELD_NUMBER: _ClassVar[int]
    SIZE_BYTES_FIELD_NUMBER: _ClassVar[int]
    id: str
    size_bytes: int
    def __init__(self, id: _Optional[str] = ..., size_bytes: _Optional[int] = ...) -> None: ...

class GetRequest(_message.Message):
    __slots__ = ("id", "offset", "length")
    ID_FIELD_NUMBER: _ClassVar[int]
    OFFSET_FIELD_NUMBER: _ClassVar[int]
    LENGTH_FIELD_NUMBER: _ClassVar[int]
    id: str
    offset: int
    length: int
    def __init__(self, id: _Optional[str] = ..., offset: _Optional[int] = ..., length: _Optional[int] = ...) -> None: ...

class GetResponse(_message.Message):
    __slots__ = ("chunk", "size_bytes")
    CHUNK_FIELD_NUMBER: _ClassVar[int]
    SIZE_BYTES_FIELD_NUMBER: _ClassVar[int]
    chunk: bytes
    size_bytes: int
    def __init__(self, chunk: _Optional[bytes] = ..., size_bytes: _Optional[int] = ...) -> None: ...

class Value(_message.Message):
    __slots__ = ("inline", "blob_id")
    INLINE_FIELD_NUMBER: _ClassVar[int]
    BLOB_ID_FIELD_NUMBER: _ClassVar[int]
    inline: bytes
    blob_id: str
    def __init__(self, inline: _Optional[bytes] = ..., blob_id: _Optional[str] = ...) -> None: ...

class Split(_message.Message):
    __slots__ = ("id", "train_rows", "test_rows")
    ID_FIELD_NUMBER: _ClassVar[int]
    TRAIN_ROWS_FIELD_NUMBER: _ClassVar[int]
    TEST_ROWS_FIELD_NUMBER: _ClassVar[int]
    id: str
    train_rows: int
    test_rows: int
    def __init__(self, id: _Optional[str] = ..., train_rows: _Optional[int] = ..., test_rows: _Optional[int] = ...) -> None: ...

class SplitSpec(_message.Message):
    __slots__ = ("kind", "n_splits", "shuffle", "random_state")
    class Kind(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
        __slots__ = ()
        KIND_UNSPECIFIED: _ClassVar[SplitSpec.Kind]
        KIND_KFOLD: _ClassVar[SplitSpec.Kind]
        KIND_STRATIFIED_KFOLD: _ClassVar[SplitSpec.Kind]
    KIND_UNSPECIFIED: SplitSpec.Kind
    KIND_KFOLD: SplitSpec.Kind
    KIND_STRATIFIED_KFOLD: SplitSpec.Kind
    KIND_FIELD_NUMBER: _ClassVar[int]
    N_SPLITS_FIELD_NUMBER: _ClassVar[int]
    SHUFFLE_FIELD_NUMBER: _ClassVar[int]
    RANDOM_STATE_FIELD_NUMBER: _ClassVar[int]
    kind: SplitSpec.Kind
    n_splits: int
    shuffle: bool
    random_state: int
    def __init__(self, kind: _Optional[_Union[SplitSpec.Kind, str]] = ..., n_splits: _Optional[int] = ..., shuffle: _Optional[bool] = ..., random_state: _Optional[int] = ...) -> None: ...
