package workers

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/crossfold/crossfold/bridge/process"
	pb "github.com/crossfold/crossfold/proto/crossfold/v1"
)

// kind is a sort of zygote.
type kind string

const (
	// baseKind has what every fit needs.
	baseKind kind = "base"
	// tensorflowKind has TensorFlow as well: 600 MB that no other child should carry.
	tensorflowKind kind = "tensorflow"
)

// kindOf says which zygote a job's processes come from.
func kindOf(code *pb.Code) kind {
	for _, module := range code.GetPreload() {
		switch root, _, _ := strings.Cut(module, "."); root {
		case "tensorflow", "keras":
			return tensorflowKind
		}
	}
	return baseKind
}

// longestBackoff bounds the pause between attempts to start a zygote.
const longestBackoff = 30 * time.Second

// zygotes starts zygotes when they are asked for, and again when they died.
type zygotes struct {
	ctx context.Context
	cfg Config

	mu       sync.Mutex
	launches map[kind]*launch
	running  sync.WaitGroup
}

// launch is one attempt to start a zygote.
type launch struct {
	// started is closed when zygote or err is set.
	started chan struct{}
	zygote  *process.Zygote
	err     error
	// failures counts the failed attempts in a row, this one included.
	failures int
	// retry is when another attempt may be made after this one failed.
	retry time.Time
}

func newZygotes(ctx context.Context, cfg Config) *zygotes {
	return &zygotes{ctx: ctx, cfg: cfg, launches: map[kind]*launch{}}
}

// get returns the living zygote of a kind; it waits for one that is being started. After a failed
// start it returns that error until it is time for another attempt.
func (z *zygotes) get(ctx context.Context, k kind) (*process.Zygote, error) {
	l := z.launch(k)
	select {
	case <-l.started:
		return l.zygote, l.err
	case <-ctx.Done():
		return nil, fmt.Errorf("workers: wait for python: %w", context.Cause(ctx))
	}
}

// launch returns the present launch of a kind, or begins one when that is over.
func (z *zygotes) launch(k kind) *launch {
	z.mu.Lock()
	defer z.mu.Unlock()
	last := z.launches[k]
	if last != nil && !last.over() {
		return last
	}
	next := &launch{started: make(chan struct{})}
	if last != nil {
		next.failures = last.failures
	}
	z.launches[k] = next
	z.running.Go(func() {
		defer close(next.started)
		next.start(z.ctx, z.cfg, k)
	})
	return next
}

// over says whether another launch is due.
func (l *launch) over() bool {
	select {
	case <-l.started:
	default:
		return false
	}
	if l.err != nil {
		return time.Now().After(l.retry)
	}
	select {
	case <-l.zygote.Done():
		return true
	default:
		return false
	}
}

func (l *launch) start(ctx context.Context, cfg Config, k kind) {
	l.zygote, l.err = process.StartZygote(ctx, process.Config{
		Python: cfg.Python, StoreDir: cfg.Store.Dir(), Env: cfg.Env, Logger: cfg.Logger.With("kind", k),
	})
	if l.err == nil {
		l.failures = 0
		return
	}
	pause := min(retryPause<<min(l.failures, 10), longestBackoff)
	l.failures++
	l.retry = time.Now().Add(pause)
	if ctx.Err() == nil {
		cfg.Logger.Error("python can't be started; trying again", "kind", k, "pause", pause, "error", l.err)
	}
}

// worthTelling is how many starts in a row must have failed before others are told: one may be chance.
const worthTelling = 2

// broken says why Python can't be started; empty while it can, or may at the next attempt.
func (z *zygotes) broken() string {
	z.mu.Lock()
	defer z.mu.Unlock()
	l := z.launches[baseKind]
	if l == nil {
		return ""
	}
	select {
	case <-l.started:
	default:
		return "" // another attempt is being made
	}
	if l.err == nil || l.failures < worthTelling {
		return ""
	}
	return l.err.Error()
}

// environment returns the fingerprint of the base zygote once one is ready, else nil.
func (z *zygotes) environment() *pb.Environment {
	z.mu.Lock()
	defer z.mu.Unlock()
	l := z.launches[baseKind]
	if l == nil {
		return nil
	}
	select {
	case <-l.started:
	default:
		return nil
	}
	if l.err != nil {
		return nil
	}
	return l.zygote.Environment()
}

// close ends every zygote and their children. The context of newZygotes must have ended.
func (z *zygotes) close() {
	z.running.Wait()
	z.mu.Lock()
	defer z.mu.Unlock()
	var closing sync.WaitGroup
	for _, l := range z.launches {
		if l.zygote != nil {
			closing.Go(func() { _ = l.zygote.Close() })
		}
	}
	closing.Wait()
}
