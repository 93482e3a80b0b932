package source

import (
	"context"
	"path/filepath"
	"strings"
	"testing"

	"github.com/crossfold/crossfold/arrowipc/internal/pythontest"
)

// writeFiles writes a folder (argv[1]) of Parquet and Arrow files of many types, codecs and layouts.
const writeFiles = `
import sys, decimal, datetime
from pathlib import Path
import numpy as np, pyarrow as pa, pyarrow.feather as feather, pyarrow.parquet as pq

folder = Path(sys.argv[1])
random = np.random.default_rng(0)
n = 3000
pixels = pa.FixedSizeListArray.from_arrays(pa.array(random.integers(0, 256, n * 784, dtype=np.uint8)), 784)
digits = pa.table({"pixels": pixels, "digit": pa.array(random.integers(0, 10, n, dtype=np.uint8))})
words = np.array(["", "Äpfel", "pear", "a much longer piece of text", "x"])[random.integers(0, 5, n)]
holes = random.random(n) < 0.2

def column(values, type=None):
    return pa.array(values, type=type, mask=holes)

numbers = pa.table({
    **{t: column(random.integers(0, 100, n), getattr(pa, t)())
       for t in ["int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64"]},
    "whole": pa.array(range(n)),
    "float32": column(random.normal(size=n).astype("f4")), "float64": column(random.normal(size=n)),
    "bool": column(random.random(n) < 0.5), "only nulls": pa.nulls(n, pa.float64()),
})
texts = pa.table({
    "string": column(words), "large_string": column(words, pa.large_string()), "full": pa.array(words),
    "category": column(words).dictionary_encode(), "numbered": column(random.integers(0, 9, n)).dictionary_encode(),
    "large category": pa.DictionaryArray.from_arrays(pa.array(random.integers(0, 3, n), pa.int8()),
                                                     pa.array(["a", "b", "c"], pa.large_string())),
    "flags": pa.DictionaryArray.from_arrays(pa.array(random.integers(0, 2, n), pa.uint8()), pa.array([True, False])),
})
others = pa.table({
    "when": column(random.integers(0, 10**15, n), pa.timestamp("us", "UTC")), "day": column(random.integers(0, 9999, n, "i4"), pa.date32()),
    "price": column([decimal.Decimal(int(v)) / 100 for v in random.integers(-999, 999, n)], pa.decimal128(9, 2)),
    "bytes": column([w.encode() for w in words], pa.binary()),
    "tags": pa.array([list(range(i % 4)) if i % 7 else None for i in range(n)], pa.list_(pa.int32())),
    "vectors": pa.FixedSizeListArray.from_arrays(pa.array(random.normal(size=n * 3)), 3),
})
tables = {"digits": digits, "numbers": numbers, "texts": texts, "others": others}
for name, table in tables.items():
    pq.write_table(table, folder / f"{name}.parquet")
    pq.write_table(table, folder / f"{name}-groups.parquet", row_group_size=701, data_page_size=4096)
    pq.write_table(table, folder / f"{name}-v2.parquet", data_page_version="2.0", version="2.6", compression="zstd",
                   use_dictionary=False)
    feather.write_feather(table, str(folder / f"{name}.feather"))
    feather.write_feather(table, str(folder / f"{name}-zstd.arrow"), compression="zstd", chunksize=999)
    with pa.ipc.new_file(str(folder / f"{name}-batches.arrow"), table.schema) as sink:
        sink.write_table(table.slice(5, 1500), max_chunksize=400)
        sink.write_table(table.slice(1700))
for codec in ["none", "gzip", "brotli"]:
    pq.write_table(numbers, folder / f"codec-{codec}.parquet", compression=codec)
pq.write_table(texts.select(["string", "full"]), folder / "no-schema.parquet", store_schema=False,
               column_encoding={"string": "DELTA_BYTE_ARRAY", "full": "DELTA_LENGTH_BYTE_ARRAY"}, use_dictionary=False)
pq.write_table(digits.slice(0, 1), folder / "one row.parquet")
coded = pa.table({"holes": pa.DictionaryArray.from_arrays(pa.array([0, None, 1, 2]), pa.array(["a", None, "c"]))})
feather.write_feather(coded, str(folder / "null in dictionary.arrow"))
import pandas as pd
pd.DataFrame({"x": [1.5, None, 2.5]}, index=[3, 1, 2]).to_parquet(folder / "pandas-index.parquet")
`

