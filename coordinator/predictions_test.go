package coordinator_test

import (
	"context"
	"slices"
	"strings"
	"testing"

	"google.golang.org/grpc/codes"

	"github.com/crossfold/crossfold/arrowipc/predictions"
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
	for _, bad := range []struct {
		request *coordinator.PredictionsRequest
		code    codes.Code
		text    string
	}{
		{&coordinator.PredictionsRequest{JobId: "0123"}, codes.NotFound, "0123"},
		{&coordinator.PredictionsRequest{JobId: id}, codes.InvalidArgument, "no recipe that names its target"},
	} {
		_, err := c.Stack(bounded(t), bad.request)
		wantError(t, err, bad.code, bad.text)
	}
}
