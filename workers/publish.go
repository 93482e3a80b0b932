package workers

import (
	"context"
	"fmt"
	"slices"
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
	// batchBytes is the most that results which came together may take in one message.
	batchBytes = 512 << 10
	// sendPatience is how long an object that can't be sent is tried again.
	sendPatience = 30 * time.Second
)

// publisher sends the results of one task on as they come.
type publisher struct {
	queue  queue.Queue
	sender func(ctx context.Context, id string) error
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
}

func newPublisher(ctx context.Context, c Config, task *pb.Task) *publisher {
	p := &publisher{queue: c.Queue, sender: c.Sender, worker: c.ID, task: task}
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
	size := proto.Size(result)
	if p.batchSize+size > batchBytes {
		p.flush()
	}
	p.batch = append(p.batch, result)
	p.batchSize += size
}

// store writes the results of fits to the ledger, beside the fits that follow.
func (p *publisher) store(results []*pb.Result) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.fits = append(p.fits, results...)
	if !p.storer {
		p.storer = true
		p.group.Go(p.storeFits)
	}
}

// storeFits stores what waits until nothing does.
func (p *publisher) storeFits() error {
	for {
		p.mu.Lock()
		fits := p.fits
		p.fits = nil
		p.storer = len(fits) > 0
		p.mu.Unlock()
		if len(fits) == 0 {
			return nil
		}
		if err := p.report(fits, p.queue.PublishResults); err != nil {
			return fmt.Errorf("workers: publish %d results of job %s: %w: %w",
				len(fits), p.task.GetJobId(), errStore, err)
		}
	}
}

func (p *publisher) flush() {
	if len(p.batch) == 0 {
		return
	}
	batch := p.batch
	p.batch, p.batchSize = nil, 0
	if len(p.task.GetCalls()) == 0 {
		p.store(batch)
		return
	}
	p.group.Go(func() error {
		if err := p.report(batch, p.queue.PublishCallResults); err != nil {
			return fmt.Errorf("workers: publish results of calls of job %s: %w: %w",
				p.task.GetJobId(), errStore, err)
		}
		return nil
	})
}

// report publishes results once what they name is where they are read: who has a result can read that, too.
func (p *publisher) report(
	results []*pb.Result, publish func(ctx context.Context, results []*pb.Result) error,
) error {
	if p.sender != nil {
		if err := p.sendObjects(results); err != nil {
			return err
		}
	}
	return publish(p.ctx, results)
}

func (p *publisher) sendObjects(results []*pb.Result) error {
	for _, result := range results {
		for _, id := range objectsIn(result) {
			if err := p.sendObject(id); err != nil {
				return err
			}
		}
	}
	return nil
}

// sendObject tries for sendPatience: to send again costs less than to fit again.
func (p *publisher) sendObject(id string) error {
	began := time.Now()
	for {
		err := p.sender(p.ctx, id)
		if err == nil || p.ctx.Err() != nil || time.Since(began) > sendPatience {
			return err
		}
		pause(p.ctx, retryPause)
	}
}

// objectsIn returns the ids of the objects that a result names.
func objectsIn(result *pb.Result) []string {
	ids := []string{result.GetValue().GetBlobId(), result.GetFailure().GetPickle().GetBlobId()}
	for _, predictions := range result.GetPredictions() {
		ids = append(ids, predictions.GetObjectId())
	}
	return slices.DeleteFunc(ids, func(id string) bool { return id == "" })
}

// wait returns when everything flushed is stored, or the error why it is not.
func (p *publisher) wait() error { return p.group.Wait() }
