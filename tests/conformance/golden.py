"""Golden files: what they hold (testdata/expected.json) and how Python writes them.

Run `python tests/conformance/golden.py` to write testdata/python anew; Go writes testdata/go with
`go test ./tests/conformance -update`.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pyarrow as pa
from crossfold._runtime import _frames
from crossfold.v1 import bridge_pb2
from google.protobuf import json_format
from google.protobuf.message import Message

TESTDATA = Path(__file__).parent / "testdata"
EXPECTED: dict[str, Any] = json.loads((TESTDATA / "expected.json").read_text(encoding="utf-8"))
TYPES = {
    "count": pa.int64(),
    "weight": pa.float64(),
    "flag": pa.bool_(),
    "word": pa.string(),
    "pixels": pa.list_(pa.uint8(), 3),
}


def messages() -> list[Message]:
    """Return the expected messages, in the order of their frames."""
    return [
        json_format.ParseDict(frame["message"], getattr(bridge_pb2, frame["type"])())
        for frame in EXPECTED["frames"]
    ]


def write(folder: Path) -> None:
    """Write every golden file into a folder."""
    rows = pa.schema([pa.field("rows", pa.int64(), nullable=False)])
    for name, split in EXPECTED["splits"].items():
        with pa.ipc.new_file(str(folder / f"{name}.arrow"), rows) as sink:
            for part in ("train", "test"):
                sink.write_batch(pa.record_batch([pa.array(split[part], pa.int64())], schema=rows))
    table = pa.table({name: pa.array(values, TYPES[name]) for name, values in EXPECTED["table"].items()})
    with pa.ipc.new_file(str(folder / "table.arrow"), table.schema) as sink:
        sink.write_table(table)
    (folder / "frames.bin").write_bytes(b"".join(_frames.encode(message) for message in messages()))


if __name__ == "__main__":
    write(TESTDATA / "python")
