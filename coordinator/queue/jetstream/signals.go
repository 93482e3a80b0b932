package jetstream

import (
	"context"
	"strings"

	"github.com/nats-io/nats.go"
	"google.golang.org/protobuf/proto"

	"github.com/crossfold/crossfold/coordinator/internal/outlet"
	"github.com/crossfold/crossfold/coordinator/queue"
	pb "github.com/crossfold/crossfold/proto/crossfold/v1"
)

// Dropped delivers the ids of dropped jobs.
func (q *Queue) Dropped(ctx context.Context) (<-chan string, error) {
	return listen(ctx, q, "drop.*", subjectTail)
}

// EndSession tells workers that a client is gone.
func (q *Queue) EndSession(ctx context.Context, sessionID string) error {
	if err := queue.CheckID("session", sessionID); err != nil {
		return err
	}
	return q.send(ctx, "session."+sessionID, nil)
}

// SessionsEnded delivers the ids of ended sessions.
func (q *Queue) SessionsEnded(ctx context.Context) (<-chan string, error) {
	return listen(ctx, q, "session.*", subjectTail)
}

// Heartbeat sends a worker's state.
func (q *Queue) Heartbeat(ctx context.Context, info *pb.WorkerInfo) error {
	if err := queue.CheckID("worker", info.GetId()); err != nil {
		return err
	}
	data, err := proto.Marshal(info)
	if err != nil {
		return q.failed(err, "encoding the heartbeat of worker %s", info.GetId())
	}
	return q.send(ctx, "w."+info.GetId(), data)
}

// Heartbeats delivers workers' states.
func (q *Queue) Heartbeats(ctx context.Context) (<-chan *pb.WorkerInfo, error) {
	return listen(ctx, q, "w.*", func(message *nats.Msg) (*pb.WorkerInfo, error) {
		info := &pb.WorkerInfo{}
		return info, proto.Unmarshal(message.Data, info)
	})
}

func subjectTail(message *nats.Msg) (string, error) {
	_, id, _ := strings.Cut(message.Subject, ".")
	return id, nil
}

// send publishes a message that is not stored.
func (q *Queue) send(ctx context.Context, subject string, data []byte) error {
	if q.ctx.Err() != nil {
		return queue.ErrClosed
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	return q.failed(q.conn.Publish(subject, data), "sending %s", subject)
}

// listen subscribes until ctx ends or the queue is closed.
func listen[T any](
	ctx context.Context, q *Queue, subject string, decode func(*nats.Msg) (T, error),
) (<-chan T, error) {
	if !q.start() {
		return nil, queue.ErrClosed
	}
	ctx, cancel := q.within(ctx)
	out := outlet.New[T](ctx, 64)
	sub, err := q.conn.Subscribe(subject, func(message *nats.Msg) {
		value, err := decode(message)
		if err != nil {
			q.logger.Warn("queue: unreadable message left out", "subject", message.Subject, "error", err)
			return
		}
		out.Send(value)
	})
	if err == nil {
		// Once the server has answered, nothing that is sent from now on is missed.
		err = q.flush(ctx)
	}
	if err != nil {
		cancel()
		q.running.Done()
		return nil, q.failed(err, "subscribing to %s", subject)
	}
	go func() {
		defer q.running.Done()
		defer cancel()
		<-ctx.Done()
		_ = sub.Unsubscribe() // fails only when the connection is gone, and the subscription with it
		out.Close()
	}()
	return out.C(), nil
}

func (q *Queue) flush(ctx context.Context) error {
	ctx, cancel, err := q.begin(ctx)
	if err != nil {
		return err
	}
	defer cancel()
	return q.conn.FlushWithContext(ctx)
}

// within returns a context that also ends with the queue.
func (q *Queue) within(ctx context.Context) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancel(ctx)
	stop := context.AfterFunc(q.ctx, cancel)
	return ctx, func() { stop(); cancel() }
}
