package coordinator

import (
	"context"
	"fmt"
	"slices"

	"github.com/crossfold/crossfold/arrowipc/predictions"
	"github.com/crossfold/crossfold/arrowipc/store"
	"github.com/crossfold/crossfold/coordinator/ensemble"
)

// heldBytes is about how much of a library is kept in memory; the rest is read when it is needed.
const heldBytes = 128 << 20

// library is gathered predictions on disk: an ensemble.Library that holds what fits heldBytes and
// one more record.
type library struct {
	store *store.Store
	names []string
	ids   []string
	shape ensemble.Shape
	held  []*ensemble.Predictions
	room  int
	// spare is read into for every record that is not held.
	spare *ensemble.Predictions
}

func newLibrary(st *store.Store, shape ensemble.Shape) *library {
	return &library{store: st, shape: shape, room: heldBytes / max(1, 8*shape.Rows*shape.Outputs())}
}

// add appends a candidate's record; all have the same shape.
func (l *library) add(name string, record gathered) error {
	if !sameShape(record.shape, l.shape) {
		return invalid("candidate %s has %s of classes %q, candidate %s %s of classes %q: "+
			"combine members that predict the same", name, record.shape.Kind, record.shape.Classes,
			l.names[0], l.shape.Kind, l.shape.Classes)
	}
	l.names, l.ids, l.held = append(l.names, name), append(l.ids, record.id), append(l.held, nil)
	return nil
}

func sameShape(a, b ensemble.Shape) bool {
	return a.Kind == b.Kind && a.Rows == b.Rows && a.Targets == b.Targets && slices.Equal(a.Classes, b.Classes)
}

// Len implements ensemble.Library.
func (l *library) Len() int { return len(l.ids) }

// Record implements ensemble.Library.
func (l *library) Record(_ context.Context, candidate int) (*ensemble.Predictions, error) {
	if l.held[candidate] != nil {
		return l.held[candidate], nil
	}
	table, err := predictions.Read(l.store, l.ids[candidate])
	if err != nil {
		return nil, err
	}
	record := l.spare
	if l.room > 0 || record == nil {
		if record, err = ensemble.NewPredictions(l.names[candidate], l.shape); err != nil {
			return nil, err
		}
	}
	record.Reset(l.names[candidate])
	if err := record.Fill(ensemble.Fold{Rows: table.Rows, Values: table.Values}); err != nil {
		return nil, err
	}
	if l.room > 0 {
		l.room--
		l.held[candidate] = record
	} else {
		l.spare = record
	}
	return record, nil
}

// shapeOf says what a record made of a part holds.
func shapeOf(part *predictions.Table) (ensemble.Shape, error) {
	shape := ensemble.Shape{Rows: part.DatasetRows}
	switch part.Kind {
	case "values":
		shape.Kind, shape.Targets = ensemble.KindValues, part.Columns
		return shape, nil
	case "probabilities":
		shape.Kind = ensemble.KindProbabilities
	case "decisions":
		shape.Kind = ensemble.KindDecisions
	case "labels":
		shape.Kind = ensemble.KindLabels
	default:
		return shape, fmt.Errorf("predictions of kind %q are not known", part.Kind)
	}
	shape.Classes = part.AllClasses
	return shape, nil
}

// gatherParts aligns what the fits of one candidate predicted by row and stores it as one object. It
// holds one record and one part at a time.
func gatherParts(ctx context.Context, st *store.Store, name string, parts []string) (gathered, error) {
	var record *ensemble.Predictions
	var header predictions.Header
	for number, id := range parts {
		part, err := predictions.Read(st, id)
		if err != nil {
			return gathered{}, fmt.Errorf("candidate %s, fold %d: %w", name, number, err)
		}
		shape, err := shapeOf(part)
		if err != nil {
			return gathered{}, fmt.Errorf("candidate %s, fold %d: %w", name, number, err)
		}
		if record == nil {
			header = part.Header
			if record, err = ensemble.NewPredictions(name, shape); err != nil {
				return gathered{}, err
			}
		}
		if err := record.Fill(ensemble.Fold{
			Number: number, Rows: part.Rows, Classes: part.Classes, Values: part.Values,
		}); err != nil {
			return gathered{}, err
		}
	}
	header.Classes = header.AllClasses
	id, err := storeRecord(ctx, st, header, record)
	return gathered{id: id, shape: record.Shape(), marks: record.Marks()}, err
}

// storeRecord writes the rows that were predicted.
func storeRecord(
	ctx context.Context, st *store.Store, header predictions.Header, record *ensemble.Predictions,
) (string, error) {
	table := &predictions.Table{Header: header, Columns: record.Shape().Outputs(), Values: record.Values()}
	for row := range record.Shape().Rows {
		if record.Predicted(row) {
			table.Rows = append(table.Rows, int64(row))
		}
	}
	if !record.Complete() {
		table.Values = make([]float64, 0, len(table.Rows)*table.Columns)
		for _, row := range table.Rows {
			table.Values = append(table.Values, record.Row(int(row))...)
		}
	}
	return predictions.Write(ctx, st, table)
}

// readTarget joins the truth of a candidate's test rows. Rows that no fold predicted have the first
// class or 0, which nothing looks at.
func readTarget(st *store.Store, parts []string) (*ensemble.Target, error) {
	var header *predictions.Table
	var values []float64
	for _, id := range parts {
		part, err := predictions.Read(st, id)
		if err != nil {
			return nil, err
		}
		if header == nil {
			header = part
			values = make([]float64, part.DatasetRows*part.Columns)
		}
		if part.Columns != header.Columns || part.Kind != header.Kind || part.DatasetRows != header.DatasetRows ||
			!slices.Equal(part.AllClasses, header.AllClasses) {
			return nil, fmt.Errorf("the targets of two folds differ: %v against %v", part.Header, header.Header)
		}
		for i, row := range part.Rows {
			if row < 0 || row >= int64(part.DatasetRows) {
				return nil, fmt.Errorf("the target has row %d of a dataset with %d rows", row, part.DatasetRows)
			}
			copy(values[int(row)*part.Columns:], part.Values[i*part.Columns:(i+1)*part.Columns])
		}
	}
	if header == nil {
		return nil, fmt.Errorf("there is no target")
	}
	if header.Kind != "labels" {
		return ensemble.ValueTarget(values, header.Columns, nil)
	}
	labels := make([]int, len(values))
	for row, value := range values {
		labels[row] = int(value)
	}
	return ensemble.ClassTarget(header.AllClasses, labels, nil)
}
