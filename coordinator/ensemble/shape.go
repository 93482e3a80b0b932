package ensemble

import (
	"fmt"
	"slices"
)

// Kind is what the numbers of a record mean.
type Kind int

const (
	// KindValues are predicted values of a regressor, one column per output.
	KindValues Kind = iota
	// KindProbabilities are a classifier's predict_proba, one column per class.
	KindProbabilities
	// KindDecisions are decision_function: one column for two classes, else one per class.
	KindDecisions
	// KindLabels are predicted classes: one column that holds positions in Shape.Classes.
	KindLabels
)

// String names the kind as people know it.
func (k Kind) String() string {
	switch k {
	case KindValues:
		return "values"
	case KindProbabilities:
		return "probabilities"
	case KindDecisions:
		return "decisions"
	case KindLabels:
		return "labels"
	}
	return fmt.Sprintf("Kind(%d)", int(k))
}

// Shape says what a record holds. The members of an ensemble have equal shapes.
type Shape struct {
	Kind Kind
	// Rows is the number of rows of the dataset.
	Rows int
	// Classes are the class names in the order of scikit-learn's classes_; none for KindValues.
	Classes []string
	// Targets is the number of outputs per row of KindValues; 0 otherwise.
	Targets int
}

// Outputs is the number of columns.
func (s Shape) Outputs() int { return columns(s.Kind, len(s.Classes), s.Targets) }

func columns(kind Kind, classes, targets int) int {
	switch kind {
	case KindValues:
		return targets
	case KindLabels:
		return 1
	case KindDecisions:
		if classes == 2 {
			return 1
		}
	}
	return classes
}

func (s Shape) validate() error {
	if s.Rows < 1 {
		return fmt.Errorf("%w: a record of %d rows: give the dataset's row count", ErrInput, s.Rows)
	}
	switch s.Kind {
	case KindValues:
		if len(s.Classes) > 0 || s.Targets < 1 {
			return fmt.Errorf("%w: values with %d classes and %d targets: give no classes and at least 1 target",
				ErrInput, len(s.Classes), s.Targets)
		}
		return nil
	case KindProbabilities, KindDecisions, KindLabels:
		if s.Targets != 0 {
			return fmt.Errorf("%w: %s with %d targets: targets belong to values", ErrInput, s.Kind, s.Targets)
		}
		return checkClasses(s.Classes)
	}
	return fmt.Errorf("%w: unknown kind of predictions %d", ErrInput, int(s.Kind))
}

func checkClasses(classes []string) error {
	if len(classes) < 2 {
		return fmt.Errorf("%w: %d classes %q: a classifier needs at least 2", ErrInput, len(classes), classes)
	}
	seen := make(map[string]bool, len(classes))
	for _, class := range classes {
		if seen[class] {
			return fmt.Errorf("%w: class %q is listed twice", ErrInput, class)
		}
		seen[class] = true
	}
	return nil
}

// differs says in what two shapes are unequal; empty when they are equal.
func (s Shape) differs(other Shape) string {
	switch {
	case s.Kind != other.Kind:
		return fmt.Sprintf("%s against %s", s.Kind, other.Kind)
	case s.Rows != other.Rows:
		return fmt.Sprintf("%d rows against %d", s.Rows, other.Rows)
	case !slices.Equal(s.Classes, other.Classes):
		return fmt.Sprintf("classes %q against %q", s.Classes, other.Classes)
	case s.Targets != other.Targets:
		return fmt.Sprintf("%d targets against %d", s.Targets, other.Targets)
	}
	return ""
}
