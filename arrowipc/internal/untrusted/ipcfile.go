package untrusted

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"io"

	"github.com/apache/arrow/go/v15/arrow"
	"github.com/apache/arrow/go/v15/arrow/ipc"
	"github.com/apache/arrow/go/v15/arrow/memory"
)

const (
	trailerSize = 10 // footer length and magic

	// A dictionary of bytes under LZ4 reaches 1:255; more is taken for a lie about the size.
	maxRatio  = 256
	memoryMin = 64 << 20
)

// File is an Arrow IPC file whose metadata was found sound. It does not own its reader, and serves one
// goroutine at a time.
type File struct {
	// Schema is the schema as the file has it.
	Schema *arrow.Schema
	// Rows is the number of rows of all record batches.
	Rows int64
	// Nulls counts the nulls of each column.
	Nulls []int64
	// NumBatches is the number of record batches.
	NumBatches int

	reader *ipc.FileReader
}

// OpenIPC reads the metadata of the Arrow IPC file of size bytes in r; it reads no column. Bytes
// that are no such file are ErrDamaged.
func OpenIPC(r ipc.ReadAtSeeker, size int64) (*File, error) {
	var f *File
	err := Do(func() (err error) {
		f, err = openIPC(r, size)
		return err
	})
	return f, err
}

func openIPC(r ipc.ReadAtSeeker, size int64) (*File, error) {
	buf, err := readFooter(r, size)
	if err != nil {
		return nil, err
	}
	foot, err := verifyFooter(buf, size)
	if err != nil {
		return nil, err
	}
	f := &File{NumBatches: len(foot.batches), Nulls: make([]int64, len(foot.nodes))}
	for i, b := range foot.dictionaries {
		if _, err := readBatchInfo(r, b, headerDictionary); err != nil {
			return nil, fmt.Errorf("dictionary %d: %w", i, err)
		}
	}
	for i, b := range foot.batches {
		info, err := readBatchInfo(r, b, headerBatch)
		if err != nil {
			return nil, fmt.Errorf("record batch %d: %w", i, err)
		}
		if err := f.count(info, foot.nodes); err != nil {
			return nil, fmt.Errorf("record batch %d: %w", i, err)
		}
	}
	mem := &limited{memory.DefaultAllocator, memoryMin + maxRatio*size}
	f.reader, err = ipc.NewFileReader(r, ipc.WithAllocator(mem))
	if err != nil {
		return nil, damaged("%v", err)
	}
	f.Schema = f.reader.Schema()
	return f, nil
}

// count adds a record batch to the file's totals.
func (f *File) count(info batchInfo, nodes []int) error {
	if info.rows < 0 {
		return damaged("it has %d rows", info.rows)
	}
	f.Rows += info.rows
	at := 0
	for column, n := range nodes {
		if at >= len(info.nodes) || info.nodes[at].length != info.rows {
			return damaged("column %d has not as many values as the batch has rows", column)
		}
		f.Nulls[column] += info.nodes[at].nulls
		at += n
	}
	return nil
}

// Record returns record batch i, every array of it validated. The caller releases it.
func (f *File) Record(i int) (arrow.Record, error) {
	if i < 0 || i >= f.NumBatches {
		return nil, damaged("it has %d record batches; number %d is missing", f.NumBatches, i)
	}
	var record arrow.Record
	err := Do(func() (err error) {
		if record, err = f.reader.RecordAt(i); err != nil {
			return damaged("%v", err)
		}
		for c, column := range record.Columns() {
			if err := Validate(column); err != nil {
				return fmt.Errorf("column %q: %w", record.ColumnName(c), err)
			}
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("record batch %d: %w", i, err)
	}
	return record, nil
}

func readFooter(r io.ReaderAt, size int64) ([]byte, error) {
	if size < int64(len(ipc.Magic))+2+trailerSize {
		return nil, damaged("it has %d bytes, too few for an Arrow IPC file", size)
	}
	var head [8]byte
	var trailer [trailerSize]byte
	if _, err := r.ReadAt(head[:], 0); err != nil {
		return nil, fmt.Errorf("read its first bytes: %w", err)
	}
	if _, err := r.ReadAt(trailer[:], size-trailerSize); err != nil {
		return nil, fmt.Errorf("read its last bytes: %w", err)
	}
	if !bytes.HasPrefix(head[:], ipc.Magic) {
		return nil, damaged("it does not begin as an Arrow IPC file")
	}
	if !bytes.Equal(trailer[4:], ipc.Magic) {
		return nil, damaged("it does not end as an Arrow IPC file: it is cut off")
	}
	length := int64(binary.LittleEndian.Uint32(trailer[:4]))
	if length > size-trailerSize {
		return nil, damaged("its footer is longer than the file")
	}
	footer := make([]byte, length)
	if _, err := r.ReadAt(footer, size-trailerSize-length); err != nil {
		return nil, fmt.Errorf("read its footer: %w", err)
	}
	return footer, nil
}

// readBatchInfo reads the metadata of one message. A message begins with a continuation mark and its
// length or, before format 0.15, with its length alone.
func readBatchInfo(r io.ReaderAt, b block, header byte) (batchInfo, error) {
	meta := make([]byte, b.meta)
	if _, err := r.ReadAt(meta, b.offset); err != nil {
		return batchInfo{}, fmt.Errorf("read its metadata: %w", err)
	}
	switch binary.LittleEndian.Uint32(meta) {
	case 0:
	case continuation:
		meta = meta[8:]
	default:
		meta = meta[4:]
	}
	return verifyBatch(meta, header, b.body)
}
