package untrusted

import (
	"bytes"
	"encoding/binary"
	"errors"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/apache/arrow/go/v15/arrow"
	"github.com/apache/arrow/go/v15/arrow/array"
	"github.com/apache/arrow/go/v15/arrow/ipc"
	"github.com/apache/arrow/go/v15/arrow/memory"

	"github.com/crossfold/crossfold/arrowipc/internal/ipcwrite"
)

var schema = arrow.NewSchema([]arrow.Field{
	{Name: "i", Type: arrow.PrimitiveTypes.Int64, Nullable: true},
	{Name: "s", Type: arrow.BinaryTypes.String, Nullable: true},
	{Name: "b", Type: arrow.FixedWidthTypes.Boolean, Nullable: true},
	{Name: "v", Type: arrow.FixedSizeListOf(2, arrow.PrimitiveTypes.Uint8), Nullable: true},
	{Name: "l", Type: arrow.ListOf(arrow.PrimitiveTypes.Float32), Nullable: true},
	{Name: "d", Type: &arrow.DictionaryType{IndexType: arrow.PrimitiveTypes.Int8, ValueType: arrow.BinaryTypes.String}},
	{Name: "n", Type: arrow.StructOf(arrow.Field{Name: "x", Type: arrow.PrimitiveTypes.Int8}), Nullable: true},
}, nil)

// file writes an Arrow IPC file of two record batches with the types of schema.
func file(t testing.TB, options ...ipc.Option) []byte {
	t.Helper()
	const rows = `[
		{"i": 1, "s": "a", "b": true, "v": [1, 2], "l": [0.5], "d": "x", "n": {"x": 1}},
		{"i": null, "s": "Ä", "b": null, "v": null, "l": [], "d": "y", "n": {"x": 2}},
		{"i": 3, "s": null, "b": false, "v": [3, 4], "l": null, "d": "x", "n": null}]`
	record, _, err := array.RecordFromJSON(memory.DefaultAllocator, schema, strings.NewReader(rows))
	if err != nil {
		t.Fatal(err)
	}
	defer record.Release()
	var buf bytes.Buffer
	w, err := ipc.NewFileWriter(ipcwrite.Forward(&buf), append(options, ipc.WithSchema(schema))...)
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := w.Write(record); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return buf.Bytes()
}

// readAll reads every batch of a file and every value of it.
func readAll(data []byte) (*File, error) {
	f, err := OpenIPC(bytes.NewReader(data), int64(len(data)))
	if err != nil {
		return nil, err
	}
	for i := range f.NumBatches {
		record, err := f.Record(i)
		if err != nil {
			return nil, err
		}
		for _, column := range record.Columns() {
			touch(column)
		}
		record.Release()
	}
	return f, nil
}

// touch reads every value. arrow/go can't print a struct whose child has no null bitmap.
func touch(a arrow.Array) {
	parent, ok := a.(*array.Struct)
	if !ok {
		_ = a.String()
		return
	}
	for i := range parent.NumField() {
		touch(parent.Field(i))
	}
}

func TestSoundFileIsRead(t *testing.T) {
	for name, data := range map[string][]byte{
		"plain": file(t), "lz4": file(t, ipc.WithLZ4()), "zstd": file(t, ipc.WithZstd()),
	} {
		f, err := readAll(data)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if f.Rows != 6 || f.NumBatches != 2 || !slices.Equal(f.Nulls, []int64{2, 2, 2, 2, 2, 0, 2}) || !f.Schema.Equal(schema) {
			t.Errorf("%s: %d rows in %d batches, nulls %v, %v", name, f.Rows, f.NumBatches, f.Nulls, f.Schema)
		}
	}
}

func TestEveryCutIsDamage(t *testing.T) {
	data := file(t)
	for n := range data {
		if _, err := readAll(data[:n]); !errors.Is(err, ErrDamaged) && n > 0 {
			t.Fatalf("the first %d of %d bytes: %v", n, len(data), err)
		}
	}
}

// TestEveryLengthOutOfBounds sets every 4-byte word to lengths and offsets that are far off. What
// reads must read whole; nothing may panic or take more memory than the file explains.
func TestEveryLengthOutOfBounds(t *testing.T) {
	for _, data := range [][]byte{file(t), file(t, ipc.WithLZ4())} {
		for at := 0; at+4 <= len(data); at += 4 {
			for _, word := range []uint32{0, 1, 1 << 20, math.MaxInt32, math.MaxUint32, math.MaxUint32 - 63} {
				mutant := slices.Clone(data)
				binary.LittleEndian.PutUint32(mutant[at:], word)
				if _, err := readAll(mutant); err != nil && !errors.Is(err, ErrDamaged) {
					t.Fatalf("word %d set to %#x: %v", at, word, err)
				}
			}
		}
	}
}

