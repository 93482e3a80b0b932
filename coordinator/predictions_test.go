package coordinator_test

import (
	"context"
	"slices"
	"strconv"
	"strings"
	"testing"

	"google.golang.org/grpc/codes"

	"github.com/crossfold/crossfold/arrowipc/predictions"
	"github.com/crossfold/crossfold/arrowipc/source"
	"github.com/crossfold/crossfold/coordinator"
	pb "github.com/crossfold/crossfold/proto/crossfold/v1"
)

func TestTheOutOfFoldPredictionsOfEachCandidate(t *testing.T) {
	c, id := predicted(t, 3, probabilities, nil)
	found, err := c.Predictions(bounded(t), &coordinator.PredictionsRequest{JobId: id})
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(found.GetCandidates(), []uint32{0, 1, 2}) || len(found.GetMarks()) > 0 {
		t.Fatalf("candidates %v, marks %v", found.GetCandidates(), found.GetMarks())
	}
	for candidate, object := range found.GetPredictionsIds() {
		table, err := predictions.Read(c.Store(), object)
		if err != nil {
			t.Fatal(err)
		}
		if len(table.Rows) != rowsOfTest || table.Columns != 2 || table.Kind != "probabilities" {
			t.Fatalf("candidate %d: %d rows of %d columns, %v", candidate, len(table.Rows), table.Columns, table.Header)
		}
		for row := range rowsOfTest {
			if table.Rows[row] != int64(row) || table.Values[2*row+1] != noisy(candidate, row) {
				t.Errorf("candidate %d, row %d: %v", candidate, table.Rows[row], table.Values[2*row:2*row+2])
			}
		}
	}
	again, err := c.Predictions(bounded(t), &coordinator.PredictionsRequest{JobId: id, Candidates: []uint32{2, 0}})
	want := []string{found.GetPredictionsIds()[2], found.GetPredictionsIds()[0]}
	if err != nil || !slices.Equal(again.GetPredictionsIds(), want) {
		t.Errorf("named candidates give %v (%v), want %v", again.GetPredictionsIds(), err, want)
	}
}

func TestPredictionsThatAreNotThereAreNamed(t *testing.T) {
	ctx := context.Background()
	c, id := predicted(t, 2, func(_ *pb.Task, fit *pb.TaskFit) fold {
		f := fold{kind: "probabilities", classes: []string{"no", "yes"}, proba: noisy}
		if fit.GetCandidateIndex() == 0 {
			f.classes = nil
		}
		return f
	}, nil)
	found, err := c.Predictions(ctx, &coordinator.PredictionsRequest{JobId: id, Predictions: "predict_proba"})
	if err != nil || !slices.Equal(found.GetCandidates(), []uint32{1}) ||
		!strings.Contains(strings.Join(found.GetMarks(), "\n"), "candidate 0 was left out") {
		t.Errorf("got %v, %v", found, err)
	}
	for _, bad := range []struct {
		request *coordinator.PredictionsRequest
		code    codes.Code
		text    string
	}{
		{&coordinator.PredictionsRequest{JobId: "0123"}, codes.NotFound, "0123"},
		{&coordinator.PredictionsRequest{JobId: id, Predictions: "predict"}, codes.InvalidArgument, "predict_proba"},
		{&coordinator.PredictionsRequest{JobId: id, Candidates: []uint32{0}}, codes.InvalidArgument, "candidate 0"},
		{&coordinator.PredictionsRequest{JobId: id, Candidates: []uint32{7}}, codes.InvalidArgument, "candidate 7"},
	} {
		_, err := c.Predictions(ctx, bad.request)
		wantError(t, err, bad.code, bad.text)
	}
}

func TestAStackHasScikitLearnsColumnsAndTheTruth(t *testing.T) {
	c, id := predicted(t, 2, probabilities, nil)
	stack, err := c.Stack(bounded(t), &coordinator.PredictionsRequest{JobId: id})
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(stack.Features, []string{"0_yes", "1_yes"}) || stack.Target != "y" {
		t.Fatalf("features %q, target %q", stack.Features, stack.Target)
	}
	for candidate, name := range stack.Features {
		wantColumn(t, c, stack.DatasetId, name, func(row int) float64 { return noisy(candidate, row) })
	}
	wantColumn(t, c, stack.DatasetId, "y", func(row int) float64 { return float64(row % 2) })
	_, err = c.Stack(bounded(t), &coordinator.PredictionsRequest{JobId: "0123"})
	wantError(t, err, codes.NotFound, "0123")
}

// wantColumn compares a column of a dataset of the test's rows.
func wantColumn(t *testing.T, c *coordinator.Coordinator, dataset, name string, want func(row int) float64) {
	t.Helper()
	column, err := source.Column(c.Store(), dataset, name)
	if err != nil {
		t.Fatal(err)
	}
	defer column.Release()
	if column.Len() != rowsOfTest {
		t.Fatalf("%s has %d rows, want %d", name, column.Len(), rowsOfTest)
	}
	row := 0
	for _, chunk := range column.Chunks() {
		for i := range chunk.Len() {
			if got, err := strconv.ParseFloat(chunk.ValueStr(i), 64); err != nil || got != want(row) {
				t.Errorf("%s, row %d: %s, want %g", name, row, chunk.ValueStr(i), want(row))
			}
			row++
		}
	}
}
