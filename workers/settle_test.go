package workers_test

import (
	"context"
	"testing"

	"github.com/crossfold/crossfold/bridge/process/processtest"
	"github.com/crossfold/crossfold/coordinator/queue"
	pb "github.com/crossfold/crossfold/proto/crossfold/v1"
	"github.com/crossfold/crossfold/workers"
)

// waiting stores no result of the job "first" before one of another job was stored.
type waiting struct {
	queue.Queue
	other chan struct{}
}

func (w *waiting) PublishCallResults(ctx context.Context, results []*pb.Result) error {
	if results[0].GetJobId() != "first" {
		defer close(w.other)
		return w.Queue.PublishCallResults(ctx, results)
	}
	select {
	case <-w.other:
		return w.Queue.PublishCallResults(ctx, results)
	case <-ctx.Done():
		return ctx.Err()
	}
}

func TestASlotDoesNotWaitUntilResultsAreStored(t *testing.T) {
	b := newBench(t)
	worker, err := workers.Start(t.Context(), workers.Config{
		Queue: &waiting{b.queue, make(chan struct{})}, Store: b.store, Slots: 1,
		Python: processtest.Python(), Env: processtest.Env(), ID: "w1",
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = worker.Close() })
	for _, job := range []string{"first", "second"} {
		task := calls(job, "1")
		task.JobId = job
		b.publish(task)
	}
	for _, want := range []string{"second", "first"} {
		if got := b.next().Results[0].GetJobId(); got != want {
			t.Errorf("a result of job %s, want %s", got, want)
		}
	}
}
