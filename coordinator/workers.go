package coordinator

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/proto"

	"github.com/crossfold/crossfold/coordinator/queue"
	pb "github.com/crossfold/crossfold/proto/crossfold/v1"
)

// workers is what is known of the living workers. A worker counts once it reported the environment
// of its Python, or why that can't be started: until then nothing can run on it.
type workers struct {
	living map[string]*worker
	// environment is what every worker that gets tasks has; nil when there is none.
	environment *pb.Environment
	// slots are those of the workers that get tasks.
	slots int
	// hosts is the number of machines they are on.
	hosts int
	// changed is closed when a worker comes or goes.
	changed chan struct{}
	// failure says why the coordinator's own worker is gone for good.
	failure string
}

type worker struct {
	info       *pb.WorkerInfo
	came, seen time.Time
	// refused says why it gets no tasks; empty when it does.
	refused string
}

// broken says that the worker has no Python to run anything with.
func (w *worker) broken() bool { return w.info.GetRefused() != "" }

func newWorkers() workers {
	return workers{living: map[string]*worker{}, changed: make(chan struct{})}
}

func (w *workers) announce() {
	w.judge()
	w.slots = 0
	hosts := map[string]bool{}
	for _, each := range w.living {
		if each.refused == "" {
			w.slots += int(each.info.GetSlots())
			hosts[each.info.GetHost()] = true
		}
	}
	w.hosts = len(hosts)
	close(w.changed)
	w.changed = make(chan struct{})
}

// judge says which workers get tasks. The environment of the one that came first is the cluster's as
// long as any worker has it; those that differ are refused.
func (w *workers) judge() {
	var first *worker
	suits := false
	for _, each := range w.living {
		if each.broken() {
			continue
		}
		if first == nil || each.came.Before(first.came) {
			first = each
		}
		suits = suits || w.environment != nil && queue.CompareEnvironments(w.environment, each.info.GetEnvironment()) == nil
	}
	if !suits {
		w.environment = nil
		if first != nil {
			w.environment = first.info.GetEnvironment()
		}
	}
	for _, each := range w.living {
		if each.refused = each.info.GetRefused(); each.broken() {
			continue
		}
		if d := queue.CompareEnvironments(w.environment, each.info.GetEnvironment()); d != nil {
			each.refused = fmt.Sprintf("it has %s %s, but the other workers %s %s: "+
				"start it with the same interpreter as they (crossfold worker --python EXE), or install equal versions",
				d.Name, d.Found, d.Name, d.Wanted)
		}
	}
}

// sorted lists the workers by id, the refused ones too.
func (w *workers) sorted() []*pb.WorkerInfo {
	infos := make([]*pb.WorkerInfo, 0, len(w.living))
	for _, id := range slices.Sorted(maps.Keys(w.living)) {
		each := w.living[id]
		info := each.info
		if each.refused != "" {
			info = proto.CloneOf(info) // what was received is shared
			info.Refused = each.refused
		}
		infos = append(infos, info)
	}
	return infos
}

// serving lists the workers that get tasks, by id.
func (w *workers) serving() []*pb.WorkerInfo {
	return slices.DeleteFunc(w.sorted(), func(info *pb.WorkerInfo) bool { return info.GetRefused() != "" })
}

// watchWorkers keeps the list of workers and what depends on it up to date.
func (c *Coordinator) watchWorkers(beats <-chan *pb.WorkerInfo) {
	defer c.running.Done()
	ticker := time.NewTicker(c.timing.sweep)
	defer ticker.Stop()
	for {
		select {
		case info, ok := <-beats:
			if !ok {
				return
			}
			c.heard(info)
		case <-ticker.C:
			c.sweep()
		}
	}
}

func (c *Coordinator) heard(info *pb.WorkerInfo) {
	c.mu.Lock()
	defer c.mu.Unlock()
	known := c.workers.living[info.GetId()]
	if info.GetEnvironment().GetPython() == "" && info.GetRefused() == "" && known == nil {
		return
	}
	now := time.Now()
	if known == nil {
		c.workers.living[info.GetId()] = &worker{info: info, came: now, seen: now}
		c.logger.Info("coordinator: worker came", "worker", info.GetId(), "host", info.GetHost(),
			"slots", info.GetSlots(), "python", info.GetEnvironment().GetPython())
		c.workersChanged()
		c.warnOfRefused(info.GetId())
		return
	}
	before := known.info
	known.info, known.seen = info, now
	if !proto.Equal(before.GetEnvironment(), info.GetEnvironment()) || before.GetRefused() != info.GetRefused() {
		c.workersChanged()
		c.warnOfRefused(info.GetId())
	} else if before.GetSlots() != info.GetSlots() {
		c.workersChanged()
	}
}

func (c *Coordinator) warnOfRefused(id string) {
	if w := c.workers.living[id]; w.refused != "" {
		c.logger.Warn("coordinator: worker gets no tasks", "worker", id, "host", w.info.GetHost(), "reason", w.refused)
	}
}

