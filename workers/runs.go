package workers

import (
	"context"
	"errors"
	"sync"
	"time"

	pb "github.com/crossfold/crossfold/proto/crossfold/v1"
)

// Why a run was ended from outside.
var (
	errDropped   = errors.New("its job was dropped")
	errEnded     = errors.New("its session ended")
	errClosing   = errors.New("the worker closes")
	errLeaseLost = errors.New("its lease could not be renewed")
)

// memory is how long an order to end is remembered: it may overtake the task it is meant for.
const memory = 500 * time.Millisecond

// runs knows the tasks that run, so that they can be ended by job and by session.
type runs struct {
	mu      sync.Mutex
	active  map[*activeRun]struct{}
	dropped map[string]time.Time
	ended   map[string]time.Time
}

type activeRun struct {
	job, session string
	cancel       context.CancelCauseFunc
}

func newRuns() *runs {
	return &runs{
		active:  map[*activeRun]struct{}{},
		dropped: map[string]time.Time{},
		ended:   map[string]time.Time{},
	}
}

// begin returns the context that a task runs under, and the functions that end the run and that
// take it off the list.
func (r *runs) begin(ctx context.Context, task *pb.Task) (context.Context, context.CancelCauseFunc, func()) {
	ctx, cancel := context.WithCancelCause(ctx)
	run := &activeRun{task.GetJobId(), task.GetSessionId(), cancel}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.active[run] = struct{}{}
	if recently(r.dropped, run.job) {
		cancel(errDropped)
	}
	if recently(r.ended, run.session) {
		cancel(errEnded)
	}
	return ctx, cancel, func() {
		r.mu.Lock()
		defer r.mu.Unlock()
		delete(r.active, run)
		cancel(nil)
	}
}

func (r *runs) drop(job string) {
	r.end(r.dropped, job, errDropped, func(run *activeRun) string { return run.job })
}

func (r *runs) endSession(session string) {
	r.end(r.ended, session, errEnded, func(run *activeRun) string { return run.session })
}

// endAll ends every run.
func (r *runs) endAll(cause error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for run := range r.active {
		run.cancel(cause)
	}
}

func (r *runs) end(remembered map[string]time.Time, id string, cause error, of func(*activeRun) string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for old, at := range remembered {
		if time.Since(at) > memory {
			delete(remembered, old)
		}
	}
	remembered[id] = time.Now()
	for run := range r.active {
		if of(run) == id {
			run.cancel(cause)
		}
	}
}

func recently(remembered map[string]time.Time, id string) bool {
	at, found := remembered[id]
	return found && time.Since(at) <= memory
}
