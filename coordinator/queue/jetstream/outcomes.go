package jetstream

import (
	"context"
	"errors"

	"github.com/nats-io/nats.go/jetstream"
	"google.golang.org/protobuf/proto"

	"github.com/crossfold/crossfold/coordinator/internal/outlet"
	"github.com/crossfold/crossfold/coordinator/queue"
	pb "github.com/crossfold/crossfold/proto/crossfold/v1"
)

// prefetch is how many outcomes the server may send ahead.
const prefetch = 512

var errSecondConsumer = errors.New("queue: outcomes have a consumer already; end its context first")

// Outcomes replays the ledger and then delivers what is new.
func (q *Queue) Outcomes(ctx context.Context) (<-chan queue.Outcome, error) {
	q.mu.Lock()
	switch {
	case q.closed:
		q.mu.Unlock()
		return nil, queue.ErrClosed
	case q.consuming:
		q.mu.Unlock()
		return nil, errSecondConsumer
	}
	q.consuming = true
	q.running.Add(1)
	q.mu.Unlock()

	ctx, cancel := q.within(ctx)
	reader := &outcomeReader{
		queue:    q,
		out:      outlet.New[queue.Outcome](ctx, 64),
		replayed: make(chan struct{}),
	}
	if err := reader.replay(ctx); err != nil {
		cancel()
		reader.close()
		return nil, q.failed(err, "replaying the ledger")
	}
	go func() {
		defer cancel()
		defer reader.close()
		reader.run(ctx)
	}()
	return reader.out.C(), nil
}

// outcomeReader merges the three streams that workers report to.
type outcomeReader struct {
	queue *Queue
	out   *outlet.Outlet[queue.Outcome]
	// last is the stream sequence of the ledger's end when the replay began.
	last     uint64
	replayed chan struct{}
	done     bool
	running  []jetstream.ConsumeContext
}

// replay starts reading the ledger from its beginning.
func (r *outcomeReader) replay(ctx context.Context) error {
	bounded, cancel, err := r.queue.begin(ctx)
	if err != nil {
		return err
	}
	defer cancel()
	stream, err := r.queue.js.Stream(bounded, resultsStream)
	if err != nil {
		return err
	}
	state := stream.CachedInfo().State
	r.last = state.LastSeq
	if state.Msgs == 0 {
		r.endReplay()
	}
	consumer, err := r.queue.js.OrderedConsumer(bounded, resultsStream, jetstream.OrderedConsumerConfig{})
	if err != nil {
		return err
	}
	return r.consume(consumer, r.ledgerMessage)
}

// run adds faults and calls once the ledger is replayed, so that what they say about a fit never
// comes before the fit's result.
func (r *outcomeReader) run(ctx context.Context) {
	select {
	case <-r.replayed:
	case <-ctx.Done():
		return
	}
	readers := map[string]jetstream.MessageHandler{faultsStream: r.faultMessage, callsStream: r.callsMessage}
	for stream, handle := range readers {
		bounded, cancel, err := r.queue.begin(ctx)
		if err != nil {
			return
		}
		consumer, err := r.queue.js.Consumer(bounded, stream, coordinatorConsumer)
		cancel()
		if err == nil {
			err = r.consume(consumer, handle)
		}
		if ctx.Err() != nil {
			return
		}
		if err != nil {
			r.queue.logger.Error("queue: outcomes end", "stream", stream, "error", err)
			return
		}
	}
	<-ctx.Done()
}

func (r *outcomeReader) consume(consumer jetstream.Consumer, handle jetstream.MessageHandler) error {
	running, err := consumer.Consume(handle, jetstream.PullMaxMessages(prefetch),
		jetstream.ConsumeErrHandler(func(_ jetstream.ConsumeContext, err error) {
			r.queue.logger.Warn("queue: reading outcomes", "error", err)
		}))
	if err == nil {
		r.running = append(r.running, running)
	}
	return err
}

func (r *outcomeReader) ledgerMessage(message jetstream.Msg) {
	results, err := decodeResults(message.Data())
	if err != nil {
		r.queue.logger.Error("queue: unreadable result left out", "subject", message.Subject(), "error", err)
	} else if !r.out.Send(queue.Outcome{Results: results}) {
		return
	}
	if r.done {
		return
	}
	meta, err := message.Metadata()
	if err == nil && (meta.Sequence.Stream >= r.last || meta.NumPending == 0) {
		r.endReplay()
	}
}

func (r *outcomeReader) endReplay() {
	r.done = true
	if r.out.Send(queue.Outcome{Replayed: true}) { // the first has room before anybody receives
		close(r.replayed)
	}
}

func (r *outcomeReader) faultMessage(message jetstream.Msg) {
	fault := &pb.Fault{}
	if err := proto.Unmarshal(message.Data(), fault); err != nil {
		r.leaveOut(message, err)
		return
	}
	if r.out.Send(queue.Outcome{Fault: fault}) {
		r.acked(message, message.Ack())
	}
}

func (r *outcomeReader) callsMessage(message jetstream.Msg) {
	results, err := decodeResults(message.Data())
	if err != nil {
		r.leaveOut(message, err)
		return
	}
	if r.out.Send(queue.Outcome{Results: results}) {
		r.acked(message, message.Ack())
	}
}

func (r *outcomeReader) leaveOut(message jetstream.Msg, err error) {
	r.queue.logger.Error("queue: unreadable outcome left out", "subject", message.Subject(), "error", err)
	r.acked(message, message.Term())
}

// acked logs an ack that could not be sent: the message comes again, and is ignored then.
func (r *outcomeReader) acked(message jetstream.Msg, err error) {
	if err != nil && r.queue.ctx.Err() == nil {
		r.queue.logger.Warn("queue: outcome not acked", "subject", message.Subject(), "error", err)
	}
}

// close stops reading; the context has ended.
func (r *outcomeReader) close() {
	for _, running := range r.running {
		running.Stop()
	}
	r.out.Close()
	r.queue.mu.Lock()
	r.queue.consuming = false
	r.queue.mu.Unlock()
	r.queue.running.Done()
}
