package ensemble

import (
	"context"
	"fmt"
)

// tileBytes bounds the members that Blend holds at a time.
const tileBytes = 64 << 20

// Blend gives the members weights by non-negative least squares on the rows of a hold-out: they
// minimise the squared error of the weighted sum, for classes against the one-hot target (the Brier
// score), and are then scaled to sum to 1. Sample weights count. Use Greedy on HoldOut to optimise
// another metric.
func Blend(ctx context.Context, library Library, target *Target, holdOut []int64) ([]float64, error) {
	m, err := openMembers(ctx, HoldOut(library, holdOut))
	if err != nil {
		return nil, err
	}
	if m.shape.Kind != KindValues && m.shape.Kind != KindProbabilities {
		return nil, fmt.Errorf("%w: %s of candidate %s can't be blended: use values or probabilities",
			ErrInput, m.shape.Kind, m.name)
	}
	if err := target.matches(m.name, m.shape); err != nil {
		return nil, err
	}
	b := blend{members: m, rows: m.rows()}
	if b.target, err = target.subset(b.rows); err != nil {
		return nil, err
	}
	if err := b.multiply(ctx, tileBytes); err != nil {
		return nil, err
	}
	weights := nonNegative(b.gram, b.moment)
	total := sum(weights)
	if total == 0 {
		return nil, fmt.Errorf("%w: no member helps on the %d rows of the hold-out: every weight is 0", ErrUndefined, m.count)
	}
	for i := range weights {
		weights[i] /= total
	}
	return weights, nil
}

// blend is the normal equations of the least squares: gram is the members' products with each other,
// moment those with the target.
type blend struct {
	members *members
	target  *Target
	rows    []int
	gram    [][]float64
	moment  []float64
}

// multiply reads the members tile by tile: it holds as many as fit the bytes, at least one.
func (b *blend) multiply(ctx context.Context, bytes int) error {
	n := b.members.library.Len()
	width := b.members.shape.Outputs()
	size := b.members.count * width
	tile := max(1, min(n, bytes/(8*size)))
	b.moment = make([]float64, n)
	b.gram = make([][]float64, n)
	for i := range b.gram {
		b.gram[i] = make([]float64, n)
	}
	held := make([][]float64, tile)
	for i := range held {
		held[i] = make([]float64, size)
	}
	buffer := make([]float64, size)
	for start := 0; start < n; start += tile {
		end := min(start+tile, n)
		for j := start; j < n; j++ {
			record, err := b.members.record(ctx, j)
			if err != nil {
				return err
			}
			values := compact(record, b.rows, buffer)
			if j < end {
				b.moment[j] = b.hold(held[j-start], values)
			}
			for i := start; i < min(end, j+1); i++ {
				b.gram[i][j] = dot(held[i-start], values)
				b.gram[j][i] = b.gram[i][j]
			}
		}
	}
	return nil
}

// hold keeps a member's values times the sample weights, and multiplies them with the target.
func (b *blend) hold(held, values []float64) (moment float64) {
	width := len(values) / b.target.Rows()
	for i, value := range values {
		weight := 1.0
		if b.target.weights != nil {
			weight = b.target.weights[i/width]
		}
		held[i] = value * weight
	}
	if b.target.classes == nil {
		return dot(held, b.target.values)
	}
	for row, label := range b.target.labels {
		moment += held[row*width+label]
	}
	return moment
}

func dot(a, b []float64) float64 {
	total := 0.0
	for i, value := range a {
		total += float64(value * b[i])
	}
	return total
}
