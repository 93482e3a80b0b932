package ensemble

import (
	"cmp"
	"fmt"
	"math"
	"slices"
)

// Percentile stops a candidate whose mean so far is below that of the best Keep percent of the
// others on the same folds.
type Percentile struct {
	// Keep is the percentage that goes on, above 0 and below 100. Default: 50, the median.
	Keep float64
	// MinFolds a candidate gets before it may be stopped. Default: 1.
	MinFolds int
	// MinOthers is how many others must have finished the same folds. Default: 5.
	MinOthers int
}

// Median stops a candidate whose mean so far is below the median of the others on the same folds.
func Median() Percentile { return Percentile{Keep: 50} }

// Stops implements Rule.
func (r Percentile) Stops(trials []Trial) ([]Stop, error) {
	r.Keep, r.MinFolds, r.MinOthers = cmp.Or(r.Keep, 50), cmp.Or(r.MinFolds, 1), cmp.Or(r.MinOthers, 5)
	if !(r.Keep > 0 && r.Keep < 100) || r.MinFolds < 1 || r.MinOthers < 1 {
		return nil, fmt.Errorf("%w: keep %v percent after %d folds against %d others: want 0 to 100, and at least 1",
			ErrInput, r.Keep, r.MinFolds, r.MinOthers)
	}
	sound, stops, err := sift(trials)
	if err != nil {
		return nil, err
	}
	for _, trial := range sound {
		folds := trial.folds()
		if !trial.running() || folds < r.MinFolds {
			continue
		}
		var others []float64
		for _, other := range sound {
			if other.Candidate != trial.Candidate && other.covers(trial.Finished) {
				others = append(others, mean(other.on(trial.Finished)))
			}
		}
		if len(others) < r.MinOthers {
			continue
		}
		own, bar := mean(trial.on(trial.Finished)), percentile(others, 100-r.Keep)
		if own < bar {
			stops = append(stops, Stop{trial.Candidate, fmt.Sprintf(
				"mean %.6g (%d of %d folds) is below %.6g, the bar for the best %g%% of %d others on the same folds",
				own, folds, len(trial.Finished), bar, r.Keep, len(others))})
		}
	}
	return inOrder(trials, stops), nil
}

// percentile is numpy.percentile, interpolated linearly.
func percentile(values []float64, q float64) float64 {
	sorted := slices.Sorted(slices.Values(values))
	position := q / 100 * float64(len(sorted)-1)
	below := int(math.Floor(position))
	above := min(below+1, len(sorted)-1)
	return sorted[below] + (position-float64(below))*(sorted[above]-sorted[below])
}
