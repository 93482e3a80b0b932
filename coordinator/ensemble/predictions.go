package ensemble

import (
	"fmt"
	"math"
	"slices"
)

// Predictions is one candidate's record: what its fits predicted for the rows they were not trained
// on, aligned with the dataset's rows. It takes rows × outputs × 8 bytes and is filled fold by fold.
type Predictions struct {
	name      string
	shape     Shape
	values    []float64 // row-major, rows × outputs; 0 where not predicted
	predicted []bool
	count     int
	marks     []string
}

// NewPredictions makes an empty record. The name stands in messages.
func NewPredictions(name string, shape Shape) (*Predictions, error) {
	if err := shape.validate(); err != nil {
		return nil, fmt.Errorf("candidate %s: %w", name, err)
	}
	shape.Classes = slices.Clone(shape.Classes)
	return emptyLike(name, shape), nil
}

// emptyLike makes an empty record of a shape that is known to be valid.
func emptyLike(name string, shape Shape) *Predictions {
	return &Predictions{
		name:      name,
		shape:     shape,
		values:    make([]float64, shape.Rows*shape.Outputs()),
		predicted: make([]bool, shape.Rows),
	}
}

// Reset empties the record for another candidate and keeps its memory.
func (p *Predictions) Reset(name string) {
	p.name, p.count, p.marks = name, 0, nil
	clear(p.values)
	clear(p.predicted)
}

// Name is the candidate's name.
func (p *Predictions) Name() string { return p.name }

// Shape is the record's shape; its slices must not be changed.
func (p *Predictions) Shape() Shape { return p.shape }

// Values are all predictions, row-major, rows × outputs, shared with the record; zeros where a row was
// not predicted.
func (p *Predictions) Values() []float64 { return p.values }

// Row is the predictions for one row, shared with the record; zeros when it was not predicted.
func (p *Predictions) Row(row int) []float64 {
	outputs := p.shape.Outputs()
	return p.values[row*outputs : (row+1)*outputs : (row+1)*outputs]
}

// Predicted says whether some fold predicted the row.
func (p *Predictions) Predicted(row int) bool { return p.predicted[row] }

// Count is the number of rows predicted.
func (p *Predictions) Count() int { return p.count }

// Complete says whether every row was predicted.
func (p *Predictions) Complete() bool { return p.count == p.shape.Rows }

// Marks are sentences for people about what is odd in the record: classes a fold was not trained
// on, and predictions that are the same for every row.
func (p *Predictions) Marks() []string {
	marks := slices.Clone(p.marks)
	if p.constant() {
		marks = append(marks, fmt.Sprintf("candidate %s: the predictions of all %d rows are equal", p.name, p.count))
	}
	return marks
}

func (p *Predictions) constant() bool {
	first := slices.Index(p.predicted, true)
	if p.count < 2 {
		return false
	}
	for row := first + 1; row < p.shape.Rows; row++ {
		if p.predicted[row] && !slices.Equal(p.Row(row), p.Row(first)) {
			return false
		}
	}
	return true
}

// Fold is what one fit predicted for its test rows.
type Fold struct {
	// Number is the split's position in the plan, for messages.
	Number int
	// Rows are rows of the dataset, in any order.
	Rows []int64
	// Classes are the classes the fit was trained on, in the order of its columns. Default: all of
	// the record's.
	Classes []string
	// Values are the predictions, row-major: len(Rows) × columns.
	Values []float64
}

// Fill adds one fold to the record; on an error the record is as it was.
//
// A class the fit was not trained on gets probability 0 or the smallest decision, as in scikit-learn's
// cross_val_predict, and a mark.
func (p *Predictions) Fill(fold Fold) error {
	if err := p.fill(fold); err != nil {
		return fmt.Errorf("candidate %s, fold %d: %w", p.name, fold.Number, err)
	}
	return nil
}

func (p *Predictions) fill(fold Fold) error {
	positions, err := p.classPositions(fold.Classes)
	if err != nil {
		return err
	}
	width := columns(p.shape.Kind, len(positions), p.shape.Targets)
	if err := checkFoldValues(fold, width); err != nil {
		return err
	}
	if p.shape.Kind == KindLabels {
		if err := checkLabels(fold, len(positions)); err != nil {
			return err
		}
	}
	if err := p.claim(fold.Rows); err != nil {
		return err
	}
	for i, row := range fold.Rows {
		p.put(int(row), fold.Values[i*width:(i+1)*width], positions)
	}
	p.markMissing(fold.Number, positions)
	return nil
}

