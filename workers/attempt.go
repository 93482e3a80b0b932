package workers

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/crossfold/crossfold/bridge/process"
	"github.com/crossfold/crossfold/coordinator/queue"
	pb "github.com/crossfold/crossfold/proto/crossfold/v1"
)

// ackTimeout bounds what is still told to the queue about a run that has ended.
const ackTimeout = 2 * time.Second

// errStore says that results could not be stored; the task is given back.
var errStore = errors.New("results could not be stored")

// serve runs one delivered task to the end of its last process. The function it returns waits until the
// results are stored and tells the queue how the task ended; see the package comment.
func (w *Worker) serve(delivery queue.Delivery) (settle func()) {
	ctx, cancel, end := w.runs.begin(w.ctx, delivery.Task())
	w.busy.Add(1)
	w.pulse.want()
	stop := w.keepLease(ctx, cancel, delivery)
	stored, err := w.attempt(ctx, delivery)
	w.busy.Add(-1)
	w.pulse.want()
	return func() {
		defer end()
		err := errors.Join(err, stored())
		stop()
		w.settle(delivery, err, context.Cause(ctx))
	}
}

// settle acks, reports or gives back a task whose run has ended with err, or was ended by cause.
func (w *Worker) settle(delivery queue.Delivery, err, cause error) {
	task := delivery.Task()
	log := w.cfg.Logger.With("worker", w.cfg.ID, "job", task.GetJobId(), "task", task.GetId())
	ctx, cancel := context.WithTimeout(context.WithoutCancel(w.ctx), ackTimeout)
	defer cancel()
	switch {
	case err == nil:
		err = delivery.Ack(ctx)
	case errors.Is(cause, errLeaseLost):
		log.Warn("lost the lease of a task", "error", err)
		return
	case cause != nil || errors.Is(err, errStore):
		log.Debug("gave a task back", "error", err)
		err = delivery.Nak(ctx)
	default:
		log.Warn("an attempt died", "error", err)
		if err = w.cfg.Queue.PublishFault(ctx, w.fault(task, err)); err == nil {
			err = delivery.Ack(ctx)
		}
	}
	if err != nil && !errors.Is(err, queue.ErrClosed) {
		log.Error("settle a task; its lease will lapse", "error", err)
	}
}

func (w *Worker) fault(task *pb.Task, err error) *pb.Fault {
	fault := &pb.Fault{
		TaskId:  task.GetId(),
		JobId:   task.GetJobId(),
		Attempt: task.GetAttempt(),
		Reason:  err.Error(),
		Worker:  w.cfg.ID,
	}
	var exit *process.ExitError
	if errors.As(err, &exit) {
		fault.Running = exit.Running
		return fault
	}
	// Nothing ran, and nothing would at another try: blame the first, so that attempts run out.
	if units := unitsOf(task); len(units) > 0 {
		fault.Running = &units[0]
	}
	return fault
}

// keepLease renews the lease until stop is called, and ends the run when that fails for too long.
func (w *Worker) keepLease(ctx context.Context, cancel context.CancelCauseFunc, delivery queue.Delivery) (stop func()) {
	const interval = queue.LeaseSeconds * time.Second / 3
	renewed := time.Now()
	// A timer, not a goroutine: most tasks end long before it fires.
	var timer *time.Timer
	ready := make(chan struct{})
	timer = time.AfterFunc(interval, func() {
		<-ready
		extending, done := context.WithTimeout(ctx, interval)
		defer done()
		err := delivery.Extend(extending)
		switch {
		case ctx.Err() != nil:
			return
		case err == nil:
			renewed = time.Now()
		case errors.Is(err, queue.ErrClosed) || time.Since(renewed) >= queue.LeaseSeconds*time.Second-interval:
			cancel(fmt.Errorf("%w: %w", errLeaseLost, err))
			return
		default:
			w.cfg.Logger.Warn("renew a lease; trying again", "task", delivery.Task().GetId(), "error", err)
		}
		timer.Reset(interval)
	})
	close(ready)
	return func() { timer.Stop() }
}

