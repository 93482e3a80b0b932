package ensemble

import (
	"fmt"
	"math"
	"slices"
)

// Target is the truth that predictions are compared with, aligned with the dataset's rows.
type Target struct {
	classes []string
	labels  []int
	values  []float64
	targets int
	weights []float64
}

// ClassTarget is the truth of a classifier: labels are positions in classes, one per row. Weights
// are sample weights, nil for none.
func ClassTarget(classes []string, labels []int, weights []float64) (*Target, error) {
	if err := checkClasses(classes); err != nil {
		return nil, err
	}
	for row, label := range labels {
		if label < 0 || label >= len(classes) {
			return nil, fmt.Errorf("%w: row %d has label %d of %d classes", ErrInput, row, label, len(classes))
		}
	}
	t := &Target{classes: classes, labels: labels, weights: weights}
	return t, t.checkRows()
}

// ValueTarget is the truth of a regressor: row-major values, rows × targets. Weights are sample
// weights, nil for none.
func ValueTarget(values []float64, targets int, weights []float64) (*Target, error) {
	if targets < 1 || len(values)%targets != 0 {
		return nil, fmt.Errorf("%w: %d numbers for %d targets per row", ErrInput, len(values), targets)
	}
	for i, value := range values {
		if math.IsNaN(value) || math.IsInf(value, 0) {
			return nil, fmt.Errorf("%w: the target of row %d is %v", ErrInput, i/targets, value)
		}
	}
	t := &Target{values: values, targets: targets, weights: weights}
	return t, t.checkRows()
}

// Rows is the number of rows.
func (t *Target) Rows() int {
	if t.classes == nil {
		return len(t.values) / t.targets
	}
	return len(t.labels)
}

func (t *Target) checkRows() error {
	if t.Rows() == 0 {
		return fmt.Errorf("%w: a target without rows", ErrInput)
	}
	if t.weights == nil {
		return nil
	}
	if len(t.weights) != t.Rows() {
		return fmt.Errorf("%w: %d sample weights for %d rows", ErrInput, len(t.weights), t.Rows())
	}
	for row, weight := range t.weights {
		if weight < 0 || math.IsNaN(weight) || math.IsInf(weight, 0) {
			return fmt.Errorf("%w: the sample weight of row %d is %v", ErrInput, row, weight)
		}
	}
	if total := sum(t.weights); total == 0 || math.IsInf(total, 0) {
		return fmt.Errorf("%w: the sample weights sum to %v", ErrInput, total)
	}
	return nil
}

// matches refuses predictions that the target can't be compared with.
func (t *Target) matches(name string, shape Shape) error {
	if shape.Rows != t.Rows() {
		return fmt.Errorf("%w: candidate %s has %d rows, the target %d", ErrInput, name, shape.Rows, t.Rows())
	}
	if !slices.Equal(shape.Classes, t.classes) {
		return fmt.Errorf("%w: candidate %s has classes %q, the target %q", ErrInput, name, shape.Classes, t.classes)
	}
	if shape.Targets != t.targets {
		return fmt.Errorf("%w: candidate %s has %d targets per row, the target %d", ErrInput, name, shape.Targets, t.targets)
	}
	return nil
}

// subset keeps the given rows; nil keeps all.
func (t *Target) subset(rows []int) (*Target, error) {
	if rows == nil {
		return t, nil
	}
	part := &Target{classes: t.classes, targets: t.targets}
	for _, row := range rows {
		if t.classes != nil {
			part.labels = append(part.labels, t.labels[row])
		} else {
			part.values = append(part.values, t.values[row*t.targets:(row+1)*t.targets]...)
		}
		if t.weights != nil {
			part.weights = append(part.weights, t.weights[row])
		}
	}
	return part, part.checkRows()
}