// sweep forgets silent workers and ends jobs that waited too long for one.
func (c *Coordinator) sweep() {
	c.mu.Lock()
	defer c.mu.Unlock()
	gone := false
	for id, w := range c.workers.living {
		if time.Since(w.seen) > c.timing.workerSilence {
			c.logger.Warn("coordinator: worker is silent and counts as gone", "worker", id, "host", w.info.GetHost())
			delete(c.workers.living, id)
			gone = true
		}
	}
	if gone {
		c.workersChanged()
	}
	for _, j := range c.jobs {
		// A whole job that ran before waits for its workers to come back.
		if !j.since.IsZero() && time.Since(j.since) > c.timing.workerWait && !(j.whole() && j.ran) {
			c.apply(j, j.machine.Fail(codes.Unavailable, c.noWorker()))
		}
	}
}

// noWorker says that no worker reported, and why if that is known.
func (c *Coordinator) noWorker() string {
	if c.workers.failure != "" {
		return "the worker does not run: " + c.workers.failure
	}
	if broken := c.workers.sorted(); len(broken) > 0 {
		return fmt.Sprintf("no worker can run anything; worker %s (%s): %s",
			broken[0].GetId(), broken[0].GetHost(), broken[0].GetRefused())
	}
	return fmt.Sprintf("no worker reported within %s: start one with `crossfold worker`, or see its log",
		c.timing.workerWait)
}

// workerFailed ends the jobs that wait for a worker and have none: there won't be one.
func (c *Coordinator) workerFailed(reason string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.workers.failure = reason
	c.workersChanged()
}

func (c *Coordinator) workersChanged() {
	c.workers.announce()
	for _, j := range c.jobs {
		c.admit(j)
	}
}

// admit gives a job its slots; the first time it checks the workers' environment.
func (c *Coordinator) admit(j *job) {
	if j.machine.Ended() {
		return
	}
	if c.workers.slots == 0 {
		if c.workers.failure != "" {
			c.apply(j, j.machine.Fail(codes.Unavailable, c.noWorker()))
			return
		}
		if j.since.IsZero() {
			j.since = time.Now()
		}
		c.apply(j, j.machine.SetSlots(0))
		return
	}
	j.since = time.Time{}
	if j.suited != c.workers.environment {
		if err := c.compareEnvironment(j.spec.GetEnvironment()); err != nil {
			c.apply(j, j.machine.Fail(err.Code, err.Message))
			return
		}
		j.suit(c.workers.environment)
	}
	slots := c.workers.slots
	if j.session != nil && j.session.paused {
		slots = 0
	}
	j.machine.SetHosts(c.workers.hosts)
	c.apply(j, j.machine.SetSlots(slots))
}

// compareEnvironment refuses a client whose results could differ from the workers'.
func (c *Coordinator) compareEnvironment(client *pb.Environment) *Error {
	for _, info := range c.workers.serving() {
		if d := queue.CompareEnvironments(client, info.GetEnvironment()); d != nil {
			return &Error{Code: codes.FailedPrecondition, Message: fmt.Sprintf(
				"the client has %s %s, but it is %s %s on worker %s (%s): start the workers with the client's "+
					"interpreter (crossfold worker --python EXE), or install equal versions on both sides",
				d.Name, d.Wanted, d.Name, d.Found, info.GetId(), info.GetHost())}
		}
	}
	return nil
}

// Hello tells a client what it talks to. Unless told not to wait it waits for a worker to report,
// and then refuses an environment that differs.
func (c *Coordinator) Hello(ctx context.Context, request *pb.HelloRequest) (*pb.HelloResponse, error) {
	if err := c.alive(ctx); err != nil {
		return nil, err
	}
	deadline := time.NewTimer(c.timing.workerWait)
	defer deadline.Stop()
	for {
		answer, changed, err := c.hello(request)
		if err != nil || answer != nil {
			return answer, err
		}
		select {
		case <-changed:
		case <-deadline.C:
			c.mu.Lock()
			defer c.mu.Unlock()
			return nil, &Error{Code: codes.Unavailable, Message: c.noWorker()}
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-c.ctx.Done():
			return nil, ErrClosed
		}
	}
}

// hello answers with what is known, or with a channel that is closed when more is.
func (c *Coordinator) hello(request *pb.HelloRequest) (*pb.HelloResponse, <-chan struct{}, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	infos := c.workers.serving()
	if len(infos) == 0 && !request.GetNoWait() {
		if c.workers.failure != "" || len(c.workers.living) > 0 {
			return nil, nil, &Error{Code: codes.Unavailable, Message: c.noWorker()}
		}
		return nil, c.workers.changed, nil
	}
	if err := c.compareEnvironment(request.GetEnvironment()); err != nil {
		return nil, nil, err
	}
	answer := &pb.HelloResponse{
		Version: c.config.Version, StoreDir: c.store.Dir(), Workers: uint32(len(infos)),
		Slots: uint32(c.workers.slots), Environment: c.workers.environment,
	}
	return answer, nil, nil
}
