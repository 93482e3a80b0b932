package jetstream

import (
	"cmp"
	"context"
	"errors"
	"sync"
	"time"

	"github.com/nats-io/nats.go/jetstream"
	"google.golang.org/protobuf/proto"

	"github.com/crossfold/crossfold/coordinator/queue"
	pb "github.com/crossfold/crossfold/proto/crossfold/v1"
)

const (
	pullExpiry    = 30 * time.Second
	pullHeartbeat = 5 * time.Second
	// consumerRetry is the pause between looks for the tasks' consumer: a worker may be first.
	consumerRetry = 200 * time.Millisecond
)

// PublishTask stores a task unless it is stored already.
func (q *Queue) PublishTask(ctx context.Context, task *pb.Task) error {
	job, id := task.GetJobId(), task.GetId()
	if err := cmp.Or(queue.CheckID("job", job), queue.CheckID("task", id)); err != nil {
		return err
	}
	_, err := q.publishOnce(ctx, taskSubject(job, id), task)
	return q.failed(err, "publishing task %s of job %s", id, job)
}

// Tasks returns a source of tasks. It waits for the coordinator to have created the consumer.
func (q *Queue) Tasks(ctx context.Context) (queue.TaskSource, error) {
	for {
		consumer, err := q.tasksConsumer(ctx)
		if err == nil {
			s := &source{queue: q, consumer: consumer, held: map[*delivery]struct{}{}}
			s.ctx, s.cancel = context.WithCancel(q.ctx)
			return s, nil
		}
		if !errors.Is(err, jetstream.ErrConsumerNotFound) && !errors.Is(err, jetstream.ErrStreamNotFound) {
			return nil, q.failed(err, "opening consumer %s of stream %s", workersConsumer, tasksStream)
		}
		select {
		case <-time.After(consumerRetry):
		case <-ctx.Done():
			return nil, q.failed(errors.Join(ctx.Err(), err), "waiting for a coordinator to create consumer %s",
				workersConsumer)
		case <-q.ctx.Done():
			return nil, queue.ErrClosed
		}
	}
}

func (q *Queue) tasksConsumer(ctx context.Context) (jetstream.Consumer, error) {
	ctx, cancel, err := q.begin(ctx)
	if err != nil {
		return nil, err
	}
	defer cancel()
	return q.js.Consumer(ctx, tasksStream, workersConsumer)
}

// source hands out tasks. Every Fetch has a pull of its own, for one message; pulls that got
// theirs are kept for the next Fetch, so nothing is ever ordered that no Fetch waits for.
type source struct {
	queue    *Queue
	consumer jetstream.Consumer
	ctx      context.Context
	cancel   context.CancelFunc
	once     sync.Once

	mu   sync.Mutex
	idle []jetstream.MessagesContext
	held map[*delivery]struct{}
}

func (s *source) Fetch(ctx context.Context) (queue.Delivery, error) {
	if s.ctx.Err() != nil {
		return nil, queue.ErrClosed
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	bounded, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(s.ctx, cancel)()
	for {
		pull, err := s.takePull()
		if err != nil {
			return nil, s.ended(ctx, err)
		}
		message, err := pull.Next(jetstream.NextContext(bounded))
		if err != nil {
			s.abandon(pull)
			return nil, s.ended(ctx, err)
		}
		if d := s.receive(pull, message); d != nil {
			return d, nil
		}
	}
}

// ended names why a fetch got nothing.
func (s *source) ended(ctx context.Context, err error) error {
	if s.ctx.Err() != nil {
		return queue.ErrClosed
	}
	if ctx.Err() != nil {
		return ctx.Err()
	}
	return s.queue.failed(err, "fetching a task")
}

// receive keeps the pull for later and turns a message into a delivery; nil when it is unreadable.
func (s *source) receive(pull jetstream.MessagesContext, message jetstream.Msg) *delivery {
	task := &pb.Task{}
	err := proto.Unmarshal(message.Data(), task)
	meta, metaErr := message.Metadata()
	if err = cmp.Or(err, metaErr); err != nil {
		s.queue.logger.Error("queue: unreadable task left out", "subject", message.Subject(), "error", err)
		_ = message.Term() // comes again if it does not arrive
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.idle = append(s.idle, pull)
	if err != nil {
		return nil
	}
	d := &delivery{source: s, task: task, message: message, count: int(meta.NumDelivered)}
	s.held[d] = struct{}{}
	return d
}

func (s *source) takePull() (jetstream.MessagesContext, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if n := len(s.idle); n > 0 {
		pull := s.idle[n-1]
		s.idle = s.idle[:n-1]
		return pull, nil
	}
	return s.consumer.Messages(jetstream.PullMaxMessages(1), jetstream.PullExpiry(pullExpiry),
		jetstream.PullHeartbeat(pullHeartbeat), jetstream.WithMessagesErrOnMissingHeartbeat(false))
}

// abandon ends a pull that still waits; a task that was on its way goes back at once.
func (s *source) abandon(pull jetstream.MessagesContext) {
	pull.Drain()
	// Bounded by the drain: the server answers it, or the connection ends.
	go func() {
		for {
			message, err := pull.Next()
			if err != nil {
				return
			}
			_ = message.Nak() // a lost one is redelivered when its lease ends
		}
	}()
}

// Close ends waiting fetches and gives back what is held.
func (s *source) Close() error {
	s.once.Do(s.cancel)
	s.mu.Lock()
	defer s.mu.Unlock()
	for d := range s.held {
		_ = d.message.Nak() // a lost one is redelivered when its lease ends
	}
	clear(s.held)
	for _, pull := range s.idle {
		pull.Stop()
	}
	s.idle = nil
	return nil
}

func (s *source) release(d *delivery) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.held, d)
}

type delivery struct {
	source  *source
	task    *pb.Task
	message jetstream.Msg
	count   int
}

func (d *delivery) Task() *pb.Task { return d.task }
func (d *delivery) Delivered() int { return d.count }

func (d *delivery) Extend(ctx context.Context) error {
	return d.answer(ctx, d.message.InProgress, "extending")
}

func (d *delivery) Ack(ctx context.Context) error {
	d.source.release(d)
	return d.answer(ctx, d.message.Ack, "acking")
}

func (d *delivery) Nak(ctx context.Context) error {
	d.source.release(d)
	return d.answer(ctx, d.message.Nak, "giving back")
}

func (d *delivery) answer(ctx context.Context, send func() error, what string) error {
	if d.source.queue.ctx.Err() != nil {
		return queue.ErrClosed
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	return d.source.queue.failed(send(), "%s task %s", what, d.task.GetId())
}
