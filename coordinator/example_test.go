package coordinator_test

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
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
	check(err)
	defer func() { _ = c.Close() }()

	data, err := source.Read(ctx, c.Store(), squares(c.Dir()), source.Options{})
	check(err)
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
	check(err)
	results, err := c.Wait(ctx, id)
	check(err)
	scores := results.Table.Metrics[0]
	for row, params := range results.Table.Params {
		fmt.Printf("%s: %.3f, rank %d\n", params, scores.Test.Mean[row], scores.Rank[row])
	}
	// Output:
	// {"max_depth": 1}: 0.750, rank 2
	// {"max_depth": 2}: 0.715, rank 3
	// {"max_depth": 4}: 1.000, rank 1
}

// squares writes a CSV file with the points of a grid and whether they lie inside a square.
func squares(dir string) string {
	var csv strings.Builder
	csv.WriteString("x,y,side\n")
	for i := range 144 {
		x, y, side := i*7%12, i*5%144/12, "out"
		if x >= 3 && x < 9 && y >= 3 && y < 9 {
			side = "in"
		}
		fmt.Fprintf(&csv, "%d,%d,%s\n", x, y, side)
	}
	path := filepath.Join(dir, "squares.csv")
	check(os.WriteFile(path, []byte(csv.String()), 0o600))
	return path
}

func check(err error) {
	if err != nil {
		panic(err)
	}
}
