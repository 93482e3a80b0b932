"""Store objects: datasets, splits and blobs as content-addressed files that processes map, not copy.

A dataset is one Arrow IPC file with one record batch. The schema metadata ``crossfold.layout``
(JSON) says how to rebuild X and y exactly; a file without it is a plain table.

* A numpy array becomes one column: a fixed-size list per row for a C-ordered matrix, else its
  values flat in memory order with shape and axis order beside them. It comes back as a read-only
  view of the mapped file.
* Text (a list or array of str) becomes a string column.
* Everything else (pandas, polars, scipy.sparse, ...) is pickled with protocol 5; its large buffers
  are columns of their own and stay mapped. Pickle is each library's own exact copy: it keeps block
  layout, index, dtypes and cached flags, which an Arrow conversion would not.

Columns of different lengths are wrapped into one-row lists, since a record batch has one length.

Files appear under their final name only when complete (temporary name, rename) and are read-only.
They are not synced: an object cut short by a power failure has the wrong size and is replaced by
the next write of it.
"""

from __future__ import annotations

import contextlib
import json
import mmap
import os
import tempfile
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa
    from numpy.typing import NDArray

    from crossfold.v1.data_pb2 import Value

    Buffer = bytes | bytearray | memoryview

INLINE_LIMIT = 64 * 1024
"""Largest value in bytes that travels inside a message; larger ones go through the store."""

LAYOUT_KEY = b"crossfold.layout"

# Of a dataset's largest buffer in its file: Arrow's own advice, which pyarrow's writer doesn't follow, and
# what a second mapping of a part of it must keep.
_ALIGNMENT = 64

# Below this, buffers of pickled objects stay in the pickle: they come back writable, as joblib's do.
_MAPPED_BUFFER_BYTES = 1 << 20


def write_dataset(store_dir: str, X: Any, y: Any = None) -> str:
    """Write X (n rows) and y (n values or None) as one dataset; return its id ``ds-<blake3>``.

    Raises whatever pickling raises when X or y is of a kind that only pickle can carry and cannot.
    """
    import pyarrow as pa

    columns: dict[str, pa.Array] = {}
    layout: dict[str, Any] = {"X": _encode(X, "X", columns), "y": _encode(y, "y", columns)}
    lengths = {len(column) for column in columns.values()}
    if len(lengths) > 1:
        layout["wrapped"] = True
        columns = {
            name: pa.LargeListArray.from_arrays(pa.array([0, len(column)], pa.int64()), column)
            for name, column in columns.items()
        }
    batch = pa.RecordBatch.from_arrays(list(columns.values()), names=list(columns))
    return write_batch(store_dir, _placed(batch, json.dumps(layout, separators=(",", ":"))))


def write_batch(store_dir: str, batch: pa.RecordBatch) -> str:
    """Write one record batch as a dataset; return its id ``ds-<blake3>``."""
    with _new_object(store_dir, "ds") as target:
        _write_file(target, batch)
    return target.id


def open_dataset(store_dir: str, dataset_id: str) -> tuple[Any, Any]:
    """Return (X, y) of a dataset that :func:`write_dataset` wrote; arrays are read-only views.

    Raises FileNotFoundError when the store lacks it and ValueError when it holds no layout.
    """
    batch = _map_batches(store_dir, dataset_id)[0]
    encoded = (batch.schema.metadata or {}).get(LAYOUT_KEY)
    if encoded is None:
        raise ValueError(f"dataset {dataset_id} is a table, without X and y; name its target column")
    layout = json.loads(encoded)
    columns = dict(zip(batch.schema.names, batch.columns, strict=True))
    if layout.get("wrapped"):
        columns = {name: column.values for name, column in columns.items()}
    return _decode(layout["X"], "X", columns), _decode(layout["y"], "y", columns)


def open_object(store_dir: str, dataset_id: str) -> Any:
    """Return the X of a dataset: what a persistent id in a pickle stands for."""
    return open_dataset(store_dir, dataset_id)[0]


