package workers

import (
	"context"
	"errors"
	"testing"

	pb "github.com/crossfold/crossfold/proto/crossfold/v1"
)

func TestAnOrderThatOvertakesItsTaskCounts(t *testing.T) {
	r := newRuns()
	r.drop("j1")
	r.endSession("s1")
	for want, task := range map[error]*pb.Task{
		errDropped: {JobId: "j1", SessionId: "s2"},
		errEnded:   {JobId: "j2", SessionId: "s1"},
		nil:        {JobId: "j2", SessionId: "s2"},
	} {
		ctx, _, end := r.begin(t.Context(), task)
		if got := context.Cause(ctx); !errors.Is(got, want) {
			t.Errorf("task %v: cause %v, want %v", task, got, want)
		}
		end()
	}
}

func TestOrdersEndTheRunsTheyName(t *testing.T) {
	r := newRuns()
	mine, _, endMine := r.begin(t.Context(), &pb.Task{JobId: "j1", SessionId: "s1"})
	other, _, endOther := r.begin(t.Context(), &pb.Task{JobId: "j2", SessionId: "s1"})
	defer endMine()
	defer endOther()
	r.drop("j1")
	if !errors.Is(context.Cause(mine), errDropped) || other.Err() != nil {
		t.Errorf("causes = %v and %v, want only the first ended", context.Cause(mine), context.Cause(other))
	}
	r.endSession("s1")
	if !errors.Is(context.Cause(other), errEnded) {
		t.Errorf("cause = %v, want %v", context.Cause(other), errEnded)
	}
	if r.endAll(errClosing); !errors.Is(context.Cause(mine), errDropped) {
		t.Errorf("cause = %v, want the first one kept", context.Cause(mine))
	}
}
