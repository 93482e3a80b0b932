package queuetest

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/crossfold/crossfold/coordinator/queue"
	pb "github.com/crossfold/crossfold/proto/crossfold/v1"
)

func tasksComeInOrder(t *testing.T, q queue.Queue) {
	source := tasks(t, q)
	for i := range 50 {
		publish(t, q, fmt.Sprintf("job%d", i%3), fmt.Sprintf("t%d", i))
	}
	for i := range 50 {
		delivery := fetch(t, source)
		if got, want := delivery.Task().GetId(), fmt.Sprintf("t%d", i); got != want {
			t.Fatalf("task %q came, want %q", got, want)
		}
		if delivery.Delivered() != 1 {
			t.Errorf("Delivered() = %d, want 1", delivery.Delivered())
		}
		check(t, delivery.Ack(patient(t)))
	}
	nothingToFetch(t, q, source)
}

func aStoredTaskIsNotStoredTwice(t *testing.T, q queue.Queue) {
	source := tasks(t, q)
	publish(t, q, "job", "t1", "t1")
	delivery := fetch(t, source)
	publish(t, q, "job", "t1") // while a worker holds it, too
	check(t, delivery.Ack(patient(t)))
	nothingToFetch(t, q, source)
}

func everyTaskGoesToOneFetch(t *testing.T, q queue.Queue) {
	const workers, count = 4, 100
	got := make(chan string, count+workers)
	ctx, cancel := context.WithCancel(patient(t))
	defer cancel()
	stopped := make(chan error, workers)
	for range workers {
		source := tasks(t, q)
		go func() {
			for {
				delivery, err := source.Fetch(ctx)
				if err != nil {
					stopped <- err
					return
				}
				got <- delivery.Task().GetId()
				if err := delivery.Ack(ctx); err != nil {
					stopped <- err
					return
				}
			}
		}()
	}
	for i := range count {
		publish(t, q, "job", fmt.Sprintf("t%d", i))
	}
	seen := map[string]bool{}
	for range count {
		id := receive(t, got)
		if seen[id] {
			t.Fatalf("task %q came twice", id)
		}
		seen[id] = true
	}
	cancel()
	for range workers {
		if err := receive(t, stopped); !errors.Is(err, context.Canceled) {
			t.Errorf("Fetch ended with %v, want context.Canceled", err)
		}
	}
	if len(got) > 0 {
		t.Errorf("task %q came twice", <-got)
	}
}

func aWaitingFetchSeesATaskAtOnce(t *testing.T, q queue.Queue) {
	source := tasks(t, q)
	var slowest time.Duration
	for i := range 20 {
		got := make(chan time.Time, 1)
		waiting := make(chan struct{})
		go func() {
			close(waiting)
			if delivery, err := source.Fetch(patient(t)); err == nil {
				got <- time.Now()
				_ = delivery.Ack(patient(t))
			}
		}()
		<-waiting
		sent := time.Now()
		publish(t, q, "job", fmt.Sprintf("t%d", i))
		slowest = max(slowest, receive(t, got).Sub(sent))
	}
	if slowest > 2*time.Second {
		t.Errorf("a waiting Fetch got its task after %s, want a few milliseconds", slowest)
	}
}

func aCancelledFetchTakesNothing(t *testing.T, q queue.Queue) {
	source := tasks(t, q)
	for i := range 20 {
		ctx, cancel := context.WithCancel(patient(t))
		failed := make(chan error, 1)
		held := make(chan queue.Delivery, 1)
		go func() {
			delivery, err := source.Fetch(ctx)
			if err == nil {
				held <- delivery
			}
			failed <- err
		}()
		if i%2 == 0 {
			publish(t, q, "job", fmt.Sprintf("t%d", i))
			cancel()
		} else {
			cancel()
			publish(t, q, "job", fmt.Sprintf("t%d", i))
		}
		// Whoever won the race, the task is there for exactly one: the fetch, or the next one.
		err := receive(t, failed)
		if err != nil && !errors.Is(err, context.Canceled) {
			t.Fatalf("Fetch: %v, want context.Canceled", err)
		}
		if err == nil {
			check(t, receive(t, held).Ack(patient(t)))
			continue
		}
		delivery := fetch(t, source)
		if got, want := delivery.Task().GetId(), fmt.Sprintf("t%d", i); got != want {
			t.Fatalf("task %q came, want %q", got, want)
		}
		check(t, delivery.Ack(patient(t)))
	}
	nothingToFetch(t, q, source)
}

func aLapsedLeaseIsRedelivered(t *testing.T, q queue.Queue) {
	publish(t, q, "job", "t1")
	dead, alive := tasks(t, q), tasks(t, q)
	fetch(t, dead)
	second := fetch(t, alive)
	if second.Task().GetId() != "t1" || second.Delivered() < 2 {
		t.Errorf("task %q delivered %d times, want t1 at least twice", second.Task().GetId(), second.Delivered())
	}
	check(t, second.Ack(patient(t)))
	nothingToFetch(t, q, alive)
}

