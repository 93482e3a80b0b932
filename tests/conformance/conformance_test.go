// Package conformance checks that Go and Python read each other's files and frames the same way.
// testdata/expected.json says what the golden files hold; test_conformance.py is its other half.
package conformance

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/apache/arrow/go/v15/arrow/array"
	"github.com/apache/arrow/go/v15/arrow/memory"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"

	"github.com/crossfold/crossfold/arrowipc/partition"
	"github.com/crossfold/crossfold/arrowipc/source"
	"github.com/crossfold/crossfold/arrowipc/store"
	pb "github.com/crossfold/crossfold/proto/crossfold/v1"
)

var update = flag.Bool("update", false, "write testdata/go anew")

// expected is what the golden files hold.
type expected struct {
	Splits map[string]struct{ Train, Test []int64 }
	Table  map[string]json.RawMessage
	Frames []struct {
		Type    string
		Message json.RawMessage
	}
}

func load(t *testing.T) expected {
	t.Helper()
	var want expected
	if err := json.Unmarshal(readFile(t, "expected.json"), &want); err != nil {
		t.Fatal(err)
	}
	return want
}

func readFile(t *testing.T, path ...string) []byte {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(append([]string{"testdata"}, path...)...))
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// bothWriters runs a test on the golden files of each language.
func bothWriters(t *testing.T, test func(t *testing.T, folder string)) {
	for _, folder := range []string{"go", "python"} {
		t.Run(folder, func(t *testing.T) { test(t, folder) })
	}
}

func TestSplits(t *testing.T) {
	bothWriters(t, func(t *testing.T, folder string) {
		for name, want := range load(t).Splits {
			split, err := partition.Decode(readFile(t, folder, name+".arrow"))
			if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			if !slices.Equal(split.Train, want.Train) || !slices.Equal(split.Test, want.Test) {
				t.Errorf("%s is %v, want %v", name, split, want)
			}
		}
	})
}

func TestTable(t *testing.T) {
	bothWriters(t, func(t *testing.T, folder string) {
		st, id := stored(t, readFile(t, folder, "table.arrow"))
		dataset, err := source.Describe(st, id)
		if err != nil {
			t.Fatal(err)
		}
		table := load(t).Table
		if dataset.Rows != 4 || len(dataset.Columns) != len(table) {
			t.Errorf("dataset %+v, want 4 rows of %d columns", dataset, len(table))
		}
		for name, want := range table {
			column, err := source.Column(st, id, name)
			if err != nil {
				t.Fatal(err)
			}
			values, _, err := array.FromJSON(memory.DefaultAllocator, column.DataType(), bytes.NewReader(want),
				array.WithUseNumber())
			if err != nil {
				t.Fatalf("column %s of type %v: %v", name, column.DataType(), err)
			}
			if got := column.Chunk(0); !array.Equal(got, values) {
				t.Errorf("column %s is %v, want %v", name, got, values)
			}
			column.Release()
		}
	})
}

// stored puts a dataset's bytes into a store of its own.
func stored(t *testing.T, data []byte) (*store.Store, string) {
	t.Helper()
	st, err := store.Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	id, _, err := st.Put(context.Background(), store.Dataset, bytes.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	return st, id
}

func TestFrames(t *testing.T) {
	bothWriters(t, func(t *testing.T, folder string) {
		stream := readFile(t, folder, "frames.bin")
		for i, frame := range load(t).Frames {
			want := message(t, frame.Type, frame.Message)
			size := binary.LittleEndian.Uint32(stream)
			got := want.ProtoReflect().New().Interface()
			if err := proto.Unmarshal(stream[4:4+size], got); err != nil {
				t.Fatalf("frame %d: %v", i, err)
			}
			if !proto.Equal(got, want) {
				t.Errorf("frame %d is %v, want %v", i, got, want)
			}
			stream = stream[4+size:]
		}
		if len(stream) != 0 {
			t.Errorf("%d bytes follow the last frame", len(stream))
		}
	})
}

func message(t *testing.T, kind string, text []byte) proto.Message {
	t.Helper()
	var m proto.Message = &pb.ToChild{}
	if kind == "FromChild" {
		m = &pb.FromChild{}
	}
	if err := protojson.Unmarshal(text, m); err != nil {
		t.Fatal(err)
	}
	return m
}

// TestGoWritesTheSameBytes keeps ids stable: other bytes would be another id, so a finished search
// would not be recognised by the next version.
func TestGoWritesTheSameBytes(t *testing.T) {
	want := load(t)
	written := map[string][]byte{}
	for name, split := range want.Splits {
		data, err := partition.Encode(partition.Split{Train: split.Train, Test: split.Test})
		if err != nil {
			t.Fatal(err)
		}
		written[name+".arrow"] = data
	}
	st, err := store.Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	table := filepath.Join("testdata", "python", "table.arrow")
	dataset, err := source.Read(context.Background(), st, table, source.Options{})
	if err != nil {
		t.Fatal(err)
	}
	path, err := st.Path(dataset.ID)
	if err != nil {
		t.Fatal(err)
	}
	if written["table.arrow"], err = os.ReadFile(path); err != nil {
		t.Fatal(err)
	}
	for name, data := range written {
		if *update {
			write(t, name, data)
		}
		if !bytes.Equal(readFile(t, "go", name), data) {
			t.Errorf("%s is written with other bytes than before; if that is meant, run with -update", name)
		}
	}
	if *update {
		write(t, "frames.bin", frames(t, want))
	}
}

func frames(t *testing.T, want expected) (stream []byte) {
	t.Helper()
	for _, frame := range want.Frames {
		body, err := proto.Marshal(message(t, frame.Type, frame.Message))
		if err != nil {
			t.Fatal(err)
		}
		stream = binary.LittleEndian.AppendUint32(stream, uint32(len(body)))
		stream = append(stream, body...)
	}
	return stream
}

func write(t *testing.T, name string, data []byte) {
	t.Helper()
	if err := os.WriteFile(filepath.Join("testdata", "go", name), data, 0o644); err != nil {
		t.Fatal(err)
	}
}
