"""Datasets, splits and values survive the store exactly."""

from __future__ import annotations

import os
import pickle
import stat
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.ipc
import pytest
import scipy.sparse as sp
from double import address_of
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from crossfold import _arrow

QUICK = settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])

SCALARS = (
    hnp.boolean_dtypes()
    | hnp.integer_dtypes(endianness="?")
    | hnp.unsigned_integer_dtypes(endianness="?")
    | hnp.floating_dtypes(endianness="?", sizes=(16, 32, 64, 128))
    | hnp.complex_number_dtypes(endianness="?")
    | hnp.datetime64_dtypes(endianness="?")
    | hnp.timedelta64_dtypes(endianness="?")
    | hnp.byte_string_dtypes(min_len=1)
    | hnp.unicode_string_dtypes(endianness="?", min_len=1)
)
ARRAYS = hnp.arrays(
    SCALARS | hnp.nested_dtypes(SCALARS, max_itemsize=64),
    hnp.array_shapes(min_dims=0, max_dims=4, min_side=0, max_side=5),
)


def round_trip(store: Path, X: Any, y: Any = None) -> tuple[Any, Any]:
    return _arrow.open_dataset(str(store), _arrow.write_dataset(str(store), X, y))


def assert_same_array(got: Any, want: Any) -> None:
    assert type(got) is type(want)
    assert got.dtype == want.dtype and got.dtype.str == want.dtype.str
    assert got.shape == want.shape
    assert got.tobytes() == want.tobytes()
    if want.flags.forc:
        assert got.flags.c_contiguous == want.flags.c_contiguous
        assert got.flags.f_contiguous == want.flags.f_contiguous


@QUICK
@given(array=ARRAYS, order=st.permutations(range(4)), reverse=st.booleans())
def test_any_array_survives(tmp_path: Path, array: Any, order: list[int], reverse: bool) -> None:
    array = array.transpose([axis for axis in order if axis < array.ndim])
    if reverse and array.ndim:
        array = array[::-1]
    got, y = round_trip(tmp_path, array)
    assert y is None
    assert_same_array(got, array)


@QUICK
@given(
    items=st.lists(st.text(st.characters(exclude_categories=())))
    | st.lists(st.floats() | st.integers() | st.none())
)
def test_any_list_survives(tmp_path: Path, items: list[Any]) -> None:
    got, labels = round_trip(tmp_path, items, np.array(items, dtype=object))
    assert type(got) is list
    assert [type(item) for item in got] == [type(item) for item in items]
    assert repr(got) == repr(items)
    assert labels.dtype == object and repr(labels.tolist()) == repr(items)


@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("dtype", ["f8", "f4", "i8", "u1", "?"])
def test_matrix_is_a_mapped_read_only_view(tmp_path: Path, order: Any, dtype: str) -> None:
    X = np.asarray(np.arange(600).reshape(60, 10) % 2, dtype=dtype, order=order)
    before = pa.total_allocated_bytes()
    got, _ = round_trip(tmp_path, X, np.arange(60))
    assert_same_array(got, X)
    assert not got.flags.writeable and not got.flags.owndata
    assert pa.total_allocated_bytes() == before


def test_matrix_and_labels_are_columns_other_tools_can_read(tmp_path: Path) -> None:
    dataset = _arrow.write_dataset(str(tmp_path), np.ones((5, 3)), np.array(list("abcde"), dtype=object))
    table = _arrow.open_table(str(tmp_path), dataset)
    assert table.num_rows == 5
    assert table.schema.field("X").type == pa.list_(pa.float64(), 3)
    assert table.column("y").to_pylist() == list("abcde")


def test_memory_map_is_read_as_an_array(tmp_path: Path) -> None:
    X = np.memmap(tmp_path / "data", dtype="f4", mode="w+", shape=(4, 3))
    X[:] = 7
    got, _ = round_trip(tmp_path, X)
    assert type(got) is np.ndarray and (got == X).all() and got.shape == X.shape


def test_array_subclasses_survive(tmp_path: Path) -> None:
    masked = np.ma.masked_array(np.arange(6.0).reshape(2, 3), mask=[[1, 0, 0], [0, 0, 1]], fill_value=-1)
    records = np.rec.array([(1, 2.5)], dtype=[("a", "i4"), ("b", "f8")])
    got, got_records = round_trip(tmp_path, masked, records)
    assert type(got) is type(masked) and got.fill_value == -1
    assert (got.mask == masked.mask).all() and (got.data == masked.data).all()
    assert type(got_records) is np.recarray and got_records.b.tolist() == [2.5]


