package coordinator_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"google.golang.org/grpc/codes"

	"github.com/crossfold/crossfold/coordinator"
	"github.com/crossfold/crossfold/coordinator/queue"
	"github.com/crossfold/crossfold/coordinator/queue/memory"
	"github.com/crossfold/crossfold/coordinator/workertest"
	pb "github.com/crossfold/crossfold/proto/crossfold/v1"
)

// client is an attached client that reads events until a job ends.
type client struct {
	t       testing.TB
	session *coordinator.Session
}

func attach(t testing.TB, c *coordinator.Coordinator) client {
	t.Helper()
	session, err := c.OpenSession()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(session.Close)
	return client{t, session}
}

func (c client) send(request *pb.SessionRequest) {
	c.t.Helper()
	if err := c.session.Handle(bounded(c.t), request); err != nil {
		c.t.Fatal(err)
	}
}

func (c client) open(job string, spec *pb.JobSpec) {
	c.send(&pb.SessionRequest{JobId: job, Step: &pb.SessionRequest_Open{Open: spec}})
}

func (c client) call(job string, n int) {
	calls := make([]*pb.Call, n)
	for i := range calls {
		calls[i] = &pb.Call{Pickle: &pb.Value{Kind: &pb.Value_Inline{Inline: []byte("pickle")}}}
	}
	c.send(&pb.SessionRequest{JobId: job, Step: &pb.SessionRequest_Append{Append: &pb.Append{Calls: calls}}})
}

func (c client) close(job string) {
	c.send(&pb.SessionRequest{JobId: job, Step: &pb.SessionRequest_Close{Close: &pb.Close{}}})
}

func (c client) stop(job string) {
	c.send(&pb.SessionRequest{JobId: job, Step: &pb.SessionRequest_Stop{Stop: &pb.Stop{}}})
}

// untilEnd reads events until the job ends; it returns the number of its results and its last state.
func (c client) untilEnd(job string) (results int, last *pb.JobState) {
	c.t.Helper()
	ctx := bounded(c.t)
	for {
		events, err := c.session.Next(ctx)
		if err != nil {
			c.t.Fatal(err)
		}
		for _, event := range events {
			if event.GetJobId() != job {
				continue
			}
			if event.GetResult() != nil {
				results++
			}
			if state := event.GetState(); state != nil && state.GetPhase() != pb.JobState_PHASE_RUNNING {
				return results, state
			}
		}
	}
}

func TestAnAttachedClientRunsCalls(t *testing.T) {
	c := inMemory(t, workertest.Config{})
	client := attach(t, c)
	client.open("a", &pb.JobSpec{})
	client.call("a", 100)
	client.call("a", 1)
	client.close("a")
	results, state := client.untilEnd("a")
	if results != 101 || state.GetPhase() != pb.JobState_PHASE_DONE {
		t.Errorf("%d results, state %v; want 101 and done", results, state)
	}
	if n := c.Stats().GetCallsCompleted(); n != 101 {
		t.Errorf("%d calls counted, want 101", n)
	}
	client.close("a") // steps of an ended job are ignored
	client.call("a", 1)
}

func TestAnAttachedClientRunsFits(t *testing.T) {
	c := inMemory(t, workertest.Config{})
	client := attach(t, c)
	spec := search(dataset(t, c, 20, ""), 2, 2)
	spec.Fits = []*pb.JobFit{{Candidate: 1, Split: 0}}
	client.open("a", spec)
	client.send(&pb.SessionRequest{JobId: "a", Step: &pb.SessionRequest_Append{Append: &pb.Append{
		Candidates: spec.Candidates[:1],
		Fits:       []*pb.JobFit{{Candidate: 2, Split: 1}, {Candidate: 0, Split: 1}},
	}}})
	client.close("a")
	if results, state := client.untilEnd("a"); results != 3 || state.GetPhase() != pb.JobState_PHASE_DONE {
		t.Errorf("%d results, state %v; want 3 and done", results, state)
	}
}

func TestBadStepsFailTheirJobAlone(t *testing.T) {
	c := inMemory(t, workertest.Config{})
	id := dataset(t, c, 20, "")
	client := attach(t, c)
	client.open("good", &pb.JobSpec{})
	steps := map[string]func(job string){
		"fit of no candidate": func(job string) {
			spec := search(id, 1, 2)
			spec.Fits = []*pb.JobFit{{Candidate: 5}}
			client.open(job, spec)
		},
		"calls among fits": func(job string) { client.open(job, search(id, 1, 2)); client.call(job, 1) },
		"added after close": func(job string) {
			client.open(job, &pb.JobSpec{})
			client.call(job, 5000)
			client.close(job)
			client.call(job, 1)
		},
		"never opened": func(job string) { client.call(job, 1) },
	}
	n := 0
	for name, step := range steps {
		n++
		job := fmt.Sprintf("bad%d", n)
		step(job)
		if _, state := client.untilEnd(job); state.GetPhase() != pb.JobState_PHASE_FAILED || state.GetError() == "" {
			if name != "added after close" || state.GetPhase() != pb.JobState_PHASE_DONE { // it may have ended before
				t.Errorf("%s: state %v, want failed with an error", name, state)
			}
		}
	}
	client.call("good", 3)
	client.close("good")
	if results, state := client.untilEnd("good"); results != 3 || state.GetPhase() != pb.JobState_PHASE_DONE {
		t.Errorf("%d results, state %v; want the good job done", results, state)
	}
	err := client.session.Handle(bounded(t), &pb.SessionRequest{JobId: "a.b"})
	wantError(t, err, codes.InvalidArgument, "a.b")
}

