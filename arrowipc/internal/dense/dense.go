// Package dense turns dictionary arrays into plain ones. arrow/go's compute.Take could, at the price
// of linking every kernel of its compute engine into every program.
package dense

import (
	"fmt"

	"github.com/apache/arrow/go/v15/arrow"
	"github.com/apache/arrow/go/v15/arrow/array"
	"github.com/apache/arrow/go/v15/arrow/bitutil"
	"github.com/apache/arrow/go/v15/arrow/memory"
)

// Type returns the type of the array that Array returns for one of type dt.
func Type(dt arrow.DataType) arrow.DataType {
	coded, ok := dt.(*arrow.DictionaryType)
	switch {
	case !ok:
		return dt
	case coded.ValueType.ID() == arrow.STRING:
		// Looked up, short words can be more text than 32-bit offsets reach.
		return arrow.BinaryTypes.LargeString
	default:
		return coded.ValueType
	}
}

// Array returns a with its dictionary looked up, or a itself where it has none. The caller releases
// what it gets. The indices of a must be inside its dictionary.
func Array(a arrow.Array) (arrow.Array, error) {
	coded, ok := a.(*array.Dictionary)
	if !ok {
		a.Retain()
		return a, nil
	}
	switch values := coded.Dictionary().(type) {
	case *array.Boolean:
		b := array.NewBooleanBuilder(memory.DefaultAllocator)
		return lookUp(coded, b, func(i int) { b.Append(values.Value(i)) }), nil
	case interface{ Value(int) string }:
		b := array.NewLargeStringBuilder(memory.DefaultAllocator)
		return lookUp(coded, b, func(i int) { b.Append(values.Value(i)) }), nil
	default:
		return lookUpFixed(coded)
	}
}

// lookUp appends every value of coded to a builder and returns what it built.
func lookUp(coded *array.Dictionary, b array.Builder, appendValue func(i int)) arrow.Array {
	defer b.Release()
	b.Reserve(coded.Len())
	for row := range coded.Len() {
		if at, ok := valueIndex(coded, row); ok {
			appendValue(at)
		} else {
			b.AppendNull()
		}
	}
	return b.NewArray()
}

// lookUpFixed copies values of a fixed width.
func lookUpFixed(coded *array.Dictionary) (arrow.Array, error) {
	dt := coded.Dictionary().DataType()
	fixed, ok := dt.(arrow.FixedWidthDataType)
	if !ok || fixed.BitWidth()%8 != 0 {
		return nil, fmt.Errorf("a dictionary of %s is not read; write the column without a dictionary", dt)
	}
	width := fixed.BitWidth() / 8
	dictionary := coded.Dictionary().Data()
	from := dictionary.Buffers()[1].Bytes()[dictionary.Offset()*width:]
	values := make([]byte, coded.Len()*width)
	valid := make([]byte, bitutil.BytesForBits(int64(coded.Len())))
	nulls := 0
	for row := range coded.Len() {
		at, ok := valueIndex(coded, row)
		if !ok {
			nulls++
			continue
		}
		bitutil.SetBit(valid, row)
		copy(values[row*width:(row+1)*width], from[at*width:])
	}
	buffers := []*memory.Buffer{memory.NewBufferBytes(valid), memory.NewBufferBytes(values)}
	data := array.NewData(dt, coded.Len(), buffers, nil, nulls, 0)
	defer data.Release()
	return array.MakeFromData(data), nil
}

// valueIndex returns where a row's value is in the dictionary, false when it is null.
func valueIndex(coded *array.Dictionary, row int) (int, bool) {
	if coded.IsNull(row) {
		return 0, false
	}
	at := coded.GetValueIndex(row)
	return at, coded.Dictionary().IsValid(at)
}
