package ensemble

import (
	"cmp"
	"context"
	"fmt"
	"slices"
)

// Mean averages the members' predictions row by row, with equal weights when weights is nil. It is
// VotingClassifier.predict_proba and VotingRegressor.predict, to the bit. A member of weight 0 is not
// read.
func Mean(ctx context.Context, library Library, weights []float64) (*Predictions, error) {
	m, err := openWeighted(ctx, library, weights)
	if err != nil {
		return nil, err
	}
	if err := m.refuseLabels("averaged"); err != nil {
		return nil, err
	}
	result := m.result("mean", m.shape)
	err = m.each(ctx, weights, func(record *Predictions, weight float64) {
		for i, value := range record.values {
			// The conversion keeps the product from being fused with the sum on some processors.
			result.values[i] += float64(value * weight)
		}
	})
	if err != nil {
		return nil, err
	}
	total := totalWeight(weights, library.Len())
	for i := range result.values {
		result.values[i] /= total
	}
	return result, nil
}

// MeanOfFolds averages what the models of a candidate's folds predict for the same new rows
// (cross-fitting): one record per fold, equal weights.
func MeanOfFolds(ctx context.Context, folds Library) (*Predictions, error) {
	return Mean(ctx, folds, nil)
}

// MeanOfPartitions averages models that were each trained on one partition of the data, weighted by
// the rows of the partitions.
func MeanOfPartitions(ctx context.Context, partitions Library, rows []int64) (*Predictions, error) {
	weights := make([]float64, len(rows))
	for i, n := range rows {
		weights[i] = float64(n)
	}
	return Mean(ctx, partitions, weights)
}

// RankAverage replaces each column by its ranks, ties sharing their mean rank, and averages those. A
// rank is scaled to lie between -1/2 and 1/2 with the middle of the rows at 0. Useful when members
// order rows alike but on different scales. Two classes give one column, the second class's.
func RankAverage(ctx context.Context, library Library, weights []float64) (*Predictions, error) {
	m, err := openWeighted(ctx, library, weights)
	if err != nil {
		return nil, err
	}
	if m.shape.Kind != KindProbabilities && m.shape.Kind != KindDecisions {
		return nil, fmt.Errorf("%w: %s of candidate %s can't be ranked: use probabilities or decisions",
			ErrInput, m.shape.Kind, m.name)
	}
	shape := m.shape
	shape.Kind = KindDecisions
	result := m.result("rank average", shape)
	ranker := ranker{rows: m.rows(), order: make([]int, m.count)}
	if ranker.rows == nil {
		ranker.rows = consecutive(m.shape.Rows)
	}
	total := totalWeight(weights, library.Len())
	err = m.each(ctx, weights, func(record *Predictions, weight float64) {
		ranker.add(result, record, weight/total)
	})
	return result, err
}

func consecutive(n int) []int {
	rows := make([]int, n)
	for i := range rows {
		rows[i] = i
	}
	return rows
}

// ranker adds the scaled ranks of records to a result.
type ranker struct {
	rows  []int
	order []int
}

func (r *ranker) add(result, record *Predictions, weight float64) {
	outputs, from := result.shape.Outputs(), record.shape.Outputs()
	n := float64(len(r.rows))
	for column := range outputs {
		// The last column of two is the second class.
		value := func(row int) float64 { return record.values[row*from+from-outputs+column] }
		copy(r.order, r.rows)
		slices.SortFunc(r.order, func(a, b int) int { return cmp.Compare(value(a), value(b)) })
		eachTie(r.order, value, func(tied []int, rank float64) {
			for _, row := range tied {
				result.values[row*outputs+column] += float64(weight * ((rank - (n+1)/2) / n))
			}
		})
	}
}

// eachTie walks sorted items in groups of equal value with the mean rank of the group, from 1.
func eachTie(sorted []int, value func(item int) float64, visit func(tied []int, rank float64)) {
	for start := 0; start < len(sorted); {
		end := start + 1
		for end < len(sorted) && value(sorted[end]) == value(sorted[start]) {
			end++
		}
		visit(sorted[start:end], float64(start+1+end)/2)
		start = end
	}
}

func openWeighted(ctx context.Context, library Library, weights []float64) (*members, error) {
	if err := checkWeights(weights, library.Len()); err != nil {
		return nil, err
	}
	return openMembers(ctx, library)
}

func (m *members) refuseLabels(verb string) error {
	if m.shape.Kind == KindLabels {
		return fmt.Errorf("%w: labels of candidate %s can't be %s: use HardVote, or probabilities", ErrInput, m.name, verb)
	}
	return nil
}

// each reads the members in order, but those of weight 0.
func (m *members) each(ctx context.Context, weights []float64, visit func(*Predictions, float64)) error {
	for candidate := range m.library.Len() {
		weight := 1.0
		if weights != nil {
			weight = weights[candidate]
		}
		if weight == 0 {
			continue
		}
		record, err := m.record(ctx, candidate)
		if err != nil {
			return err
		}
		visit(record, weight)
	}
	return nil
}

func totalWeight(weights []float64, members int) float64 {
	if weights == nil {
		return float64(members)
	}
	return sum(weights)
}
