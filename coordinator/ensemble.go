package coordinator

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"google.golang.org/grpc/codes"

	"github.com/crossfold/crossfold/arrowipc/predictions"
	"github.com/crossfold/crossfold/coordinator/ensemble"
	"github.com/crossfold/crossfold/coordinator/rules"
	pb "github.com/crossfold/crossfold/proto/crossfold/v1"
)

type (
	// EnsembleRequest says which out-of-fold predictions of a job to combine, and how.
	EnsembleRequest = pb.EnsembleRequest
	// Ensemble is what was combined: members, weights, scores and the combined predictions.
	Ensemble = pb.EnsembleResponse
	// PredictionsRequest says whose out-of-fold predictions to gather.
	PredictionsRequest = pb.PredictionsRequest
	// PredictionsResponse names the objects that hold them.
	PredictionsResponse = pb.PredictionsResponse
	// Stack is a dataset for a meta model: what candidates predicted out of fold, and the truth.
	Stack = pb.StackResponse
)

// member is a candidate that may take part in an ensemble.
type member struct {
	candidate      uint32
	parts, targets []string
	// record is set when its predictions were gathered before.
	record gathered
	result rules.Result
}

// Ensemble combines the out-of-fold predictions of a job's candidates. The job was submitted with
// Predictions; it may have ended. Unless candidates are named, those without all of their
// predictions are left out, and Marks says why.
func (c *Coordinator) Ensemble(ctx context.Context, request *EnsembleRequest) (*Ensemble, error) {
	if err := c.alive(ctx); err != nil {
		return nil, err
	}
	metric, err := checkEnsemble(request)
	if err != nil {
		return nil, err
	}
	method, members, marks, err := c.members(request)
	if err != nil {
		return nil, err
	}
	target, err := readTarget(c.store, members[0].targets)
	if err != nil {
		return nil, coded(codes.InvalidArgument, err)
	}
	lib, recordMarks, err := c.openLibrary(ctx, request.GetJobId(), method, members)
	if err != nil {
		return nil, err
	}
	work := &combination{
		c: c, request: request, members: members, library: lib, target: target, metric: metric,
		answer: &Ensemble{Marks: append(marks, recordMarks...)},
	}
	answer, err := work.run(ctx, method)
	if err != nil {
		return nil, ensembleError(ctx, err)
	}
	return answer, nil
}

// ensembleError gives what package ensemble refuses the code of bad input.
func ensembleError(ctx context.Context, err error) error {
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case errors.Is(err, ensemble.ErrInput) || errors.Is(err, ensemble.ErrUndefined):
		return coded(codes.InvalidArgument, err)
	}
	return coded(codes.Internal, err)
}

var combines = []string{"greedy", "blend", "policy", "mean", "vote", "rank"}

// Combines lists the ways to combine, for EnsembleRequest.Combine.
func Combines() []string { return slices.Clone(combines) }

func checkEnsemble(request *EnsembleRequest) (ensemble.Metric, error) {
	if combine := request.GetCombine(); combine != "" && !slices.Contains(combines, combine) {
		return ensemble.Metric{}, invalid("combine %q is not known: use one of %s", combine, strings.Join(combines, ", "))
	}
	weights, named := len(request.GetWeights()), len(request.GetCandidates())
	if weights > 0 && weights != named {
		return ensemble.Metric{}, invalid("%d weights for %d candidates: name the candidates and give each a weight",
			weights, named)
	}
	if weights > 0 && !slices.Contains(combines[3:], request.GetCombine()) {
		return ensemble.Metric{}, invalid("weights were given, and combine %q chooses its own: use mean, vote or rank",
			request.GetCombine())
	}
	metric, err := ensemble.ParseMetric(request.GetMetric())
	if err != nil {
		return metric, coded(codes.InvalidArgument, err)
	}
	return metric, nil
}