SPARSE_FORMATS = ["csr", "csc", "coo", "bsr", "dia", "lil", "dok"]


@pytest.mark.parametrize("make", [sp.csr_array, sp.csr_matrix])
@pytest.mark.parametrize("kind", SPARSE_FORMATS)
def test_sparse_matrices_survive(tmp_path: Path, kind: str, make: Any) -> None:
    X = make(sp.random_array((20, 10), density=0.3, random_state=0)).asformat(kind)
    got, _ = round_trip(tmp_path, X, np.arange(20))
    assert type(got) is type(X) and got.dtype == X.dtype and got.shape == X.shape
    assert (got.tocsr() != X.tocsr()).nnz == 0
    for part in ("data", "indices", "indptr"):
        if kind in ("csr", "csc", "bsr"):
            assert_same_array(getattr(got, part), getattr(X, part))


def test_sparse_keeps_unsorted_indices(tmp_path: Path) -> None:
    X = sp.csr_array((np.array([1.0, 2.0]), np.array([2, 0]), np.array([0, 2])), shape=(1, 3))
    got, _ = round_trip(tmp_path, X)
    assert not got.has_sorted_indices and got.indices.tolist() == [2, 0]


def test_large_sparse_matrix_stays_mapped(tmp_path: Path) -> None:
    X = sp.random_array((2000, 1000), density=0.2, format="csr", random_state=0)
    got, _ = round_trip(tmp_path, X)
    assert not got.data.flags.writeable and (got != X).nnz == 0


def frames() -> dict[str, pd.DataFrame]:
    mixed = pd.DataFrame(
        {
            "f": [1.5, None, 3.0],
            "i": [1, 2, 3],
            "s": ["x", None, "z"],
            "o": [1, "a", None],
            "c": pd.Categorical(["b", "a", "b"], categories=["b", "a", "c"], ordered=True),
            "t": pd.date_range("2020", periods=3, tz="Europe/Vienna"),
            "I": pd.array([1, None, 3], dtype="Int64"),
        }
    )
    return {
        "mixed": mixed,
        "named index": mixed.set_index("i"),
        "strided index": mixed.set_index(pd.RangeIndex(10, 4, -2)),
        "column levels": pd.DataFrame(np.eye(2), columns=pd.MultiIndex.from_tuples([("a", 1), ("b", 2)])),
        "int columns": pd.DataFrame(np.arange(6, dtype="f4").reshape(2, 3)),
        "repeated columns": pd.DataFrame(np.eye(2), columns=["a", "a"]),
        "empty": pd.DataFrame(),
        "no rows": mixed.iloc[:0],
        "large": pd.DataFrame(np.random.default_rng(0).normal(size=(50_000, 5)), columns=list("abcde")),
    }


@pytest.mark.parametrize("name", frames())
def test_frames_survive(tmp_path: Path, name: str) -> None:
    frame = frames()[name]
    frame.attrs["source"] = name
    got, _ = round_trip(tmp_path, frame, np.zeros(len(frame)))
    pd.testing.assert_frame_equal(got, frame, check_exact=True, check_freq=True, check_flags=True)
    assert got.attrs == frame.attrs and type(got.index) is type(frame.index)
    assert got.to_numpy().flags.f_contiguous == frame.to_numpy().flags.f_contiguous


def test_series_and_polars_survive(tmp_path: Path) -> None:
    series = pd.Series(["a", "b"], index=[5, 7], name="label", dtype="category")
    frame = pl.DataFrame({"a": [1, None], "b": ["x", "y"], "c": [[1], []]})
    got, labels = round_trip(tmp_path, frame, series)
    assert got.equals(frame) and got.schema == frame.schema
    pd.testing.assert_series_equal(labels, series, check_exact=True)


def test_lengths_of_X_and_y_may_differ(tmp_path: Path) -> None:
    X, y = round_trip(tmp_path, np.arange(12.0).reshape(4, 3), np.array(["a", "b"], dtype=object))
    assert X.shape == (4, 3) and not X.flags.owndata
    assert y.tolist() == ["a", "b"]


def test_same_data_is_one_read_only_file_named_by_its_hash(tmp_path: Path) -> None:
    first = _arrow.write_dataset(str(tmp_path), np.arange(5), None)
    assert first == _arrow.write_dataset(str(tmp_path), np.arange(5), None)
    [path] = tmp_path.iterdir()
    assert path.name == first == "ds-" + address_of(path.read_bytes())
    assert stat.S_IMODE(path.stat().st_mode) == 0o444


