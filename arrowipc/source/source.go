// Package source turns a person's data file into a dataset: one Arrow IPC file in the store.
//
// A dataset written here is uncompressed, has no dictionaries, no metadata and one record batch, so
// that Python can view its columns without copying, and equal data has an equal id.
package source

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/apache/arrow/go/v15/arrow"

	"github.com/crossfold/crossfold/arrowipc/internal/untrusted"
	"github.com/crossfold/crossfold/arrowipc/store"
)

// Dataset says what a dataset holds.
type Dataset struct {
	// ID is the `ds-…` object in the store.
	ID      string
	Rows    int64
	Columns []ColumnInfo
}

// ColumnInfo says what one column of a dataset holds.
type ColumnInfo struct {
	Name string
	// Type is Arrow's name of the type, such as "int64", "float64", "bool" or "string".
	Type string
	// Nulls is the number of rows without a value.
	Nulls int64
}

// Options says how to read a file.
type Options struct {
	// Format is "parquet", "csv" or "arrow"; empty goes by the file's extension.
	Format string
}

// reader reads a whole file into a table.
type reader func(ctx context.Context, file input) (*table, error)

// input is an open data file.
type input interface {
	io.Reader
	io.ReaderAt
	io.Seeker
}

var readers = map[string]reader{"parquet": readParquet, "csv": readCSV, "arrow": readArrow}

var formats = map[string]string{
	".parquet": "parquet", ".pq": "parquet", ".csv": "csv",
	".arrow": "arrow", ".feather": "arrow", ".ipc": "arrow",
}

// Read stores the Parquet, CSV or Arrow IPC file at location as a dataset. Errors name the file and
// the next step; a missing file is fs.ErrNotExist.
func Read(ctx context.Context, st *store.Store, location string, opts Options) (Dataset, error) {
	data, err := readFile(ctx, location, opts)
	if err != nil {
		return Dataset{}, fmt.Errorf("source: read %s: %w", location, err)
	}
	defer data.release()
	dataset, err := data.store(ctx, st)
	if err != nil {
		return Dataset{}, fmt.Errorf("source: store %s: %w", location, err)
	}
	return dataset, nil
}

func readFile(ctx context.Context, location string, opts Options) (*table, error) {
	read, err := readerFor(location, opts)
	if err != nil {
		return nil, err
	}
	file, err := openFile(location)
	if err != nil {
		return nil, err
	}
	defer func() { _ = file.Close() }()
	var data *table
	err = untrusted.Do(func() (err error) {
		data, err = read(ctx, cancellable{ctx, file})
		return err
	})
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	if errors.Is(err, untrusted.ErrDamaged) {
		return nil, fmt.Errorf("%w; check that it was copied whole, or write it again", err)
	}
	if err != nil {
		return nil, err
	}
	return data, data.check()
}

func readerFor(location string, opts Options) (reader, error) {
	format := opts.Format
	if format == "" {
		ext := strings.ToLower(filepath.Ext(location))
		if format = formats[ext]; format == "" {
			return nil, fmt.Errorf("unknown extension %q; use .parquet, .csv, .arrow or .feather, or set the format", ext)
		}
	}
	read := readers[format]
	if read == nil {
		return nil, fmt.Errorf("unknown format %q; use parquet, csv or arrow", format)
	}
	return read, nil
}

// openFile opens a file that has something in it.
func openFile(location string) (*os.File, error) {
	info, err := os.Stat(location)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%w; check the path, which starts from the working folder unless it is absolute",
			fs.ErrNotExist)
	}
	if err != nil {
		return nil, err
	}
	switch {
	case info.IsDir():
		return nil, errors.New("it is a folder; name one file in it")
	case !info.Mode().IsRegular():
		return nil, errors.New("it is no regular file; copy the data to one")
	case info.Size() == 0:
		return nil, errors.New("it is empty (0 bytes); write it again")
	}
	return os.Open(location)
}

// cancellable fails every read once its context has ended, which ends any parser.
type cancellable struct {
	ctx  context.Context
	file *os.File
}

func (c cancellable) Read(p []byte) (int, error) {
	if err := c.ctx.Err(); err != nil {
		return 0, err
	}
	return c.file.Read(p)
}

func (c cancellable) ReadAt(p []byte, off int64) (int, error) {
	if err := c.ctx.Err(); err != nil {
		return 0, err
	}
	return c.file.ReadAt(p, off)
}

func (c cancellable) Seek(offset int64, whence int) (int64, error) {
	return c.file.Seek(offset, whence)
}

// typeName is Arrow's name of a type as people know it.
func typeName(dt arrow.DataType) string {
	switch dt.ID() {
	case arrow.STRING:
		return "string"
	case arrow.LARGE_STRING:
		return "large_string"
	default:
		return dt.String()
	}
}
