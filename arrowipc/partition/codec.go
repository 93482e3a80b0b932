package partition

import (
	"bytes"
	"fmt"

	"github.com/apache/arrow/go/v15/arrow"
	"github.com/apache/arrow/go/v15/arrow/array"
	"github.com/apache/arrow/go/v15/arrow/ipc"
	"github.com/apache/arrow/go/v15/arrow/memory"

	"github.com/crossfold/crossfold/arrowipc/internal/ipcwrite"
	"github.com/crossfold/crossfold/arrowipc/internal/untrusted"
)

var splitSchema = arrow.NewSchema([]arrow.Field{{Name: "rows", Type: arrow.PrimitiveTypes.Int64}}, nil)

// Encode writes a split as an Arrow IPC file: one int64 column `rows`, record batch 0 the train
// rows, record batch 1 the test rows.
func Encode(split Split) ([]byte, error) {
	var buf bytes.Buffer
	w, err := ipc.NewFileWriter(ipcwrite.Forward(&buf), ipc.WithSchema(splitSchema))
	if err != nil {
		return nil, fmt.Errorf("partition: encode split: %w", err)
	}
	for _, rows := range [][]int64{split.Train, split.Test} {
		if err := w.Write(rowsRecord(rows)); err != nil {
			return nil, fmt.Errorf("partition: encode split: %w", err)
		}
	}
	if err := w.Close(); err != nil {
		return nil, fmt.Errorf("partition: encode split: %w", err)
	}
	return buf.Bytes(), nil
}

func rowsRecord(rows []int64) arrow.Record {
	values := memory.NewBufferBytes(arrow.Int64Traits.CastToBytes(rows))
	data := array.NewData(arrow.PrimitiveTypes.Int64, len(rows), []*memory.Buffer{nil, values}, nil, 0, 0)
	return array.NewRecord(splitSchema, []arrow.Array{array.NewInt64Data(data)}, int64(len(rows)))
}

// Decode reads what Encode wrote. Any bytes are safe to pass: what is no split is an error.
func Decode(data []byte) (Split, error) {
	f, err := untrusted.OpenIPC(bytes.NewReader(data), int64(len(data)))
	if err != nil {
		return Split{}, fmt.Errorf("partition: decode split: %w", err)
	}
	fields := f.Schema.Fields()
	if len(fields) != 1 || fields[0].Name != "rows" || fields[0].Type.ID() != arrow.INT64 || f.NumBatches != 2 {
		return Split{}, fmt.Errorf("partition: decode split: %w: want an int64 column rows in 2 record batches, "+
			"got %d batches of %v", untrusted.ErrDamaged, f.NumBatches, fields)
	}
	if f.Rows > int64(len(data))/8 {
		return Split{}, fmt.Errorf("partition: decode split: %w: it claims %d rows in %d bytes",
			untrusted.ErrDamaged, f.Rows, len(data))
	}
	var split Split
	for i, rows := range []*[]int64{&split.Train, &split.Test} {
		if *rows, err = decodeRows(f, i); err != nil {
			return Split{}, fmt.Errorf("partition: decode split: %w", err)
		}
	}
	return split, nil
}

func decodeRows(f *untrusted.File, batch int) ([]int64, error) {
	record, err := f.Record(batch)
	if err != nil {
		return nil, err
	}
	defer record.Release()
	column := record.Column(0).(*array.Int64)
	if column.NullN() > 0 {
		return nil, fmt.Errorf("record batch %d: %w: it has nulls", batch, untrusted.ErrDamaged)
	}
	rows := append([]int64{}, column.Int64Values()...)
	for _, row := range rows {
		if row < 0 {
			return nil, fmt.Errorf("record batch %d: %w: it has row %d", batch, untrusted.ErrDamaged, row)
		}
	}
	return rows, nil
}
