package source

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/apache/arrow/go/v15/arrow"
	"github.com/apache/arrow/go/v15/arrow/memory"
	"github.com/apache/arrow/go/v15/parquet"
	"github.com/apache/arrow/go/v15/parquet/compress"
	"github.com/apache/arrow/go/v15/parquet/file"
	"github.com/apache/arrow/go/v15/parquet/metadata"
	"github.com/apache/arrow/go/v15/parquet/pqarrow"

	"github.com/crossfold/crossfold/arrowipc/internal/untrusted"
)

// batchValues is how many values of a column are decoded at a time.
const batchValues = 1 << 20

// readParquet reads a Parquet file column by column. pqarrow's own loops start goroutines, where a
// damaged page panics beyond recovery; one field's reader does not.
func readParquet(ctx context.Context, in input) (*table, error) {
	raw, err := file.NewParquetReader(in)
	if err != nil {
		return nil, fmt.Errorf("%w: it is no whole Parquet file: %w", untrusted.ErrDamaged, err)
	}
	defer func() { _ = raw.Close() }()
	if err := verifySchema(raw.MetaData()); err != nil {
		return nil, err
	}
	reader, err := pqarrow.NewFileReader(raw, pqarrow.ArrowReadProperties{}, memory.DefaultAllocator)
	if err != nil {
		return nil, fmt.Errorf("%w: its schema can't be read: %w", untrusted.ErrDamaged, err)
	}
	fields := reader.Manifest.Fields
	names := make([]string, len(fields))
	for i := range fields {
		names[i] = fields[i].Field.Name
	}
	if err := checkNames(names); err != nil {
		return nil, err
	}
	if err := checkEncodings(raw.MetaData()); err != nil {
		return nil, err
	}
	t := &table{}
	for i, name := range names {
		if pandasIndex.MatchString(name) {
			continue
		}
		chunks, err := readColumn(ctx, reader, i)
		if err != nil {
			return nil, fmt.Errorf("column %q: %w", name, err)
		}
		if err := t.add(name, fields[i].Field.Type, chunks); err != nil {
			return nil, err
		}
	}
	return t, nil
}

// verifySchema checks the Arrow schema that Arrow's writers leave in a Parquet file's metadata.
func verifySchema(meta *metadata.FileMetaData) error {
	coded := meta.KeyValueMetadata().FindValue("ARROW:schema")
	if coded == nil {
		return nil
	}
	schema, err := base64.RawStdEncoding.DecodeString(strings.TrimRight(*coded, "="))
	if err != nil {
		return fmt.Errorf("%w: its Arrow schema: %w", untrusted.ErrDamaged, err)
	}
	return untrusted.VerifySchema(schema)
}

// checkEncodings refuses codecs and encodings that arrow/go can't read, before they look like damage.
func checkEncodings(meta *metadata.FileMetaData) error {
	for g := range meta.RowGroups {
		group := meta.RowGroup(g)
		for c := range group.NumColumns() {
			chunk, err := group.ColumnChunk(c)
			if err != nil {
				return fmt.Errorf("%w: row group %d: %w", untrusted.ErrDamaged, g, err)
			}
			name := chunk.PathInSchema().String()
			if _, err := compress.GetCodec(chunk.Compression()); err != nil {
				return fmt.Errorf("column %q is compressed with %v, which is not read; write the file with snappy or zstd",
					name, chunk.Compression())
			}
			if slices.ContainsFunc(chunk.Encodings(), unknownEncoding) {
				return fmt.Errorf("column %q has an encoding that is not read, such as BYTE_STREAM_SPLIT; write the file "+
					"with the default encodings", name)
			}
		}
	}
	return nil
}

// unknownEncoding says whether an encoding is newer than DELTA_BYTE_ARRAY and RLE_DICTIONARY.
func unknownEncoding(e parquet.Encoding) bool {
	return e > max(parquet.Encodings.DeltaByteArray, parquet.Encodings.RLEDict)
}

// readColumn reads one top-level column of every row group.
func readColumn(ctx context.Context, reader *pqarrow.FileReader, i int) ([]arrow.Array, error) {
	field := &reader.Manifest.Fields[i]
	perRow, err := valuesPerRow(field.Field.Type)
	if err != nil {
		return nil, err
	}
	raw := reader.ParquetReader()
	groups := make([]int, raw.NumRowGroups())
	for g := range groups {
		groups[g] = g
	}
	column, err := reader.GetFieldReader(ctx, i, leaves(field, map[int]bool{}), groups)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", untrusted.ErrDamaged, err)
	}
	defer column.Release()
	var chunks []arrow.Array
	for left := raw.NumRows(); left > 0; {
		batch, err := column.NextBatch(min(left, max(1, batchValues/perRow)))
		if err != nil {
			return nil, fmt.Errorf("%w: %w", untrusted.ErrDamaged, err)
		}
		if batch.Len() == 0 {
			return nil, fmt.Errorf("%w: %d of %d rows are missing", untrusted.ErrDamaged, left, raw.NumRows())
		}
		left -= int64(batch.Len())
		for _, chunk := range batch.Chunks() {
			if err := untrusted.Validate(chunk); err != nil {
				return nil, err
			}
			chunk.Retain()
			chunks = append(chunks, chunk)
		}
		batch.Release()
	}
	return chunks, nil
}

// valuesPerRow refuses types that are not read, and guesses how many values a row has.
func valuesPerRow(dt arrow.DataType) (int64, error) {
	const guess = 64
	switch dt := dt.(type) {
	case *arrow.FixedSizeListType:
		_, err := valuesPerRow(dt.Elem())
		return int64(max(1, dt.Len())), err
	case *arrow.ListType:
		_, err := valuesPerRow(dt.Elem())
		return guess, err
	case *arrow.StructType, *arrow.MapType, *arrow.LargeListType, arrow.ExtensionType:
		return 0, errors.New("type " + dt.String() + " is not read; drop the column, or write its parts as columns")
	}
	return 1, nil
}

// leaves collects the Parquet columns that a field is made of.
func leaves(field *pqarrow.SchemaField, into map[int]bool) map[int]bool {
	if field.IsLeaf() {
		into[field.ColIndex] = true
	}
	for i := range field.Children {
		leaves(&field.Children[i], into)
	}
	return into
}
