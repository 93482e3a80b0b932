// Package predictions keeps what fitted estimators predicted as datasets in the store: of one fit for
// its test rows, or of a candidate or an ensemble for every row that some fold predicted.
//
// A file has the columns `row` (int64, a row of the job's dataset) and `values` (a fixed-size list of
// float64, one number per output), and its header as JSON in the schema's metadata.
package predictions

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"strings"

	"github.com/apache/arrow/go/v15/arrow"
	"github.com/apache/arrow/go/v15/arrow/array"
	"github.com/apache/arrow/go/v15/arrow/ipc"
	"github.com/apache/arrow/go/v15/arrow/memory"

	"github.com/crossfold/crossfold/arrowipc/internal/ipcwrite"
	"github.com/crossfold/crossfold/arrowipc/internal/untrusted"
	"github.com/crossfold/crossfold/arrowipc/store"
)

// headerKey is the key of the header in the schema's metadata.
const headerKey = "crossfold.predictions"

// Target is the method of a table that holds the truth instead of predictions.
const Target = "target"

// Header says what the numbers of a table mean.
type Header struct {
	// Method is the estimator's method, or Target.
	Method string `json:"method"`
	// Kind is "values", "probabilities", "decisions" or "labels". Labels are positions in Classes.
	Kind string `json:"kind"`
	// Classes the estimator was trained on, in the order of its columns; none for values.
	Classes []string `json:"classes,omitempty"`
	// AllClasses are the classes of the whole dataset, sorted as scikit-learn sorts them.
	AllClasses []string `json:"all_classes,omitempty"`
	// DatasetRows is the number of rows of the dataset.
	DatasetRows int `json:"dataset_rows"`
}

// Table is predictions for some rows of a dataset.
type Table struct {
	Header
	// Rows are positions in the dataset.
	Rows []int64
	// Columns is the number of outputs per row.
	Columns int
	// Values are row-major, len(Rows) × Columns.
	Values []float64
}

// Write stores a table and returns its id.
func Write(ctx context.Context, st *store.Store, table *Table) (string, error) {
	record, err := table.record()
	if err != nil {
		return "", err
	}
	return put(ctx, st, record)
}

// put stores a record as a dataset and releases it.
func put(ctx context.Context, st *store.Store, record arrow.Record) (string, error) {
	defer record.Release()
	reader, writer := io.Pipe()
	written := make(chan struct{})
	go func() {
		defer close(written)
		writer.CloseWithError(untrusted.Do(func() error { return writeRecord(writer, record) }))
	}()
	id, _, err := st.Put(ctx, store.Dataset, reader)
	_ = reader.CloseWithError(io.ErrClosedPipe)
	<-written
	if err != nil {
		return "", fmt.Errorf("predictions: write: %w", err)
	}
	return id, nil
}

func (t *Table) record() (arrow.Record, error) {
	if t.Columns < 1 || len(t.Values) != len(t.Rows)*t.Columns {
		return nil, fmt.Errorf("predictions: %d numbers for %d rows × %d columns", len(t.Values), len(t.Rows), t.Columns)
	}
	header, err := json.Marshal(t.Header)
	if err != nil {
		return nil, fmt.Errorf("predictions: encode the header: %w", err)
	}
	list := arrow.FixedSizeListOfNonNullable(int32(t.Columns), arrow.PrimitiveTypes.Float64)
	metadata := arrow.NewMetadata([]string{headerKey}, []string{string(header)})
	schema := arrow.NewSchema([]arrow.Field{
		{Name: "row", Type: arrow.PrimitiveTypes.Int64}, {Name: "values", Type: list},
	}, &metadata)
	n := len(t.Rows)
	rows := column(arrow.PrimitiveTypes.Int64, n, arrow.Int64Traits.CastToBytes(t.Rows))
	numbers := column(arrow.PrimitiveTypes.Float64, len(t.Values), arrow.Float64Traits.CastToBytes(t.Values))
	lists := array.NewData(list, n, []*memory.Buffer{nil}, []arrow.ArrayData{numbers}, 0, 0)
	return array.NewRecord(schema, []arrow.Array{array.MakeFromData(rows), array.MakeFromData(lists)}, int64(n)), nil
}

func column(kind arrow.DataType, length int, values []byte) *array.Data {
	return array.NewData(kind, length, []*memory.Buffer{nil, memory.NewBufferBytes(values)}, nil, 0, 0)
}

func writeRecord(w io.Writer, record arrow.Record) error {
	file, err := ipc.NewFileWriter(ipcwrite.Forward(w), ipc.WithSchema(record.Schema()))
	if err != nil {
		return err
	}
	if err := file.Write(record); err != nil {
		return err
	}
	return file.Close()
}

// Read reads a table. Whatever the object holds is safe to read: what is no table is an error.
func Read(st *store.Store, id string) (*Table, error) {
	if !strings.HasPrefix(id, string(store.Dataset)+"-") {
		return nil, fmt.Errorf("predictions: %w: %q is no dataset; its id would begin with ds-", store.ErrInvalidID, id)
	}
	file, err := st.File(id)
	if err != nil {
		return nil, err
	}
	defer func() { _ = file.Close() }()
	table, err := decode(file)
	if err != nil {
		return nil, fmt.Errorf("predictions: read %s: %w", id, err)
	}
	return table, nil
}

func decode(object ipc.ReadAtSeeker) (*Table, error) {
	size, err := object.Seek(0, io.SeekEnd)
	if err != nil {
		return nil, err
	}
	file, err := untrusted.OpenIPC(object, size)
	if err != nil {
		return nil, err
	}
	table := &Table{}
	header, _ := file.Schema.Metadata().GetValue(headerKey)
	if err := json.Unmarshal([]byte(header), &table.Header); err != nil {
		return nil, fmt.Errorf("%w: no header of predictions: %w", untrusted.ErrDamaged, err)
	}
	if file.NumBatches != 1 {
		return nil, fmt.Errorf("%w: %d record batches, want 1", untrusted.ErrDamaged, file.NumBatches)
	}
	record, err := file.Record(0)
	if err != nil {
		return nil, err
	}
	defer record.Release()
	return table, table.take(record)
}

// take shares the record's memory: it is the garbage collector's.
func (t *Table) take(record arrow.Record) error {
	if record.NumCols() == 2 && record.ColumnName(0) == "row" && record.ColumnName(1) == "values" {
		rows, isInt := record.Column(0).(*array.Int64)
		lists, isList := record.Column(1).(*array.FixedSizeList)
		if isInt && isList && rows.NullN() == 0 && lists.NullN() == 0 {
			if numbers, ok := lists.ListValues().(*array.Float64); ok && numbers.NullN() == 0 {
				t.Columns = int(lists.DataType().(*arrow.FixedSizeListType).Len())
				start := lists.Data().Offset() * t.Columns
				t.Rows = rows.Int64Values()
				t.Values = numbers.Float64Values()[start : start+len(t.Rows)*t.Columns]
				return nil
			}
		}
	}
	return fmt.Errorf("%w: want columns row and values without nulls, got %v", untrusted.ErrDamaged, record.Schema().Fields())
}
