package ensemble

import (
	"context"
	"fmt"
)

// Column is one feature of a meta model, aligned with the dataset's rows.
type Column struct {
	Name   string
	Values []float64
}

// StackColumns gives the features that one member adds to a meta model, as scikit-learn's stackers
// do: its columns in order, but of two classes' probabilities only the second. Every row must have
// been predicted.
func StackColumns(p *Predictions) ([]Column, error) {
	if !p.Complete() {
		return nil, fmt.Errorf("%w: candidate %s predicted %d of %d rows: stacking needs them all",
			ErrInput, p.name, p.count, p.shape.Rows)
	}
	outputs := p.shape.Outputs()
	first := 0
	if p.shape.Kind == KindProbabilities && len(p.shape.Classes) == 2 {
		first = 1
	}
	stack := make([]Column, 0, outputs-first)
	for column := first; column < outputs; column++ {
		values := make([]float64, p.shape.Rows)
		for row := range values {
			values[row] = p.values[row*outputs+column]
		}
		stack = append(stack, Column{Name: p.columnName(column), Values: values})
	}
	return stack, nil
}

// columnName is the member's name, and what the column stands for when the member has several.
func (p *Predictions) columnName(column int) string {
	switch {
	case p.shape.Outputs() == 1:
		return p.name
	case p.shape.Kind == KindValues:
		return fmt.Sprintf("%s_%d", p.name, column)
	}
	return p.name + "_" + p.shape.Classes[column]
}

// Stack gives the features of all members, member by member. The members may be of different kinds
// but not of different rows or classes. It holds the whole matrix: to write a large one, go through
// StackColumns one member at a time.
func Stack(ctx context.Context, library Library) ([]Column, error) {
	m, err := openMembers(ctx, library)
	if err != nil {
		return nil, err
	}
	var stack []Column
	for candidate := range library.Len() {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		record, err := library.Record(ctx, candidate)
		if err != nil {
			return nil, fmt.Errorf("read the predictions of candidate %d: %w", candidate, err)
		}
		expected := m.shape
		expected.Kind = record.shape.Kind
		if difference := record.shape.differs(expected); difference != "" {
			return nil, fmt.Errorf("%w: candidate %s does not match %s: %s", ErrInput, record.name, m.name, difference)
		}
		columns, err := StackColumns(record)
		if err != nil {
			return nil, err
		}
		stack = append(stack, columns...)
	}
	return stack, nil
}
