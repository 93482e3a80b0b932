package ensemble

import (
	"cmp"
	"fmt"
	"math"
)

// Race stops the candidates that are significantly worse than the best one, after F-race (Birattari
// et al. 2002): when Friedman's test over the folds that all running candidates have finished says
// that they differ, each is compared with the best by a one-sided paired t-test, corrected for the
// rows that train sets share (Nadeau and Bengio 2003).
type Race struct {
	// Alpha is the probability of stopping a candidate as good as the best, per comparison. Default: 0.05.
	Alpha float64
	// MinFolds before the first test, at least 2. Default: 3.
	MinFolds int
}

// Stops implements Rule.
func (r Race) Stops(trials []Trial) ([]Stop, error) {
	r.Alpha, r.MinFolds = cmp.Or(r.Alpha, 0.05), cmp.Or(r.MinFolds, 3)
	if !(r.Alpha > 0 && r.Alpha < 0.5) || r.MinFolds < 2 {
		return nil, fmt.Errorf("%w: alpha %v after %d folds: want above 0 and below 0.5, and at least 2 folds",
			ErrInput, r.Alpha, r.MinFolds)
	}
	sound, stops, err := sift(trials)
	if err != nil {
		return nil, err
	}
	racing, common := field(sound)
	folds := Trial{Finished: common}.folds()
	if len(racing) < 2 || folds < r.MinFolds {
		return stops, nil
	}
	scores := make([][]float64, len(racing))
	best := 0
	for i, trial := range racing {
		scores[i] = trial.on(common)
		if mean(scores[i]) > mean(scores[best]) {
			best = i
		}
	}
	if test := friedman(scores); test.agreement == 0 || test.p >= r.Alpha {
		return stops, nil
	}
	for i, trial := range racing {
		p := raceTail(scores[best], scores[i], len(common))
		if i != best && p < r.Alpha && trial.running() {
			stops = append(stops, Stop{trial.Candidate, fmt.Sprintf(
				"mean %.6g over %d folds against %.6g of candidate %d: p = %.2g, below %g",
				mean(scores[i]), folds, mean(scores[best]), racing[best].Candidate, p, r.Alpha)})
		}
	}
	return inOrder(trials, stops), nil
}

// field is the candidates that were not stopped and the folds that all of them have finished.
func field(sound []Trial) (racing []Trial, common []bool) {
	for _, trial := range sound {
		if trial.Stopped {
			continue
		}
		if common == nil {
			common = append(common, trial.Finished...)
		}
		for fold, finished := range trial.Finished {
			common[fold] = common[fold] && finished
		}
		racing = append(racing, trial)
	}
	return racing, common
}

// raceTail is the probability that a candidate as good as the best falls behind as far as this one.
func raceTail(best, other []float64, folds int) float64 {
	test := pairedTest(best, other, 1/float64(folds-1))
	if math.IsInf(test.T, 1) {
		// Equal differences, common with coarse scores, have no spread: all that is known is their sign.
		return math.Pow(0.5, float64(len(best)))
	}
	return studentTail(test.T, float64(test.DF))
}
