// Package dense turns dictionary arrays into plain ones.
package dense

import (
	"context"
	"fmt"

	"github.com/apache/arrow/go/v15/arrow"
	"github.com/apache/arrow/go/v15/arrow/array"
	"github.com/apache/arrow/go/v15/arrow/compute"
)

// Array returns a with its dictionary looked up, or a itself where it has none. The caller releases
// what it gets.
func Array(ctx context.Context, a arrow.Array) (arrow.Array, error) {
	coded, ok := a.(*array.Dictionary)
	if !ok {
		a.Retain()
		return a, nil
	}
	plain, err := compute.TakeArray(ctx, coded.Dictionary(), coded.Indices())
	if err != nil {
		return nil, fmt.Errorf("look up values of type %s: %w", a.DataType(), err)
	}
	return plain, nil
}

// Type returns the type of the array that Array returns for one of type dt.
func Type(dt arrow.DataType) arrow.DataType {
	if coded, ok := dt.(*arrow.DictionaryType); ok {
		return coded.ValueType
	}
	return dt
}
