package dense

import (
	"strings"
	"testing"

	"github.com/apache/arrow/go/v15/arrow"
	"github.com/apache/arrow/go/v15/arrow/array"
	"github.com/apache/arrow/go/v15/arrow/memory"
)

func TestArrayLooksUpTheDictionary(t *testing.T) {
	for name, c := range map[string]struct {
		values     arrow.DataType
		dictionary string
		want       string
		wantType   arrow.DataType
	}{
		"text":       {arrow.BinaryTypes.String, `["a", null, "c"]`, `["c" (null) (null) "a"]`, arrow.BinaryTypes.LargeString},
		"large text": {arrow.BinaryTypes.LargeString, `["a", null, "c"]`, `["c" (null) (null) "a"]`, arrow.BinaryTypes.LargeString},
		"numbers":    {arrow.PrimitiveTypes.Int16, `[7, null, -9]`, `[-9 (null) (null) 7]`, arrow.PrimitiveTypes.Int16},
		"flags":      {arrow.FixedWidthTypes.Boolean, `[true, null, false]`, `[false (null) (null) true]`, arrow.FixedWidthTypes.Boolean},
	} {
		t.Run(name, func(t *testing.T) {
			dictionary := fromJSON(t, c.values, c.dictionary)
			// The first index is sliced away: an offset must not matter.
			indices := array.NewSlice(fromJSON(t, arrow.PrimitiveTypes.Uint8, "[0, 2, 1, null, 0]"), 1, 5)
			dt := &arrow.DictionaryType{IndexType: arrow.PrimitiveTypes.Uint8, ValueType: c.values}
			got, err := Array(array.NewDictionaryArray(dt, indices, dictionary))
			if err != nil {
				t.Fatal(err)
			}
			if got.String() != c.want || !arrow.TypeEqual(got.DataType(), c.wantType) || !arrow.TypeEqual(Type(dt), c.wantType) {
				t.Errorf("Array = %v of %v, want %s of %v", got, got.DataType(), c.want, c.wantType)
			}
		})
	}
}

func TestArrayWithoutDictionaryIsItself(t *testing.T) {
	a := fromJSON(t, arrow.PrimitiveTypes.Int64, "[1, 2]")
	if got, err := Array(a); got != a || err != nil || Type(a.DataType()) != a.DataType() {
		t.Errorf("Array = %v, %v", got, err)
	}
}

func fromJSON(t *testing.T, dt arrow.DataType, text string) arrow.Array {
	t.Helper()
	a, _, err := array.FromJSON(memory.DefaultAllocator, dt, strings.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	return a
}
