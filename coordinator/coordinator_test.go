package coordinator_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"google.golang.org/grpc/codes"

	"github.com/crossfold/crossfold/arrowipc/source"
	"github.com/crossfold/crossfold/coordinator"
	"github.com/crossfold/crossfold/coordinator/queue/memory"
	"github.com/crossfold/crossfold/coordinator/workertest"
	pb "github.com/crossfold/crossfold/proto/crossfold/v1"
)

// patience bounds every wait.
const patience = 30 * time.Second

func bounded(t testing.TB) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	t.Cleanup(cancel)
	return ctx
}

func quiet() *slog.Logger { return slog.New(slog.DiscardHandler) }

// inMemory opens a coordinator over the in-memory queue with a worker that runs like this.
func inMemory(t testing.TB, worker workertest.Config) *coordinator.Coordinator {
	t.Helper()
	c, err := coordinator.Open(bounded(t), coordinator.Config{
		Queue: memory.New(memory.Config{}), Slots: 2, Sidecar: workertest.Sidecar(worker), Logger: quiet(),
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { closeIt(t, c) })
	return c
}

func closeIt(t testing.TB, c *coordinator.Coordinator) {
	t.Helper()
	if err := c.Close(); err != nil {
		t.Errorf("Close: %v", err)
	}
}

// dataset puts a table with the columns x0, x1 and y into the store; bad is the y of row 3.
func dataset(t testing.TB, c *coordinator.Coordinator, rows int, bad string) string {
	t.Helper()
	var csv strings.Builder
	csv.WriteString("x0,x1,y\n")
	for i := range rows {
		y := fmt.Sprint(i % 2)
		if i == 3 && bad != "" {
			y = bad
		}
		fmt.Fprintf(&csv, "%d.5,%d,%s\n", i, i*i, strings.Trim(y, "-"))
	}
	path := filepath.Join(t.TempDir(), "data.csv")
	if err := os.WriteFile(path, []byte(csv.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	read, err := source.Read(bounded(t), c.Store(), path, source.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return read.ID
}

// search is a grid of candidates over stratified folds.
func search(datasetID string, candidates, folds int) *coordinator.JobSpec {
	spec := &coordinator.JobSpec{
		Name:      "search",
		DatasetId: datasetID,
		SplitSpec: &pb.SplitSpec{Kind: pb.SplitSpec_KIND_STRATIFIED_KFOLD, NSplits: int32(folds)},
		Code: &pb.Code{Source: &pb.Code_Recipe{Recipe: &pb.Recipe{
			Steps:  []*pb.Step{{Name: "svc", EntryPoint: "sklearn.svm:SVC"}},
			Target: "y",
		}}},
	}
	for i := range candidates {
		spec.Candidates = append(spec.Candidates, &pb.Candidate{
			Setting: &pb.Candidate_ParamsJson{ParamsJson: fmt.Sprintf(`{"C": %d}`, i+1)},
		})
	}
	return spec
}

func submit(t testing.TB, c *coordinator.Coordinator, spec *coordinator.JobSpec) string {
	t.Helper()
	id, err := c.Submit(bounded(t), spec)
	if err != nil {
		t.Fatal(err)
	}
	return id
}

func wantError(t *testing.T, err error, code codes.Code, texts ...string) {
	t.Helper()
	var known *coordinator.Error
	if !errors.As(err, &known) || known.Code != code {
		t.Errorf("error %v, want code %v", err, code)
		return
	}
	for _, text := range texts {
		if !strings.Contains(known.Message, text) {
			t.Errorf("error %q does not name %q", known.Message, text)
		}
	}
}

func TestACrossValidationRuns(t *testing.T) {
	c := inMemory(t, workertest.Config{})
	id := submit(t, c, search(dataset(t, c, 20, ""), 4, 5))
	results, err := c.Wait(bounded(t), id)
	if err != nil {
		t.Fatal(err)
	}
	if results.State.GetPhase() != pb.JobState_PHASE_DONE || results.State.GetFinished() != 20 {
		t.Errorf("state %v, want 20 of 20 done", results.State)
	}
	if rank := results.Table.Metrics[0].Rank; !slices.Equal(rank, []int32{4, 3, 2, 1}) {
		t.Errorf("ranks %v, want the last candidate first", rank)
	}
	if got := results.Table.Metrics[0].Test.Splits[3][2]; got != 2.3 {
		t.Errorf("score of candidate 2 on split 3 is %g, want 2.3", got)
	}
	stats := c.Stats()
	if stats.GetFitsCompleted() != 20 || stats.GetJobsRunning() != 0 || len(stats.GetWorkers()) != 1 {
		t.Errorf("stats %v, want 20 fits by one worker", stats)
	}
	jobs, err := c.Jobs(bounded(t))
	if err != nil || len(jobs) != 1 || jobs[0].GetJobId() != id || jobs[0].GetName() != "search" {
		t.Errorf("jobs %v (%v), want the one submitted", jobs, err)
	}
}

func TestEventsComeFromTheFirst(t *testing.T) {
	c := inMemory(t, workertest.Config{})
	id := submit(t, c, search(dataset(t, c, 20, ""), 2, 2))
	if _, err := c.Wait(bounded(t), id); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		events, err := c.Events(bounded(t), id)
		if err != nil {
			t.Fatal(err)
		}
		var all []*coordinator.Event
		for event := range events {
			all = append(all, event)
		}
		if len(all) != 6 || all[0].GetState().GetPhase() != pb.JobState_PHASE_RUNNING ||
			all[5].GetState().GetPhase() != pb.JobState_PHASE_DONE {
			t.Errorf("events %v, want running, four results, done", all)
		}
	}
	_, err := c.Events(bounded(t), "nope")
	wantError(t, err, codes.NotFound, "nope", "crossfold jobs")
}

// blocked is a worker that runs nothing before it is released.
func blocked() (workertest.Config, func()) {
	gate := make(chan struct{})
	return workertest.Config{Run: func(ctx context.Context, task *pb.Task) ([]*pb.Result, *pb.Fault) {
		select {
		case <-gate:
			return workertest.Succeed(ctx, task)
		case <-ctx.Done():
			return nil, nil
		}
	}}, sync.OnceFunc(func() { close(gate) })
}

func TestCancel(t *testing.T) {
	worker, release := blocked()
	defer release()
	c := inMemory(t, worker)
	id := submit(t, c, search(dataset(t, c, 20, ""), 4, 2))
	for range 2 {
		if err := c.Cancel(bounded(t), id); err != nil {
			t.Fatal(err)
		}
	}
	results, err := c.Wait(bounded(t), id)
	wantError(t, err, codes.Canceled, id)
	if results.State.GetPhase() != pb.JobState_PHASE_CANCELLED || results.Table == nil {
		t.Errorf("results %v, want those of a cancelled job", results)
	}
	wantError(t, c.Cancel(bounded(t), "nope"), codes.NotFound, "nope")
}

func TestAPoisonousFitIsSetAside(t *testing.T) {
	c := inMemory(t, workertest.Config{Run: func(ctx context.Context, task *pb.Task) ([]*pb.Result, *pb.Fault) {
		results, _ := workertest.Succeed(ctx, task)
		for i, fit := range task.GetFits() {
			if fit.GetIndex() == 3 {
				index := fit.GetIndex()
				return results[:i], &pb.Fault{
					TaskId: task.GetId(), JobId: task.GetJobId(), Attempt: task.GetAttempt(),
					Running: &index, Reason: "killed by signal 11", Worker: "fake",
				}
			}
		}
		return results, nil
	}})
	id := submit(t, c, search(dataset(t, c, 20, ""), 10, 2))
	results, err := c.Wait(bounded(t), id)
	if err != nil {
		t.Fatal(err)
	}
	poison := results.Units[3]
	if poison.GetOutcome() != pb.Outcome_OUTCOME_POISON || !strings.Contains(poison.GetFailure().GetMessage(), "signal 11") {
		t.Errorf("unit 3 is %v, want poison with its reason", poison)
	}
	if results.State.GetFailed() != 1 || results.State.GetFinished() != 20 || c.Stats().GetFaults() != 3 {
		t.Errorf("state %v, %d faults; want one failure of 20 after three faults", results.State, c.Stats().GetFaults())
	}
}

func TestErrorScoreRaiseFailsTheJob(t *testing.T) {
	c := inMemory(t, workertest.Config{Run: func(_ context.Context, task *pb.Task) ([]*pb.Result, *pb.Fault) {
		result := workertest.OK(task, task.GetFits()[0].GetIndex())
		result.Outcome = pb.Outcome_OUTCOME_RAISED
		result.Failure = &pb.Failure{Type: "builtins.ValueError", Message: "gamma < 0"}
		return []*pb.Result{result}, nil
	}})
	spec := search(dataset(t, c, 20, ""), 2, 2)
	spec.Code.GetRecipe().ErrorScore = "raise"
	_, err := c.Wait(bounded(t), submit(t, c, spec))
	wantError(t, err, codes.Aborted, "ValueError: gamma < 0")
}

func TestAnEnvironmentThatDiffersIsRefused(t *testing.T) {
	c := inMemory(t, workertest.Config{Environment: &pb.Environment{
		Python: "3.11.7", Packages: map[string]string{"scikit-learn": "1.9.1", "numpy": "2.4.6"},
	}})
	id := dataset(t, c, 20, "")
	for _, tc := range []struct {
		environment *pb.Environment
		texts       []string
	}{
		{&pb.Environment{Python: "3.12.1"}, []string{"3.12.1", "3.11.7", "--python"}},
		{&pb.Environment{Python: "3.11.2", Packages: map[string]string{"scikit-learn": "1.8.0"}}, []string{"scikit-learn 1.8.0", "1.9.1"}},
	} {
		spec := search(id, 1, 2)
		spec.Environment = tc.environment
		_, err := c.Wait(bounded(t), submit(t, c, spec))
		wantError(t, err, codes.FailedPrecondition, tc.texts...)
		_, err = c.Hello(bounded(t), &pb.HelloRequest{Environment: tc.environment})
		wantError(t, err, codes.FailedPrecondition, tc.texts...)
	}
	same := &pb.Environment{Python: "3.11.2", Packages: map[string]string{"numpy": "2.4.6", "pandas": "3.0"}}
	hello, err := c.Hello(bounded(t), &pb.HelloRequest{Environment: same})
	if err != nil || hello.GetSlots() != 2 || hello.GetWorkers() != 1 || hello.GetStoreDir() != c.Store().Dir() {
		t.Errorf("Hello = %v, %v; want one worker with two slots", hello, err)
	}
}

type nobody struct{}

func (nobody) Close() error { return nil }

func noWorker(context.Context, coordinator.SidecarConfig) (coordinator.Sidecar, error) {
	return nobody{}, nil
}

func TestAJobWithoutAWorkerFails(t *testing.T) {
	c, err := coordinator.OpenImpatient(bounded(t), coordinator.Config{
		Queue: memory.New(memory.Config{}), Sidecar: noWorker, Logger: quiet(),
	}, time.Second, 300*time.Millisecond)
	if err != nil {
		t.Fatal(err)
	}
	defer closeIt(t, c)
	_, err = c.Wait(bounded(t), submit(t, c, search(dataset(t, c, 20, ""), 1, 2)))
	wantError(t, err, codes.Unavailable, "no worker", "crossfold worker")
	_, err = c.Hello(bounded(t), &pb.HelloRequest{})
	wantError(t, err, codes.Unavailable, "no worker")
	if hello, err := c.Hello(bounded(t), &pb.HelloRequest{NoWait: true}); err != nil || hello.GetWorkers() != 0 {
		t.Errorf("Hello without waiting = %v, %v; want no worker", hello, err)
	}
}

func TestASilentWorkerIsGone(t *testing.T) {
	q := memory.New(memory.Config{})
	c, err := coordinator.OpenImpatient(bounded(t), coordinator.Config{Queue: q, Sidecar: noWorker, Logger: quiet()},
		200*time.Millisecond, time.Second)
	if err != nil {
		t.Fatal(err)
	}
	defer closeIt(t, c)
	info := &pb.WorkerInfo{Id: "w", Slots: 3, Environment: &pb.Environment{Python: "3.11.7"}}
	if err := q.Heartbeat(bounded(t), info); err != nil {
		t.Fatal(err)
	}
	if hello, err := c.Hello(bounded(t), &pb.HelloRequest{}); err != nil || hello.GetSlots() != 3 {
		t.Fatalf("Hello = %v, %v; want three slots", hello, err)
	}
	deadline := time.Now().Add(patience)
	for len(c.Stats().GetWorkers()) > 0 {
		if time.Now().After(deadline) {
			t.Fatal("a silent worker still counts")
		}
		time.Sleep(10 * time.Millisecond)
	}
}

// overNATS opens a coordinator in a folder.
func overNATS(t *testing.T, dir string, worker workertest.Config) *coordinator.Coordinator {
	t.Helper()
	c, err := coordinator.Open(bounded(t), coordinator.Config{
		Dir: dir, Slots: 2, Sidecar: workertest.Sidecar(worker), Logger: quiet(),
	})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestFinishedFitsNeverRunAgain(t *testing.T) {
	dir := t.TempDir()
	var begun atomic.Int32
	c := overNATS(t, dir, workertest.Config{Run: func(ctx context.Context, task *pb.Task) ([]*pb.Result, *pb.Fault) {
		if begun.Add(1) > 10 {
			<-ctx.Done()
			return nil, nil
		}
		return workertest.Succeed(ctx, task)
	}})
	id := submit(t, c, search(dataset(t, c, 20, ""), 12, 5))
	events, err := c.Events(bounded(t), id)
	if err != nil {
		t.Fatal(err)
	}
	finished := map[uint32]bool{}
	for len(finished) < 8 {
		if result := (<-events).GetResult(); result != nil {
			finished[result.GetIndex()] = true
		}
	}
	closeIt(t, c)

	c = overNATS(t, dir, workertest.Config{Run: func(ctx context.Context, task *pb.Task) ([]*pb.Result, *pb.Fault) {
		for _, fit := range task.GetFits() {
			if finished[fit.GetIndex()] {
				t.Errorf("finished fit %d ran again", fit.GetIndex())
			}
		}
		return workertest.Succeed(ctx, task)
	}})
	results, err := c.Wait(bounded(t), id)
	if err != nil || results.State.GetFinished() != 60 {
		t.Fatalf("results %v, %v; want 60 fits", results, err)
	}
	closeIt(t, c)

	// An ended job is remembered, and runs nothing.
	c = overNATS(t, dir, workertest.Config{Run: func(context.Context, *pb.Task) ([]*pb.Result, *pb.Fault) {
		t.Error("a fit of an ended job ran")
		return nil, nil
	}})
	defer closeIt(t, c)
	results, err = c.Wait(bounded(t), id)
	if err != nil || results.State.GetFinished() != 60 || results.Table.Metrics[0].Rank[11] != 1 {
		t.Errorf("results %v, %v; want the same as before", results, err)
	}
}

func TestAFolderHasOneCoordinator(t *testing.T) {
	config := coordinator.Config{Dir: t.TempDir(), Sidecar: noWorker, Logger: quiet()}
	c, err := coordinator.Open(bounded(t), config)
	if err != nil {
		t.Fatal(err)
	}
	defer closeIt(t, c)
	if _, err := coordinator.Open(bounded(t), config); !errors.Is(err, coordinator.ErrLocked) {
		t.Errorf("a second Open: %v, want ErrLocked", err)
	}
}

// submitted submits a job and waits for it: the error of the wait comes over the channel.
func submitted(t *testing.T, c *coordinator.Coordinator) (id string, waited <-chan error) {
	t.Helper()
	id = submit(t, c, search(dataset(t, c, 20, ""), 4, 2))
	ended := make(chan error, 1)
	go func() {
		_, err := c.Wait(bounded(t), id)
		ended <- err
	}()
	return id, ended
}

func TestCloseEndsEverything(t *testing.T) {
	worker, release := blocked()
	defer release()
	c := inMemory(t, worker)
	id, waited := submitted(t, c)
	dir := c.Dir()
	closeIt(t, c)
	closeIt(t, c)
	if err := <-waited; !errors.Is(err, coordinator.ErrClosed) {
		t.Errorf("Wait of a closed coordinator: %v, want ErrClosed", err)
	}
	if _, err := os.Stat(dir); !os.IsNotExist(err) {
		t.Errorf("the temporary folder: %v, want it removed", err)
	}
	_, submitErr := c.Submit(bounded(t), &coordinator.JobSpec{})
	_, helloErr := c.Hello(bounded(t), &pb.HelloRequest{})
	_, sessionErr := c.OpenSession()
	for _, err := range []error{submitErr, helloErr, sessionErr, c.Cancel(bounded(t), id)} {
		if !errors.Is(err, coordinator.ErrClosed) {
			t.Errorf("after Close: %v, want ErrClosed", err)
		}
	}
}

func TestTheEndOfTheQueueEndsWaits(t *testing.T) {
	worker, release := blocked()
	defer release()
	c := inMemory(t, worker)
	_, waited := submitted(t, c)
	if err := c.Queue().Close(); err != nil {
		t.Fatal(err)
	}
	if err := <-waited; !errors.Is(err, coordinator.ErrClosed) {
		t.Errorf("Wait of a coordinator whose queue ended: %v, want ErrClosed", err)
	}
	select {
	case <-c.Done():
	case <-bounded(t).Done():
		t.Error("a coordinator whose queue ended is not done")
	}
	closeIt(t, c)
}

func TestBadConfigsAreNamed(t *testing.T) {
	for _, config := range []coordinator.Config{
		{Slots: -1},
		{Queue: memory.New(memory.Config{})},
		{NATSCredentials: "x"},
		{Dir: "/" + strings.Repeat("x", 200), Sidecar: noWorker},
		{Binary: "/no/such/binary"},
	} {
		c, err := coordinator.Open(bounded(t), config)
		if err == nil {
			closeIt(t, c)
			t.Errorf("Open(%+v) succeeded", config)
		}
	}
}
