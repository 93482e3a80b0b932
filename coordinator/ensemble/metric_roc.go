package ensemble

import (
	"cmp"
	"fmt"
	"math"
	"slices"
)

// rocPoint is one row of a two-class problem.
type rocPoint struct {
	score, weight float64
	row           int32
	positive      bool
}

func rocBinary(s *scoring) (float64, error) {
	if len(s.target.classes) != 2 {
		return 0, fmt.Errorf("%w: %d classes: use roc_auc_ovr or roc_auc_ovo", ErrInput, len(s.target.classes))
	}
	return s.area(1, func(int) bool { return true })
}

// area is the area under the ROC curve of one class against the rest, over the rows kept.
func (s *scoring) area(class int, keep func(label int) bool) (float64, error) {
	column := min(class, s.outputs-1)
	points := s.points[:0]
	for row, label := range s.target.labels {
		if weight := s.weight(row); weight != 0 && keep(label) {
			points = append(points, rocPoint{s.values[row*s.outputs+column], weight, int32(row), label == class})
		}
	}
	s.points = points
	slices.SortFunc(points, func(a, b rocPoint) int {
		return cmp.Or(cmp.Compare(b.score, a.score), cmp.Compare(a.row, b.row))
	})
	s.curve = rocCurve(points, s.curve[:0])
	s.curve = dropCollinear(s.curve)
	last := s.curve[len(s.curve)-1]
	if last.hits == 0 || last.alarms == 0 {
		return 0, fmt.Errorf("%w: every row or none is of class %q", ErrUndefined, s.target.classes[class])
	}
	steps := s.scratch(len(s.curve))
	before := rocStep{}
	for i, step := range s.curve {
		step.hits /= last.hits
		step.alarms /= last.alarms
		steps[i] = (step.alarms - before.alarms) * (step.hits + before.hits) / 2
		before = step
	}
	return sum(steps), nil
}

// rocStep is a point of the curve: the weight of true and of false positives above a threshold.
type rocStep struct{ hits, alarms float64 }

// rocCurve adds up the points, the highest score first; points with equal scores are one step.
func rocCurve(points []rocPoint, curve []rocStep) []rocStep {
	var step rocStep
	for i, point := range points {
		if point.positive {
			step.hits += point.weight
		} else {
			step.alarms += point.weight
		}
		if i+1 == len(points) || points[i+1].score != point.score {
			curve = append(curve, step)
		}
	}
	return curve
}

// dropCollinear leaves out steps between two equal ones, as scikit-learn does. The area stays the
// same, and with it the rounding: candidates that tie there tie here.
func dropCollinear(curve []rocStep) []rocStep {
	if len(curve) <= 2 {
		return curve
	}
	kept := curve[:1]
	before := curve[0]
	for i := 1; i < len(curve)-1; i++ {
		current, next := curve[i], curve[i+1]
		if next.hits-current.hits != current.hits-before.hits || next.alarms-current.alarms != current.alarms-before.alarms {
			kept = append(kept, current)
		}
		before = current
	}
	return append(kept, curve[len(curve)-1])
}

// checkSums refuses scores that are not probabilities, with scikit-learn's tolerance.
func (s *scoring) checkSums() error {
	for start := 0; start < len(s.values); start += s.outputs {
		total := sum(s.values[start : start+s.outputs])
		if !(math.Abs(1-total) <= 1e-8+1e-5*math.Abs(total)) {
			return fmt.Errorf("%w: scores of a row sum to %v: ROC AUC of several classes needs probabilities", ErrInput, total)
		}
	}
	return nil
}

// rocOneVsRest averages over classes; weighted, by how often each class occurs.
func rocOneVsRest(weighted bool) func(*scoring) (float64, error) {
	return func(s *scoring) (float64, error) {
		if len(s.target.classes) == 2 {
			return rocBinary(s)
		}
		if err := s.checkSums(); err != nil {
			return 0, err
		}
		weights := make([]float64, len(s.target.classes))
		for row, label := range s.target.labels {
			weights[label] += s.weight(row)
		}
		areas := make([]float64, len(weights))
		for class := range areas {
			if weighted && weights[class] == 0 {
				continue
			}
			area, err := s.area(class, func(int) bool { return true })
			if err != nil {
				return 0, err
			}
			areas[class] = area
		}
		if !weighted {
			return mean(areas), nil
		}
		return weightedMean(areas, weights), nil
	}
}

// rocOneVsOne is Hand & Till (2001): the mean over pairs of classes; weighted, by the rows of each pair.
func rocOneVsOne(weighted bool) func(*scoring) (float64, error) {
	return func(s *scoring) (float64, error) {
		if len(s.target.classes) == 2 {
			return rocBinary(s)
		}
		if s.target.weights != nil {
			return 0, fmt.Errorf("%w: one-vs-one ROC AUC takes no sample weights: use roc_auc_ovr", ErrInput)
		}
		if err := s.checkSums(); err != nil {
			return 0, err
		}
		return s.pairs(weighted)
	}
}

func (s *scoring) pairs(weighted bool) (float64, error) {
	counts := make([]int, len(s.target.classes))
	for _, label := range s.target.labels {
		counts[label]++
	}
	var areas, shares []float64
	for a := range counts {
		for b := a + 1; b < len(counts); b++ {
			if counts[a] == 0 || counts[b] == 0 {
				continue
			}
			keep := func(label int) bool { return label == a || label == b }
			// Both classes occur, so both areas exist.
			ofA, errA := s.area(a, keep)
			ofB, errB := s.area(b, keep)
			if err := cmp.Or(errA, errB); err != nil {
				return 0, err
			}
			areas = append(areas, (ofA+ofB)/2)
			shares = append(shares, float64(counts[a]+counts[b])/float64(len(s.target.labels)))
		}
	}
	if len(areas) == 0 {
		return 0, fmt.Errorf("%w: the target has only one class", ErrUndefined)
	}
	if !weighted {
		return mean(areas), nil
	}
	return weightedMean(areas, shares), nil
}

// weightedMean is numpy.average with weights.
func weightedMean(values, weights []float64) float64 {
	products := make([]float64, len(values))
	for i, value := range values {
		products[i] = value * weights[i]
	}
	return sum(products) / sum(weights)
}
