// Package coordinator runs jobs: it partitions datasets into splits, hands tasks to workers over a
// queue, gathers the results and keeps the ledger.
//
// A Go program opens a coordinator, submits a JobSpec and waits for its Results. The gRPC server in
// coordinator/server offers the same to other processes.
package coordinator

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/crossfold/crossfold/arrowipc/store"
	"github.com/crossfold/crossfold/coordinator/gather"
	"github.com/crossfold/crossfold/coordinator/queue"
	"github.com/crossfold/crossfold/coordinator/queue/jetstream"
	pb "github.com/crossfold/crossfold/proto/crossfold/v1"
)

// The words of the contracts, for Go programs.
type (
	// JobSpec is a job: dataset + plan + candidates + code + options.
	JobSpec = pb.JobSpec
	// Event is one thing that happened to a job.
	Event = pb.Event
	// JobState is where a job stands.
	JobState = pb.JobState
	// Results is what a job gave.
	Results = gather.Results
)

// Coordinator runs jobs. Its methods are safe for concurrent use.
type Coordinator struct {
	config Config
	logger *slog.Logger
	timing timing
	dir    string
	store  *store.Store
	queue  queue.Queue
	// release undoes what Open did to the folder: the lock, and the folder itself if it is temporary.
	release func() error
	sidecar Sidecar
	courier *courier

	// ctx ends with Close and with it every wait and every goroutine in running.
	ctx     context.Context
	cancel  context.CancelFunc
	running sync.WaitGroup
	closing sync.Once
	closed  error

	mu       sync.Mutex
	jobs     map[string]*job
	sessions map[string]*Session
	workers  workers
	known    experiences
	counts   counts
	// ended lists the ended whole jobs, oldest first.
	ended []string
	// active is when a job was last running.
	active time.Time
}

// timing is how patient a coordinator is; tests are less so.
type timing struct {
	// workerSilence is after how much silence a worker counts as gone.
	workerSilence time.Duration
	// workerWait is how long a job or a Hello waits for a worker.
	workerWait time.Duration
	// sweep is how often both are looked at.
	sweep time.Duration
}

var patient = timing{workerSilence: 10 * time.Second, workerWait: 60 * time.Second, sweep: time.Second}

// Open starts a coordinator: it locks the folder, opens the queue, resumes the jobs that the ledger
// knows as running, and starts the worker. The context bounds Open alone.
func Open(ctx context.Context, config Config) (*Coordinator, error) {
	return open(ctx, config, patient)
}

func open(ctx context.Context, config Config, timing timing) (_ *Coordinator, err error) {
	if err := config.validate(); err != nil {
		return nil, err
	}
	c := &Coordinator{
		config: config, logger: config.Logger, timing: timing, queue: config.Queue,
		release:  func() error { return nil },
		jobs:     map[string]*job{},
		sessions: map[string]*Session{},
		workers:  newWorkers(),
		active:   time.Now(),
	}
	c.ctx, c.cancel = context.WithCancel(context.Background())
	c.courier = newCourier(c)
	defer func() {
		if err != nil {
			err = errors.Join(err, c.Close())
		}
	}()
	if err := c.openFolder(); err != nil {
		return nil, err
	}
	if err := c.openQueue(ctx); err != nil {
		return nil, err
	}
	if err := c.start(ctx); err != nil {
		return nil, err
	}
	return c, c.startSidecar(ctx)
}

func (c *Coordinator) openFolder() error {
	dir, release, err := claimFolder(c.config.Dir)
	if err != nil {
		return err
	}
	c.dir, c.release = dir, release
	c.store, err = store.Open(filepath.Join(dir, "store"))
	if err != nil {
		return fmt.Errorf("coordinator: %w", err)
	}
	return nil
}