def open_table(store_dir: str, dataset_id: str) -> pa.Table:
    """Map a dataset as a table, whatever wrote it."""
    import pyarrow as pa

    return pa.Table.from_batches(_map_batches(store_dir, dataset_id))


def write_split(store_dir: str, train: Any, test: Any) -> tuple[str, int, int]:
    """Write one split; return its id ``sp-<blake3>`` and the numbers of train and test rows.

    ``train`` and ``test`` are 1-D row numbers or boolean masks. Raises TypeError for anything else.
    """
    import pyarrow as pa

    schema = pa.schema([pa.field("rows", pa.int64())])
    sides = [_rows(train), _rows(test)]
    with _new_object(store_dir, "sp") as target:
        _write_file(target, *(pa.RecordBatch.from_arrays([pa.array(rows)], schema=schema) for rows in sides))
    return target.id, len(sides[0]), len(sides[1])


def open_split(store_dir: str, split_id: str) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the (train, test) row numbers of a split as read-only int64 views."""
    train, test = _map_batches(store_dir, split_id)
    return train.column(0).to_numpy(), test.column(0).to_numpy()


def write_blob(store_dir: str, data: Buffer) -> str:
    """Write bytes; return their id ``bl-<blake3>``."""
    with _new_object(store_dir, "bl") as target:
        target.write(data)
    return target.id


def make_value(store_dir: str, data: bytes) -> Value:
    """Make a Value of bytes: inline up to 64 KiB, else a blob in the store."""
    from crossfold.v1.data_pb2 import Value

    if len(data) <= INLINE_LIMIT:
        return Value(inline=data)
    return Value(blob_id=write_blob(store_dir, data))


def read_value(store_dir: str, value: Value) -> bytes | mmap.mmap:
    """Return the bytes of a Value; a blob is mapped.

    Raises FileNotFoundError when its blob is not in the store.
    """
    if value.WhichOneof("kind") == "blob_id":
        return read_blob(store_dir, value.blob_id)
    data: bytes = value.inline
    return data


def read_blob(store_dir: str, blob_id: str) -> bytes | mmap.mmap:
    """Map a blob. Raises FileNotFoundError when it is not in the store."""
    with open(object_path(store_dir, blob_id), "rb") as file:
        if os.fstat(file.fileno()).st_size == 0:
            return b""
        return mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)


def object_path(store_dir: str, object_id: str) -> str:
    """Return the path of an object. Raises ValueError for what is not an object id."""
    kind, dash, digest = object_id.partition("-")
    if kind not in ("ds", "sp", "bl") or not dash or len(digest) != 64 or not digest.isalnum():
        raise ValueError(f"{object_id!r} is not an object id; ids look like ds-<64 hex digits>")
    return os.path.join(store_dir, object_id)


def size(store_dir: str, object_id: str) -> int:
    """Return the bytes of an object; 0 for none and for one that is not in the store."""
    try:
        return os.stat(object_path(store_dir, object_id)).st_size if object_id else 0
    except (OSError, ValueError):
        return 0


class _Sink:
    """A file-like object, as pyarrow's writer wants it."""

    closed = False

    def __init__(self) -> None:
        self.size = 0

    def tell(self) -> int:
        return self.size

    def flush(self) -> None: ...

    def close(self) -> None: ...


class _Plan(_Sink):
    """Looks where things would be written."""

    def __init__(self) -> None:
        super().__init__()
        self.largest_at = 0
        self._largest = 0

    def write(self, data: Buffer) -> int:
        written = memoryview(data).nbytes
        if written > self._largest:
            self.largest_at, self._largest = self.size, written
        self.size += written
        return written


