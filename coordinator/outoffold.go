package coordinator

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/crossfold/crossfold/coordinator/ensemble"
	pb "github.com/crossfold/crossfold/proto/crossfold/v1"
)

// outOfFold is what is known of a job's candidates beyond their events: what their fits predicted,
// and scored. Guarded by Coordinator.mu.
type outOfFold struct {
	candidates map[uint32]*foldsOf
	// records holds the ids of gathered predictions, one per candidate and method.
	records map[recordKey]gathered
}

type recordKey struct {
	candidate uint32
	method    string
}

// gathered is a candidate's predictions as one object, aligned by row.
type gathered struct {
	id    string
	shape ensemble.Shape
	marks []string
}

// foldsOf holds the results of one candidate.
type foldsOf struct {
	// fits is the number of fits that the job has of the candidate.
	fits  int
	folds map[uint32]*pb.Result
}

func newOutOfFold() *outOfFold {
	return &outOfFold{candidates: map[uint32]*foldsOf{}, records: map[recordKey]gathered{}}
}

// expect counts a fit of a candidate.
func (o *outOfFold) expect(candidate uint32) {
	if o.candidates[candidate] == nil {
		o.candidates[candidate] = &foldsOf{folds: map[uint32]*pb.Result{}}
	}
	o.candidates[candidate].fits++
}

// take keeps what ensembles need of a fit's result.
func (o *outOfFold) take(fit jobFit, result *pb.Result) {
	folds := o.candidates[fit.candidate]
	if folds == nil {
		return
	}
	folds.folds[fit.split] = &pb.Result{
		Outcome: result.GetOutcome(), TestScores: result.GetTestScores(), Predictions: result.GetPredictions(),
		FitSeconds: result.GetFitSeconds(), Failure: &pb.Failure{Type: result.GetFailure().GetType(), Message: result.GetFailure().GetMessage()},
	}
}

// remember keeps what the events of a job with predictions tell.
func (j *job) remember(events []*pb.Event) {
	if j.predicted == nil {
		return
	}
	for _, event := range events {
		if result := event.GetResult(); result != nil && int(result.GetIndex()) < len(j.fits) {
			j.predicted.take(j.fits[result.GetIndex()], result)
		}
	}
}

// splits lists the candidate's splits in order.
func (f *foldsOf) splits() []uint32 { return slices.Sorted(maps.Keys(f.folds)) }

// parts gives the ids of the candidate's predictions by one method, in the order of splits, or the
// reason why they are not complete.
func (f *foldsOf) parts(method string) (ids []string, reason string) {
	if len(f.folds) < f.fits {
		return nil, fmt.Sprintf("%d of its %d fits have not ended", f.fits-len(f.folds), f.fits)
	}
	for _, split := range f.splits() {
		result := f.folds[split]
		part := partOf(result, method)
		switch {
		case result.GetOutcome() == pb.Outcome_OUTCOME_PRUNED:
			return nil, fmt.Sprintf("it was pruned before split %d", split)
		case part.GetObjectId() != "":
			ids = append(ids, part.GetObjectId())
		case part.GetError() != "":
			return nil, fmt.Sprintf("split %d gave no %s: %s", split, method, part.GetError())
		default:
			return nil, fmt.Sprintf("its fit on split %d failed: %s: %s", split,
				strings.TrimPrefix(result.GetFailure().GetType(), "builtins."), result.GetFailure().GetMessage())
		}
	}
	return ids, ""
}

func partOf(result *pb.Result, method string) *pb.Predictions {
	for _, part := range result.GetPredictions() {
		if part.GetMethod() == method {
			return part
		}
	}
	return nil
}

// scores lists the candidate's scores by split; metric is "score" for a single one.
func (f *foldsOf) scores(metric string) []float64 {
	var scores []float64
	for _, split := range f.splits() {
		if score, ok := f.folds[split].GetTestScores()[metric]; ok {
			scores = append(scores, score)
		} else if score, ok := f.folds[split].GetTestScores()["score"]; ok {
			scores = append(scores, score)
		}
	}
	return scores
}
