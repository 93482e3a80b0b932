package gather_test

import (
	"math"
	"slices"
	"testing"

	"github.com/crossfold/crossfold/coordinator/gather"
	"github.com/crossfold/crossfold/coordinator/plan"
	pb "github.com/crossfold/crossfold/proto/crossfold/v1"
)

// grid is a job of candidates × folds that goes fold by fold, with room for all of its fits.
type grid struct {
	t          *testing.T
	job        *gather.Job
	candidates int
	folds      int
	ran        []uint32
	last       gather.Step
}

func newGrid(t *testing.T, candidates, folds int) *grid {
	t.Helper()
	g := &grid{t: t, candidates: candidates, folds: folds}
	g.job, _ = gather.New(gather.Config{JobID: "job", TaskPrefix: "p", FoldByFold: true, Metric: "score"})
	g.job.SetSlots(candidates * folds)
	var units []plan.Unit
	var owners []uint32
	for i := range candidates * folds {
		units = append(units, plan.Unit{Index: uint32(i), Split: uint32(i % folds)})
		owners = append(owners, uint32(i/folds))
	}
	// In two parts, as a client that appends does.
	half := len(units) / 2
	g.take(g.job.AppendGrid(units[:half], owners[:half]))
	g.take(g.job.AppendGrid(units[half:], owners[half:]))
	return g
}

// take answers everything that a step publishes or records, until nothing is left to answer. The score of
// a fit is candidate + fold/10.
func (g *grid) take(step gather.Step) {
	g.last = step
	var results []*pb.Result
	for _, assignment := range step.Publish {
		for _, index := range assignment.Units {
			g.ran = append(g.ran, index)
			result := ok(index)
			result.TestScores = map[string]float64{
				"score": float64(int(index)/g.folds) + float64(int(index)%g.folds)/10,
			}
			results = append(results, result)
		}
	}
	results = append(results, step.Record...)
	if len(results) > 0 {
		g.take(g.job.Results(results))
	}
}

func TestFoldsWaitForTheDecision(t *testing.T) {
	g := newGrid(t, 3, 4)
	if g.last.Decide != nil || !slices.Equal(sorted(g.ran), []uint32{0, 4, 8}) {
		t.Fatalf("ran %v and asked %v before the job was closed, want the first fold and no question", g.ran, g.last.Decide)
	}
	g.take(g.job.Close())
	round := g.last.Decide
	if round == nil || round.Fold != 0 || round.Folds != 4 || len(round.Trials) != 3 {
		t.Fatalf("asked %+v, want fold 0 of 4 with 3 trials", round)
	}
	if got := round.Trials[2]; got.Candidate != 2 || !slices.Equal(got.Scores, []float64{2}) || got.Stopped {
		t.Errorf("trial %+v, want candidate 2 with its first score", got)
	}
	if step := g.job.Prune(1, nil); len(step.Publish) > 0 {
		t.Errorf("an answer to a fold that was not asked about published %v", step.Publish)
	}
	g.take(g.job.Prune(0, []gather.Stop{{Candidate: 1, Reason: "too low"}}))
	if round = g.last.Decide; round == nil || round.Fold != 1 {
		t.Fatalf("asked %+v, want fold 1", round)
	}
	if got := round.Trials[1]; !got.Stopped || !slices.Equal(got.Scores, []float64{1}) {
		t.Errorf("trial %+v, want candidate 1 stopped after one score", got)
	}
	g.take(g.job.Prune(1, nil))
	g.take(g.job.Prune(2, nil))
	if !g.last.Finished || !slices.Equal(sorted(g.ran), []uint32{0, 1, 2, 3, 4, 8, 9, 10, 11}) {
		t.Errorf("ran %v, finished %t; want all but the last three of candidate 1", g.ran, g.last.Finished)
	}
	state := g.job.State()
	if state.GetFinished() != 12 || state.GetFailed() != 0 || state.GetPhase() != pb.JobState_PHASE_DONE {
		t.Errorf("state %v, want 12 finished and none failed", state)
	}
}

func TestPrunedFitsHaveTheReason(t *testing.T) {
	g := newGrid(t, 2, 2)
	g.take(g.job.Close())
	step := g.job.Prune(0, []gather.Stop{{Candidate: 0, Reason: "too low"}})
	if len(step.Record) != 1 || step.Record[0].GetIndex() != 1 ||
		step.Record[0].GetOutcome() != pb.Outcome_OUTCOME_PRUNED || step.Record[0].GetFailure().GetMessage() != "too low" {
		t.Errorf("recorded %v, want fit 1 pruned with its reason", step.Record)
	}
}

func TestAFitWithoutScoreIsNaNForTheDecision(t *testing.T) {
	j, _ := gather.New(gather.Config{JobID: "job", TaskPrefix: "p", FoldByFold: true, Metric: "score"})
	j.SetSlots(1)
	j.AppendGrid([]plan.Unit{{Index: 0}, {Index: 1, Split: 1}}, []uint32{0, 0})
	j.Close()
	round := j.Results([]*pb.Result{raised(0, "no")}).Decide
	if round == nil || !math.IsNaN(round.Trials[0].Scores[0]) {
		t.Errorf("asked %+v, want the failed fit's score to be NaN", round)
	}
}

// After a restart the same folds are asked about again, with what was known then: the answers are the same.
func TestRoundsAreAskedAgainAfterARestart(t *testing.T) {
	j, _ := gather.New(gather.Config{JobID: "job", TaskPrefix: "p", FoldByFold: true, Metric: "score"})
	var units []plan.Unit
	var owners []uint32
	for i := range 6 {
		units, owners = append(units, plan.Unit{Index: uint32(i), Split: uint32(i % 3)}), append(owners, uint32(i/3))
	}
	j.AppendGrid(units, owners)
	pruned := func(index uint32) *pb.Result {
		return &pb.Result{JobId: "job", Index: index, Outcome: pb.Outcome_OUTCOME_PRUNED}
	}
	j.Results([]*pb.Result{ok(0), ok(3), pruned(1), pruned(2), ok(4)})
	step := j.Close()
	if step.Decide == nil || step.Decide.Fold != 0 || len(step.Decide.Trials[1].Scores) != 1 {
		t.Fatalf("asked %+v, want fold 0 with one score each", step.Decide)
	}
	j.SetSlots(2)
	step = j.Prune(0, []gather.Stop{{Candidate: 0, Reason: "again"}})
	if len(step.Record) != 0 || step.Decide == nil || step.Decide.Fold != 1 {
		t.Fatalf("recorded %v and asked %+v, want nothing recorded twice and fold 1", step.Record, step.Decide)
	}
	step = j.Prune(1, nil)
	if len(step.Publish) != 1 || !slices.Equal(step.Publish[0].Units, []uint32{5}) {
		t.Errorf("published %v, want the one fit that is left", step.Publish)
	}
}

func sorted(values []uint32) []uint32 { return slices.Sorted(slices.Values(values)) }
