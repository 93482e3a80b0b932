package jetstream

import (
	"cmp"
	"context"
	"errors"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"google.golang.org/protobuf/proto"

	"github.com/crossfold/crossfold/coordinator/queue"
	pb "github.com/crossfold/crossfold/proto/crossfold/v1"
)

// retryPause is between two looks for the tasks' consumer, which the coordinator creates.
const retryPause = 200 * time.Millisecond

// PublishTask stores a task unless it is stored already.
func (q *Queue) PublishTask(ctx context.Context, task *pb.Task) error {
	job, id := task.GetJobId(), task.GetId()
	if err := cmp.Or(queue.CheckID("job", job), queue.CheckID("task", id)); err != nil {
		return err
	}
	data, err := proto.Marshal(task)
	if err == nil {
		_, err = q.publishOnce(ctx, taskSubject(job, id), data)
	}
	return q.failed(err, "publishing task %s of job %s", id, job)
}

// Tasks returns a source of tasks. It waits for the coordinator to have created the consumer.
func (q *Queue) Tasks(ctx context.Context) (queue.TaskSource, error) {
	for {
		err := q.findTasksConsumer(ctx)
		if err == nil {
			s := &source{queue: q, held: map[*delivery]struct{}{}}
			s.ctx, s.cancel = context.WithCancel(q.ctx)
			return s, nil
		}
		if !isMissing(err) {
			return nil, q.failed(err, "opening consumer %s of stream %s", workersConsumer, tasksStream)
		}
		select {
		case <-time.After(retryPause):
		case <-ctx.Done():
			return nil, q.failed(errors.Join(ctx.Err(), err), "waiting for a coordinator to create consumer %s",
				workersConsumer)
		case <-q.ctx.Done():
			return nil, queue.ErrClosed
		}
	}
}

func (q *Queue) findTasksConsumer(ctx context.Context) error {
	ctx, cancel, err := q.begin(ctx)
	if err != nil {
		return err
	}
	defer cancel()
	_, err = q.js.Consumer(ctx, tasksStream, workersConsumer)
	return err
}

// isMissing says of an error of findTasksConsumer that the server has no such consumer.
func isMissing(err error) bool {
	return errors.Is(err, jetstream.ErrConsumerNotFound) || errors.Is(err, jetstream.ErrStreamNotFound)
}

// source hands out tasks. Every Fetch has a pull of its own, for one message; pulls that got
// theirs are kept for the next Fetch, so nothing is ever ordered that no Fetch waits for.
type source struct {
	queue  *Queue
	ctx    context.Context
	cancel context.CancelFunc
	once   sync.Once

	mu   sync.Mutex
	idle []*pull
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
		p, err := s.takePull()
		if err != nil {
			return nil, s.ended(ctx, err)
		}
		message, err := p.next(bounded)
		switch {
		case err == nil:
			if d := s.receive(p, message); d != nil {
				return d, nil
			}
		case bounded.Err() != nil:
			p.abandon()
			return nil, s.ended(ctx, err)
		default:
			// The server gave the order up, or is not there: order again, from a new inbox.
			p.abandon()
			if !errors.Is(err, errExpired) && !pause(bounded) {
				return nil, s.ended(ctx, bounded.Err())
			}
		}
	}
}

// pause waits before the next try; false when ctx ended first.
func pause(ctx context.Context) bool {
	select {
	case <-time.After(retryPause):
		return true
	case <-ctx.Done():
		return false
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
func (s *source) receive(p *pull, message *nats.Msg) *delivery {
	task := &pb.Task{}
	err := proto.Unmarshal(message.Data, task)
	meta, metaErr := message.Metadata()
	if err = cmp.Or(err, metaErr); err != nil {
		s.queue.logger.Error("queue: unreadable task left out", "subject", message.Subject, "error", err)
		_ = s.queue.conn.Publish(message.Reply, ackTerm) // comes again if it does not arrive
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.idle = append(s.idle, p)
	if err != nil {
		return nil
	}
	d := &delivery{source: s, task: task, reply: message.Reply, count: int(meta.NumDelivered)}
	s.held[d] = struct{}{}
	return d
}

func (s *source) takePull() (*pull, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if n := len(s.idle); n > 0 {
		p := s.idle[n-1]
		s.idle = s.idle[:n-1]
		return p, nil
	}
	return newPull(s.queue.conn)
}

// Close ends waiting fetches and gives back what is held.
func (s *source) Close() error {
	s.once.Do(s.cancel)
	s.mu.Lock()
	defer s.mu.Unlock()
	for d := range s.held {
		_ = s.queue.conn.Publish(d.reply, ackNak) // a lost one is redelivered when its lease ends
	}
	clear(s.held)
	for _, p := range s.idle {
		_ = p.inbox.Unsubscribe() // fails only when the connection is gone
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
	source *source
	task   *pb.Task
	// reply is the subject that answers go to.
	reply string
	count int
}

func (d *delivery) Task() *pb.Task { return d.task }
func (d *delivery) Delivered() int { return d.count }

func (d *delivery) Extend(ctx context.Context) error {
	return d.answer(ctx, ackProgress, "extending")
}

func (d *delivery) Ack(ctx context.Context) error {
	d.source.release(d)
	return d.answer(ctx, ackDone, "acking")
}

func (d *delivery) Nak(ctx context.Context) error {
	d.source.release(d)
	return d.answer(ctx, ackNak, "giving back")
}

func (d *delivery) answer(ctx context.Context, answer []byte, what string) error {
	q := d.source.queue
	if q.ctx.Err() != nil {
		return queue.ErrClosed
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	return q.failed(q.conn.Publish(d.reply, answer), "%s task %s", what, d.task.GetId())
}
