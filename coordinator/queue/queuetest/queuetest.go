// Package queuetest is the conformance suite of queue.Queue: every implementation passes it.
package queuetest

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/crossfold/crossfold/coordinator/queue"
	pb "github.com/crossfold/crossfold/proto/crossfold/v1"
)

// Lease is the lease that implementations under test are opened with: short, since cases wait for
// it to lapse.
const Lease = 250 * time.Millisecond

// patience bounds every wait of the suite.
const patience = 20 * time.Second

// Options says how to get queues of the implementation under test.
type Options struct {
	// Open returns a queue of its own with the suite's Lease; the suite closes it.
	Open func(t *testing.T) queue.Queue
	// OpenTwice returns a durable queue and a function that opens the same one again once the
	// first is closed. Default: nil, for queues that nothing outlives.
	OpenTwice func(t *testing.T) (queue.Queue, func() queue.Queue)
}

// Run runs the suite.
func Run(t *testing.T, options Options) {
	cases := []struct {
		name string
		run  func(*testing.T, queue.Queue)
	}{
		{"TasksComeInOrder", tasksComeInOrder},
		{"AStoredTaskIsNotStoredTwice", aStoredTaskIsNotStoredTwice},
		{"EveryTaskGoesToOneFetch", everyTaskGoesToOneFetch},
		{"AWaitingFetchSeesATaskAtOnce", aWaitingFetchSeesATaskAtOnce},
		{"ACancelledFetchTakesNothing", aCancelledFetchTakesNothing},
		{"ALapsedLeaseIsRedelivered", aLapsedLeaseIsRedelivered},
		{"AnExtendedLeaseIsKept", anExtendedLeaseIsKept},
		{"NakRedeliversAtOnce", nakRedeliversAtOnce},
		{"ClosingASourceGivesBackItsTasks", closingASourceGivesBackItsTasks},
		{"TheFirstResultStands", theFirstResultStands},
		{"ResultsStoredTogetherStand", resultsStoredTogetherStand},
		{"RacingResultsHaveOneWinner", racingResultsHaveOneWinner},
		{"OutcomesReplayTheLedgerFirst", outcomesReplayTheLedgerFirst},
		{"CallResultsAndFaultsComeOnce", callResultsAndFaultsComeOnce},
		{"OutcomesHaveOneConsumer", outcomesHaveOneConsumer},
		{"LargeCallResultsArrive", largeCallResultsArrive},
		{"JobsAreListedOldestFirst", jobsAreListedOldestFirst},
		{"DroppedTasksAreGone", droppedTasksAreGone},
		{"ADroppedJobIsForgotten", aDroppedJobIsForgotten},
		{"SignalsReachEveryWorker", signalsReachEveryWorker},
		{"HeartbeatsReachTheCoordinator", heartbeatsReachTheCoordinator},
		{"BadIDsAreRefused", badIDsAreRefused},
		{"WaitsEndWithTheirContext", waitsEndWithTheirContext},
		{"AClosedQueueSaysSo", aClosedQueueSaysSo},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			q := options.Open(t)
			t.Cleanup(func() { closeQueue(t, q) })
			c.run(t, q)
		})
	}
	if options.OpenTwice != nil {
		t.Run("TheLedgerSurvivesReopening", func(t *testing.T) {
			q, again := options.OpenTwice(t)
			theLedgerSurvivesReopening(t, q, again)
		})
	}
}

func closeQueue(t *testing.T, q queue.Queue) {
	t.Helper()
	if err := q.Close(); err != nil {
		t.Errorf("Close: %v", err)
	}
}

// patient returns a context that bounds a wait which should end by itself.
func patient(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	t.Cleanup(cancel)
	return ctx
}

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func tasks(t *testing.T, q queue.Queue) queue.TaskSource {
	t.Helper()
	source, err := q.Tasks(patient(t))
	check(t, err)
	t.Cleanup(func() { check(t, source.Close()) })
	return source
}

func publish(t *testing.T, q queue.Queue, job string, ids ...string) {
	t.Helper()
	for _, id := range ids {
		check(t, q.PublishTask(patient(t), &pb.Task{Id: id, JobId: job}))
	}
}

func fetch(t *testing.T, source queue.TaskSource) queue.Delivery {
	t.Helper()
	delivery, err := source.Fetch(patient(t))
	check(t, err)
	return delivery
}

// nothingToFetch proves that no task is available: a task published now is the next to come.
func nothingToFetch(t *testing.T, q queue.Queue, source queue.TaskSource) {
	t.Helper()
	publish(t, q, "probe", "probe")
	delivery := fetch(t, source)
	if id := delivery.Task().GetId(); id != "probe" {
		t.Fatalf("task %q is available, want none", id)
	}
	check(t, delivery.Ack(patient(t)))
}

func receive[T any](t *testing.T, from <-chan T) T {
	t.Helper()
	select {
	case value, ok := <-from:
		if !ok {
			t.Fatal("the channel was closed")
		}
		return value
	case <-time.After(patience):
		t.Fatalf("nothing came within %s", patience)
	}
	panic("unreachable")
}

func ended[T any](t *testing.T, from <-chan T) {
	t.Helper()
	deadline := time.After(patience)
	for {
		select {
		case _, ok := <-from:
			if !ok {
				return
			}
		case <-deadline:
			t.Fatalf("the channel was not closed within %s", patience)
		}
	}
}

func result(job string, index uint32, text string) *pb.Result {
	return &pb.Result{JobId: job, Index: index, Outcome: pb.Outcome_OUTCOME_OK, Output: text}
}

// outcomes starts the consumer and reads up to the end of the replay.
func outcomes(t *testing.T, q queue.Queue) (replay []*pb.Result, live <-chan queue.Outcome) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	live, err := q.Outcomes(ctx)
	check(t, err)
	t.Cleanup(func() {
		cancel()
		ended(t, live)
	})
	for {
		outcome := receive(t, live)
		if outcome.Replayed {
			return replay, live
		}
		if outcome.Fault != nil {
			t.Fatalf("fault %v came before the end of the replay", outcome.Fault)
		}
		replay = append(replay, outcome.Results...)
	}
}

func describe(results []*pb.Result) string {
	var all string
	for _, r := range results {
		all += fmt.Sprintf("%s/%d:%s ", r.GetJobId(), r.GetIndex(), r.GetOutput())
	}
	return all
}
