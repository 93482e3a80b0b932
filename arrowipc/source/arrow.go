package source

import (
	"context"
	"fmt"
	"io"

	"github.com/apache/arrow/go/v15/arrow"

	"github.com/crossfold/crossfold/arrowipc/internal/untrusted"
)

// readArrow reads an Arrow IPC file, also compressed (Feather).
func readArrow(ctx context.Context, file input) (*table, error) {
	size, err := file.Seek(0, io.SeekEnd)
	if err != nil {
		return nil, err
	}
	f, err := untrusted.OpenIPC(file, size)
	if err != nil {
		return nil, err
	}
	fields := f.Schema.Fields()
	names := make([]string, len(fields))
	for i, field := range fields {
		names[i] = field.Name
	}
	if err := checkNames(names); err != nil {
		return nil, err
	}
	chunks := make([][]arrow.Array, len(fields))
	for i := range f.NumBatches {
		record, err := f.Record(i)
		if err != nil {
			return nil, err
		}
		for c, column := range record.Columns() {
			column.Retain()
			chunks[c] = append(chunks[c], column)
		}
		record.Release()
	}
	t := &table{}
	for c, field := range fields {
		if pandasIndex.MatchString(field.Name) {
			releaseAll(chunks[c])
			continue
		}
		if err := t.add(field.Name, field.Type, chunks[c]); err != nil {
			return nil, fmt.Errorf("join record batches: %w", err)
		}
	}
	return t, nil
}
