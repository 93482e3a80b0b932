package coordinator

import (
	"context"
	"encoding/json"
	"errors"

	"google.golang.org/grpc/codes"

	"github.com/crossfold/crossfold/coordinator/gather"
	"github.com/crossfold/crossfold/coordinator/rules"
	pb "github.com/crossfold/crossfold/proto/crossfold/v1"
)

// openRules loads a policy in a process of its own; the caller closes it.
func (c *Coordinator) openRules(ctx context.Context, source string) (*rules.Rules, error) {
	binary, err := findBinary(c.config.Binary)
	if err != nil {
		return nil, coded(codes.FailedPrecondition, err)
	}
	opened, err := rules.Open(ctx, rules.Config{Source: source, Binary: binary})
	if err != nil {
		return nil, coded(codes.InvalidArgument, err)
	}
	return opened, nil
}

// Candidates expands the search space of a policy: what `space(ctx)` yields, else PARAM_GRID.
func (c *Coordinator) Candidates(ctx context.Context, policy string, space rules.Space) (_ []*pb.Candidate, err error) {
	opened, err := c.openRules(ctx, policy)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, opened.Close()) }()
	params, err := opened.Candidates(ctx, space)
	if err != nil {
		return nil, coded(codes.InvalidArgument, err)
	}
	candidates := make([]*pb.Candidate, len(params))
	for i, text := range params {
		candidates[i] = &pb.Candidate{Setting: &pb.Candidate_ParamsJson{ParamsJson: text}}
	}
	return candidates, nil
}

// Select asks a policy's `select(results)` for the best candidate of a table. metric is one of the
// table's; a single one is called "score".
func (c *Coordinator) Select(ctx context.Context, policy string, table *gather.Table, metric string) (_ int, err error) {
	results, err := rules.Results(table, metric)
	if err != nil {
		return 0, coded(codes.InvalidArgument, err)
	}
	opened, err := c.openRules(ctx, policy)
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, opened.Close()) }()
	index, err := opened.Select(ctx, results)
	if err != nil {
		return 0, coded(codes.InvalidArgument, err)
	}
	return index, nil
}

// policyResult describes a candidate to `weights`.
func (j *job) policyResult(candidate uint32, folds *foldsOf, metric string) rules.Result {
	params := json.RawMessage("{}")
	if candidates := j.spec.GetCandidates(); int(candidate) < len(candidates) {
		if text := candidates[candidate].GetParamsJson(); text != "" {
			params = json.RawMessage(text)
		}
	}
	seconds := 0.0
	for _, result := range folds.folds {
		seconds += result.GetFitSeconds() / float64(len(folds.folds))
	}
	return rules.NewResult(int(candidate), params, folds.scores(metric), seconds)
}

// policyWeights asks a policy's `weights(results)`; scores are those of the out-of-fold predictions.
func (c *Coordinator) policyWeights(
	ctx context.Context, policy string, members []member, scores []float64,
) (_ []float64, err error) {
	opened, err := c.openRules(ctx, policy)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, opened.Close()) }()
	results := make([]rules.Result, len(members))
	for i, m := range members {
		results[i] = m.result
		score := rules.Float(scores[i])
		results[i].Score = &score
	}
	weights, err := opened.Weights(ctx, results)
	if err != nil {
		return nil, coded(codes.InvalidArgument, err)
	}
	return weights, nil
}