// compareFiles reads lines "source<tab>dataset" and fails where the dataset differs from the source.
const compareFiles = `
import sys
import pyarrow as pa, pyarrow.feather as feather, pyarrow.parquet as pq

def plain(column):
    if pa.types.is_dictionary(column.type):
        column = column.cast(column.type.value_type)
    return column.cast(pa.string()) if pa.types.is_large_string(column.type) else column

def same_type(a, b):
    return plain(a).type == plain(b).type

for line in sys.stdin:
    source, dataset = line.rstrip("\n").split("\t")
    want = pq.read_table(source) if source.endswith(".parquet") else feather.read_table(source, memory_map=False)
    want = want.select([name for name in want.column_names if not name.startswith("__index_level_")])
    with pa.memory_map(dataset) as mapped, pa.ipc.open_file(mapped) as file:
        assert file.num_record_batches == 1, (source, file.num_record_batches)
        assert not file.schema.metadata, (source, file.schema.metadata)
        got = file.read_all()
        got.validate(full=True)
        assert got.column_names == want.column_names, (source, got.column_names)
        for name in want.column_names:
            a, b = got[name], want[name]
            assert not pa.types.is_dictionary(a.type) and not pa.types.is_large_string(a.type), (source, name, a.type)
            assert a.type == plain(b).type, (source, name, a.type, b.type)
            assert a.combine_chunks().equals(plain(b).combine_chunks()), (source, name)
        if "pixels" in got.column_names:
            pixels = got["pixels"].chunk(0)
            view = pixels.flatten().to_numpy(zero_copy_only=True).reshape(len(got), 784)
            assert view.flags.c_contiguous and view.ctypes.data == pixels.values.buffers()[1].address
        del got
print("ok")
`

func TestReadEqualsPyarrow(t *testing.T) {
	folder := t.TempDir()
	pythontest.Run(t, writeFiles, nil, folder)
	files, err := filepath.Glob(filepath.Join(folder, "*"))
	real, _ := filepath.Glob("../../../shared/data/digits.parquet") // real digits, where they are at hand
	files = append(files, real...)
	if err != nil || len(files) < 20 {
		t.Fatalf("%d files, %v", len(files), err)
	}
	st := openStore(t)
	var pairs strings.Builder
	for _, file := range files {
		dataset := read(t, st, file)
		path, err := st.Path(dataset.ID)
		if err != nil {
			t.Fatal(err)
		}
		pairs.WriteString(file + "\t" + path + "\n")
		checkDescribe(t, st, dataset)
	}
	if out := pythontest.Run(t, compareFiles, []byte(pairs.String())); strings.TrimSpace(string(out)) != "ok" {
		t.Errorf("pyarrow says %q", out)
	}
}

func TestReadRefusesEncodingsItLacks(t *testing.T) {
	const script = `
import sys, pyarrow as pa, pyarrow.parquet as pq
table = pa.table({"x": [1.5, 2.5]})
pq.write_table(table, sys.argv[1] + "/lz4.parquet", compression="lz4")
pq.write_table(table, sys.argv[1] + "/split.parquet", use_dictionary=False, column_encoding="BYTE_STREAM_SPLIT")
pq.write_table(pa.table({"s": [{"a": 1}], "x": [1]}), sys.argv[1] + "/struct.parquet")
`
	folder := t.TempDir()
	pythontest.Run(t, script, nil, folder)
	for name, want := range map[string]string{
		"lz4": "LZ4_RAW, which is not read; write the file with snappy", "split": "BYTE_STREAM_SPLIT",
		"struct": `column "s": type struct<a: int64> is not read; drop the column`,
	} {
		_, err := Read(context.Background(), openStore(t), filepath.Join(folder, name+".parquet"), Options{})
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want an error that says %q", name, err, want)
		}
	}
}
