package coordinator_test

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"github.com/crossfold/crossfold/arrowipc/source"
	"github.com/crossfold/crossfold/coordinator"
	"github.com/crossfold/crossfold/coordinator/rules"
	pb "github.com/crossfold/crossfold/proto/crossfold/v1"
)

// treePolicy is a search space, and a rule that ends what is far behind after a fold.
const treePolicy = `
PARAM_GRID = {"max_depth": [1, 2, 4, 6], "max_features": [1, 2]}


def prune(trial, history):
    best = max([h["score"] for h in history] + [trial["score"]])
    return trial["score"] < best - 0.2
`

// A search whose candidates come from a policy, which prunes them, too; what is left is combined.
func ExampleCoordinator_Ensemble() {
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()

	c, err := coordinator.Open(ctx, coordinator.Config{
		Slots: 2, Binary: worker.binary, Python: worker.python, Logger: slog.New(slog.DiscardHandler),
	})
	check(err)
	defer func() { _ = c.Close() }()

	data, err := source.Read(ctx, c.Store(), squares(c.Dir()), source.Options{})
	check(err)
	candidates, err := c.Candidates(ctx, treePolicy, rules.Space{})
	check(err)
	id, err := c.Submit(ctx, &coordinator.JobSpec{
		Name:      "trees",
		DatasetId: data.ID,
		SplitSpec: &pb.SplitSpec{Kind: pb.SplitSpec_KIND_STRATIFIED_KFOLD, NSplits: 4},
		Code: &pb.Code{Source: &pb.Code_Recipe{Recipe: &pb.Recipe{
			Steps: []*pb.Step{{
				Name: "tree", EntryPoint: "sklearn.tree:DecisionTreeClassifier", ParamsJson: `{"random_state": 0}`,
			}},
			Target: "side",
		}}},
		Candidates:  candidates,
		Predictions: []string{"predict_proba"},
		Pruning:     &pb.Pruning{Policy: treePolicy},
	})
	check(err)
	_, err = c.Wait(ctx, id)
	check(err)

	ensemble, err := c.Ensemble(ctx, &coordinator.EnsembleRequest{JobId: id, Combine: "mean", Metric: "accuracy"})
	check(err)
	fmt.Printf("%d of %d candidates went all the way\n", len(ensemble.GetCandidates()), len(candidates))
	fmt.Printf("their mean scores %.3f, the best of them %.3f\n", ensemble.GetScore(), ensemble.GetBestSingleScore())
	// Output:
	// 4 of 8 candidates went all the way
	// their mean scores 0.979, the best of them 1.000
}
