package ensemble

import "fmt"

// predicted gives the predicted class of every row, valid until the next call.
func (s *scoring) predicted() []int {
	rows := len(s.target.labels)
	if s.labels == nil {
		s.labels = make([]int, rows)
	}
	for row := range s.labels {
		s.labels[row] = classOf(s.kind, s.values[row*s.outputs:(row+1)*s.outputs])
	}
	return s.labels
}

func accuracy(s *scoring) (float64, error) {
	hits := s.scratch(len(s.target.labels))
	for row, class := range s.predicted() {
		hits[row] = 0
		if class == s.target.labels[row] {
			hits[row] = 1
		}
	}
	return s.average(hits), nil
}

// classCounts are one class's weighted rows.
type classCounts struct {
	hits, predicted, actual float64
	// present: the class occurs among the labels or the predictions.
	present bool
}

func (s *scoring) countClasses() []classCounts {
	counts := make([]classCounts, len(s.target.classes))
	for row, class := range s.predicted() {
		label, weight := s.target.labels[row], s.weight(row)
		counts[class].present = true
		counts[label].present = true
		counts[class].predicted += weight
		counts[label].actual += weight
		if class == label {
			counts[class].hits += weight
		}
	}
	for i, class := range counts {
		// scikit-learn gets these sums from false positives and negatives; so do we, to the bit.
		counts[i].predicted = class.hits + (class.predicted - class.hits)
		counts[i].actual = class.hits + (class.actual - class.hits)
	}
	return counts
}

// balancedAccuracy is the mean recall of the classes that occur in the target.
func balancedAccuracy(s *scoring) (float64, error) {
	classes := len(s.target.classes)
	confusion := make([]float64, classes*classes)
	present := make([]bool, classes)
	for row, class := range s.predicted() {
		label := s.target.labels[row]
		confusion[label*classes+class] += s.weight(row)
		present[label], present[class] = true, true
	}
	var recalls []float64
	for label := range classes {
		var counts []float64
		for class := range classes {
			if present[class] {
				counts = append(counts, confusion[label*classes+class])
			}
		}
		if actual := sum(counts); actual > 0 {
			recalls = append(recalls, confusion[label*classes+label]/actual)
		}
	}
	return mean(recalls), nil
}

// f1 is 0 for a class that is neither predicted nor true, as scikit-learn's zero_division has it.
func (c classCounts) f1() float64 {
	if c.predicted+c.actual == 0 {
		return 0
	}
	return 2 * c.hits / (c.actual + c.predicted)
}

func f1Binary(s *scoring) (float64, error) {
	if len(s.target.classes) != 2 {
		return 0, fmt.Errorf("%w: %d classes: use f1_macro, f1_micro or f1_weighted", ErrInput, len(s.target.classes))
	}
	return s.countClasses()[1].f1(), nil
}

func f1Macro(s *scoring) (float64, error) {
	var scores []float64
	for _, class := range s.countClasses() {
		if class.present {
			scores = append(scores, class.f1())
		}
	}
	return mean(scores), nil
}

func f1Micro(s *scoring) (float64, error) {
	var hits, predicted, actual []float64
	for _, class := range s.countClasses() {
		if class.present {
			hits = append(hits, class.hits)
			predicted = append(predicted, class.predicted)
			actual = append(actual, class.actual)
		}
	}
	return classCounts{hits: sum(hits), predicted: sum(predicted), actual: sum(actual)}.f1(), nil
}

func f1Weighted(s *scoring) (float64, error) {
	var scores, weights []float64
	for _, class := range s.countClasses() {
		if class.present {
			scores = append(scores, class.f1()*class.actual)
			weights = append(weights, class.actual)
		}
	}
	return sum(scores) / sum(weights), nil
}