func TestStopDropsAndKills(t *testing.T) {
	started, killed := make(chan struct{}, 16), make(chan struct{}, 16)
	c := inMemory(t, workertest.Config{Run: func(ctx context.Context, _ *pb.Task) ([]*pb.Result, *pb.Fault) {
		started <- struct{}{}
		<-ctx.Done()
		killed <- struct{}{}
		return nil, nil
	}})
	client := attach(t, c)
	client.open("a", &pb.JobSpec{})
	client.call("a", 10)
	await(t, started)
	client.stop("a")
	await(t, killed)
	if _, state := client.untilEnd("a"); state.GetPhase() != pb.JobState_PHASE_CANCELLED {
		t.Errorf("state %v, want cancelled", state)
	}
	client.open("b", &pb.JobSpec{})
	client.close("b")
	if _, state := client.untilEnd("b"); state.GetPhase() != pb.JobState_PHASE_DONE {
		t.Errorf("state %v, want an empty job done", state)
	}
}

func TestASessionsEndDropsItsJobs(t *testing.T) {
	started, killed := make(chan struct{}, 16), make(chan struct{}, 16)
	c := inMemory(t, workertest.Config{Run: func(ctx context.Context, _ *pb.Task) ([]*pb.Result, *pb.Fault) {
		started <- struct{}{}
		<-ctx.Done()
		killed <- struct{}{}
		return nil, nil
	}})
	ended, err := c.Queue().SessionsEnded(bounded(t))
	if err != nil {
		t.Fatal(err)
	}
	client := attach(t, c)
	client.open("a", &pb.JobSpec{})
	client.call("a", 10)
	await(t, started)
	client.session.Close()
	await(t, killed)
	if id := await(t, ended); id != client.session.ID() {
		t.Errorf("session %q ended, want %q", id, client.session.ID())
	}
	if n := c.Stats().GetJobsRunning(); n != 0 {
		t.Errorf("%d jobs run, want none", n)
	}
	for {
		if _, err := client.session.Next(bounded(t)); err != nil {
			if !errors.Is(err, coordinator.ErrClosed) {
				t.Errorf("Next of a closed session: %v, want ErrClosed", err)
			}
			return
		}
	}
}

// A client that does not read stops its own jobs from growing, and nothing else.
func TestASlowReaderHoldsBackItsOwnJobs(t *testing.T) {
	large := make([]byte, 60<<10)
	c := inMemory(t, workertest.Config{Run: func(_ context.Context, task *pb.Task) ([]*pb.Result, *pb.Fault) {
		var results []*pb.Result
		for _, call := range task.GetCalls() {
			result := workertest.OK(task, call.GetIndex())
			result.Value = &pb.Value{Kind: &pb.Value_Inline{Inline: large}}
			results = append(results, result)
		}
		return results, nil
	}})
	const count = 6000 // 360 MB of results
	slow, quick := attach(t, c), attach(t, c)
	slow.open("slow", &pb.JobSpec{})
	slow.call("slow", count)
	slow.close("slow")
	waitUntil(t, "the slow client's events pile up", func() bool { return c.Stats().GetCallsCompleted()*uint64(len(large)) > 60<<20 })
	quick.open("quick", &pb.JobSpec{})
	quick.call("quick", 10)
	quick.close("quick")
	if results, _ := quick.untilEnd("quick"); results != 10 {
		t.Errorf("%d results for the quick client, want 10", results)
	}
	if done := c.Stats().GetCallsCompleted(); done > count/2 {
		t.Errorf("%d of %d calls ran for a client that reads nothing", done, count)
	}
	if results, state := slow.untilEnd("slow"); results != count || state.GetPhase() != pb.JobState_PHASE_DONE {
		t.Errorf("%d results, state %v; want all %d once they are read", results, state, count)
	}
}

func await[T any](t testing.TB, from <-chan T) T {
	t.Helper()
	select {
	case value := <-from:
		return value
	case <-time.After(patience):
		t.Fatalf("nothing came within %s", patience)
	}
	panic("unreachable")
}

func waitUntil(t testing.TB, what string, holds func() bool) {
	t.Helper()
	deadline := time.Now().Add(patience)
	for !holds() {
		if time.Now().After(deadline) {
			t.Fatalf("not within %s: %s", patience, what)
		}
		time.Sleep(5 * time.Millisecond)
	}
}

// BenchmarkCalls is opaque calls per second through coordinator and queue.
func BenchmarkCalls(b *testing.B) {
	queues := map[string]func() queue.Queue{
		"memory":    func() queue.Queue { return memory.New(memory.Config{}) },
		"jetstream": func() queue.Queue { return nil },
	}
	for name, open := range queues {
		b.Run(name, func(b *testing.B) {
			c, err := coordinator.Open(bounded(b), coordinator.Config{
				Queue: open(), Slots: 2, Sidecar: workertest.Sidecar(workertest.Config{}), Logger: quiet(),
			})
			if err != nil {
				b.Fatal(err)
			}
			defer closeIt(b, c)
			client := attach(b, c)
			client.open("a", &pb.JobSpec{})
			b.ResetTimer()
			client.call("a", b.N)
			client.close("a")
			if results, _ := client.untilEnd("a"); results != b.N {
				b.Fatalf("%d results of %d", results, b.N)
			}
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "calls/s")
		})
	}
}