class _Target(_Sink):
    """Hashes what it writes to a new object of the store."""

    def __init__(self, fd: int) -> None:
        from blake3 import blake3

        super().__init__()
        self.id = ""
        self._fd = fd
        self._hash = blake3()

    def write(self, data: Buffer) -> int:
        # pyarrow hands over its own Buffer for column data: a view avoids a copy of it.
        view = memoryview(data).cast("B")
        self.size += (written := len(view))
        self._hash.update(view)
        while view:
            view = view[os.write(self._fd, view) :]
        return written

    def hexdigest(self) -> str:
        return self._hash.hexdigest()


def _placed(batch: pa.RecordBatch, layout: str) -> pa.RecordBatch:
    """Give a batch its layout, and as many spaces after it as bring its largest buffer into place."""
    plan = _Plan()
    _write_file(plan, batch.replace_schema_metadata({LAYOUT_KEY: layout}))
    return batch.replace_schema_metadata({LAYOUT_KEY: layout + " " * (-plan.largest_at % _ALIGNMENT)})


def _write_file(target: _Sink, *batches: pa.RecordBatch) -> None:
    import pyarrow as pa
    import pyarrow.ipc

    with pa.ipc.new_file(pa.PythonFile(target, mode="w"), batches[0].schema) as writer:
        for batch in batches:
            writer.write_batch(batch)


@contextlib.contextmanager
def _new_object(store_dir: str, kind: str) -> Iterator[_Target]:
    """Yield a target whose content becomes an object of the store when the block succeeds."""
    fd, temporary = tempfile.mkstemp(prefix=f".tmp-{os.getpid()}-", dir=store_dir)
    try:
        try:
            target = _Target(fd)
            yield target
            target.id = f"{kind}-{target.hexdigest()}"
            os.fchmod(fd, 0o444)
        finally:
            os.close(fd)
        path = os.path.join(store_dir, target.id)
        if _has_size(path, target.size):
            os.utime(path)  # eviction drops the least recently used object first
            os.unlink(temporary)
        else:
            os.rename(temporary, path)
    except BaseException:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(temporary)
        raise


def _has_size(path: str, size: int) -> bool:
    try:
        return os.stat(path).st_size == size
    except FileNotFoundError:
        return False


def _map_batches(store_dir: str, object_id: str) -> list[pa.RecordBatch]:
    import pyarrow as pa
    import pyarrow.ipc

    reader = pa.ipc.open_file(pa.memory_map(object_path(store_dir, object_id)))
    return [reader.get_batch(i) for i in range(reader.num_record_batches)]


def _rows(indices: Any) -> NDArray[np.int64]:
    import numpy as np

    rows = np.asarray(indices)
    if rows.ndim == 1 and rows.dtype == bool:
        return np.flatnonzero(rows)
    if rows.ndim != 1 or (rows.dtype.kind not in "iu" and rows.size):
        raise TypeError(f"rows of a split are a 1-D array of int or bool, not {rows.dtype} {rows.shape}")
    return np.ascontiguousarray(rows, dtype=np.int64)


# Encoding: a value becomes columns under names that start with its own, and a layout to undo it.

_Layout = dict[str, Any] | None
_Columns = dict[str, "pa.Array"]


def _encode(value: Any, name: str, columns: _Columns) -> _Layout:
    import numpy as np

    if value is None:
        return None
    layout = None
    if type(value) in (np.ndarray, np.memmap):
        layout = _encode_array(value, name, columns)
    if type(value) in (np.ndarray, list):
        layout = layout or _encode_text(value, name, columns)
    return layout or _encode_pickle(value, name, columns)


def _decode(layout: _Layout, name: str, columns: _Columns) -> Any:
    if layout is None:
        return None
    decoders: dict[str, Callable[[dict[str, Any], str, _Columns], Any]] = {
        "array": _decode_array,
        "text": _decode_text,
        "pickle": _decode_pickle,
    }
    return decoders[layout["kind"]](layout, name, columns)


