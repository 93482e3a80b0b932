"""Python reads the golden files of both languages the same way."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pytest
from crossfold._runtime import _frames
from google.protobuf import json_format

from .golden import EXPECTED, TESTDATA, TYPES, messages, write


@pytest.fixture(params=["go", "python", "python, written now"])
def folder(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """A folder of files as one of the languages writes them."""
    if request.param != "python, written now":
        return TESTDATA / str(request.param)
    write(tmp_path)
    return tmp_path


@pytest.mark.parametrize("name", EXPECTED["splits"])
def test_splits(folder: Path, name: str) -> None:
    with pa.memory_map(str(folder / f"{name}.arrow")) as mapped:
        file = pa.ipc.open_file(mapped)
        assert file.num_record_batches == 2
        assert file.schema.names == ["rows"]
        for batch, part in enumerate(("train", "test")):
            rows = file.get_batch(batch)
            rows.validate(full=True)
            assert rows["rows"].to_numpy(zero_copy_only=True).tolist() == EXPECTED["splits"][name][part]
            del rows


def test_table(folder: Path) -> None:
    with pa.memory_map(str(folder / "table.arrow")) as mapped:
        table = pa.ipc.open_file(mapped).read_all()
        table.validate(full=True)
        assert dict(zip(table.schema.names, table.schema.types, strict=True)) == TYPES
        assert table.to_pydict() == EXPECTED["table"]
        del table


def test_frames(folder: Path) -> None:
    with (folder / "frames.bin").open("rb") as stream:
        for want in messages():
            body = _frames.read(stream)
            assert body is not None
            got = type(want)()
            got.MergeFromString(body)
            # As JSON, since a NaN makes messages unequal to themselves.
            assert json_format.MessageToDict(got) == json_format.MessageToDict(want)
        assert _frames.read(stream) is None