func anExtendedLeaseIsKept(t *testing.T, q queue.Queue) {
	publish(t, q, "job", "t1")
	slow, idle := tasks(t, q), tasks(t, q)
	delivery := fetch(t, slow)
	ctx, cancel := context.WithTimeout(context.Background(), 4*Lease)
	defer cancel()
	renewed := make(chan error, 1)
	go func() {
		tick := time.NewTicker(Lease / 5)
		defer tick.Stop()
		for {
			select {
			case <-tick.C:
				if err := delivery.Extend(context.Background()); err != nil {
					renewed <- err
					return
				}
			case <-ctx.Done():
				renewed <- nil
				return
			}
		}
	}()
	if _, err := idle.Fetch(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("Fetch of a task whose lease is extended: %v, want context.DeadlineExceeded", err)
	}
	check(t, receive(t, renewed))
	check(t, delivery.Ack(patient(t)))
}

func nakRedeliversAtOnce(t *testing.T, q queue.Queue) {
	source := tasks(t, q)
	publish(t, q, "job", "t1", "t2")
	first := fetch(t, source)
	check(t, first.Nak(patient(t)))
	seen := map[string]int{}
	for range 2 {
		delivery := fetch(t, source)
		seen[delivery.Task().GetId()] = delivery.Delivered()
		check(t, delivery.Ack(patient(t)))
	}
	if seen["t1"] != 2 || seen["t2"] != 1 {
		t.Errorf("deliveries %v, want t1 twice and t2 once", seen)
	}
}

func closingASourceGivesBackItsTasks(t *testing.T, q queue.Queue) {
	leaving, err := q.Tasks(patient(t))
	check(t, err)
	publish(t, q, "job", "t1")
	fetch(t, leaving)
	waiting := make(chan error, 1)
	go func() {
		_, err := leaving.Fetch(patient(t))
		waiting <- err
	}()
	check(t, leaving.Close())
	check(t, leaving.Close())
	if err := receive(t, waiting); !errors.Is(err, queue.ErrClosed) {
		t.Errorf("Fetch of a source that was closed: %v, want ErrClosed", err)
	}
	if _, err := leaving.Fetch(patient(t)); !errors.Is(err, queue.ErrClosed) {
		t.Errorf("Fetch of a closed source: %v, want ErrClosed", err)
	}
	delivery := fetch(t, tasks(t, q))
	if delivery.Task().GetId() != "t1" {
		t.Errorf("task %q came, want t1", delivery.Task().GetId())
	}
	check(t, delivery.Ack(patient(t)))
}

func droppedTasksAreGone(t *testing.T, q queue.Queue) {
	dropped, err := q.Dropped(patient(t))
	check(t, err)
	source := tasks(t, q)
	publish(t, q, "gone", "a", "b")
	publish(t, q, "stays", "c")
	running := fetch(t, source)
	check(t, q.DropTasks(patient(t), "gone"))
	if id := receive(t, dropped); id != "gone" {
		t.Errorf("Dropped delivered %q, want gone", id)
	}
	check(t, running.Ack(patient(t))) // of a task that is gone: nothing happens
	delivery := fetch(t, source)
	if delivery.Task().GetId() != "c" {
		t.Errorf("task %q came, want c", delivery.Task().GetId())
	}
	check(t, delivery.Ack(patient(t)))
	nothingToFetch(t, q, source)
	publish(t, q, "gone", "a") // the id is free again
	check(t, fetch(t, source).Ack(patient(t)))
}

func signalsReachEveryWorker(t *testing.T, q queue.Queue) {
	var listeners []<-chan string
	for range 3 {
		ended, err := q.SessionsEnded(patient(t))
		check(t, err)
		listeners = append(listeners, ended)
	}
	check(t, q.EndSession(patient(t), "s1"))
	check(t, q.EndSession(patient(t), "s2"))
	for _, ended := range listeners {
		if first, second := receive(t, ended), receive(t, ended); first != "s1" || second != "s2" {
			t.Errorf("SessionsEnded delivered %q, %q; want s1, s2", first, second)
		}
	}
}

func heartbeatsReachTheCoordinator(t *testing.T, q queue.Queue) {
	beats, err := q.Heartbeats(patient(t))
	check(t, err)
	sent := &pb.WorkerInfo{Id: "w1", Slots: 2, Busy: 1, Environment: &pb.Environment{Python: "3.11.7"}}
	check(t, q.Heartbeat(patient(t), sent))
	got := receive(t, beats)
	if got.GetId() != "w1" || got.GetSlots() != 2 || got.GetEnvironment().GetPython() != "3.11.7" {
		t.Errorf("heartbeat %v came, want %v", got, sent)
	}
}
