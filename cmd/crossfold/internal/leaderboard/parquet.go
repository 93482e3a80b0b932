package leaderboard

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"

	"github.com/apache/arrow/go/v15/arrow"
	"github.com/apache/arrow/go/v15/arrow/array"
	"github.com/apache/arrow/go/v15/arrow/memory"
	"github.com/apache/arrow/go/v15/parquet"
	"github.com/apache/arrow/go/v15/parquet/pqarrow"

	"github.com/crossfold/crossfold/coordinator/gather"
)

// WriteParquet writes the table with scikit-learn's columns. A parameter's column has the type that
// all its values share (64-bit integer or float, boolean, text), else it holds their JSON as text.
func WriteParquet(to io.Writer, table *gather.Table) error {
	columns, err := table.Columns()
	if err != nil {
		return err
	}
	var fields []arrow.Field
	var arrays []arrow.Array
	defer func() {
		for _, a := range arrays {
			a.Release()
		}
	}()
	for _, column := range columns {
		a := arrowArray(column)
		arrays = append(arrays, a)
		fields = append(fields, arrow.Field{Name: column.Name, Type: a.DataType(), Nullable: column.Values != nil})
	}
	record := array.NewRecord(arrow.NewSchema(fields, nil), arrays, int64(len(table.Params)))
	defer record.Release()
	writer, err := pqarrow.NewFileWriter(record.Schema(), to, parquet.NewWriterProperties(),
		pqarrow.NewArrowWriterProperties(pqarrow.WithStoreSchema()))
	if err != nil {
		return fmt.Errorf("start Parquet file: %w", err)
	}
	if err := writer.Write(record); err != nil {
		return fmt.Errorf("write Parquet file: %w", err)
	}
	return writer.Close()
}

func arrowArray(column gather.Column) arrow.Array {
	switch {
	case column.Floats != nil:
		b := array.NewFloat64Builder(memory.DefaultAllocator)
		defer b.Release()
		b.AppendValues(column.Floats, nil)
		return b.NewArray()
	case column.Ranks != nil:
		b := array.NewInt32Builder(memory.DefaultAllocator)
		defer b.Release()
		b.AppendValues(column.Ranks, nil)
		return b.NewArray()
	case column.Name == "params":
		return build(array.NewStringBuilder, column.Values, asText)
	}
	return parameterArray(column.Values)
}

// parameterArray finds the narrowest type that all values fit, in this order.
func parameterArray(values []json.RawMessage) arrow.Array {
	switch {
	case all(values, isBool):
		return build(array.NewBooleanBuilder, values, decoded[bool])
	case all(values, isWhole):
		return build(array.NewInt64Builder, values, decoded[int64])
	case all(values, isNumber):
		return build(array.NewFloat64Builder, values, decoded[float64])
	case all(values, isString):
		return build(array.NewStringBuilder, values, decoded[string])
	}
	return build(array.NewStringBuilder, values, asText)
}

// builder is what Arrow's typed builders share.
type builder[T any] interface {
	Append(T)
	AppendNull()
	NewArray() arrow.Array
	Release()
}

func build[T any, B builder[T]](make func(memory.Allocator) B, values []json.RawMessage, value func(json.RawMessage) T) arrow.Array {
	b := make(memory.DefaultAllocator)
	defer b.Release()
	for _, v := range values {
		if v == nil {
			b.AppendNull()
		} else {
			b.Append(value(v))
		}
	}
	return b.NewArray()
}

// all says whether every value that is there is one that fits.
func all(values []json.RawMessage, fits func(json.RawMessage) bool) bool {
	for _, v := range values {
		if v != nil && !fits(v) {
			return false
		}
	}
	return true
}

func isBool(v json.RawMessage) bool   { return string(v) == "true" || string(v) == "false" }
func isString(v json.RawMessage) bool { return v[0] == '"' }
func isWhole(v json.RawMessage) bool {
	var n int64
	return !strings.ContainsAny(string(v), ".eE\"") && string(v) != "null" && json.Unmarshal(v, &n) == nil
}

func isNumber(v json.RawMessage) bool {
	var f float64
	return string(v) != "null" && json.Unmarshal(v, &f) == nil
}

func asText(v json.RawMessage) string { return string(v) }

// decoded reads a value that was found to fit.
func decoded[T any](v json.RawMessage) (value T) {
	_ = json.Unmarshal(v, &value)
	return value
}
