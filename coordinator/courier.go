package coordinator

import (
	"context"
	"errors"
	"time"

	"google.golang.org/grpc/codes"

	"github.com/crossfold/crossfold/coordinator/internal/outlet"
	"github.com/crossfold/crossfold/coordinator/queue"
)

const (
	// errandPatience is how long one errand is tried again.
	errandPatience = 30 * time.Second
	// errandPause is between two tries.
	errandPause = 200 * time.Millisecond
	// flushPatience is how long Close waits for errands that are under way.
	flushPatience = time.Second
)

// errand is one thing to do with the queue.
type errand struct {
	// job fails when the errand can't be done; empty when no job depends on it.
	job string
	do  func(ctx context.Context) error
}

// courier runs the coordinator's errands to the queue one after the other, so that a job's tasks
// are never dropped before they are published, and no lock is held meanwhile.
type courier struct {
	c   *Coordinator
	box *outlet.Mailbox[errand]
	// idle is closed when the courier has stopped.
	idle    chan struct{}
	last    context.CancelFunc
	lastCtx context.Context
}

// newCourier starts a courier; it ends with stop.
func newCourier(c *Coordinator) *courier {
	courier := &courier{c: c, box: outlet.NewMailbox[errand](), idle: make(chan struct{})}
	courier.lastCtx, courier.last = context.WithCancel(c.ctx)
	c.running.Add(1)
	go courier.run()
	return courier
}

func (k *courier) send(job string, do func(ctx context.Context) error) {
	k.box.Put(errand{job, do})
}

func (k *courier) run() {
	defer k.c.running.Done()
	defer close(k.idle)
	for {
		errands := k.box.Take(k.lastCtx)
		if errands == nil {
			return
		}
		for _, e := range errands {
			k.try(e)
		}
	}
}

// try does an errand, again and again while the queue can't be reached.
func (k *courier) try(e errand) {
	ctx, cancel := context.WithTimeout(k.c.ctx, errandPatience)
	defer cancel()
	for {
		err := e.do(ctx)
		if err == nil || k.c.ctx.Err() != nil || errors.Is(err, queue.ErrClosed) {
			return
		}
		select {
		case <-time.After(errandPause):
		case <-ctx.Done():
			k.c.logger.Error("coordinator: errand to the queue given up", "job", e.job, "error", err)
			k.c.failJob(e.job, codes.Unavailable, "the queue can't be reached: "+err.Error()+
				"; see whether NATS runs and has room")
			return
		}
	}
}

// stop waits a moment for what is under way and ends the courier.
func (k *courier) stop() {
	done := make(chan struct{})
	k.send("", func(context.Context) error { close(done); return nil })
	select {
	case <-done:
	case <-time.After(flushPatience):
	case <-k.idle:
	}
	k.last()
}