def _encode_array(array: NDArray[Any], name: str, columns: _Columns) -> _Layout:
    """Encode an array whose dtype a string names fully; decline others."""
    import numpy as np
    import pyarrow as pa

    dtype = array.dtype
    if dtype.kind not in "biufcmMSU" or dtype.metadata or not dtype.itemsize:
        return None
    # The axes from the slowest to the fastest: memory order survives, as for F-ordered matrices.
    axes = sorted(range(array.ndim), key=lambda axis: -abs(array.strides[axis]))
    if array.flags.c_contiguous:
        axes = list(range(array.ndim))
    flat = np.ascontiguousarray(array.transpose(axes)).reshape(-1)
    layout = {"kind": "array", "dtype": dtype.str, "shape": array.shape, "axes": axes}
    if dtype.isnative and dtype.kind in "iuf" and dtype.itemsize <= 8:
        column = pa.Array.from_buffers(pa.from_numpy_dtype(dtype), flat.size, [None, pa.py_buffer(flat)])
        if axes == [0, 1] and flat.size:
            column = pa.FixedSizeListArray.from_arrays(column, array.shape[1])
    else:
        raw = pa.py_buffer(flat.view(np.uint8) if flat.nbytes else b"")
        column = pa.Array.from_buffers(pa.uint8(), raw.size, [None, raw])
    columns[name] = column
    return layout


def _decode_array(layout: dict[str, Any], name: str, columns: _Columns) -> NDArray[Any]:
    import numpy as np
    import pyarrow as pa

    column = columns[name]
    if pa.types.is_fixed_size_list(column.type):
        column = column.flatten()
    dtype, shape, axes = np.dtype(layout["dtype"]), layout["shape"], layout["axes"]
    flat = column.to_numpy(zero_copy_only=True)
    stored = [shape[axis] for axis in axes]
    array = np.ndarray(stored, dtype, buffer=flat) if flat.nbytes else np.empty(stored, dtype)
    array = array.transpose(np.argsort(axes))
    array.flags.writeable = False
    return array


def _encode_text(value: Any, name: str, columns: _Columns) -> _Layout:
    """Encode a list or an object array of nothing but str; decline others."""
    import numpy as np
    import pyarrow as pa

    is_array = isinstance(value, np.ndarray)
    if is_array and (value.dtype != object or value.ndim != 1):
        return None
    if not len(value) or any(type(item) is not str for item in value):
        return None
    try:
        columns[name] = pa.array(value, pa.large_string())
    except UnicodeEncodeError:  # a lone surrogate
        return None
    return {"kind": "text", "array": is_array}


def _decode_text(layout: dict[str, Any], name: str, columns: _Columns) -> Any:
    items: NDArray[np.object_] = columns[name].to_numpy(zero_copy_only=False)
    return items if layout["array"] else items.tolist()


def _encode_pickle(value: Any, name: str, columns: _Columns) -> _Layout:
    import pickle

    import cloudpickle
    import pyarrow as pa

    mapped: list[memoryview] = []

    def keep_inline(buffer: pickle.PickleBuffer) -> bool:
        raw = buffer.raw()
        if raw.nbytes < _MAPPED_BUFFER_BYTES:
            return True
        mapped.append(raw)
        return False

    data = cloudpickle.dumps(value, protocol=5, buffer_callback=keep_inline)
    for key, part in [(name, data), *((f"{name}.{i}", raw) for i, raw in enumerate(mapped))]:
        raw = pa.py_buffer(part)
        columns[key] = pa.Array.from_buffers(pa.uint8(), raw.size, [None, raw])
    return {"kind": "pickle", "buffers": len(mapped)}


def _decode_pickle(layout: dict[str, Any], name: str, columns: _Columns) -> Any:
    import pickle

    parts = [columns[f"{name}.{i}"] for i in range(layout["buffers"])]
    return pickle.loads(_raw(columns[name]), buffers=[_raw(part) for part in parts])


def _raw(column: pa.Array) -> pa.Buffer:
    return column.buffers()[1].slice(column.offset, len(column))