func TestVerifySchema(t *testing.T) {
	var buf bytes.Buffer
	w := ipc.NewWriter(&buf, ipc.WithSchema(schema))
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	sound := buf.Bytes()
	if err := VerifySchema(sound); err != nil {
		t.Fatal(err)
	}
	for at := 0; at+4 <= len(sound); at += 4 {
		for _, word := range []uint32{1 << 24, math.MaxInt32, math.MaxUint32 - 7} {
			mutant := slices.Clone(sound)
			binary.LittleEndian.PutUint32(mutant[at:], word)
			if VerifySchema(mutant) != nil {
				continue
			}
			// What passes must be safe to hand to arrow/go.
			_ = Do(func() error {
				_, err := ipc.NewReader(bytes.NewReader(mutant))
				return err
			})
		}
	}
	for _, short := range [][]byte{nil, sound[:3], sound[:40]} {
		if err := VerifySchema(short); !errors.Is(err, ErrDamaged) {
			t.Errorf("%d bytes: %v, want ErrDamaged", len(short), err)
		}
	}
}

func TestValidateFindsWhatCannotBeRead(t *testing.T) {
	int32s := func(values ...int32) *memory.Buffer {
		return memory.NewBufferBytes(arrow.Int32Traits.CastToBytes(values))
	}
	text := func(s string) *memory.Buffer { return memory.NewBufferBytes([]byte(s)) }
	bits := func(b ...byte) *memory.Buffer { return memory.NewBufferBytes(b) }
	ints := array.NewData(arrow.PrimitiveTypes.Int32, 2, []*memory.Buffer{nil, int32s(1, 2)}, nil, 0, 0)
	words := array.NewData(arrow.BinaryTypes.String, 1, []*memory.Buffer{nil, int32s(0, 1), text("a")}, nil, 0, 0)
	coded := &arrow.DictionaryType{IndexType: arrow.PrimitiveTypes.Int32, ValueType: arrow.BinaryTypes.String}
	for name, c := range map[string]struct {
		data arrow.ArrayData
		want string
	}{
		"sound":      {ints, ""},
		"few values": {array.NewData(arrow.PrimitiveTypes.Int32, 3, []*memory.Buffer{nil, int32s(1, 2)}, nil, 0, 0), "8 bytes of values and needs 12"},
		"no values":  {array.NewData(arrow.PrimitiveTypes.Int32, 1, []*memory.Buffer{nil, nil}, nil, 0, 0), "0 bytes"},
		"short bitmap": {array.NewData(arrow.PrimitiveTypes.Int8, 20, []*memory.Buffer{bits(1), text(strings.Repeat("x", 20))}, nil, 19, 0),
			"null bitmap has 1"},
		"wrong null count": {array.NewData(arrow.PrimitiveTypes.Int32, 2, []*memory.Buffer{bits(1), int32s(1, 2)}, nil, 2, 0), "counts 2 nulls and has 1"},
		"nulls nowhere":    {array.NewData(arrow.PrimitiveTypes.Int32, 2, []*memory.Buffer{nil, int32s(1, 2)}, nil, 1, 0), "does not say which"},
		"offsets go back": {array.NewData(arrow.BinaryTypes.String, 2, []*memory.Buffer{nil, int32s(0, 2, 1), text("ab")}, nil, 0, 0),
			"go back from 2 to 1"},
		"negative offset": {array.NewData(arrow.BinaryTypes.String, 1, []*memory.Buffer{nil, int32s(-1, 1), text("ab")}, nil, 0, 0), "go back"},
		"offset outside":  {array.NewData(arrow.BinaryTypes.String, 1, []*memory.Buffer{nil, int32s(0, 3), text("ab")}, nil, 0, 0), "last offset is 3 of 2"},
		"few offsets":     {array.NewData(arrow.BinaryTypes.String, 2, []*memory.Buffer{nil, int32s(0, 1), text("ab")}, nil, 0, 0), "2 offsets"},
		"no UTF-8":        {array.NewData(arrow.BinaryTypes.String, 1, []*memory.Buffer{nil, int32s(0, 1), text("\xff")}, nil, 0, 0), "UTF-8"},
		"short child":     {array.NewData(arrow.FixedSizeListOf(2, arrow.PrimitiveTypes.Int32), 2, []*memory.Buffer{nil}, []arrow.ArrayData{ints}, 0, 0), "needs 4"},
		"index outside": {array.NewDataWithDictionary(coded, 2, []*memory.Buffer{nil, int32s(0, 1)}, 0, 0, words),
			"number 1 of a dictionary of 1"},
		"negative index": {array.NewDataWithDictionary(coded, 1, []*memory.Buffer{nil, int32s(-1)}, 0, 0, words), "number -1"},
	} {
		err := validate(c.data, 0)
		if c.want == "" && err != nil || c.want != "" && (!errors.Is(err, ErrDamaged) || !strings.Contains(err.Error(), c.want)) {
			t.Errorf("%s: %v, want %q", name, err, c.want)
		}
	}
}

func TestDoTurnsPanicsIntoErrors(t *testing.T) {
	if err := Do(func() error { panic("bad page") }); !errors.Is(err, ErrDamaged) || !strings.Contains(err.Error(), "bad page") {
		t.Errorf("Do = %v", err)
	}
	if err := Do(func() error { return nil }); err != nil {
		t.Errorf("Do = %v", err)
	}
}

func FuzzOpenIPC(f *testing.F) {
	f.Add(file(f))
	f.Add(file(f, ipc.WithLZ4()))
	f.Add(file(f, ipc.WithZstd()))
	f.Fuzz(func(_ *testing.T, data []byte) { _, _ = readAll(data) })
}
