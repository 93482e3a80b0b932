package coordinator_test

import (
	"context"
	"fmt"
	"log"
	"log/slog"
	"os"
	"path/filepath"
	"time"

	"github.com/crossfold/crossfold/arrowipc/source"
	"github.com/crossfold/crossfold/coordinator"
	pb "github.com/crossfold/crossfold/proto/crossfold/v1"
)

// A whole cross validation: a CSV file, three settings of a decision tree, four stratified folds.
// The worker is a process of the crossfold binary that runs scikit-learn.
func Example() {
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()

	c, err := coordinator.Open(ctx, coordinator.Config{
		Slots:  2,
		Binary: worker.binary, // found by itself when crossfold is on PATH
		Python: worker.python, // a Python with the package crossfold
		Logger: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		log.Fatal(err)
	}
	defer func() { _ = c.Close() }()

	data, err := source.Read(ctx, c.Store(), squaresCSV(), source.Options{})
	if err != nil {
		log.Fatal(err)
	}
	job := &coordinator.JobSpec{
		Name:      "tree depth",
		DatasetId: data.ID,
		SplitSpec: &pb.SplitSpec{Kind: pb.SplitSpec_KIND_STRATIFIED_KFOLD, NSplits: 4},
		Code: &pb.Code{Source: &pb.Code_Recipe{Recipe: &pb.Recipe{
			Steps: []*pb.Step{{
				Name: "tree", EntryPoint: "sklearn.tree:DecisionTreeClassifier", ParamsJson: `{"random_state": 0}`,
			}},
			Target: "side",
		}}},
	}
	for _, depth := range []int{1, 2, 4} {
		job.Candidates = append(job.Candidates, &pb.Candidate{
			Setting: &pb.Candidate_ParamsJson{ParamsJson: fmt.Sprintf(`{"max_depth": %d}`, depth)},
		})
	}

	id, err := c.Submit(ctx, job)
	if err != nil {
		log.Fatal(err)
	}
	results, err := c.Wait(ctx, id)
	if err != nil {
		log.Fatal(err)
	}
	scores := results.Table.Metrics[0]
	for row, params := range results.Table.Params {
		fmt.Printf("%s: %.3f, rank %d\n", params, scores.Test.Mean[row], scores.Rank[row])
	}
	// Output:
	// {"max_depth": 1}: 0.750, rank 3
	// {"max_depth": 2}: 0.792, rank 2
	// {"max_depth": 4}: 1.000, rank 1
}

// squaresCSV writes points of a grid and whether they lie inside a square.
func squaresCSV() string {
	dir, err := os.MkdirTemp("", "crossfold-example-")
	if err != nil {
		log.Fatal(err)
	}
	path := filepath.Join(dir, "squares.csv")
	file, err := os.Create(path)
	if err != nil {
		log.Fatal(err)
	}
	defer func() { _ = file.Close() }()
	fmt.Fprintln(file, "x,y,side")
	for i := range 144 {
		x, y := i*7%12, i*5%144/12
		fmt.Fprintf(file, "%d,%d,%s\n", x, y, side(x >= 3 && x < 9 && y >= 3 && y < 9))
	}
	return path
}

func side(inside bool) string {
	if inside {
		return "in"
	}
	return "out"
}
