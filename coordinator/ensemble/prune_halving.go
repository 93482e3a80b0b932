package ensemble

import (
	"cmp"
	"fmt"
	"slices"
)

// Halving is successive halving over folds: after MinFolds, MinFolds×Factor, MinFolds×Factor² …
// folds only the best 1/Factor of the candidates go on. It decides when every running candidate has
// finished those folds, so the outcome doesn't depend on which fit came first.
type Halving struct {
	// Factor by which the candidates shrink and the folds grow. Default: 3.
	Factor int
	// MinFolds before the first decision. Default: 1.
	MinFolds int
}

// Stops implements Rule.
func (r Halving) Stops(trials []Trial) ([]Stop, error) {
	r.Factor, r.MinFolds = cmp.Or(r.Factor, 3), cmp.Or(r.MinFolds, 1)
	if r.Factor < 2 || r.MinFolds < 1 {
		return nil, fmt.Errorf("%w: factor %d after %d folds: want at least 2 and 1", ErrInput, r.Factor, r.MinFolds)
	}
	sound, stops, err := sift(trials)
	if err != nil || len(sound) == 0 {
		return stops, err
	}
	live := slices.DeleteFunc(slices.Clone(sound), func(t Trial) bool { return t.Stopped })
	total := len(sound[0].Scores)
	keep := len(trials)
	for folds := r.MinFolds; folds < total; folds *= r.Factor {
		keep = (keep + r.Factor - 1) / r.Factor
		first := make([]bool, total)
		for fold := range folds {
			first[fold] = true
		}
		if slices.ContainsFunc(live, func(t Trial) bool { return !t.covers(first) }) {
			break
		}
		var out []Stop
		live, out = halve(live, first, keep, folds)
		stops = append(stops, out...)
	}
	return inOrder(trials, stops), nil
}

// halve keeps the best by their mean over the first folds, the earlier candidate on a tie.
func halve(live []Trial, first []bool, keep, folds int) (kept []Trial, stops []Stop) {
	ranked := slices.Clone(live)
	slices.SortStableFunc(ranked, func(a, b Trial) int { return cmp.Compare(mean(b.on(first)), mean(a.on(first))) })
	for position, trial := range ranked {
		if position < keep {
			kept = append(kept, trial)
			continue
		}
		if trial.running() {
			stops = append(stops, Stop{trial.Candidate, fmt.Sprintf(
				"mean %.6g (first %d of %d folds) ranks %d of %d: the best %d go on",
				mean(trial.on(first)), folds, len(first), position+1, len(ranked), keep)})
		}
	}
	return kept, stops
}