func (c *Coordinator) openQueue(ctx context.Context) error {
	if c.queue != nil {
		return nil
	}
	config := jetstream.Config{Logger: c.logger}
	if c.config.NATSURL != "" {
		config.URL, config.Credentials = c.config.NATSURL, c.config.NATSCredentials
	} else {
		config.Dir = filepath.Join(c.dir, "ledger")
	}
	opened, err := jetstream.Open(ctx, config)
	if err != nil {
		return fmt.Errorf("coordinator: opening the queue: %w", err)
	}
	c.queue = opened
	if config.Dir == "" {
		return nil
	}
	socket := filepath.Join(c.dir, "nats.sock")
	if err := checkSocketPath(socket); err != nil {
		return err
	}
	return opened.ServeSocket(c.ctx, socket)
}

// start replays the ledger and begins to listen.
func (c *Coordinator) start(ctx context.Context) error {
	beats, err := c.queue.Heartbeats(c.ctx)
	if err != nil {
		return fmt.Errorf("coordinator: listening for workers: %w", err)
	}
	outcomes, err := c.resume(ctx)
	if err != nil {
		return fmt.Errorf("coordinator: resuming from the ledger: %w", err)
	}
	c.running.Add(2)
	go c.consume(outcomes)
	go c.watchWorkers(beats)
	return nil
}

func (c *Coordinator) startSidecar(ctx context.Context) error {
	start := c.config.Sidecar
	if start == nil {
		if c.config.NATSURL != "" {
			return nil
		}
		start = c.startChild
	}
	sidecar, err := start(ctx, SidecarConfig{
		Queue: c.queue, Store: c.store, Slots: c.config.Slots, Python: c.config.Python, Logger: c.logger,
	})
	if err != nil {
		return fmt.Errorf("coordinator: starting the worker: %w", err)
	}
	c.sidecar = sidecar
	return nil
}

// Store holds the bytes that jobs refer to.
func (c *Coordinator) Store() *store.Store { return c.store }

// Queue carries tasks and keeps the ledger.
func (c *Coordinator) Queue() queue.Queue { return c.queue }

// Dir is the coordinator's folder.
func (c *Coordinator) Dir() string { return c.dir }

// Done is closed when the coordinator was closed, or its queue ended: then it does nothing any more, and the
// next Open of the same folder goes on with running jobs of Submit.
func (c *Coordinator) Done() <-chan struct{} { return c.ctx.Done() }

// Close ends the worker and every session, and leaves running jobs of Submit to the next Open of
// the same folder. It is idempotent.
func (c *Coordinator) Close() error {
	c.closing.Do(func() { c.closed = c.close() })
	return c.closed
}

func (c *Coordinator) close() error {
	var errs []error
	c.closeSessions()
	c.courier.stop()
	if c.sidecar != nil {
		errs = append(errs, c.sidecar.Close())
	}
	c.cancel()
	c.running.Wait()
	if c.queue != nil {
		errs = append(errs, c.queue.Close())
	}
	errs = append(errs, c.release())
	return errors.Join(errs...)
}

// alive is the error of a call after Close.
func (c *Coordinator) alive(ctx context.Context) error {
	if c.ctx.Err() != nil {
		return ErrClosed
	}
	return ctx.Err()
}

// claimFolder locks a folder, or makes a temporary one.
func claimFolder(dir string) (string, func() error, error) {
	temporary := dir == ""
	if temporary {
		made, err := os.MkdirTemp("", "crossfold-")
		if err != nil {
			return "", nil, fmt.Errorf("coordinator: making a temporary folder: %w; set Dir", err)
		}
		dir = made
	}
	dir, err := filepath.Abs(dir)
	if err == nil {
		err = os.MkdirAll(dir, 0o700)
	}
	if err != nil {
		return "", nil, fmt.Errorf("coordinator: folder %s: %w; set Dir to one you can write to", dir, err)
	}
	lock, err := lockFile(filepath.Join(dir, "lock"))
	if err != nil {
		return "", nil, fmt.Errorf("coordinator: folder %s: %w; connect to that one or set another Dir", dir, err)
	}
	return dir, func() error {
		var err error
		if temporary {
			err = os.RemoveAll(dir)
		}
		return errors.Join(err, lock.Close())
	}, nil
}
