package coordinator_test

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"github.com/crossfold/crossfold/arrowipc/source"
	"github.com/crossfold/crossfold/coordinator"
	pb "github.com/crossfold/crossfold/proto/crossfold/v1"
)

// Stacking: a meta model learns from what the candidates of a search predicted out of fold. It is a job like
// any other, on the same splits.
func ExampleCoordinator_Stack() {
	ctx, cancel := context.WithTimeout(context.Background(), 4*time.Minute)
	defer cancel()

	c, err := coordinator.Open(ctx, coordinator.Config{
		Slots: 2, Binary: worker.binary, Python: worker.python, Logger: slog.New(slog.DiscardHandler),
	})
	check(err)
	defer func() { _ = c.Close() }()

	data, err := source.Read(ctx, c.Store(), squares(c.Dir()), source.Options{})
	check(err)
	fit := func(dataset, entryPoint, params string, candidates ...string) string {
		spec := &coordinator.JobSpec{
			DatasetId: dataset,
			SplitSpec: &pb.SplitSpec{Kind: pb.SplitSpec_KIND_STRATIFIED_KFOLD, NSplits: 4},
			Code: &pb.Code{Source: &pb.Code_Recipe{Recipe: &pb.Recipe{
				Steps:  []*pb.Step{{Name: "model", EntryPoint: entryPoint, ParamsJson: params}},
				Target: "side",
			}}},
			Predictions: []string{"predict_proba"},
		}
		for _, candidate := range candidates {
			spec.Candidates = append(spec.Candidates, &pb.Candidate{Setting: &pb.Candidate_ParamsJson{ParamsJson: candidate}})
		}
		id, err := c.Submit(ctx, spec)
		check(err)
		_, err = c.Wait(ctx, id)
		check(err)
		return id
	}

	search := fit(data.ID, "sklearn.neighbors:KNeighborsClassifier", "{}", `{"n_neighbors": 1}`, `{"n_neighbors": 15}`)
	stack, err := c.Stack(ctx, &coordinator.PredictionsRequest{JobId: search})
	check(err)
	meta := fit(stack.GetDatasetId(), "sklearn.linear_model:LogisticRegression", `{"C": 100}`, "{}")

	members, err := c.Ensemble(ctx, &coordinator.EnsembleRequest{JobId: search, Combine: "mean", Metric: "accuracy"})
	check(err)
	stacked, err := c.Ensemble(ctx, &coordinator.EnsembleRequest{JobId: meta, Combine: "mean", Metric: "accuracy"})
	check(err)
	fmt.Printf("features %q\n", stack.GetFeatures())
	fmt.Printf("members %.3f, stacked %.3f\n", members.GetScores(), stacked.GetScore())
	// Output:
	// features ["0_out" "1_out"]
	// members [0.931 0.951], stacked 0.965
}
