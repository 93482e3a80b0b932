package workers

import (
	"cmp"
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"github.com/crossfold/crossfold/arrowipc/store"
	"github.com/crossfold/crossfold/coordinator/queue"
)

// closeTimeout bounds Close.
const closeTimeout = 5 * time.Second

// retryPause is waited after an error of the queue or of Python's start.
const retryPause = time.Second

// Config says what a worker works on and with.
type Config struct {
	// Queue carries tasks and results; required. The worker does not close it.
	Queue queue.Queue
	// Store holds the objects that tasks name; required.
	Store *store.Store
	// Slots is how many tasks run at a time; default the number of CPUs.
	Slots int
	// Python is the interpreter; default "python3".
	Python string
	// Env is added to the environment of the Python processes; default none.
	Env []string
	// ID is unique in the cluster; default random.
	ID string
	// Logger hears of starts, ends and errors; default none.
	Logger *slog.Logger
	// Fetcher brings an object that is missing into the store; default none: all are on this host.
	Fetcher func(ctx context.Context, id string) error
	// Sender takes an object that a result names from the store to where the result is read; default
	// none: that is this host.
	Sender func(ctx context.Context, id string) error
	// WaitReady makes Start wait until Python is ready, and fail when it can't be; default false.
	WaitReady bool
}

func (c *Config) validate() error {
	switch {
	case c.Queue == nil:
		return errors.New("workers: Config.Queue is nil; give the worker a queue")
	case c.Store == nil:
		return errors.New("workers: Config.Store is nil; give the worker a store")
	case c.Slots < 0:
		return fmt.Errorf("workers: Config.Slots is %d; use 1 or more, or 0 for one per CPU", c.Slots)
	}
	c.Slots = cmp.Or(c.Slots, runtime.NumCPU())
	c.Python = cmp.Or(c.Python, "python3")
	c.ID = cmp.Or(c.ID, "w-"+randomHex())
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	return queue.CheckID("worker", c.ID)
}

func randomHex() string {
	var id [8]byte
	_, _ = rand.Read(id[:]) // never fails
	return hex.EncodeToString(id[:])
}

// Worker is a running sidecar.
type Worker struct {
	cfg     Config
	host    string
	source  queue.TaskSource
	zygotes *zygotes
	pool    *pool
	runs    *runs
	pulse   *pulse
	busy    atomic.Int32

	ctx    context.Context
	cancel context.CancelCauseFunc
	// loops counts the goroutines that end with ctx.
	loops sync.WaitGroup
	close func() error
}

// Start starts a worker. It returns at once, while Python still imports, unless Config.WaitReady.
// The context bounds the start only; Close ends the worker.
func Start(ctx context.Context, cfg Config) (*Worker, error) {
	if err := cfg.validate(); err != nil {
		return nil, err
	}
	host, err := os.Hostname()
	if err != nil {
		return nil, fmt.Errorf("workers: name of this host: %w", err)
	}
	w := &Worker{cfg: cfg, host: host, runs: newRuns(), pulse: newPulse()}
	w.ctx, w.cancel = context.WithCancelCause(context.WithoutCancel(ctx))
	w.close = sync.OnceValue(w.shutDown)
	w.zygotes = newZygotes(w.ctx, cfg)
	w.pool = newPool(w.zygotes, newSpares(w.ctx, cfg.Slots, cfg.Logger), cfg.Slots, cfg.Logger)
	if err := w.start(ctx); err != nil {
		return nil, errors.Join(err, w.Close())
	}
	return w, nil
}

func (w *Worker) start(ctx context.Context) error {
	var err error
	if w.source, err = w.cfg.Queue.Tasks(ctx); err != nil {
		return fmt.Errorf("workers: open the source of tasks: %w", err)
	}
	dropped, err := w.cfg.Queue.Dropped(w.ctx)
	if err != nil {
		return fmt.Errorf("workers: listen for dropped jobs: %w", err)
	}
	ended, err := w.cfg.Queue.SessionsEnded(w.ctx)
	if err != nil {
		return fmt.Errorf("workers: listen for ended sessions: %w", err)
	}
	w.loops.Go(func() {
		for job := range dropped {
			w.runs.drop(job)
		}
		// Without a queue nobody can be told how a run ends.
		w.runs.endAll(errLeaseLost)
	})
	w.loops.Go(func() {
		for session := range ended {
			w.runs.endSession(session)
			w.pool.endSession(session)
			removeParts(w.cfg.Store.Dir(), session, w.cfg.Logger)
		}
	})
	removeOldParts(w.cfg.Store.Dir(), time.Now(), w.cfg.Logger)
	w.loops.Go(w.heartbeats)
	for range w.cfg.Slots {
		w.loops.Go(w.serveSlot)
	}
	if w.cfg.WaitReady {
		_, err = w.zygotes.get(ctx, baseKind)
	}
	return err
}

// serveSlot runs one task after the other until the worker or the queue is closed. While one runs, the
// results of the one before it are stored.
func (w *Worker) serveSlot() {
	var settling sync.WaitGroup
	defer settling.Wait()
	for w.ctx.Err() == nil {
		// A worker without a working Python must not take tasks from others.
		if _, err := w.zygotes.get(w.ctx, baseKind); err != nil {
			pause(w.ctx, retryPause)
			continue
		}
		delivery, err := w.source.Fetch(w.ctx)
		switch {
		case err == nil && !w.suits(delivery):
			pause(w.ctx, misfitPause)
		case err == nil:
			settle := w.serve(delivery)
			settling.Wait()
			settling.Go(settle)
		case errors.Is(err, queue.ErrClosed):
			if w.ctx.Err() == nil {
				w.cfg.Logger.Warn("the queue is closed: no more tasks", "worker", w.cfg.ID)
			}
			return
		case w.ctx.Err() == nil:
			w.cfg.Logger.Error("fetch a task; trying again", "worker", w.cfg.ID, "error", err)
			pause(w.ctx, retryPause)
		}
	}
}

// pause waits so long, or until ctx ends.
func pause(ctx context.Context, length time.Duration) {
	select {
	case <-ctx.Done():
	case <-time.After(length):
	}
}

// ID is the worker's name in the cluster.
func (w *Worker) ID() string { return w.cfg.ID }

// Close kills what runs, gives its tasks back and ends every process of the worker. It is
// idempotent and takes at most 5 s.
func (w *Worker) Close() error { return w.close() }

func (w *Worker) shutDown() error {
	w.cancel(errClosing)
	done := make(chan error, 1)
	go func() {
		w.loops.Wait()
		var err error
		if w.source != nil {
			err = w.source.Close()
		}
		w.zygotes.close()
		w.pool.close()
		done <- err
	}()
	select {
	case err := <-done:
		return err
	case <-time.After(closeTimeout):
		return fmt.Errorf("workers: worker %s did not stop within %v; its processes end with this one",
			w.cfg.ID, closeTimeout)
	}
}
