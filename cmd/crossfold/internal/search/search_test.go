package search

import (
	"context"
	"errors"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/crossfold/crossfold/cmd/crossfold/internal/client"
	"github.com/crossfold/crossfold/cmd/crossfold/internal/jobfile"
	pb "github.com/crossfold/crossfold/proto/crossfold/v1"
)

// patience bounds every wait of these tests.
const patience = 20 * time.Second

// jobsServer answers every submission with the same events.
type jobsServer struct {
	pb.UnimplementedJobsServer
	storeDir  string
	events    []*pb.Event
	submitted *pb.JobSpec
	// hang keeps the stream of events open after its last.
	hang      bool
	following chan struct{}
	cancelled chan string
}

func (s *jobsServer) Hello(context.Context, *pb.HelloRequest) (*pb.HelloResponse, error) {
	return &pb.HelloResponse{StoreDir: s.storeDir}, nil
}

func (s *jobsServer) Submit(_ context.Context, r *pb.SubmitRequest) (*pb.SubmitResponse, error) {
	s.submitted = r.GetJob()
	return &pb.SubmitResponse{JobId: "j1"}, nil
}

func (s *jobsServer) Cancel(_ context.Context, r *pb.CancelRequest) (*pb.CancelResponse, error) {
	s.cancelled <- r.GetJobId()
	return &pb.CancelResponse{}, nil
}

func (s *jobsServer) Events(_ *pb.EventsRequest, stream grpc.ServerStreamingServer[pb.Event]) error {
	for _, event := range s.events {
		if err := stream.Send(event); err != nil {
			return err
		}
	}
	if s.hang {
		close(s.following)
		<-stream.Context().Done()
	}
	return nil
}

func result(index uint32, score float64) *pb.Event {
	return &pb.Event{Kind: &pb.Event_Result{Result: &pb.Result{
		Index: index, Outcome: pb.Outcome_OUTCOME_OK, TestScores: map[string]float64{"score": score},
	}}}
}

func last(state *pb.JobState) *pb.Event { return &pb.Event{Kind: &pb.Event_State{State: state}} }