// classPositions maps the fold's classes to the record's.
func (p *Predictions) classPositions(classes []string) ([]int, error) {
	if p.shape.Kind == KindValues {
		if classes != nil {
			return nil, fmt.Errorf("%w: classes %q with values", ErrInput, classes)
		}
		return nil, nil
	}
	if classes == nil {
		classes = p.shape.Classes
	}
	positions := make([]int, len(classes))
	for i, class := range classes {
		positions[i] = slices.Index(p.shape.Classes, class)
		if positions[i] < 0 {
			return nil, fmt.Errorf("%w: class %q is not one of %q", ErrInput, class, p.shape.Classes)
		}
		if slices.Contains(positions[:i], positions[i]) {
			return nil, fmt.Errorf("%w: class %q is listed twice", ErrInput, class)
		}
	}
	missing := len(classes) < len(p.shape.Classes)
	if missing && p.shape.Kind == KindDecisions && len(classes) <= 2 {
		return nil, fmt.Errorf("%w: trained on %d of %d classes, %q: its decisions have no column per class; "+
			"use stratified folds", ErrInput, len(classes), len(p.shape.Classes), classes)
	}
	return positions, nil
}

func checkFoldValues(fold Fold, width int) error {
	if width == 0 || len(fold.Values) != len(fold.Rows)*width {
		return fmt.Errorf("%w: %d numbers for %d rows × %d columns", ErrInput, len(fold.Values), len(fold.Rows), width)
	}
	for i, value := range fold.Values {
		if math.IsNaN(value) || math.IsInf(value, 0) {
			return fmt.Errorf("%w: row %d, column %d is %v", ErrInput, fold.Rows[i/width], i%width, value)
		}
	}
	return nil
}

func checkLabels(fold Fold, classes int) error {
	for i, value := range fold.Values {
		if value != math.Trunc(value) || value < 0 || value >= float64(classes) {
			return fmt.Errorf("%w: row %d has label %v: want the position of one of %d classes",
				ErrInput, fold.Rows[i], value, classes)
		}
	}
	return nil
}

// claim marks rows as predicted, all or none.
func (p *Predictions) claim(rows []int64) error {
	for i, row := range rows {
		var err error
		switch {
		case row < 0 || row >= int64(p.shape.Rows):
			err = fmt.Errorf("%w: row %d of a dataset with %d rows", ErrInput, row, p.shape.Rows)
		case p.predicted[row]:
			err = fmt.Errorf("%w: row %d was predicted before: give each repeat its own record and average them",
				ErrInput, row)
		}
		if err != nil {
			for _, claimed := range rows[:i] {
				p.predicted[claimed] = false
			}
			return err
		}
		p.predicted[row] = true
	}
	p.count += len(rows)
	return nil
}

// put writes one row, its columns moved to the record's classes.
func (p *Predictions) put(row int, values []float64, positions []int) {
	target := p.Row(row)
	switch {
	case p.shape.Kind == KindLabels:
		target[0] = float64(positions[int(values[0])])
	case p.shape.Kind == KindValues:
		copy(target, values)
	case p.shape.Kind == KindDecisions && len(target) == 1:
		target[0] = values[0]
		if positions[0] == 1 {
			target[0] = -values[0]
		}
	default:
		if len(positions) < len(p.shape.Classes) && p.shape.Kind == KindDecisions {
			fill(target, -math.MaxFloat64)
		}
		for i, position := range positions {
			target[position] = values[i]
		}
	}
}

func (p *Predictions) markMissing(fold int, positions []int) {
	for position, class := range p.shape.Classes {
		if !slices.Contains(positions, position) {
			p.marks = append(p.marks, fmt.Sprintf("candidate %s, fold %d: class %q was not among the train rows; "+
				"stratified folds would keep it", p.name, fold, class))
		}
	}
}

func fill(values []float64, value float64) {
	for i := range values {
		values[i] = value
	}
}

// Labels gives the predicted classes: the first class with the highest probability or decision; for
// one decision column, the second class when it is above 0.
func (p *Predictions) Labels() (*Predictions, error) {
	if p.shape.Kind == KindValues {
		return nil, fmt.Errorf("%w: candidate %s: values have no classes", ErrInput, p.name)
	}
	shape := p.shape
	shape.Kind = KindLabels
	labels := emptyLike(p.name, shape)
	copy(labels.predicted, p.predicted)
	labels.count, labels.marks = p.count, p.marks
	for row := range labels.values {
		if p.predicted[row] {
			labels.values[row] = float64(classOf(p.shape.Kind, p.Row(row)))
		}
	}
	return labels, nil
}

// classOf is the position of the class that one row's outputs stand for.
func classOf(kind Kind, outputs []float64) int {
	switch {
	case kind == KindLabels:
		return int(outputs[0])
	case len(outputs) == 1:
		if outputs[0] > 0 {
			return 1
		}
		return 0
	}
	best := 0
	for i, value := range outputs {
		if value > outputs[best] {
			best = i
		}
	}
	return best
}