// members finds the candidates of a request and what they predicted. marks says who is left out.
func (c *Coordinator) members(request *EnsembleRequest) (method string, members []member, marks []string, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	j := c.jobs[request.GetJobId()]
	if j == nil {
		return "", nil, nil, notFound("no job %q: list the known ones with `crossfold jobs` or Jobs", request.GetJobId())
	}
	if method, err = j.predictionMethod(request.GetPredictions()); err != nil {
		return "", nil, nil, err
	}
	named := slices.Clone(request.GetCandidates())
	if len(named) == 0 {
		named = slices.Sorted(maps.Keys(j.predicted.candidates))
	}
	for at, candidate := range named {
		folds := j.predicted.candidates[candidate]
		if folds == nil || slices.Contains(named[:at], candidate) {
			return "", nil, nil, invalid("candidate %d is not in the job, or is listed twice: it has %d candidates",
				candidate, len(j.predicted.candidates))
		}
		parts, reason := folds.parts(method)
		if reason != "" {
			if len(request.GetCandidates()) > 0 {
				return "", nil, nil, invalid("candidate %d can't take part: %s; leave it out", candidate, reason)
			}
			marks = append(marks, fmt.Sprintf("candidate %d was left out: %s", candidate, reason))
			continue
		}
		targets, _ := folds.parts(predictions.Target)
		members = append(members, member{
			candidate: candidate, parts: parts, targets: targets,
			record: j.predicted.records[recordKey{candidate, method}],
			result: j.policyResult(candidate, folds, request.GetMetric()),
		})
	}
	if len(members) == 0 {
		return "", nil, nil, invalid("job %s has no candidate to combine: %s",
			j.id, cmp.Or(strings.Join(marks, "; "), "it has no fits"))
	}
	return method, members, marks, nil
}

// predictionMethod checks that the job has such predictions; the only ones need no name.
func (j *job) predictionMethod(asked string) (string, error) {
	methods := j.spec.GetPredictions()
	switch {
	case j.predicted == nil:
		return "", invalid("job %s kept no predictions: submit it with predictions, such as predict_proba", j.id)
	case asked == "" && len(methods) == 1:
		return methods[0], nil
	case !slices.Contains(methods, asked):
		return "", invalid("job %s has no predictions %q: use one of %s", j.id, asked, strings.Join(methods, ", "))
	}
	return asked, nil
}

// openLibrary gathers what was not gathered before, one candidate at a time.
func (c *Coordinator) openLibrary(
	ctx context.Context, jobID, method string, members []member,
) (*library, []string, error) {
	var lib *library
	var marks []string
	for i := range members {
		m := &members[i]
		if err := ctx.Err(); err != nil {
			return nil, nil, err
		}
		if !slices.Equal(m.targets, members[0].targets) {
			return nil, nil, invalid("candidates %d and %d were fitted on different rows or targets: "+
				"combine candidates of the same splits", members[0].candidate, m.candidate)
		}
		if err := c.gather(ctx, jobID, method, m); err != nil {
			return nil, nil, err
		}
		if lib == nil {
			lib = newLibrary(c.store, m.record.shape)
		}
		if err := lib.add(fmt.Sprint(m.candidate), m.record); err != nil {
			return nil, nil, err
		}
		marks = append(marks, m.record.marks...)
	}
	return lib, marks, nil
}

// gather makes one record of what a member's fits predicted, unless that was done before.
func (c *Coordinator) gather(ctx context.Context, jobID, method string, m *member) error {
	if m.record.id != "" && c.store.Has(m.record.id) {
		return nil
	}
	record, err := gatherParts(ctx, c.store, fmt.Sprint(m.candidate), m.parts)
	if err != nil {
		return ensembleError(ctx, err)
	}
	m.record = record
	c.keepRecord(jobID, recordKey{m.candidate, method}, record)
	return nil
}

// Predictions gathers the out-of-fold predictions of a job's candidates: for each the id of one object,
// aligned by row, that arrowipc/predictions reads. It holds one candidate's at a time. Unless candidates are
// named, those without all of their predictions are left out, and Marks says why.
func (c *Coordinator) Predictions(ctx context.Context, request *PredictionsRequest) (*PredictionsResponse, error) {
	if err := c.alive(ctx); err != nil {
		return nil, err
	}
	method, members, marks, err := c.members(&EnsembleRequest{
		JobId: request.GetJobId(), Predictions: request.GetPredictions(), Candidates: request.GetCandidates(),
	})
	if err != nil {
		return nil, err
	}
	answer := &PredictionsResponse{Marks: marks}
	for i := range members {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		m := &members[i]
		if err := c.gather(ctx, request.GetJobId(), method, m); err != nil {
			return nil, err
		}
		answer.Candidates = append(answer.Candidates, m.candidate)
		answer.PredictionsIds = append(answer.PredictionsIds, m.record.id)
		answer.Marks = append(answer.Marks, m.record.marks...)
	}
	return answer, nil
}

func (c *Coordinator) keepRecord(jobID string, key recordKey, record gathered) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if j := c.jobs[jobID]; j != nil {
		j.predicted.records[key] = record
	}
}
