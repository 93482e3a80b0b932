package search

import (
	"context"
	"errors"

	"github.com/crossfold/crossfold/cmd/crossfold/internal/jobfile"
	"github.com/crossfold/crossfold/coordinator/gather"
	"github.com/crossfold/crossfold/coordinator/rules"
	pb "github.com/crossfold/crossfold/proto/crossfold/v1"
)

// applyPolicy lets the file's policy give the candidates, when the file has none, and prune.
func applyPolicy(ctx context.Context, file *jobfile.File) (err error) {
	if file.Policy == nil {
		return nil
	}
	loaded, err := openPolicy(ctx, file)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, loaded.Close()) }()
	if file.Ensemble.GetCombine() == "policy" && !loaded.Has("weights") {
		return file.At("policy.file", "%s has no weights(results), which ensemble: {method: policy} needs", file.Policy.Path)
	}
	if file.Pruning == nil && loaded.Has("prune") {
		file.Pruning = &pb.Pruning{Policy: file.Policy.Source}
	}
	if file.Line["param_grid"] > 0 || !loaded.Has("space") && !loaded.Has("PARAM_GRID") {
		return nil
	}
	params, err := loaded.Candidates(ctx, file.Policy.Space)
	if err != nil {
		return file.At("policy.file", "%s", err)
	}
	file.Candidates = make([]*pb.Candidate, len(params))
	for i, text := range params {
		file.Candidates[i] = &pb.Candidate{Setting: &pb.Candidate_ParamsJson{ParamsJson: text}}
	}
	return nil
}

func openPolicy(ctx context.Context, file *jobfile.File) (*rules.Rules, error) {
	loaded, err := rules.Open(ctx, rules.Config{Source: file.Policy.Source, Name: file.Policy.Path})
	if err != nil {
		return nil, file.At("policy.file", "%s", err)
	}
	return loaded, nil
}

// selected is the candidate that the policy's `select` names; -1 without one.
func selected(ctx context.Context, file *jobfile.File, results *gather.Results) (_ int, err error) {
	if file.Policy == nil {
		return -1, nil
	}
	loaded, err := openPolicy(ctx, file)
	if err != nil {
		return -1, err
	}
	defer func() { err = errors.Join(err, loaded.Close()) }()
	if !loaded.Has("select") {
		return -1, nil
	}
	rows, err := rules.Results(results.Table, results.Table.Metrics[0].Name)
	if err != nil {
		return -1, err
	}
	return loaded.Select(ctx, rows)
}
