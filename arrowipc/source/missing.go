package source

import (
	"github.com/apache/arrow/go/v15/arrow"
	"github.com/apache/arrow/go/v15/arrow/array"
)

// FirstMissing is the first row of a column that is null or not a number, or -1.
func FirstMissing(column *arrow.Chunked) int {
	start := 0
	for _, chunk := range column.Chunks() {
		missing := missingIn(chunk)
		for row := range chunk.Len() {
			if missing(row) {
				return start + row
			}
		}
		start += chunk.Len()
	}
	return -1
}

func missingIn(chunk arrow.Array) func(row int) bool {
	switch c := chunk.(type) {
	case *array.Float64:
		return func(row int) bool { return c.IsNull(row) || c.Value(row) != c.Value(row) }
	case *array.Float32:
		return func(row int) bool { return c.IsNull(row) || c.Value(row) != c.Value(row) }
	case *array.Float16:
		return func(row int) bool { return c.IsNull(row) || c.Value(row).IsNaN() }
	}
	return chunk.IsNull
}