// attempt runs a task to its end. Every result is published when stored has returned nil.
func (w *Worker) attempt(ctx context.Context, delivery queue.Delivery) (stored func() error, err error) {
	stored = func() error { return nil }
	task := delivery.Task()
	if delivery.Delivered() > 1 {
		if task, err = w.unfinished(ctx, task); err != nil {
			return stored, err
		}
	}
	if len(task.GetFits())+len(task.GetCalls()) == 0 {
		return stored, nil
	}
	if err := w.fetchObjects(ctx, task); err != nil {
		return stored, err
	}
	for {
		publisher, err := w.run(ctx, task)
		if publisher == nil {
			return stored, err
		}
		if err != nil || publisher.taken == len(unitsOf(task)) {
			return publisher.wait, err
		}
		if err := publisher.wait(); err != nil {
			return stored, err
		}
		task = without(task, publisher.taken)
	}
}

// run hands a task to a process, and its results to a publisher: all of them, unless one unit went over
// its limits. Then that is the last that has a result, and the process is gone.
func (w *Worker) run(ctx context.Context, task *pb.Task) (*publisher, error) {
	who := owner{task.GetSessionId(), kindOf(task.GetCode()), codeOf(task.GetEnvironment())}
	child, err := w.pool.acquire(ctx, who, task.GetCode().GetPreload())
	if err != nil {
		return nil, err
	}
	publisher := newPublisher(ctx, w.cfg, task)
	running, end := context.WithCancelCause(ctx)
	defer end(nil)
	guard := newGuard(running, end, task.GetLimits(), child)
	err = child.Run(running, &pb.Run{Task: task, StoreDir: w.cfg.Store.Dir()},
		func(message *pb.FromChild, more bool) error {
			guard.take(message)
			return publisher.take(message, more)
		})
	var over *overLimit
	if err != nil && errors.As(context.Cause(running), &over) {
		publisher.over(over)
		err = nil
	}
	// What finished before a process died counts.
	publisher.flush()
	if err != nil || over != nil {
		w.pool.end(child)
	} else {
		w.pool.release(who, child)
	}
	return publisher, err
}

// unfinished returns the task without the fits that the ledger has a result of: an earlier delivery
// may have got that far.
func (w *Worker) unfinished(ctx context.Context, task *pb.Task) (*pb.Task, error) {
	var fits []*pb.TaskFit
	if len(task.GetFits()) > 0 {
		has, err := w.cfg.Queue.HasResults(ctx, task.GetJobId(), unitsOf(task))
		if err != nil {
			return nil, fmt.Errorf("workers: look up the results of task %s: %w: %w", task.GetId(), errStore, err)
		}
		for i, fit := range task.GetFits() {
			if !has[i] {
				fits = append(fits, fit)
			}
		}
	}
	return with(task, fits, task.GetCalls()), nil
}

// without returns the task without its first units: fits or calls, it never has both.
func without(task *pb.Task, n int) *pb.Task {
	return with(task, task.GetFits()[min(n, len(task.GetFits())):], task.GetCalls()[min(n, len(task.GetCalls())):])
}

// with returns the task with other units. A received message is shared, so it is another one.
func with(task *pb.Task, fits []*pb.TaskFit, calls []*pb.Call) *pb.Task {
	other := proto.CloneOf(task)
	other.Fits, other.Calls = fits, calls
	return other
}

// fetchObjects makes sure that every object a task names is in the store.
func (w *Worker) fetchObjects(ctx context.Context, task *pb.Task) error {
	for _, id := range objectsOf(task) {
		if w.cfg.Store.Has(id) {
			continue
		}
		if w.cfg.Fetcher == nil {
			return fmt.Errorf("object %s is not in the store %s; submit the job again", id, w.cfg.Store.Dir())
		}
		if err := w.cfg.Fetcher(ctx, id); err != nil {
			return fmt.Errorf("fetch object %s into the store: %w", id, err)
		}
	}
	return nil
}

// objectsOf returns the ids of the objects that a task names.
func objectsOf(task *pb.Task) []string {
	ids := []string{task.GetDatasetId(), task.GetSplit().GetId(), task.GetCode().GetBlobId()}
	for _, fit := range task.GetFits() {
		ids = append(ids, fit.GetCandidate().GetPickle().GetBlobId())
	}
	for _, call := range task.GetCalls() {
		ids = append(ids, call.GetPickle().GetBlobId())
	}
	slices.Sort(ids)
	ids = slices.Compact(ids)
	return slices.DeleteFunc(ids, func(id string) bool { return id == "" })
}

// unitsOf returns the indexes of a task's fits and calls in their order.
func unitsOf(task *pb.Task) []uint32 {
	var units []uint32
	for _, fit := range task.GetFits() {
		units = append(units, fit.GetIndex())
	}
	for _, call := range task.GetCalls() {
		units = append(units, call.GetIndex())
	}
	return units
}
