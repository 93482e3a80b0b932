package partition

import (
	"fmt"
	"math"
	"slices"

	"github.com/apache/arrow/go/v15/arrow"
	"github.com/apache/arrow/go/v15/arrow/array"
	"github.com/apache/arrow/go/v15/arrow/float16"

	"github.com/crossfold/crossfold/arrowipc/internal/dense"
)

// Labels holds the class of every row, numbered in order of first appearance. scikit-learn numbers
// them so too, which is why splits do not depend on what the classes are called.
type Labels struct {
	codes   []int32
	classes int
}

// Len returns the number of rows.
func (l Labels) Len() int { return len(l.codes) }

// Classes returns the number of classes.
func (l Labels) Classes() int { return l.classes }

// counts returns the number of rows of each class.
func (l Labels) counts() []int {
	counts := make([]int, l.classes)
	for _, c := range l.codes {
		counts[c]++
	}
	return counts
}

// fewest returns the number of rows of the least populated class.
func (l Labels) fewest() int { return slices.Min(l.counts()) }

// Values is an arrow.Array or an *arrow.Chunked.
type Values interface {
	DataType() arrow.DataType
	Len() int
	NullN() int
}

// LabelsOf returns the classes in a column of integers, booleans, strings, whole floating-point
// numbers, or a dictionary of those. A missing label (null, NaN) and numbers that are no classes are
// errors that name the first such row, counted from 0.
func LabelsOf(y Values) (Labels, error) {
	var chunks []arrow.Array
	switch y := y.(type) {
	case *arrow.Chunked:
		chunks = y.Chunks()
	case arrow.Array:
		chunks = []arrow.Array{y}
	default:
		return Labels{}, invalid("labels of Go type %T are not read; pass an arrow.Array or *arrow.Chunked", y)
	}
	e := encoder{codes: make([]int32, 0, y.Len()), seen: make(map[any]int32)}
	for _, chunk := range chunks {
		plain, err := dense.Array(chunk)
		if err != nil {
			return Labels{}, fmt.Errorf("partition: labels: %w", err)
		}
		err = e.add(plain)
		plain.Release()
		if err != nil {
			return Labels{}, err
		}
	}
	return Labels{codes: e.codes, classes: len(e.seen)}, nil
}

// encoder numbers classes as they appear.
type encoder struct {
	codes []int32
	seen  map[any]int32
}

func (e *encoder) add(values arrow.Array) error {
	switch a := values.(type) {
	case *array.Boolean:
		return encode(e, a, a.Value)
	case *array.Int8:
		return encode(e, a, a.Value)
	case *array.Int16:
		return encode(e, a, a.Value)
	case *array.Int32:
		return encode(e, a, a.Value)
	case *array.Int64:
		return encode(e, a, a.Value)
	case *array.Uint8:
		return encode(e, a, a.Value)
	case *array.Uint16:
		return encode(e, a, a.Value)
	case *array.Uint32:
		return encode(e, a, a.Value)
	case *array.Uint64:
		return encode(e, a, a.Value)
	case *array.Float16:
		return encodeFloats(e, a, func(i int) float64 { return widen(a.Value(i)) })
	case *array.Float32:
		return encodeFloats(e, a, func(i int) float64 { return float64(a.Value(i)) })
	case *array.Float64:
		return encodeFloats(e, a, a.Value)
	case *array.String:
		return encode(e, a, a.Value)
	case *array.LargeString:
		return encode(e, a, a.Value)
	default:
		return invalid("y has type %s, which holds no classes; use integers, booleans or strings, or KFold",
			values.DataType())
	}
}

func widen(v float16.Num) float64 { return float64(v.Float32()) }

// encode appends the codes of one array. The first map holds this array's classes unboxed; the
// encoder's own joins arrays.
func encode[K comparable](e *encoder, a arrow.Array, value func(int) K) error {
	local := make(map[K]int32)
	for i := range a.Len() {
		if a.IsNull(i) {
			return e.missing("no value")
		}
		v := value(i)
		code, ok := local[v]
		if !ok {
			if code, ok = e.seen[v]; !ok {
				code = int32(len(e.seen))
				e.seen[v] = code
			}
			local[v] = code
		}
		e.codes = append(e.codes, code)
	}
	return nil
}

// encodeFloats is encode for numbers that must be whole to be classes, as in scikit-learn.
func encodeFloats(e *encoder, a arrow.Array, value func(int) float64) error {
	for i := range a.Len() {
		if a.IsNull(i) {
			continue
		}
		switch v := value(i); {
		case math.IsNaN(v):
			return e.missingAt(i, "NaN")
		case v != math.Trunc(v) || v < math.MinInt64 || v >= math.MaxInt64:
			return invalid("y has %v in row %d, so it is continuous and has no classes; use KFold, or round y",
				v, len(e.codes)+i)
		}
	}
	return encode(e, a, value)
}

func (e *encoder) missing(what string) error { return e.missingAt(0, what) }

// missingAt reports a row with no label, so many rows after those encoded.
func (e *encoder) missingAt(ahead int, what string) error {
	return invalid("y has %s in row %d (counted from 0); drop the rows without a label, or fill them in",
		what, len(e.codes)+ahead)
}
