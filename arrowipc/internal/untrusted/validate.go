package untrusted

import (
	"reflect"
	"unicode/utf8"

	"github.com/apache/arrow/go/v15/arrow"
	"github.com/apache/arrow/go/v15/arrow/bitutil"
	"github.com/apache/arrow/go/v15/arrow/memory"
)

// Validate checks that every value of an array can be read: buffers are long enough, offsets ascend
// and stay inside, strings are UTF-8, dictionary indices exist.
func Validate(a arrow.Array) error {
	return validate(a.Data(), 0)
}

func validate(d arrow.ArrayData, depth int) error {
	if depth > maxDepth {
		return damaged("it is nested deeper than %d levels", maxDepth)
	}
	if d.Len() < 0 || d.Offset() < 0 {
		return damaged("it has length %d at offset %d", d.Len(), d.Offset())
	}
	if err := validateNulls(d); err != nil {
		return err
	}
	end := d.Offset() + d.Len()
	switch dt := d.DataType().(type) {
	case *arrow.NullType:
		return nil
	case *arrow.DictionaryType:
		return validateDictionary(d, dt, depth)
	case *arrow.StringType:
		return validateBinary[int32](d, true)
	case *arrow.LargeStringType:
		return validateBinary[int64](d, true)
	case *arrow.BinaryType:
		return validateBinary[int32](d, false)
	case *arrow.LargeBinaryType:
		return validateBinary[int64](d, false)
	case *arrow.ListType, *arrow.MapType:
		return validateList[int32](d, depth)
	case *arrow.LargeListType:
		return validateList[int64](d, depth)
	case *arrow.FixedSizeListType:
		if dt.Len() < 0 {
			return damaged("its lists have %d values", dt.Len())
		}
		return validateChildren(d, int64(end)*int64(dt.Len()), depth)
	case *arrow.StructType:
		return validateChildren(d, int64(end), depth)
	case arrow.ExtensionType:
		return validateBits(d, dt.StorageType(), end)
	default:
		return validateBits(d, dt, end)
	}
}

// validateBits checks the values of a type of fixed width.
func validateBits(d arrow.ArrayData, dt arrow.DataType, end int) error {
	fixed, ok := dt.(arrow.FixedWidthDataType)
	if !ok {
		return damaged("values of type %s are not read", dt)
	}
	if need := bitutil.BytesForBits(int64(end) * int64(fixed.BitWidth())); int64(size(d, 1)) < need {
		return damaged("it has %d bytes of values and needs %d", size(d, 1), need)
	}
	return nil
}

func validateNulls(d arrow.ArrayData) error {
	if d.DataType().ID() == arrow.NULL || len(d.Buffers()) == 0 {
		return nil
	}
	bitmap := d.Buffers()[0]
	if bitmap == nil || bitmap.Len() == 0 {
		if d.NullN() > 0 {
			return damaged("it counts %d nulls and does not say which", d.NullN())
		}
		return nil
	}
	if need := bitutil.BytesForBits(int64(d.Offset() + d.Len())); int64(bitmap.Len()) < need {
		return damaged("its null bitmap has %d bytes and needs %d", bitmap.Len(), need)
	}
	nulls := d.Len() - bitutil.CountSetBits(bitmap.Bytes(), d.Offset(), d.Len())
	if d.NullN() >= 0 && d.NullN() != nulls {
		return damaged("it counts %d nulls and has %d", d.NullN(), nulls)
	}
	return nil
}

// offsets returns the offsets of a list or string array, checked to ascend within [0, limit].
func offsets[T int32 | int64](d arrow.ArrayData, limit int64) ([]T, error) {
	if d.Len() == 0 {
		return nil, nil
	}
	all := values[T](d.Buffers()[1])
	if len(all) <= d.Offset()+d.Len() {
		return nil, damaged("it has %d offsets for %d values", len(all), d.Len())
	}
	all = all[d.Offset() : d.Offset()+d.Len()+1]
	last := T(0)
	for _, o := range all {
		if o < last {
			return nil, damaged("its offsets go back from %d to %d", last, o)
		}
		last = o
	}
	if int64(last) > limit {
		return nil, damaged("its last offset is %d of %d", last, limit)
	}
	return all, nil
}

func validateBinary[T int32 | int64](d arrow.ArrayData, text bool) error {
	ends, err := offsets[T](d, int64(size(d, 2)))
	if err != nil || !text {
		return err
	}
	for i := range d.Len() {
		if ends[i] == ends[i+1] || isNull(d, i) {
			continue
		}
		if !utf8.Valid(d.Buffers()[2].Bytes()[ends[i]:ends[i+1]]) {
			return damaged("row %d is no UTF-8 text", i)
		}
	}
	return nil
}

func validateList[T int32 | int64](d arrow.ArrayData, depth int) error {
	if len(d.Children()) != 1 {
		return damaged("a list has %d child arrays", len(d.Children()))
	}
	if _, err := offsets[T](d, int64(d.Children()[0].Len())); err != nil {
		return err
	}
	return validate(d.Children()[0], depth+1)
}

// validateChildren checks child arrays that need at least length values each.
func validateChildren(d arrow.ArrayData, length int64, depth int) error {
	for _, c := range d.Children() {
		if int64(c.Len()) < length {
			return damaged("a child array has %d values and needs %d", c.Len(), length)
		}
		if err := validate(c, depth+1); err != nil {
			return err
		}
	}
	return nil
}

func validateDictionary(d arrow.ArrayData, dt *arrow.DictionaryType, depth int) error {
	if err := validateBits(d, dt.IndexType, d.Offset()+d.Len()); err != nil {
		return err
	}
	dictionary := d.Dictionary()
	if err := validate(dictionary, depth+1); err != nil {
		return err
	}
	switch dt.IndexType.ID() {
	case arrow.INT8:
		return validateIndices[int8](d, dictionary.Len())
	case arrow.UINT8:
		return validateIndices[uint8](d, dictionary.Len())
	case arrow.INT16:
		return validateIndices[int16](d, dictionary.Len())
	case arrow.UINT16:
		return validateIndices[uint16](d, dictionary.Len())
	case arrow.INT32:
		return validateIndices[int32](d, dictionary.Len())
	case arrow.UINT32:
		return validateIndices[uint32](d, dictionary.Len())
	case arrow.INT64:
		return validateIndices[int64](d, dictionary.Len())
	default:
		return validateIndices[uint64](d, dictionary.Len())
	}
}

func validateIndices[T int8 | uint8 | int16 | uint16 | int32 | uint32 | int64 | uint64](d arrow.ArrayData, n int) error {
	indices := values[T](d.Buffers()[1])
	for i := range d.Len() {
		index := indices[d.Offset()+i]
		if !isNull(d, i) && (index < 0 || uint64(index) >= uint64(n)) {
			return damaged("row %d is number %d of a dictionary of %d", i, index, n)
		}
	}
	return nil
}

func isNull(d arrow.ArrayData, i int) bool {
	return size(d, 0) > 0 && bitutil.BitIsNotSet(d.Buffers()[0].Bytes(), d.Offset()+i)
}

// size returns the number of bytes of a buffer, 0 where there is none.
func size(d arrow.ArrayData, i int) int {
	if i >= len(d.Buffers()) || d.Buffers()[i] == nil {
		return 0
	}
	return d.Buffers()[i].Len()
}

// values views a buffer as values of type T.
func values[T arrow.FixedWidthType](b *memory.Buffer) []T {
	if b == nil {
		return nil
	}
	var zero T
	whole := b.Len() - b.Len()%int(reflect.TypeOf(zero).Size())
	return arrow.GetData[T](b.Bytes()[:whole])
}
