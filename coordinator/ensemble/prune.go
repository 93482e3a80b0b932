package ensemble

import (
	"fmt"
	"math"
)

// Trial is one candidate's scores so far.
type Trial struct {
	// Candidate is its position in the job.
	Candidate int
	// Scores by fold; greater is better. Only those of finished folds are read.
	Scores []float64
	// Finished says which folds have ended.
	Finished []bool
	// Stopped: an earlier decision ended it. Its scores are still compared with.
	Stopped bool
}

// Stop ends a candidate before its last fold.
type Stop struct {
	Candidate int
	// Reason is a sentence for people.
	Reason string
}

// Rule decides early which candidates are not worth their remaining folds. Rules are pure: the same
// trials give the same stops. A candidate with a finished fold that scored NaN or infinity is stopped
// by every rule and compared with none; one with no folds left is never stopped.
type Rule interface {
	// Stops names running candidates to end, in the order of the trials.
	Stops(trials []Trial) ([]Stop, error)
}

// folds counts the finished folds.
func (t Trial) folds() int {
	count := 0
	for _, finished := range t.Finished {
		if finished {
			count++
		}
	}
	return count
}

// running says whether stopping the candidate would save a fit.
func (t Trial) running() bool { return !t.Stopped && t.folds() < len(t.Finished) }

// covers says whether the trial has finished every fold of a set.
func (t Trial) covers(folds []bool) bool {
	for fold, wanted := range folds {
		if wanted && !t.Finished[fold] {
			return false
		}
	}
	return true
}

// on gives the scores of a set of folds that the trial covers.
func (t Trial) on(folds []bool) []float64 {
	var scores []float64
	for fold, wanted := range folds {
		if wanted {
			scores = append(scores, t.Scores[fold])
		}
	}
	return scores
}

// sift sets aside the trials that scored NaN or infinity and stops those of them that still run.
func sift(trials []Trial) (sound []Trial, stops []Stop, err error) {
	seen := make(map[int]bool, len(trials))
	for _, trial := range trials {
		if len(trial.Scores) != len(trials[0].Scores) || len(trial.Finished) != len(trial.Scores) {
			return nil, nil, fmt.Errorf("%w: candidate %d has %d scores and %d flags: want one per fold, %d",
				ErrInput, trial.Candidate, len(trial.Scores), len(trial.Finished), len(trials[0].Scores))
		}
		if seen[trial.Candidate] {
			return nil, nil, fmt.Errorf("%w: candidate %d is listed twice", ErrInput, trial.Candidate)
		}
		seen[trial.Candidate] = true
		fold := trial.unsound()
		switch {
		case fold < 0:
			sound = append(sound, trial)
		case trial.running():
			stops = append(stops, Stop{trial.Candidate,
				fmt.Sprintf("fold %d scored %v: the candidate can't win any more", fold, trial.Scores[fold])})
		}
	}
	return sound, stops, nil
}

// unsound is the first finished fold without a finite score; -1 when there is none.
func (t Trial) unsound() int {
	for fold, score := range t.Scores {
		if t.Finished[fold] && (math.IsNaN(score) || math.IsInf(score, 0)) {
			return fold
		}
	}
	return -1
}

// inOrder merges stops by the order of the trials.
func inOrder(trials []Trial, stops []Stop) []Stop {
	byCandidate := make(map[int]Stop, len(stops))
	for _, stop := range stops {
		byCandidate[stop.Candidate] = stop
	}
	ordered := stops[:0]
	for _, trial := range trials {
		if stop, ok := byCandidate[trial.Candidate]; ok {
			ordered = append(ordered, stop)
		}
	}
	return ordered
}
