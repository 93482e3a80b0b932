package ensemble

import (
	"fmt"
	"math"
)

func squaredError(s *scoring) (float64, error) {
	return s.meanLoss(func(truth, value float64) float64 { return (truth - value) * (truth - value) }), nil
}

func absoluteError(s *scoring) (float64, error) {
	return s.meanLoss(func(truth, value float64) float64 { return math.Abs(value - truth) }), nil
}

func pinball(alpha float64) func(*scoring) (float64, error) {
	return func(s *scoring) (float64, error) {
		return s.meanLoss(func(truth, value float64) float64 {
			if difference := truth - value; difference >= 0 {
				return alpha * difference
			} else {
				return -(1 - alpha) * difference
			}
		}), nil
	}
}

// meanLoss is the mean over rows, then over the targets of a row.
func (s *scoring) meanLoss(loss func(truth, value float64) float64) float64 {
	losses := s.scratch(len(s.values))
	for i, truth := range s.target.values {
		losses[i] = loss(truth, s.values[i])
	}
	return mean(s.columnMeans(losses))
}

// columnMeans is numpy.average(axis=0) with the sample weights. It overwrites the numbers.
func (s *scoring) columnMeans(numbers []float64) []float64 {
	total := float64(s.target.Rows())
	if s.target.weights != nil {
		s.applyWeights(numbers)
		total = sum(s.target.weights)
	}
	means := columnSums(numbers, s.outputs)
	for j := range means {
		means[j] /= total
	}
	return means
}

func (s *scoring) applyWeights(numbers []float64) {
	for row, weight := range s.target.weights {
		for j := row * s.outputs; j < (row+1)*s.outputs; j++ {
			numbers[j] *= weight
		}
	}
}

// r2 of a target that never changes is 1 when predicted exactly and 0 otherwise, as in scikit-learn.
func r2(s *scoring) (float64, error) {
	if s.target.Rows() < 2 {
		return 0, fmt.Errorf("%w: R² of %d row", ErrUndefined, s.target.Rows())
	}
	truth := s.target.values
	squares := s.scratch(len(truth))
	copy(squares, truth)
	means := s.columnMeans(squares)
	for i := range squares {
		difference := truth[i] - means[i%s.outputs]
		squares[i] = difference * difference
	}
	s.applyWeights(squares)
	totals := columnSums(squares, s.outputs)
	for i := range squares {
		difference := truth[i] - s.values[i]
		squares[i] = difference * difference
	}
	s.applyWeights(squares)
	scores := columnSums(squares, s.outputs)
	for j, residual := range scores {
		switch {
		case residual == 0:
			scores[j] = 1
		case totals[j] == 0:
			scores[j] = 0
		default:
			scores[j] = 1 - residual/totals[j]
		}
	}
	return mean(scores), nil
}
