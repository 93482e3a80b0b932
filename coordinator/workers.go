package coordinator

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"google.golang.org/grpc/codes"

	pb "github.com/crossfold/crossfold/proto/crossfold/v1"
)

// workers is what is known of the living workers. A worker counts once it reported the environment
// of its Python: until then nothing can run on it.
type workers struct {
	living map[string]*worker
	slots  int
	// hosts is the number of machines they are on.
	hosts int
	// changed is closed when a worker comes or goes.
	changed chan struct{}
	// failure says why the coordinator's own worker is gone for good.
	failure string
}

type worker struct {
	info *pb.WorkerInfo
	seen time.Time
}

func newWorkers() workers {
	return workers{living: map[string]*worker{}, changed: make(chan struct{})}
}

func (w *workers) announce() {
	w.slots = 0
	hosts := map[string]bool{}
	for _, each := range w.living {
		w.slots += int(each.info.GetSlots())
		hosts[each.info.GetHost()] = true
	}
	w.hosts = len(hosts)
	close(w.changed)
	w.changed = make(chan struct{})
}

// sorted lists the workers by id.
func (w *workers) sorted() []*pb.WorkerInfo {
	infos := make([]*pb.WorkerInfo, 0, len(w.living))
	for _, id := range slices.Sorted(maps.Keys(w.living)) {
		infos = append(infos, w.living[id].info)
	}
	return infos
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
	if info.GetEnvironment().GetPython() == "" && known == nil {
		return
	}
	c.workers.living[info.GetId()] = &worker{info: info, seen: time.Now()}
	if known == nil || known.info.GetSlots() != info.GetSlots() {
		if known == nil {
			c.logger.Info("coordinator: worker came", "worker", info.GetId(), "host", info.GetHost(),
				"slots", info.GetSlots(), "python", info.GetEnvironment().GetPython())
		}
		c.workersChanged()
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
	if !j.checked {
		if err := c.compareEnvironment(j.spec.GetEnvironment()); err != nil {
			c.apply(j, j.machine.Fail(err.Code, err.Message))
			return
		}
		j.checked, j.ran = true, true
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
	for _, info := range c.workers.sorted() {
		if difference := differs(client, info.GetEnvironment()); difference != "" {
			return &Error{Code: codes.FailedPrecondition, Message: fmt.Sprintf(
				"%s on worker %s (%s): start the workers with the client's interpreter "+
					"(crossfold worker --python EXE), or install equal versions on both sides",
				difference, info.GetId(), info.GetHost())}
		}
	}
	return nil
}

// differs names the first difference that counts; empty when there is none.
func differs(client, worker *pb.Environment) string {
	mine, theirs := client.GetPython(), worker.GetPython()
	if mine != "" && theirs != "" && minor(mine) != minor(theirs) {
		return fmt.Sprintf("the client runs Python %s, but it is Python %s", mine, theirs)
	}
	for _, name := range slices.Sorted(maps.Keys(client.GetPackages())) {
		mine, theirs := client.GetPackages()[name], worker.GetPackages()[name]
		if mine != "" && theirs != "" && mine != theirs {
			return fmt.Sprintf("the client has %s %s, but it is %s %s", name, mine, name, theirs)
		}
	}
	return ""
}

// minor is the first two numbers of a version.
func minor(version string) string {
	parts := strings.SplitN(version, ".", 3)
	return strings.Join(parts[:min(2, len(parts))], ".")
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
	infos := c.workers.sorted()
	if len(infos) == 0 && !request.GetNoWait() {
		if c.workers.failure != "" {
			return nil, nil, &Error{Code: codes.Unavailable, Message: c.noWorker()}
		}
		return nil, c.workers.changed, nil
	}
	if err := c.compareEnvironment(request.GetEnvironment()); err != nil {
		return nil, nil, err
	}
	answer := &pb.HelloResponse{
		Version: c.config.Version, StoreDir: c.store.Dir(), Workers: uint32(len(infos)),
		Slots: uint32(c.workers.slots),
	}
	if len(infos) > 0 {
		answer.Environment = infos[0].GetEnvironment()
	}
	return answer, nil, nil
}
