"""Rows that lie together in the store: what is taken is numpy's to the bit, one's own, and no copy."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crossfold import _arrow
from crossfold._runtime import _runs


@pytest.fixture(scope="module")
def store() -> Iterator[Path]:
    with tempfile.TemporaryDirectory() as folder:
        yield Path(folder)


def stored(store: Path, values: Any) -> Any:
    return _arrow.open_object(str(store), _arrow.write_dataset(str(store), values))


def whole(shape: tuple[int, ...], dtype: str = "f8") -> Any:
    return np.random.default_rng(0).integers(0, 2, shape).astype(dtype)


def private_dirty() -> int:
    """The bytes that this process holds alone and has written."""
    rollup = Path("/proc/self/smaps_rollup").read_text()
    return 1024 * sum(int(size) for size in re.findall(r"Private_Dirty: +(\d+) kB", rollup))


@settings(max_examples=60, deadline=None, derandomize=True)
@given(
    dtype=st.sampled_from(["f8", "f4", "i2", "u1", "?", "c16", ">f8"]),
    shape=st.sampled_from([(2,), (3,), (16,), (), (2, 3)]),
    before=st.lists(st.integers(0, 4999), max_size=20),
    first=st.integers(0, 4000),
    length=st.integers(1, 1000),
    after=st.lists(st.integers(0, 4999), max_size=20),
)
def test_rows_are_those_that_numpy_takes(
    store: Path, dtype: str, shape: Any, before: Any, first: int, length: int, after: Any
) -> None:
    X = stored(store, whole((5000, *shape), dtype))
    rows = np.r_[before, first : first + length, after].astype(np.int64)
    taken, expected = _runs.take(X, rows, 1.0), X[rows]
    row = X.nbytes // len(X)
    if taken is None:
        assert row % 16, "rows of such a length never move a run from numpy's alignment"
        return
    assert taken.tobytes() == expected.tobytes()
    assert (taken.dtype, taken.shape, taken.strides) == (expected.dtype, expected.shape, expected.strides)
    assert taken.flags.writeable and taken.flags.aligned and taken.ctypes.data % 16 == 0


def test_who_writes_into_rows_changes_only_those(store: Path) -> None:
    X = stored(store, whole((5000, 4)))
    kept, rows = X.copy(), np.r_[0:1000, 2000:5000]
    first, second = (_runs.take(X, rows, 0.5) for _ in range(2))
    assert first is not None and second is not None
    first[...] = 7
    assert (X == kept).all() and (second == kept[rows]).all() and (first == 7).all()


def test_rows_that_are_mapped_take_no_memory(store: Path) -> None:
    X = stored(store, whole((500_000, 8)))
    rows = np.r_[0:1_000, 50_000:500_000]
    held = private_dirty()
    taken = _runs.take(X, rows, 0.1)
    assert taken is not None and taken.sum() == X[:1000].sum() + X[50_000:].sum()
    assert private_dirty() - held < X.nbytes // 3


def test_a_mapping_goes_with_the_last_array_of_it(store: Path) -> None:
    X = stored(store, whole((5000, 4)))
    count = Path("/proc/self/maps").read_text().count(str(store))
    taken = _runs.take(X, np.arange(1000, 3000), 0.0)
    assert taken is not None
    view = taken[5:]
    del taken
    assert Path("/proc/self/maps").read_text().count(str(store)) > count
    assert (view == X[1005:3000]).all()
    del view
    assert Path("/proc/self/maps").read_text().count(str(store)) == count


def of_a_file_that_is_gone() -> Any:
    with tempfile.TemporaryDirectory() as folder:
        return stored(Path(folder), whole((5000, 2)))


def of_a_file_that_is_another_now(store: Path) -> Any:
    name = _arrow.write_dataset(str(store), whole((6000, 2)))
    X = _arrow.open_object(str(store), name)
    (store / "other").write_bytes(b"other")
    (store / "other").replace(_arrow.object_path(str(store), name))
    return X


OTHERS: dict[str, Callable[[Path], tuple[Any, Any]]] = {
    "more to copy than allowed": lambda store: (stored(store, whole((5000, 2))), np.r_[0:1000, 1500:2000]),
    "a row that is not there": lambda store: (stored(store, whole((5000, 2))), np.arange(4000, 5001)),
    "rows from the end": lambda store: (stored(store, whole((5000, 2))), np.arange(-1000, 0)),
    "no rows": lambda store: (stored(store, whole((5000, 2))), np.arange(0)),
    "columns that lie together": lambda store: (
        stored(store, np.asfortranarray(whole((5000, 2)))),
        np.arange(9),
    ),
    "memory of no file": lambda _: (whole((5000, 2)), np.arange(1000)),
    "a file that may change": lambda store: (
        np.asarray(np.memmap(store / "changing", "f8", "w+", shape=(5000, 2))),
        np.arange(1000),
    ),
    "a file that is gone": lambda _: (of_a_file_that_is_gone(), np.arange(1000)),
    "a file that is another now": lambda store: (of_a_file_that_is_another_now(store), np.arange(1000)),
}


@pytest.mark.parametrize("what", OTHERS)
def test_all_else_is_left_to_numpy(store: Path, what: str) -> None:
    X, rows = OTHERS[what](store)
    assert _runs.take(X, rows, 0.1) is None
