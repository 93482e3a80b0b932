package process

import (
	"testing"
	"time"

	pb "github.com/crossfold/crossfold/proto/crossfold/v1"
)

func taskOf(fits int) *pb.Task {
	return &pb.Task{Fits: make([]*pb.TaskFit, fits)}
}

// restAfter returns the rest once so many fits of a task have ended, in so much time, with so large results.
func restAfter(task *pb.Task, ended int, each time.Duration, bytes int) time.Duration {
	p := newPace(task)
	p.began = time.Now().Add(-time.Duration(ended) * each)
	result := &pb.Result{Value: &pb.Value{Kind: &pb.Value_Inline{Inline: make([]byte, bytes)}}}
	for range ended {
		p.take(&pb.FromChild{Kind: &pb.FromChild_Finished{Finished: &pb.Finished{Result: result}}})
	}
	return p.rest()
}

func TestOnlyResultsOfShortFitsGather(t *testing.T) {
	limited := taskOf(100)
	limited.Limits = &pb.Limits{}
	for name, c := range map[string]struct {
		task     *pb.Task
		ended    int
		each     time.Duration
		bytes    int
		from, to time.Duration
	}{
		"short fits":           {taskOf(1000), 10, time.Millisecond, 100, longestRest, longestRest},
		"half of what is left": {taskOf(20), 10, time.Millisecond, 100, 5 * time.Millisecond, 9 * time.Millisecond},
		"large results":        {taskOf(100), 10, time.Millisecond, 30 << 10, 2 * time.Millisecond, 4 * time.Millisecond},
		"the last":             {taskOf(10), 9, time.Millisecond, 100, 0, 0},
		"none yet":             {taskOf(10), 0, time.Millisecond, 100, 0, 0},
		"long fits":            {taskOf(100), 10, time.Second, 100, 0, 0},
		"limits":               {limited, 10, time.Millisecond, 100, 0, 0},
		"calls":                {&pb.Task{Calls: make([]*pb.Call, 100)}, 10, time.Millisecond, 100, 0, 0},
	} {
		if got := restAfter(c.task, c.ended, c.each, c.bytes); got < c.from || got > c.to {
			t.Errorf("%s: a rest of %v, want %v to %v", name, got, c.from, c.to)
		}
	}
}
