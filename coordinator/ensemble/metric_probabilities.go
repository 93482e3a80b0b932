package ensemble

import (
	"fmt"
	"math"
)

// epsilon is float64's distance from 1 to the next number; scikit-learn clips probabilities by it.
const epsilon = 0x1p-52

// logLoss is the mean of -log p(true class).
func logLoss(s *scoring) (float64, error) {
	for i, p := range s.values {
		// A weighted mean of ones can round to just above 1.
		if !(p >= 0 && p <= 1+1e-12) {
			return 0, fmt.Errorf("%w: probability %v of class %q: want 0 to 1", ErrInput, p, s.target.classes[i%s.outputs])
		}
	}
	losses := s.scratch(len(s.target.labels))
	for row, label := range s.target.labels {
		p := s.values[row*s.outputs+label]
		losses[row] = -math.Log(min(max(p, epsilon), 1-epsilon))
	}
	return s.average(losses), nil
}
