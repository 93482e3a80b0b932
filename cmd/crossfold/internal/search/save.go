package search

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/crossfold/crossfold/cmd/crossfold/internal/jobfile"
	"github.com/crossfold/crossfold/cmd/crossfold/internal/leaderboard"
	pb "github.com/crossfold/crossfold/proto/crossfold/v1"
)

// Save writes a job's results into a folder, which it makes: its table, and of a job with predictions what each
// candidate predicted, as METHOD/CANDIDATE.arrow, and its ensemble. Warn is told which candidates have none.
func Save(ctx context.Context, o Options, outcome *Outcome, dir string) error {
	if err := leaderboard.Save(dir, outcome.Results.Table); err != nil {
		return err
	}
	for _, method := range o.File.Predictions {
		if err := savePredictions(ctx, o, outcome.JobID, method, filepath.Join(dir, method)); err != nil {
			return err
		}
	}
	if outcome.Ensemble == nil {
		return nil
	}
	text, err := json.MarshalIndent(describe(o.File, outcome.Ensemble), "", "  ")
	if err != nil {
		return fmt.Errorf("write the ensemble: %w", err)
	}
	return errors.Join(
		os.WriteFile(filepath.Join(dir, "ensemble.json"), append(text, '\n'), 0o644),
		o.Client.Download(ctx, outcome.Ensemble.GetPredictionsId(), filepath.Join(dir, "ensemble.arrow")),
	)
}

// described is ensemble.json; candidates are rows of the table.
type described struct {
	Method     string   `json:"method"`
	Metric     string   `json:"metric"`
	Candidates []uint32 `json:"candidates"`
	// Weights is null for a stack: its final estimator weighs.
	Weights         []float64 `json:"weights"`
	Scores          []float64 `json:"scores"`
	Score           float64   `json:"score"`
	BestSingle      uint32    `json:"best_single"`
	BestSingleScore float64   `json:"best_single_score"`
	Marks           []string  `json:"marks"`
}

func describe(file *jobfile.File, found *pb.EnsembleResponse) described {
	method := cmp.Or(file.Ensemble.GetCombine(), "greedy")
	if file.FinalEstimator != nil {
		method = jobfile.Stack
	}
	return described{
		Method: method, Metric: file.Ensemble.GetMetric(),
		Candidates: found.GetCandidates(), Weights: found.GetWeights(), Scores: found.GetScores(), Score: found.GetScore(),
		BestSingle: found.GetBestSingle(), BestSingleScore: found.GetBestSingleScore(),
		Marks: append([]string{}, found.GetMarks()...),
	}
}

func savePredictions(ctx context.Context, o Options, jobID, method, dir string) error {
	answer, err := o.Client.Jobs.Predictions(ctx, &pb.PredictionsRequest{JobId: jobID, Predictions: method})
	if err != nil {
		return fmt.Errorf("gather the predictions of job %s: %w", jobID, err)
	}
	if o.File.Ensemble == nil { // which says the same
		for _, mark := range answer.GetMarks() {
			o.Warn(mark)
		}
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return fmt.Errorf("folder for the predictions: %w", err)
	}
	for i, id := range answer.GetPredictionsIds() {
		path := filepath.Join(dir, fmt.Sprintf("%d.arrow", answer.GetCandidates()[i]))
		if err := o.Client.Download(ctx, id, path); err != nil {
			return err
		}
	}
	return nil
}
