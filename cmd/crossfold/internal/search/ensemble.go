package search

import (
	"context"
	"fmt"

	"github.com/crossfold/crossfold/cmd/crossfold/internal/leaderboard"
	pb "github.com/crossfold/crossfold/proto/crossfold/v1"
)

// combine asks for the ensemble of the file.
func combine(ctx context.Context, o Options, jobID string) (*pb.EnsembleResponse, error) {
	if o.File.Ensemble == nil {
		return nil, nil
	}
	request := o.File.Ensemble
	request.JobId = jobID
	answer, err := o.Client.Jobs.Ensemble(ctx, request)
	if err != nil {
		return nil, fmt.Errorf("combine the candidates of job %s: %w", jobID, err)
	}
	if o.File.FinalEstimator != nil {
		if err := stack(ctx, o, jobID, answer); err != nil {
			return nil, fmt.Errorf("stack the candidates of job %s: %w", jobID, err)
		}
	}
	return answer, nil
}

// stack fits the file's final estimator on what the candidates predicted, as a job of its own on the same splits,
// and puts its score and predictions in the place of theirs. It weighs them itself.
func stack(ctx context.Context, o Options, jobID string, answer *pb.EnsembleResponse) error {
	made, err := o.Client.Jobs.Stack(ctx, &pb.PredictionsRequest{
		JobId: jobID, Predictions: o.File.Ensemble.GetPredictions(), Candidates: answer.GetCandidates(),
	})
	if err != nil {
		return err
	}
	asked := o.File.Ensemble
	o.File, o.Progress = o.File.Final(), func(*pb.JobState) {}
	finalID, units, err := fit(ctx, o, o.File.JobSpec(made.GetDatasetId()))
	if err != nil {
		return err
	}
	for _, unit := range units {
		if failure, failed := leaderboard.Failure(unit); failed {
			return fmt.Errorf("final_estimator: %s", failure)
		}
	}
	final, err := o.Client.Jobs.Ensemble(ctx, &pb.EnsembleRequest{
		JobId: finalID, Combine: asked.GetCombine(), Metric: asked.GetMetric(),
	})
	if err != nil {
		return err
	}
	answer.Weights, answer.Score, answer.PredictionsId = nil, final.GetScore(), final.GetPredictionsId()
	return nil
}
