"""Predictions as datasets in the store; the layout is that of arrowipc/predictions."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from crossfold import _arrow

if TYPE_CHECKING:
    import mmap

    import pyarrow as pa
    from numpy.typing import NDArray

HEADER_KEY = b"crossfold.predictions"

TARGET = "target"
"""The method of a table that holds the truth instead of predictions."""


@dataclass(frozen=True, slots=True)
class Predictions:
    """What an estimator predicted for some rows of a dataset.

    `values` is (rows, columns) float64; labels are positions in `classes`. `kind` is "values",
    "probabilities", "decisions" or "labels"; `all_classes` are the dataset's, sorted.
    """

    method: str
    kind: str
    rows: NDArray[np.int64]
    values: NDArray[np.float64]
    dataset_rows: int
    classes: list[str] = field(default_factory=list)
    all_classes: list[str] = field(default_factory=list)

    def aligned(self) -> NDArray[np.float64]:
        """Return (dataset rows, columns) with NaN where nothing was predicted."""
        full = np.full((self.dataset_rows, self.values.shape[1]), np.nan)
        full[self.rows] = self.values
        return full


def write(store_dir: str, table: Predictions) -> str:
    """Store a table; return its id ``ds-<blake3>``."""
    import pyarrow as pa

    header = {"method": table.method, "kind": table.kind, "dataset_rows": table.dataset_rows}
    if table.all_classes:
        header |= {"classes": table.classes, "all_classes": table.all_classes}
    numbers = pa.array(np.ascontiguousarray(table.values, np.float64).reshape(-1))
    batch = pa.RecordBatch.from_arrays(
        [
            pa.array(np.ascontiguousarray(table.rows, np.int64)),
            pa.FixedSizeListArray.from_arrays(numbers, table.values.shape[1]),
        ],
        names=["row", "values"],
    )
    batch = batch.replace_schema_metadata({HEADER_KEY: json.dumps(header, separators=(",", ":"))})
    return _arrow.write_batch(store_dir, batch)


def read(data: bytes | mmap.mmap) -> Predictions:
    """Decode an object's bytes.

    Raises
    ------
    ValueError
        They are no table of predictions.
    """
    import pyarrow as pa
    import pyarrow.ipc

    batch: pa.RecordBatch = pa.ipc.open_file(pa.py_buffer(data)).get_batch(0)
    encoded = (batch.schema.metadata or {}).get(HEADER_KEY)
    if encoded is None:
        raise ValueError("the object holds no predictions")
    header: dict[str, Any] = json.loads(encoded)
    lists = batch.column("values")
    return Predictions(
        method=header["method"],
        kind=header["kind"],
        rows=batch.column("row").to_numpy(),
        values=lists.flatten().to_numpy().reshape(len(lists), -1),
        dataset_rows=header["dataset_rows"],
        classes=header.get("classes", []),
        all_classes=header.get("all_classes", []),
    )