@pytest.mark.parametrize(
    "size, address",
    [
        (0, "af1349b9f5f9a1a6a0404dea36dcc9499bcb25c9adc112b7cc9a93cae41f3262"),
        (1, "2d3adedff11b61f14c886e35afa036736dcd87a74d27b5c1510225d0f592e213"),
        (3 << 20 | 5, "a7bb55bed0c04f58879d1fc1cafb27e14e931f4411fe63baf5b2d5a60357bffb"),
    ],
)
def test_an_address_is_what_the_go_side_computes(tmp_path: Path, size: int, address: str) -> None:
    data = bytes(i % 251 for i in range(251)) * (size // 251 + 1)
    assert _arrow.write_blob(str(tmp_path), data[:size]) == f"bl-{address}"


def test_object_cut_short_is_replaced(tmp_path: Path) -> None:
    blob = _arrow.write_blob(str(tmp_path), b"x" * 100)
    (tmp_path / blob).unlink()
    (tmp_path / blob).write_bytes(b"x")
    assert _arrow.write_blob(str(tmp_path), b"x" * 100) == blob
    assert (tmp_path / blob).read_bytes() == b"x" * 100


def test_failed_write_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(TypeError, match="pickle"):
        _arrow.write_dataset(str(tmp_path), [threading.Lock()])
    with pytest.raises(AttributeError), _arrow._new_object(str(tmp_path), "bl") as target:
        target.write(b"half")
        raise AttributeError
    assert list(tmp_path.iterdir()) == []


@QUICK
@given(
    train=hnp.arrays(np.int64, st.integers(0, 50)),
    test=st.lists(st.integers(0, 99)) | hnp.arrays(np.int32, 3) | hnp.arrays(bool, 9),
)
def test_splits_survive(tmp_path: Path, train: Any, test: Any) -> None:
    split, n_train, n_test = _arrow.write_split(str(tmp_path), train, test)
    got_train, got_test = _arrow.open_split(str(tmp_path), split)
    want = np.asarray(test)
    want = np.flatnonzero(want) if want.dtype == bool else want
    assert got_train.dtype == got_test.dtype == np.int64
    assert (n_train, n_test) == (len(got_train), len(got_test))
    assert got_train.tolist() == train.tolist() and got_test.tolist() == want.tolist()


@pytest.mark.parametrize("rows", [slice(3), [0.5], [[1, 2]], ["a"]])
def test_split_refuses_what_is_not_rows(tmp_path: Path, rows: Any) -> None:
    with pytest.raises(TypeError, match="rows of a split"):
        _arrow.write_split(str(tmp_path), [0], rows)


@pytest.mark.parametrize("size", [0, 10, _arrow.INLINE_LIMIT, _arrow.INLINE_LIMIT + 1, 10 << 20])
def test_values_travel_inline_or_through_the_store(tmp_path: Path, size: int) -> None:
    data = os.urandom(size)
    value = _arrow.make_value(str(tmp_path), data)
    assert (value.WhichOneof("kind") == "inline") == (size <= _arrow.INLINE_LIMIT)
    assert bytes(_arrow.read_value(str(tmp_path), value)) == data
    assert (
        pickle.loads(_arrow.read_value(str(tmp_path), _arrow.make_value(str(tmp_path), pickle.dumps(data))))
        == data
    )


@pytest.mark.parametrize("bad", ["", "ds-", "../etc/passwd", "ds-" + "/" * 64, "xx-" + "0" * 64])
def test_only_object_ids_become_paths(tmp_path: Path, bad: str) -> None:
    with pytest.raises(ValueError, match="object id"):
        _arrow.open_dataset(str(tmp_path), bad)


def test_table_without_layout_is_refused_by_name(tmp_path: Path) -> None:
    with _arrow._new_object(str(tmp_path), "ds") as target:
        table = pa.table({"a": [1]})
        with pa.ipc.new_file(pa.PythonFile(target, mode="w"), table.schema) as writer:
            writer.write_table(table)
    with pytest.raises(ValueError, match="target column"):
        _arrow.open_dataset(str(tmp_path), target.id)


def test_missing_objects_raise(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        _arrow.open_dataset(str(tmp_path), "ds-" + "0" * 64)
