package workers

import (
	"context"
	"fmt"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"
	"google.golang.org/protobuf/proto"

	"github.com/crossfold/crossfold/coordinator/queue"
	pb "github.com/crossfold/crossfold/proto/crossfold/v1"
)

const (
	// storing is how many messages of one task are on their way at a time.
	storing = 8
	// batchBytes is the most that results of calls may take in one message.
	batchBytes = 512 << 10
	// storePause is the least time between two messages with results of a task's fits: those that take
	// a millisecond share one. A process that dies takes nothing with it that has come here.
	storePause = 20 * time.Millisecond
)

// publisher sends the results of one task on as they come.
type publisher struct {
	queue  queue.Queue
	worker string
	task   *pb.Task

	// ctx ends with the run, and with the first result that can't be stored.
	ctx   context.Context
	group *errgroup.Group

	// taken counts the units that have their results: the first ones of the task.
	taken int

	batch     []*pb.Result
	batchSize int

	mu sync.Mutex
	// fits wait while earlier ones are stored: they share the next message and its sync.
	fits   []*pb.Result
	storer bool
	// stored is when the last message went out, ended is closed when no more fits come.
	stored time.Time
	ended  chan struct{}
}

func newPublisher(ctx context.Context, q queue.Queue, worker string, task *pb.Task) *publisher {
	p := &publisher{queue: q, worker: worker, task: task, ended: make(chan struct{})}
	p.group, p.ctx = errgroup.WithContext(ctx)
	p.group.SetLimit(storing)
	return p
}

// take handles one message of the child.
func (p *publisher) take(message *pb.FromChild, more bool) error {
	if result := message.GetFinished().GetResult(); result != nil {
		p.send(result)
	}
	// What has arrived already travels together; nothing waits for what has not.
	if !more {
		p.flush()
	}
	return p.ctx.Err()
}

// over takes the end of a unit that was killed at one of its limits, unless it finished just then.
func (p *publisher) over(over *overLimit) {
	if units := unitsOf(p.task); p.taken < len(units) && units[p.taken] == over.index {
		p.send(over.result())
	}
}

func (p *publisher) send(result *pb.Result) {
	p.taken++
	result.JobId, result.Worker, result.Attempt = p.task.GetJobId(), p.worker, p.task.GetAttempt()
	if len(p.task.GetCalls()) > 0 {
		p.add(result)
	} else {
		p.store(result)
	}
}

// store writes the result of a fit to the ledger, beside the fits that follow.
func (p *publisher) store(result *pb.Result) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.fits = append(p.fits, result)
	if !p.storer {
		p.storer = true
		p.group.Go(p.storeFits)
	}
}

// storeFits stores what waits until nothing does.
func (p *publisher) storeFits() error {
	for {
		p.pause()
		p.mu.Lock()
		fits := p.fits
		p.fits = nil
		if p.storer = len(fits) > 0; p.storer {
			p.stored = time.Now()
		}
		p.mu.Unlock()
		if len(fits) == 0 {
			return nil
		}
		if err := p.queue.PublishResults(p.ctx, fits); err != nil {
			return fmt.Errorf("workers: publish %d results of job %s: %w: %w",
				len(fits), p.task.GetJobId(), errStore, err)
		}
	}
}

// pause waits until the next message may go out.
func (p *publisher) pause() {
	p.mu.Lock()
	rest := storePause - time.Since(p.stored)
	p.mu.Unlock()
	if rest <= 0 {
		return
	}
	timer := time.NewTimer(rest)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-p.ended:
	case <-p.ctx.Done():
	}
}

// add collects the result of a call.
func (p *publisher) add(result *pb.Result) {
	size := proto.Size(result)
	if p.batchSize+size > batchBytes {
		p.flush()
	}
	p.batch = append(p.batch, result)
	p.batchSize += size
}

func (p *publisher) flush() {
	if len(p.batch) == 0 {
		return
	}
	batch := p.batch
	p.batch, p.batchSize = nil, 0
	p.group.Go(func() error {
		if err := p.queue.PublishCallResults(p.ctx, batch); err != nil {
			return fmt.Errorf("workers: publish results of calls of job %s: %w: %w",
				p.task.GetJobId(), errStore, err)
		}
		return nil
	})
}

// wait returns when everything taken is stored, or the error why it is not.
func (p *publisher) wait() error {
	p.flush()
	close(p.ended)
	return p.group.Wait()
}
