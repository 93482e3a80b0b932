package ensemble

import (
	"context"
	"fmt"
	"math"
	"slices"
)

// Library is the candidates an ensemble is made from. Only one record need be in memory at a time:
// an implementation may read it from disk into the same Predictions at every call.
type Library interface {
	// Len is the number of candidates.
	Len() int
	// Record gives a candidate's predictions. They are valid until the next call and must not be
	// changed.
	Record(ctx context.Context, candidate int) (*Predictions, error)
}

// Records is a Library held in memory.
type Records []*Predictions

// Len is the number of records.
func (r Records) Len() int { return len(r) }

// Record gives one record.
func (r Records) Record(_ context.Context, candidate int) (*Predictions, error) {
	return r[candidate], nil
}

// HoldOut shows only the given rows of a library, for blending: choose weights on rows that no
// member was trained on, then use them elsewhere.
func HoldOut(library Library, rows []int64) Library {
	return &holdOut{library: library, rows: rows}
}

type holdOut struct {
	library Library
	rows    []int64
	view    Predictions
}

func (h *holdOut) Len() int { return h.library.Len() }

func (h *holdOut) Record(ctx context.Context, candidate int) (*Predictions, error) {
	record, err := h.library.Record(ctx, candidate)
	if err != nil {
		return nil, err
	}
	mask := h.view.predicted
	if len(mask) != record.shape.Rows {
		mask = make([]bool, record.shape.Rows)
	}
	clear(mask)
	h.view = *record
	h.view.predicted = mask
	h.view.count = 0
	for _, row := range h.rows {
		if row < 0 || row >= int64(record.shape.Rows) {
			return nil, fmt.Errorf("%w: hold-out row %d of a dataset with %d rows", ErrInput, row, record.shape.Rows)
		}
		if !record.predicted[row] {
			return nil, fmt.Errorf("%w: hold-out row %d was not predicted by candidate %s", ErrInput, row, record.name)
		}
		if mask[row] {
			return nil, fmt.Errorf("%w: hold-out row %d is listed twice", ErrInput, row)
		}
		mask[row] = true
		h.view.count++
	}
	return &h.view, nil
}

// members reads a library and refuses a member that doesn't match those before it.
type members struct {
	library Library
	name    string
	shape   Shape
	mask    []bool
	count   int
}

func openMembers(ctx context.Context, library Library) (*members, error) {
	if library.Len() == 0 {
		return nil, fmt.Errorf("%w: no candidates to combine", ErrInput)
	}
	first, err := library.Record(ctx, 0)
	if err != nil {
		return nil, fmt.Errorf("read the predictions of candidate 0: %w", err)
	}
	if first.count == 0 {
		return nil, fmt.Errorf("%w: candidate %s predicted no rows", ErrInput, first.name)
	}
	return &members{
		library: library,
		name:    first.name,
		shape:   first.shape,
		mask:    slices.Clone(first.predicted),
		count:   first.count,
	}, nil
}

func (m *members) record(ctx context.Context, candidate int) (*Predictions, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	record, err := m.library.Record(ctx, candidate)
	if err != nil {
		return nil, fmt.Errorf("read the predictions of candidate %d: %w", candidate, err)
	}
	if difference := record.shape.differs(m.shape); difference != "" {
		return nil, fmt.Errorf("%w: candidate %s does not match %s: %s", ErrInput, record.name, m.name, difference)
	}
	for row, predicted := range record.predicted {
		if predicted != m.mask[row] {
			return nil, fmt.Errorf("%w: candidates %s and %s have different row sets: row %d is predicted by one of them only",
				ErrInput, record.name, m.name, row)
		}
	}
	return record, nil
}

// rows lists the predicted rows; nil when all are.
func (m *members) rows() []int {
	if m.count == m.shape.Rows {
		return nil
	}
	rows := make([]int, 0, m.count)
	for row, predicted := range m.mask {
		if predicted {
			rows = append(rows, row)
		}
	}
	return rows
}

// compact gives the predicted rows of a record without gaps: the record's own values when rows is
// nil, else copied to buffer.
func compact(record *Predictions, rows []int, buffer []float64) []float64 {
	if rows == nil {
		return record.values
	}
	outputs := record.shape.Outputs()
	for i, row := range rows {
		copy(buffer[i*outputs:(i+1)*outputs], record.Row(row))
	}
	return buffer[:len(rows)*outputs]
}

// result makes a record with the members' rows to write a combination into.
func (m *members) result(name string, shape Shape) *Predictions {
	result := emptyLike(name, shape)
	copy(result.predicted, m.mask)
	result.count = m.count
	return result
}

// checkWeights accepts nil, which means equal weights.
func checkWeights(weights []float64, members int) error {
	if weights == nil {
		return nil
	}
	if len(weights) != members {
		return fmt.Errorf("%w: %d weights for %d members", ErrInput, len(weights), members)
	}
	for i, weight := range weights {
		if weight < 0 || math.IsNaN(weight) || math.IsInf(weight, 0) {
			return fmt.Errorf("%w: weight %d is %v: weights are finite and at least 0", ErrInput, i, weight)
		}
	}
	if total := sum(weights); total == 0 || math.IsInf(total, 0) {
		return fmt.Errorf("%w: the %d weights sum to %v: at least one must be above 0", ErrInput, members, total)
	}
	return nil
}
