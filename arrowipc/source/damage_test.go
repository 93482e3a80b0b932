package source

import (
	"context"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/crossfold/crossfold/arrowipc/internal/pythontest"
	"github.com/crossfold/crossfold/arrowipc/store"
)

const writeSmallFiles = `
import sys
import numpy as np, pyarrow as pa, pyarrow.feather as feather, pyarrow.parquet as pq
n = 200
table = pa.table({
    "pixels": pa.FixedSizeListArray.from_arrays(pa.array(np.arange(n * 16) % 251, pa.uint8()), 16),
    "word": pa.array(["a", "bb", None, "ccc"] * (n // 4)),
    "category": pa.array(["x", "y", "z", None] * (n // 4)).dictionary_encode(),
    "value": pa.array([0.5, None] * (n // 2)), "flag": pa.array([True, False] * (n // 2)),
    "tags": pa.array([[1, 2], []] * (n // 2)),
})
pq.write_table(table, sys.argv[1] + "/snappy.parquet", row_group_size=90)
pq.write_table(table, sys.argv[1] + "/plain.parquet", compression="none", use_dictionary=False, data_page_version="2.0")
feather.write_feather(table, sys.argv[1] + "/plain.arrow", compression="uncompressed", chunksize=120)
feather.write_feather(table, sys.argv[1] + "/lz4.arrow", compression="lz4")
feather.write_feather(table, sys.argv[1] + "/zstd.arrow", compression="zstd")
`

// TestDamagedFilesAreErrors reads hundreds of files with a few wrong bytes, or cut short. A crash
// would end the test binary. Some damage is only to values, and reads.
func TestDamagedFilesAreErrors(t *testing.T) {
	folder := t.TempDir()
	pythontest.Run(t, writeSmallFiles, nil, folder)
	files, err := filepath.Glob(filepath.Join(folder, "*"))
	if err != nil || len(files) != 5 {
		t.Fatal(files, err)
	}
	st := openStore(t)
	for _, file := range files {
		whole, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		read(t, st, file)
		random := rand.New(rand.NewPCG(7, uint64(len(whole))))
		refused := 0
		for i := range variants {
			damaged := damage(random, whole, i)
			path := filepath.Join(t.TempDir(), filepath.Base(file))
			if err := os.WriteFile(path, damaged, 0o600); err != nil {
				t.Fatal(err)
			}
			if !readsInTime(t, st, path) {
				refused++
			}
		}
		if refused < variants/4 {
			t.Errorf("%s: %d of %d damaged variants were refused", filepath.Base(file), refused, variants)
		}
	}
}

const variants = 150

// damage returns bytes with a few random ones changed, or with an end missing.
func damage(random *rand.Rand, whole []byte, i int) []byte {
	if i%6 == 0 {
		return whole[:1+random.IntN(len(whole)-1)]
	}
	bytes := slices.Clone(whole)
	for range 1 + i%8 {
		at := random.IntN(len(bytes))
		if i%2 == 0 {
			at = len(bytes) - 1 - random.IntN(min(len(bytes), 1500)) // metadata lies at the end
		}
		bytes[at] ^= byte(1 + random.IntN(255))
	}
	return bytes
}

// readsInTime reads a file within a bound, and checks that what was read is a sound dataset.
func readsInTime(t *testing.T, st *store.Store, path string) bool {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	dataset, err := Read(ctx, st, path, Options{})
	if ctx.Err() != nil {
		t.Errorf("%s was not read in a minute", path)
	}
	if err != nil {
		return false
	}
	for _, c := range dataset.Columns {
		column, err := Column(st, dataset.ID, c.Name)
		if err != nil {
			t.Fatalf("%s became a dataset that can't be read: %v", path, err)
		}
		column.Release()
	}
	return true
}