// prepared serves s and returns options for a job of two candidates and two splits over four rows.
func prepared(t *testing.T, s *jobsServer, job, csv string) Options {
	t.Helper()
	dir := t.TempDir()
	s.storeDir = filepath.Join(dir, "store")
	s.following, s.cancelled = make(chan struct{}), make(chan string, 1)
	if err := os.WriteFile(filepath.Join(dir, "d.csv"), []byte(csv), 0o600); err != nil {
		t.Fatal(err)
	}
	file, err := jobfile.Parse(filepath.Join(dir, "j.yaml"), []byte(job))
	if err != nil {
		t.Fatal(err)
	}
	listener, err := net.Listen("unix", filepath.Join(dir, "s"))
	if err != nil {
		t.Fatal(err)
	}
	server := grpc.NewServer()
	pb.RegisterJobsServer(server, s)
	go func() { _ = server.Serve(listener) }()
	t.Cleanup(server.Stop)
	c, err := client.Dial("unix://" + listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return Options{File: file, Client: c, Warn: func(string) {}, Progress: func(*pb.JobState) {}}
}

const (
	job = "data: d.csv\ntarget: y\nestimator: sklearn.svm:SVC\nparam_grid: {C: [1, 2]}\ncv: {n_splits: 2}\n"
	csv = "x,z,y\n1,5,a\n2,6,b\n3,7,a\n4,8,b\n"
)

func TestRunCollectsResultsInOrder(t *testing.T) {
	s := &jobsServer{events: []*pb.Event{
		result(3, 0.75), result(0, 0.25), result(2, 0.25), result(1, 0.5),
		last(&pb.JobState{Phase: pb.JobState_PHASE_DONE}),
	}}
	o := prepared(t, s, job, csv)
	var counts []uint32
	o.Progress = func(state *pb.JobState) { counts = append(counts, state.GetFinished()) }
	out, err := Run(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	test := out.Results.Table.Metrics[0].Test
	if test.Mean[0] != 0.375 || test.Mean[1] != 0.5 || out.Rows != 4 || out.JobID != "j1" {
		t.Errorf("means %v, %d rows, job %s", test.Mean, out.Rows, out.JobID)
	}
	if len(counts) != 4 || counts[3] != 4 {
		t.Errorf("progress %v", counts)
	}
	if len(s.submitted.GetCandidates()) != 2 || !strings.HasPrefix(s.submitted.GetDatasetId(), "ds-") {
		t.Errorf("submitted %v", s.submitted)
	}
}

func TestRunTellsHowAJobEnded(t *testing.T) {
	for _, c := range []struct {
		events []*pb.Event
		code   codes.Code
		want   string
	}{
		{[]*pb.Event{last(&pb.JobState{
			Phase: pb.JobState_PHASE_FAILED, Error: "no such scorer", ErrorCode: uint32(codes.InvalidArgument),
		})}, codes.InvalidArgument, "no such scorer"},
		{[]*pb.Event{last(&pb.JobState{Phase: pb.JobState_PHASE_FAILED, Error: "oh"})}, codes.Unknown, "oh"},
		{[]*pb.Event{last(&pb.JobState{Phase: pb.JobState_PHASE_CANCELLED})}, codes.Unknown, "job j1 was cancelled"},
		{[]*pb.Event{result(0, 1)}, codes.Unknown, "its events ended after 1 of 4 fits"},
	} {
		_, err := Run(t.Context(), prepared(t, &jobsServer{events: c.events}, job, csv))
		if err == nil || status.Code(err) != c.code || !strings.Contains(err.Error(), c.want) {
			t.Errorf("got %v, want %s %q", err, c.code, c.want)
		}
	}
}

func TestAnInterruptedRunCancelsItsJob(t *testing.T) {
	s := &jobsServer{hang: true}
	o := prepared(t, s, job, csv)
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	go func() {
		<-s.following
		cancel()
	}()
	if _, err := Run(ctx, o); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	select {
	case id := <-s.cancelled:
		if id != "j1" {
			t.Errorf("cancelled %q", id)
		}
	default:
		t.Error("the job was not cancelled")
	}
}

func TestNothingIsSubmittedThatCanNotRun(t *testing.T) {
	for _, c := range []struct{ job, csv, want string }{
		{strings.Replace(job, "target: y", "target: Y", 1), csv, `j.yaml:2: `},
		{strings.Replace(job, "target: y", "target: kind", 1), csv, `has no column "kind"; it has x, z, y`},
		{job + "features: [xx]\n", csv, `j.yaml:6: `},
		{job, "y\na\nb\n", `holds only the target "y"`},
		{job, "x,y\n1,a\n2,b\n3,\n4,b\n", `target "y" has no value in row 2`},
		{job, "x,y\n1,0.0\n2,1.0\n3,NaN\n4,1.0\n", `target "y" has no value in row 2`},
		{strings.Replace(job, "2}", "5}", 1), csv, "5"},
		{job, "x,y\n1,a\n2,b\n3,c\n4,d\n", "2"},
		{job, "x,y\n1,0.5\n2,1.25\n3,2.5\n4,4.75\n", "kfold"},
	} {
		s := &jobsServer{}
		_, err := Run(t.Context(), prepared(t, s, c.job, c.csv))
		var bad *jobfile.Error
		if !errors.As(err, &bad) || !strings.Contains(err.Error(), c.want) {
			t.Errorf("got %v, want %q", err, c.want)
		}
		if s.submitted != nil {
			t.Errorf("%q: submitted all the same", c.want)
		}
	}
}

func TestWarningsAreTold(t *testing.T) {
	s := &jobsServer{events: []*pb.Event{last(&pb.JobState{Phase: pb.JobState_PHASE_DONE})}}
	o := prepared(t, s, job, "x,y\n1,a\n2,b\n3,a\n")
	var warnings []string
	o.Warn = func(message string) { warnings = append(warnings, message) }
	if _, err := Run(t.Context(), o); err != nil {
		t.Fatal(err)
	}
	if len(warnings) != 1 || !strings.Contains(warnings[0], "least populated class") {
		t.Errorf("warnings %q", warnings)
	}
}

func TestAnEnsembleThatFailsKeepsTheResults(t *testing.T) {
	s := &jobsServer{events: []*pb.Event{
		result(0, 0.25), result(1, 0.5), result(2, 0.75), result(3, 0.25),
		last(&pb.JobState{Phase: pb.JobState_PHASE_DONE}),
	}}
	out, err := Run(t.Context(), prepared(t, s, job+"predictions: predict\nscoring: accuracy\nensemble: {method: vote}\n", csv))
	if err != nil {
		t.Fatal(err)
	}
	// The server of this test can't combine.
	if out.Ensemble != nil || status.Code(errors.Unwrap(out.Uncombined)) != codes.Unimplemented {
		t.Errorf("ensemble %v, error %v", out.Ensemble, out.Uncombined)
	}
	if test := out.Results.Table.Metrics[0].Test; test.Mean[0] != 0.375 || test.Mean[1] != 0.5 {
		t.Errorf("means %v", test.Mean)
	}
}
