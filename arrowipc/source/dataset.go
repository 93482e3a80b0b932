package source

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"github.com/apache/arrow/go/v15/arrow"

	"github.com/crossfold/crossfold/arrowipc/internal/untrusted"
	"github.com/crossfold/crossfold/arrowipc/store"
)

// ErrUnknownColumn says that a dataset has no column of that name.
var ErrUnknownColumn = errors.New("unknown column")

// Describe says what a dataset in the store holds, whoever wrote it. It reads no values.
func Describe(st *store.Store, id string) (Dataset, error) {
	f, file, err := open(st, id)
	if err != nil {
		return Dataset{}, err
	}
	defer func() { _ = file.Close() }()
	dataset := Dataset{ID: id, Rows: f.Rows}
	for i, field := range f.Schema.Fields() {
		dataset.Columns = append(dataset.Columns, ColumnInfo{Name: field.Name, Type: typeName(field.Type), Nulls: f.Nulls[i]})
	}
	return dataset, nil
}

// Column returns one column of a dataset, checked to be readable. The caller releases it. A name
// that the dataset lacks is ErrUnknownColumn, and the error lists the nearest names.
func Column(st *store.Store, id, name string) (*arrow.Chunked, error) {
	f, file, err := open(st, id)
	if err != nil {
		return nil, err
	}
	defer func() { _ = file.Close() }()
	at := f.Schema.FieldIndices(name)
	if len(at) == 0 {
		return nil, fmt.Errorf("source: %w %q; the dataset has %s", ErrUnknownColumn, name, nearest(f.Schema, name))
	}
	var chunks []arrow.Array
	defer func() { releaseAll(chunks) }()
	for i := range f.NumBatches {
		record, err := f.Record(i)
		if err != nil {
			return nil, fmt.Errorf("source: read column %q of %s: %w", name, id, err)
		}
		column := record.Column(at[0])
		column.Retain()
		record.Release()
		chunks = append(chunks, column)
	}
	return arrow.NewChunked(f.Schema.Field(at[0]).Type, chunks), nil
}

// open opens a dataset's file. The caller closes it.
func open(st *store.Store, id string) (*untrusted.File, *os.File, error) {
	if !strings.HasPrefix(id, string(store.Dataset)+"-") {
		return nil, nil, fmt.Errorf("source: %w: %q is no dataset; its id would begin with ds-", store.ErrInvalidID, id)
	}
	file, err := st.File(id)
	if err != nil {
		return nil, nil, err
	}
	size, err := file.Seek(0, io.SeekEnd)
	if err == nil {
		var f *untrusted.File
		if f, err = untrusted.OpenIPC(file, size); err == nil {
			return f, file, nil
		}
	}
	_ = file.Close()
	return nil, nil, fmt.Errorf("source: open %s: %w; put the dataset again", id, err)
}

// nearest lists the names of columns, those most like name first.
func nearest(schema *arrow.Schema, name string) string {
	const most = 10
	var names []string
	for _, field := range schema.Fields() {
		names = append(names, field.Name)
	}
	slices.SortStableFunc(names, func(a, b string) int { return cmp.Compare(distance(a, name), distance(b, name)) })
	var list strings.Builder
	for i, n := range names[:min(most, len(names))] {
		if i > 0 {
			list.WriteString(", ")
		}
		fmt.Fprintf(&list, "%q", n)
	}
	if more := len(names) - most; more > 0 {
		fmt.Fprintf(&list, " and %d more", more)
	}
	return list.String()
}

// distance is the edit distance between two names, letter case aside.
func distance(a, b string) int {
	from, to := []rune(strings.ToLower(a)), []rune(strings.ToLower(b))
	row := make([]int, len(to)+1)
	for j := range row {
		row[j] = j
	}
	for i, x := range from {
		diagonal := row[0]
		row[0] = i + 1
		for j, y := range to {
			change := diagonal
			if x != y {
				change++
			}
			diagonal = row[j+1]
			row[j+1] = min(change, row[j]+1, diagonal+1)
		}
	}
	return row[len(to)]
}
