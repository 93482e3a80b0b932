"""Where a client puts what its jobs refer to: the shared store folder, or the cluster's over gRPC."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Protocol

import grpc
import pyarrow.ipc  # noqa: F401 - _arrow imports it on first use, which would be inside the first fit

from crossfold import _arrow
from crossfold._errors import from_rpc
from crossfold.v1 import data_pb2 as pb
from crossfold.v1 import data_pb2_grpc

_CHUNK_BYTES = 1 << 20


class Objects(Protocol):
    """Content-addressed objects; ids are those of data.proto."""

    def dataset(self, X: Any, y: Any) -> str:
        """Store X and y as one dataset; its ``ds-…`` id."""

    def split(self, train: Any, test: Any) -> pb.Split:
        """Store one split's row numbers, two 1-D integer arrays."""

    def blob(self, data: bytes) -> str:
        """Store bytes; their ``bl-…`` id."""

    def value(self, data: bytes) -> pb.Value:
        """Bytes for a message: in it when they are few, else stored."""

    def read(self, value: pb.Value) -> Any:
        """The bytes of a value, as something that pickle.loads takes."""


class SharedStore:
    """The store folder itself: client and cluster are on one host."""

    def __init__(self, folder: str) -> None:
        self._folder = folder

    def dataset(self, X: Any, y: Any) -> str:
        return _arrow.write_dataset(self._folder, X, y)

    def split(self, train: Any, test: Any) -> pb.Split:
        split_id, train_rows, test_rows = _arrow.write_split(self._folder, train, test)
        return pb.Split(id=split_id, train_rows=train_rows, test_rows=test_rows)

    def blob(self, data: bytes) -> str:
        return _arrow.write_blob(self._folder, data)

    def value(self, data: bytes) -> pb.Value:
        return _arrow.make_value(self._folder, data)

    def read(self, value: pb.Value) -> Any:
        return _arrow.read_value(self._folder, value)


class RemoteStore:
    """A cluster on another host: objects are made in a private folder and streamed."""

    def __init__(self, channel: grpc.Channel) -> None:
        self._data = data_pb2_grpc.DataStub(channel)

    def dataset(self, X: Any, y: Any) -> str:
        with self._uploading() as folder:
            return _arrow.write_dataset(folder, X, y)

    def split(self, train: Any, test: Any) -> pb.Split:
        with self._uploading() as folder:
            return SharedStore(folder).split(train, test)

    def blob(self, data: bytes) -> str:
        with self._uploading() as folder:
            return _arrow.write_blob(folder, data)

    def value(self, data: bytes) -> pb.Value:
        with self._uploading() as folder:
            return _arrow.make_value(folder, data)

    def read(self, value: pb.Value) -> Any:
        if value.WhichOneof("kind") == "inline":
            return value.inline
        try:
            return b"".join(part.chunk for part in self._data.Get(pb.GetRequest(id=value.blob_id)))
        except grpc.RpcError as error:
            raise from_rpc(error, f"reading {value.blob_id} from the cluster's store", _RETRY) from error

    def _uploading(self) -> _Upload:
        return _Upload(self._data)


_RETRY = "Check the network and run it again: what is stored already is not sent twice."


class _Upload:
    """A temporary store folder whose objects are in the cluster's store on exit."""

    def __init__(self, data: data_pb2_grpc.DataStub) -> None:
        self._data = data
        self._folder = tempfile.TemporaryDirectory(prefix="crossfold-")

    def __enter__(self) -> str:
        return self._folder.name

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        with self._folder:
            if kind is None:
                for path in Path(self._folder.name).iterdir():
                    self._put(path)

    def _put(self, path: Path) -> None:
        try:
            self._data.Put(_chunks(path))
        except grpc.RpcError as error:
            raise from_rpc(error, f"sending {path.name} to the cluster's store", _RETRY) from error


def _chunks(path: Path) -> Iterator[pb.PutRequest]:
    with open(path, "rb") as file:
        yield pb.PutRequest(id=path.name, chunk=file.read(_CHUNK_BYTES))
        while chunk := file.read(_CHUNK_BYTES):
            yield pb.PutRequest(chunk=chunk)


def open_objects(channel: grpc.Channel, store_dir: str, same_host: bool) -> Objects:
    """The store folder when this process can write it, else the way over gRPC."""
    if same_host and os.path.isdir(store_dir) and os.access(store_dir, os.R_OK | os.W_OK | os.X_OK):
        return SharedStore(store_dir)
    return RemoteStore(channel)
