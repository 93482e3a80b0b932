"""Store objects as Python values, with small caches, and the pickles that go both ways."""

from __future__ import annotations

import contextlib
import io
import mmap
import pickle
from collections import OrderedDict
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from crossfold import _arrow
from crossfold._pickling import ResultPickler
from crossfold._runtime._wrapped import Wrapped
from crossfold._saved_models import names_saved_model

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from crossfold.v1.data_pb2 import Value

T = TypeVar("T")

OBJECT_TAG = "crossfold-object"
"""First part of a persistent id: ``(OBJECT_TAG, dataset id)`` stands for a large array,
``(OBJECT_TAG, dataset id, part)`` for the X (0) or y (1) of a dataset."""

_TAG_BYTES = OBJECT_TAG.encode()


class Objects:
    """What the tasks of one process refer to by id."""

    def __init__(self) -> None:
        self._datasets: Recent[tuple[Any, Any]] = Recent(4)
        self._arrays: Recent[Any] = Recent(16)
        self._splits: Recent[tuple[NDArray[np.int64], NDArray[np.int64]]] = Recent(64)
        self._codes: Recent[dict[str, Any]] = Recent(4)

    def dataset(self, store_dir: str, dataset_id: str) -> tuple[Any, Any]:
        """Return (X, y), mapped."""
        return self._datasets.get(dataset_id, lambda: _arrow.open_dataset(store_dir, dataset_id))

    def split(self, store_dir: str, split_id: str) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Return (train, test) as arrays that may be written to, as a splitter's own may."""
        train, test = self._splits.get(split_id, lambda: _arrow.open_split(store_dir, split_id))
        return train.copy(), test.copy()

    def code(self, store_dir: str, blob_id: str) -> dict[str, Any]:
        """Return the unpickled code of a job."""

        def make() -> dict[str, Any]:
            code: dict[str, Any] = self.loads(store_dir, _arrow.read_blob(store_dir, blob_id))
            return {**code, "function": Wrapped(code["function"])}

        return self._codes.get(blob_id, make)

    def value(self, store_dir: str, value: Value) -> Any:
        """Unpickle a Value."""
        return self.loads(store_dir, _arrow.read_value(store_dir, value))

    def loads(self, store_dir: str, data: bytes | mmap.mmap) -> Any:
        """Unpickle; arrays that travelled as store objects come back mapped."""
        if data.find(_TAG_BYTES) < 0:
            return pickle.loads(data)
        return _Unpickler(io.BytesIO(data), self._arrays, store_dir).load()


class Recent(Generic[T]):
    """The values used last, by key."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._values: OrderedDict[str, T] = OrderedDict()

    def get(self, key: str, make: Callable[[], T]) -> T:
        if key in self._values:
            self._values.move_to_end(key)
            return self._values[key]
        value = self._values[key] = make()
        if len(self._values) > self._size:
            self._values.popitem(last=False)
        return value

    def holds(self, value: T) -> bool:
        """Whether this very object is among them."""
        return any(value is it for it in self._values.values())


class _Unpickler(pickle.Unpickler):
    def __init__(self, stream: io.BytesIO, arrays: Recent[Any], store_dir: str) -> None:
        super().__init__(stream)
        self._arrays = arrays
        self._store_dir = store_dir

    def persistent_load(self, pid: Any) -> Any:
        match pid:
            case (str(tag), str(dataset_id)) if tag == OBJECT_TAG:
                return self._arrays.get(dataset_id, lambda: _arrow.open_object(self._store_dir, dataset_id))
            case (str(tag), str(dataset_id), int(part)) if tag == OBJECT_TAG:
                # Not kept: other than an array, a table can be written to by the call it was loaded for.
                return _arrow.open_dataset(self._store_dir, dataset_id)[part]
        raise pickle.UnpicklingError(f"unknown persistent id {pid!r}")


def dumps(value: Any) -> bytes:
    """Pickle with protocol 5; by value what plain pickle can't name. Raises what cloudpickle raises."""
    with contextlib.suppress(Exception):
        data = pickle.dumps(value, protocol=5)
        if not names_saved_model(data):
            return data
    file = io.BytesIO()
    ResultPickler(file).dump(value)
    return file.getvalue()
