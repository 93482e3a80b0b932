package predictions

import (
	"context"
	"fmt"

	"github.com/apache/arrow/go/v15/arrow"
	"github.com/apache/arrow/go/v15/arrow/array"
	"github.com/apache/arrow/go/v15/arrow/memory"

	"github.com/crossfold/crossfold/arrowipc/store"
)

// Feature is one column of a stack, aligned with the rows of its target.
type Feature struct {
	Name   string
	Values []float64
}

// WriteStack stores features and the target they are to predict as a dataset that fits learn from.
func WriteStack(
	ctx context.Context, st *store.Store, features []Feature, name string, target *arrow.Chunked,
) (id string, err error) {
	fields := make([]arrow.Field, 0, len(features)+1)
	columns := make([]arrow.Array, 0, len(features)+1)
	defer func() {
		for _, column := range columns {
			column.Release()
		}
	}()
	for _, feature := range features {
		if len(feature.Values) != target.Len() || feature.Name == name {
			return "", fmt.Errorf("predictions: feature %q of %d rows for target %q of %d rows",
				feature.Name, len(feature.Values), name, target.Len())
		}
		numbers := column(arrow.PrimitiveTypes.Float64, len(feature.Values), arrow.Float64Traits.CastToBytes(feature.Values))
		fields = append(fields, arrow.Field{Name: feature.Name, Type: arrow.PrimitiveTypes.Float64})
		columns = append(columns, array.MakeFromData(numbers))
	}
	truth, err := array.Concatenate(target.Chunks(), memory.DefaultAllocator)
	if err != nil {
		return "", fmt.Errorf("predictions: join the target: %w", err)
	}
	fields = append(fields, arrow.Field{Name: name, Type: target.DataType(), Nullable: true})
	columns = append(columns, truth)
	return put(ctx, st, array.NewRecord(arrow.NewSchema(fields, nil), columns, int64(target.Len())))
}
