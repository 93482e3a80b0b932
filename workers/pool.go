package workers

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"

	"github.com/crossfold/crossfold/bridge/process"
)

// forkAttempts is how many zygotes are tried for one process.
const forkAttempts = 3

// owner is who a process may serve: it never leaves its session, or its kind, and what it imported of
// the user's own code stays as it was.
type owner struct {
	session string
	kind    kind
	code    string
}

type idleChild struct {
	owner
	child *process.Child
}

// pool keeps the processes that wait for the next task of their session.
type pool struct {
	zygotes *zygotes
	spares  *spares
	limit   int
	logger  *slog.Logger

	mu sync.Mutex
	// idle is ordered by the time of release, the longest idle first.
	idle []idleChild
	// ending counts the processes that are being closed.
	ending sync.WaitGroup
}

func newPool(zygotes *zygotes, spares *spares, limit int, logger *slog.Logger) *pool {
	return &pool{zygotes: zygotes, spares: spares, limit: limit, logger: logger}
}

// acquire returns a process for a task; the caller gives it back or closes it.
func (p *pool) acquire(ctx context.Context, who owner, preload []string) (*process.Child, error) {
	if child := p.take(who); child != nil {
		return child, nil
	}
	if child := p.spares.take(who.kind, preload); child != nil {
		return child, nil
	}
	for attempt := 1; ; attempt++ {
		zygote, err := p.zygotes.get(ctx, who.kind)
		if err != nil {
			return nil, err
		}
		child, err := zygote.Fork(ctx, preload)
		if err == nil {
			p.spares.learn(who.kind, zygote, preload)
			return child, nil
		}
		// One that has just died is replaced by the next get.
		if !errors.Is(err, process.ErrZygoteDead) || attempt == forkAttempts {
			return nil, fmt.Errorf("workers: make a process: %w", err)
		}
	}
}

// take returns the living process of an owner that was released last, or nil.
func (p *pool) take(who owner) *process.Child {
	p.mu.Lock()
	defer p.mu.Unlock()
	for i := len(p.idle) - 1; i >= 0; i-- {
		if p.idle[i].owner != who {
			continue
		}
		child := p.idle[i].child
		p.idle = slices.Delete(p.idle, i, i+1)
		select {
		case <-child.Done():
			p.end(child)
		default:
			return child
		}
	}
	return nil
}

// release keeps a process for the next task of its owner. Above the limit the longest idle one goes.
func (p *pool) release(who owner, child *process.Child) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.idle = append(p.idle, idleChild{who, child})
	for len(p.idle) > p.limit {
		p.end(p.idle[0].child)
		p.idle = slices.Delete(p.idle, 0, 1)
	}
}

// endSession ends a session's idle processes and gets some ready for the next one.
func (p *pool) endSession(session string) {
	defer p.spares.refill()
	p.mu.Lock()
	defer p.mu.Unlock()
	p.idle = slices.DeleteFunc(p.idle, func(idle idleChild) bool {
		if idle.session == session {
			p.end(idle.child)
		}
		return idle.session == session
	})
}

// end closes a process without making the caller wait.
func (p *pool) end(child *process.Child) {
	p.ending.Go(func() {
		if err := child.Close(); err != nil {
			p.logger.Error("end a process", "pid", child.PID(), "error", err)
		}
	})
}

// close ends every idle process and the spares. Nothing may be released afterwards.
func (p *pool) close() {
	p.mu.Lock()
	for _, idle := range p.idle {
		p.end(idle.child)
	}
	p.idle = nil
	p.mu.Unlock()
	p.ending.Wait()
	p.spares.close()
}
