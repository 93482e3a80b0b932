package gather

import (
	"math"
	"slices"

	"github.com/crossfold/crossfold/coordinator/plan"
	pb "github.com/crossfold/crossfold/proto/crossfold/v1"
)

// Round is a fold that every running candidate has finished. What is decided after it depends on the
// scores alone, not on which fit came first.
type Round struct {
	// Fold is the position of the split.
	Fold int
	// Folds is the number of splits.
	Folds int
	// Trials are the candidates in order.
	Trials []Trial
}

// Trial is one candidate after a round.
type Trial struct {
	Candidate uint32
	// Scores by fold up to the round's; NaN where a fit failed or was not run.
	Scores []float64
	// Stopped says that an earlier decision ended it; it has fewer Scores.
	Stopped bool
}

// Stop ends a candidate; its remaining fits get the reason as their result.
type Stop struct {
	Candidate uint32
	Reason    string
}

// rounds hands a grid of fits out split by split.
type rounds struct {
	// places are the units' candidates and splits.
	places []place
	// left counts the units of each split that have no result.
	left []int
	// held are the units of later splits, by split.
	held [][]plan.Unit
	// trials are by candidate; scores by split.
	trials map[uint32]*trial
	// fold runs now; asked says that its decision is awaited.
	fold  int
	asked bool
}

type place struct{ candidate, split uint32 }

type trial struct {
	units  []uint32 // by split
	scores []float64
	// folds is how many folds it was given before it was stopped; 0 while it runs.
	stoppedAfter int
}

// AppendGrid is Append for a job that goes fold by fold: candidates has one for each unit.
func (j *Job) AppendGrid(units []plan.Unit, candidates []uint32) Step {
	if j.Ended() || j.rounds == nil {
		return j.Append(units)
	}
	j.units = append(j.units, make([]unit, len(units))...)
	j.state.Total = uint32(len(j.units))
	for i, u := range units {
		if j.rounds.add(u, candidates[i]) {
			j.planner.Add(u)
		}
	}
	var step Step
	j.handOut(&step)
	return step
}

// add notes a unit and says whether it may be handed out now.
func (r *rounds) add(u plan.Unit, candidate uint32) bool {
	split := int(u.Split)
	for len(r.left) <= split {
		r.left, r.held = append(r.left, 0), append(r.held, nil)
	}
	r.places = append(r.places, place{candidate, u.Split})
	r.left[split]++
	if r.trials == nil {
		r.trials = map[uint32]*trial{}
	}
	t := r.trials[candidate]
	if t == nil {
		t = &trial{}
		r.trials[candidate] = t
	}
	for len(t.units) <= split {
		t.units, t.scores = append(t.units, math.MaxUint32), append(t.scores, math.NaN())
	}
	t.units[split] = u.Index
	if split <= r.fold {
		return true
	}
	r.held[split] = append(r.held[split], u)
	return false
}

func (r *rounds) finished(index uint32, result *pb.Result, metric string) {
	at := r.places[index]
	r.left[at.split]--
	if score, ok := result.GetTestScores()[metric]; ok {
		r.trials[at.candidate].scores[at.split] = score
	}
}

// decide asks about the fold that has ended, if there is one with folds behind it.
func (j *Job) decide(step *Step) {
	r := j.rounds
	if r == nil || r.asked || j.Ended() || !j.closed || r.fold+1 >= len(r.left) || r.left[r.fold] > 0 {
		return
	}
	r.asked = true
	step.Decide = r.round()
}

func (r *rounds) round() *Round {
	round := &Round{Fold: r.fold, Folds: len(r.left)}
	for candidate, t := range r.trials {
		folds := r.fold + 1
		if t.stoppedAfter > 0 {
			folds = t.stoppedAfter
		}
		round.Trials = append(round.Trials, Trial{
			Candidate: candidate, Scores: slices.Clone(t.scores[:min(folds, len(t.scores))]), Stopped: t.stoppedAfter > 0,
		})
	}
	slices.SortFunc(round.Trials, func(a, b Trial) int { return int(a.Candidate) - int(b.Candidate) })
	return round
}

// Prune answers the Decide of a fold: the candidates named get results for the fits they have left,
// the others go on with the next fold.
func (j *Job) Prune(fold int, stops []Stop) Step {
	var step Step
	r := j.rounds
	if r == nil || j.Ended() || !r.asked || fold != r.fold {
		return step
	}
	for _, stop := range stops {
		t := r.trials[stop.Candidate]
		if t == nil || t.stoppedAfter > 0 {
			continue
		}
		t.stoppedAfter = fold + 1
		for _, index := range t.units[min(fold+1, len(t.units)):] {
			if index != math.MaxUint32 {
				j.prune(index, stop.Reason, &step)
			}
		}
	}
	r.asked = false
	r.fold++
	for _, u := range r.held[r.fold] {
		if j.units[u.Index].phase == waiting {
			j.planner.Add(u)
		}
	}
	r.held[r.fold] = nil
	j.handOut(&step)
	j.decide(&step)
	return step
}

// prune sets a unit aside that will not run.
func (j *Job) prune(index uint32, reason string, step *Step) {
	if j.units[index].phase != waiting {
		return // a result of before a restart
	}
	j.units[index].phase = setAside
	step.Record = append(step.Record, &pb.Result{
		JobId: j.config.JobID, Index: index, Outcome: pb.Outcome_OUTCOME_PRUNED,
		Failure: &pb.Failure{Type: "crossfold.Pruned", Message: reason},
	})
}
