package coordinator_test

import (
	"math"
	"strings"
	"testing"

	"google.golang.org/grpc/codes"

	"github.com/crossfold/crossfold/coordinator"
	"github.com/crossfold/crossfold/coordinator/workertest"
	pb "github.com/crossfold/crossfold/proto/crossfold/v1"
)

func TestBadInputIsRefusedAtTheDoor(t *testing.T) {
	c := inMemory(t, workertest.Config{})
	good := dataset(t, c, 20, "")
	absent := "ds-" + strings.Repeat("0", 64)
	cases := []struct {
		name   string
		change func(*coordinator.JobSpec)
		code   codes.Code
		texts  []string
	}{
		{"unknown dataset", func(s *coordinator.JobSpec) { s.DatasetId = absent }, codes.NotFound, []string{absent, "put it there"}},
		{"no dataset id", func(s *coordinator.JobSpec) { s.DatasetId = "digits" }, codes.InvalidArgument, []string{"digits"}},
		{"zero candidates", func(s *coordinator.JobSpec) { s.Candidates = nil }, codes.InvalidArgument, []string{"0 candidates"}},
		{"no splits", func(s *coordinator.JobSpec) { s.SplitSpec = nil }, codes.InvalidArgument, []string{"0 splits", "split_spec"}},
		{"more folds than rows", func(s *coordinator.JobSpec) {
			s.SplitSpec = &pb.SplitSpec{Kind: pb.SplitSpec_KIND_KFOLD, NSplits: 21}
		}, codes.InvalidArgument, []string{"21", "20"}},
		{"no y in a row", func(s *coordinator.JobSpec) { s.DatasetId = dataset(t, c, 20, "-") }, codes.InvalidArgument, []string{"\"y\"", "row 3 of 20"}},
		{"NaN as y under KFold", func(s *coordinator.JobSpec) {
			s.DatasetId, s.SplitSpec.Kind = dataset(t, c, 20, "NaN"), pb.SplitSpec_KIND_KFOLD
		}, codes.InvalidArgument, []string{"\"y\"", "row 3 of 20", "NaN"}},
		{"unknown target", func(s *coordinator.JobSpec) { s.Code.GetRecipe().Target = "label" }, codes.InvalidArgument, []string{"label", "x0"}},
		{"unknown feature", func(s *coordinator.JobSpec) { s.Code.GetRecipe().Features = []string{"x0", "x9"} }, codes.InvalidArgument, []string{"x9"}},
		{"no steps", func(s *coordinator.JobSpec) { s.Code.GetRecipe().Steps = nil }, codes.InvalidArgument, []string{"no steps"}},
		{"bad entry point", func(s *coordinator.JobSpec) { s.Code.GetRecipe().Steps[0].EntryPoint = "sklearn.svm.SVC" }, codes.InvalidArgument, []string{"sklearn.svm.SVC", "sklearn.svm:SVC"}},
		{"bad step params", func(s *coordinator.JobSpec) { s.Code.GetRecipe().Steps[0].ParamsJson = "[1]" }, codes.InvalidArgument, []string{"[1]", "object"}},
		{"bad candidate", func(s *coordinator.JobSpec) {
			s.Candidates[1].Setting = &pb.Candidate_ParamsJson{ParamsJson: "{"}
		}, codes.InvalidArgument, []string{"candidate 1", "{"}},
		{"bad error_score", func(s *coordinator.JobSpec) { s.Code.GetRecipe().ErrorScore = "zero" }, codes.InvalidArgument, []string{"zero", "raise"}},
		{"negative limit", func(s *coordinator.JobSpec) { s.Limits = &pb.Limits{FitSeconds: -1} }, codes.InvalidArgument, []string{"limits.fit_seconds", "-1"}},
		{"endless limit", func(s *coordinator.JobSpec) { s.Limits = &pb.Limits{FitSeconds: math.Inf(1)} }, codes.InvalidArgument, []string{"limits.fit_seconds", "+Inf"}},
		{"limit of no number", func(s *coordinator.JobSpec) { s.Limits = &pb.Limits{FitSeconds: math.NaN()} }, codes.InvalidArgument, []string{"limits.fit_seconds", "NaN"}},
		{"no code", func(s *coordinator.JobSpec) { s.Code = nil }, codes.InvalidArgument, []string{"recipe"}},
		{"unknown split", func(s *coordinator.JobSpec) {
			s.SplitSpec, s.Splits = nil, []*pb.Split{{Id: "sp-" + strings.Repeat("1", 64)}}
		}, codes.NotFound, []string{"sp-111"}},
		{"fit of no candidate", func(s *coordinator.JobSpec) { s.Fits = []*pb.JobFit{{Candidate: 9}} }, codes.InvalidArgument, []string{"candidate 9"}},
	}
	for _, tc := range cases {
		t.Run(tc.name, func(t *testing.T) {
			spec := search(good, 2, 2)
			tc.change(spec)
			_, err := c.Submit(bounded(t), spec)
			wantError(t, err, tc.code, tc.texts...)
		})
	}
	_, err := c.Submit(bounded(t), nil)
	wantError(t, err, codes.InvalidArgument)
	if n := c.Stats().GetJobsRunning(); n != 0 {
		t.Errorf("%d jobs run, want none", n)
	}
}

func TestShuffledSplitsRecordTheirSeed(t *testing.T) {
	c := inMemory(t, workertest.Config{})
	spec := search(dataset(t, c, 20, ""), 1, 2)
	spec.SplitSpec.Shuffle = true
	submit(t, c, spec)
	jobs, err := c.Queue().Jobs(bounded(t))
	if err != nil || len(jobs) != 1 || jobs[0].Spec.GetSplitSpec().RandomState == nil || len(jobs[0].Spec.GetSplits()) != 2 {
		t.Errorf("manifest %v (%v), want a seed and two splits", jobs, err)
	}
	if spec.SplitSpec.RandomState != nil {
		t.Error("Submit changed the caller's spec")
	}
}
