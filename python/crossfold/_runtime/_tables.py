"""X and y of a table, as docs/decisions/0001 says."""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from crossfold import _arrow

if TYPE_CHECKING:
    from numpy.typing import NDArray


def features_and_target(store_dir: str, dataset_id: str, features: list[str], target: str) -> tuple[Any, Any]:
    """Return X and y of a dataset; y is None without a target.

    ``features`` are the columns of X in order; none means every column but the target. X is an
    array (n, d) for one fixed-size-list column and for columns of numbers (nulls are NaN), a list
    of n str for one column of text, else a pandas DataFrame. Raises ValueError for a column that
    does not exist.
    """
    table = _arrow.open_table(store_dir, dataset_id)
    if _arrow.LAYOUT_KEY in (table.schema.metadata or {}) and not features and not target:
        return _arrow.open_dataset(store_dir, dataset_id)
    for name in [*features, *([target] if target else [])]:
        if name not in table.column_names:
            near = difflib.get_close_matches(name, table.column_names, 3) or table.column_names[:10]
            raise ValueError(f"there is no column {name!r} in the data; did you mean one of {near}?")
    X = _features(table.select(features or [name for name in table.column_names if name != target]))
    return X, _target(table.column(target)) if target else None


def _features(table: pa.Table) -> Any:
    types = table.schema.types
    if not types:
        raise ValueError("the data has no column beside the target; add the features")
    if len(types) == 1 and pa.types.is_fixed_size_list(types[0]):
        return _matrix(table.column(0))
    if len(types) == 1 and _is_text(types[0]):
        return table.column(0).to_pylist()
    if all(map(_is_number, types)):
        return np.column_stack([_numbers(column) for column in table.columns])
    return table.to_pandas()


def _matrix(column: pa.ChunkedArray) -> NDArray[Any]:
    """Return a fixed-size-list column as (rows, list size); a view when it is one chunk."""
    rows = column.chunk(0) if column.num_chunks == 1 else column.combine_chunks()
    if rows.null_count:
        raise ValueError(f"the column of lists has {rows.null_count} empty rows; drop or fill them")
    return _numbers(rows.flatten()).reshape(len(rows), column.type.list_size)


def _numbers(column: pa.Array | pa.ChunkedArray) -> NDArray[Any]:
    """Return a column of numbers; with nulls it is float64 and they are NaN."""
    values: NDArray[Any] = (
        column.to_numpy() if not column.null_count else column.to_pandas().to_numpy(np.float64)
    )
    return values


def _target(column: pa.ChunkedArray) -> NDArray[Any]:
    if pa.types.is_dictionary(column.type):
        column = column.cast(column.type.value_type)
    if _is_number(column.type) or (pa.types.is_boolean(column.type) and not column.null_count):
        return _numbers(column)
    labels: NDArray[Any] = column.to_pandas().to_numpy(object)
    return labels


def _is_number(kind: pa.DataType) -> bool:
    return bool(pa.types.is_integer(kind) or pa.types.is_floating(kind))


def _is_text(kind: pa.DataType) -> bool:
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind))
