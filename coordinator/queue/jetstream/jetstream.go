// Package jetstream is the queue over NATS JetStream: a server inside this process, the socket of
// such a server in another process, or an external cluster. Streams and subjects are listed in
// docs/decisions/0001-the-spine.md.
package jetstream

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"sync"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/crossfold/crossfold/coordinator/queue"
)

var _ queue.Queue = (*Queue)(nil)

// requestTimeout bounds a request to the server whose caller's context has no deadline.
const requestTimeout = 30 * time.Second

// Config says where the JetStream server is. Exactly one of Dir, Socket and URL is set.
type Config struct {
	// Dir is the ledger's folder of a server started inside this process, which listens nowhere.
	// The caller makes sure that no other process uses the folder. Default: none.
	Dir string
	// Socket is the Unix socket of another process's server; see ServeSocket. Default: none.
	Socket string
	// URL is an external NATS cluster with JetStream, such as tls://nats.example:4222. Default: none.
	URL string
	// Credentials is a NATS credentials file for URL. Default: none.
	Credentials string
	// Worker says that this end only fetches tasks and reports: it creates nothing, so that a
	// worker's credentials suffice. Default: true with Socket, else false.
	Worker bool
	// Lease is how long a worker may hold a task without extending it. Default: queue.LeaseSeconds.
	Lease time.Duration
	// Logger gets what has no caller to return to. Default: slog.Default().
	Logger *slog.Logger
}

func (c *Config) validate() error {
	set := 0
	for _, place := range []string{c.Dir, c.Socket, c.URL} {
		if place != "" {
			set++
		}
	}
	if set != 1 {
		return fmt.Errorf("jetstream: %d of Dir %q, Socket %q and URL %q are set: set exactly one",
			set, c.Dir, c.Socket, c.URL)
	}
	if c.Credentials != "" && c.URL == "" {
		return fmt.Errorf("jetstream: Credentials %q without a URL: set URL, too", c.Credentials)
	}
	if c.Lease <= 0 {
		c.Lease = queue.LeaseSeconds * time.Second
	}
	if c.Logger == nil {
		c.Logger = slog.Default()
	}
	c.Worker = c.Worker || c.Socket != ""
	return nil
}

// Queue is the queue over one connection to JetStream.
type Queue struct {
	lease  time.Duration
	logger *slog.Logger
	server *server.Server // nil unless embedded
	conn   *nats.Conn
	js     jetstream.JetStream

	// ctx ends with Close and with it every wait and every goroutine in running.
	ctx     context.Context
	cancel  context.CancelFunc
	running sync.WaitGroup
	closing sync.Once

	// streams holds the streams that were looked up, by name.
	streams sync.Map

	mu        sync.Mutex
	closed    bool
	consuming bool
}

// Open connects, starting the server for Dir, and makes sure that the streams exist.
func Open(ctx context.Context, config Config) (*Queue, error) {
	if err := config.validate(); err != nil {
		return nil, err
	}
	q := &Queue{lease: config.Lease, logger: config.Logger}
	q.ctx, q.cancel = context.WithCancel(context.Background())
	if err := q.connect(config); err != nil {
		return nil, errors.Join(err, q.Close())
	}
	js, err := jetstream.New(q.conn)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("jetstream: %w", err), q.Close())
	}
	q.js = js
	if !config.Worker {
		if err := q.createStreams(ctx); err != nil {
			return nil, errors.Join(err, q.Close())
		}
		q.conn.SetReconnectHandler(func(*nats.Conn) { q.lookForTasks() })
	}
	return q, nil
}

// lookForTasks ends the queue when the server came back without its tasks: they are in its memory. Whoever
// opens the queue again publishes them again.
func (q *Queue) lookForTasks() {
	for q.conn.IsConnected() {
		err := q.findTasksConsumer(q.ctx)
		switch {
		case err == nil || q.ctx.Err() != nil:
			return
		case isMissing(err):
			q.logger.Error("queue: the NATS server was restarted, and its tasks are gone; the queue ends")
			q.cancel()
			return
		}
		// JetStream starts after the server.
		pause(q.ctx)
	}
}

func (q *Queue) connect(config Config) error {
	options := []nats.Option{
		nats.Name("crossfold"),
		nats.MaxReconnects(-1),
		nats.ReconnectWait(250 * time.Millisecond),
		nats.ErrorHandler(func(_ *nats.Conn, sub *nats.Subscription, err error) {
			q.logger.Warn("queue: NATS connection", "error", err)
		}),
	}
	url, place := config.URL, config.URL
	switch {
	case config.Dir != "":
		place = config.Dir
		started, err := startServer(config.Dir, config.Logger)
		if err != nil {
			return err
		}
		q.server = started
		options = append(options, nats.InProcessServer(started))
	case config.Socket != "":
		place = config.Socket
		options = append(options, nats.SetCustomDialer(unixDialer(config.Socket)))
	case config.Credentials != "":
		options = append(options, nats.UserCredentials(config.Credentials))
	}
	conn, err := nats.Connect(url, options...)
	if err != nil {
		return fmt.Errorf("jetstream: connecting to %s: %w; is the coordinator running there?", place, err)
	}
	q.conn = conn
	return nil
}

// unixDialer connects to one Unix socket whatever address is asked for.
type unixDialer string

func (d unixDialer) Dial(_, _ string) (net.Conn, error) {
	return net.DialTimeout("unix", string(d), 5*time.Second)
}

// begin says whether a call may go on, and bounds it.
func (q *Queue) begin(ctx context.Context) (context.Context, context.CancelFunc, error) {
	if q.ctx.Err() != nil {
		return nil, nil, queue.ErrClosed
	}
	if err := ctx.Err(); err != nil {
		return nil, nil, err
	}
	bounded, cancel := context.WithTimeout(ctx, requestTimeout)
	stop := context.AfterFunc(q.ctx, cancel)
	return bounded, func() { stop(); cancel() }, nil
}

// failed adds to an error what was tried; after Close it is ErrClosed.
func (q *Queue) failed(err error, format string, args ...any) error {
	if err == nil {
		return nil
	}
	if q.ctx.Err() != nil {
		return queue.ErrClosed
	}
	return fmt.Errorf("jetstream: "+format+": %w", append(args, err)...)
}

// start counts a goroutine that Close waits for; false after Close.
func (q *Queue) start() bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	if !q.closed {
		q.running.Add(1)
	}
	return !q.closed
}

// Close flushes what was sent, disconnects and stops an embedded server.
func (q *Queue) Close() error {
	q.closing.Do(func() {
		q.mu.Lock()
		q.closed = true
		q.mu.Unlock()
		q.cancel()
		q.running.Wait()
		if q.conn != nil {
			// Acks are sent without waiting; give them a moment to leave.
			_ = q.conn.FlushTimeout(time.Second)
			q.conn.Close()
		}
		if q.server != nil {
			q.server.Shutdown()
			q.server.WaitForShutdown()
		}
	})
	return nil
}
