package source

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"regexp"

	"github.com/apache/arrow/go/v15/arrow"
	"github.com/apache/arrow/go/v15/arrow/array"
	"github.com/apache/arrow/go/v15/arrow/ipc"
	"github.com/apache/arrow/go/v15/arrow/memory"

	"github.com/crossfold/crossfold/arrowipc/internal/dense"
	"github.com/crossfold/crossfold/arrowipc/internal/ipcwrite"
	"github.com/crossfold/crossfold/arrowipc/internal/untrusted"
	"github.com/crossfold/crossfold/arrowipc/store"
)

// table is a file's data in memory: columns of equal length, each one plain array.
type table struct {
	names   []string
	columns []arrow.Array
}

// pandas writes the row numbers of a data frame as a column of this name. They are no feature.
var pandasIndex = regexp.MustCompile(`^__index_level_\d+__$`)

// add appends a column made of chunks, which it releases. The chunks must be validated.
func (t *table) add(name string, dt arrow.DataType, chunks []arrow.Array) error {
	defer releaseAll(chunks)
	column, err := join(dt, chunks)
	if err != nil {
		return fmt.Errorf("column %q: %w", name, err)
	}
	t.names = append(t.names, name)
	t.columns = append(t.columns, column)
	return nil
}

func (t *table) release() { releaseAll(t.columns) }

func (t *table) rows() int64 {
	if len(t.columns) == 0 {
		return 0
	}
	return int64(t.columns[0].Len())
}

// check refuses tables that no fit could use.
func (t *table) check() error {
	if len(t.columns) == 0 {
		return errors.New("it has no columns; write it with at least one")
	}
	for i, c := range t.columns {
		if int64(c.Len()) != t.rows() {
			return fmt.Errorf("%w: column %q has %d rows and %q has %d; write the file again",
				untrusted.ErrDamaged, t.names[i], c.Len(), t.names[0], t.rows())
		}
	}
	if t.rows() == 0 {
		return errors.New("it has columns and no rows; write it with at least one row")
	}
	return nil
}

// checkNames refuses a name that stands for two columns.
func checkNames(names []string) error {
	at := make(map[string]int, len(names))
	for i, name := range names {
		if first, twice := at[name]; twice {
			return fmt.Errorf("columns %d and %d are both called %q; rename one", first+1, i+1, name)
		}
		at[name] = i
	}
	return nil
}

// store writes the table as a dataset.
func (t *table) store(ctx context.Context, st *store.Store) (Dataset, error) {
	fields := make([]arrow.Field, len(t.columns))
	dataset := Dataset{Rows: t.rows(), Columns: make([]ColumnInfo, len(t.columns))}
	for i, c := range t.columns {
		fields[i] = arrow.Field{Name: t.names[i], Type: c.DataType(), Nullable: true}
		dataset.Columns[i] = ColumnInfo{Name: t.names[i], Type: typeName(c.DataType()), Nulls: int64(c.NullN())}
	}
	record := array.NewRecord(arrow.NewSchema(fields, nil), t.columns, t.rows())
	defer record.Release()

	pr, pw := io.Pipe()
	written := make(chan struct{})
	go func() {
		defer close(written)
		pw.CloseWithError(untrusted.Do(func() error { return writeRecord(pw, record) }))
	}()
	id, _, err := st.Put(ctx, store.Dataset, pr)
	pr.CloseWithError(io.ErrClosedPipe)
	<-written
	dataset.ID = id
	return dataset, err
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

// join makes one array without a dictionary of a column's chunks.
func join(dt arrow.DataType, chunks []arrow.Array) (arrow.Array, error) {
	plain := make([]arrow.Array, 0, len(chunks))
	defer func() { releaseAll(plain) }()
	for _, chunk := range chunks {
		p, err := dense.Array(chunk)
		if err != nil {
			return nil, err
		}
		plain = append(plain, p)
	}
	dt = dense.Type(dt)
	switch {
	case dt.ID() == arrow.STRING || dt.ID() == arrow.LARGE_STRING:
		return joinText(plain), nil
	case len(plain) == 0:
		return array.MakeArrayOfNull(memory.DefaultAllocator, dt, 0), nil
	default:
		// Also one array is copied: what begins inside its buffers is not always written right.
		return array.Concatenate(plain, memory.DefaultAllocator)
	}
}

// text is a string array with offsets of either width.
type text interface {
	arrow.Array
	Value(i int) string
}

// joinText copies strings into one array, with 64-bit offsets only where they are needed.
func joinText(chunks []arrow.Array) arrow.Array {
	rows, size := 0, 0
	for _, chunk := range chunks {
		rows += chunk.Len()
		for i := range chunk.Len() {
			if chunk.IsValid(i) {
				size += len(chunk.(text).Value(i))
			}
		}
	}
	var b interface {
		array.Builder
		Append(string)
		ReserveData(int)
	} = array.NewStringBuilder(memory.DefaultAllocator)
	if size > math.MaxInt32 {
		b = array.NewLargeStringBuilder(memory.DefaultAllocator)
	}
	defer b.Release()
	b.Reserve(rows)
	b.ReserveData(size)
	for _, chunk := range chunks {
		for i := range chunk.Len() {
			if chunk.IsNull(i) {
				b.AppendNull()
			} else {
				b.Append(chunk.(text).Value(i))
			}
		}
	}
	return b.NewArray()
}

func releaseAll(arrays []arrow.Array) {
	for _, a := range arrays {
		a.Release()
	}
}
