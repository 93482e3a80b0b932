package workers

import (
	"context"
	"log/slog"
	"sync"

	"github.com/crossfold/crossfold/bridge/process"
)

// spares keeps processes that were forked ahead of need: a fork, and a first fit that copies the
// zygote's pages, would otherwise be part of every client's first task.
//
// They are born when a session has ended, so that they never compete with its work, and serve a
// job only when their zygote had imported what it asks for.
type spares struct {
	ctx    context.Context
	limit  int
	logger *slog.Logger

	mu      sync.Mutex
	litters map[kind]*litter
	// busy counts the goroutines that bear and end spares.
	busy sync.WaitGroup
}

// litter is the spares of one zygote.
type litter struct {
	zygote *process.Zygote
	// imported is what the zygote was asked to import so far.
	imported map[string]bool
	born     []*process.Child
	bearing  bool
}

func newSpares(ctx context.Context, limit int, logger *slog.Logger) *spares {
	return &spares{ctx: ctx, limit: limit, logger: logger, litters: map[kind]*litter{}}
}

// take returns a spare that has imported what a job asks for, or nil.
func (s *spares) take(k kind, preload []string) *process.Child {
	s.mu.Lock()
	defer s.mu.Unlock()
	l := s.litters[k]
	if l == nil || l.lacks(preload) {
		return nil
	}
	for len(l.born) > 0 {
		last := len(l.born) - 1
		child := l.born[last]
		l.born = l.born[:last]
		if alive(child) {
			return child
		}
		s.end(child)
	}
	return nil
}

func (l *litter) lacks(modules []string) bool {
	for _, module := range modules {
		if !l.imported[module] {
			return true
		}
	}
	return false
}

func alive(child *process.Child) bool {
	select {
	case <-child.Done():
		return false
	default:
		return true
	}
}

// learn notes what a zygote has imported; spares that were born before lack it and go.
func (s *spares) learn(k kind, zygote *process.Zygote, preload []string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	l := s.litters[k]
	if l != nil && l.zygote == zygote && !l.lacks(preload) {
		return
	}
	next := &litter{zygote: zygote, imported: map[string]bool{}}
	if l != nil {
		for _, child := range l.born {
			s.end(child)
		}
		if l.zygote == zygote {
			next.imported = l.imported
		}
	}
	for _, module := range preload {
		next.imported[module] = true
	}
	s.litters[k] = next
}

// refill bears what is missing, in the background.
func (s *spares) refill() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for k, l := range s.litters {
		if !l.bearing {
			l.bearing = true
			s.busy.Go(func() { s.bear(k, l) })
		}
	}
}

// bear forks until the litter is complete, its place is taken by another, or its zygote is gone.
func (s *spares) bear(k kind, l *litter) {
	for {
		s.mu.Lock()
		if s.ctx.Err() != nil || s.litters[k] != l || len(l.born) >= s.limit {
			l.bearing = false
			s.mu.Unlock()
			return
		}
		s.mu.Unlock()
		child, err := l.zygote.ForkSpare(s.ctx)
		s.mu.Lock()
		switch {
		case err != nil:
			if s.ctx.Err() == nil {
				s.logger.Warn("fork a spare process", "kind", k, "error", err)
			}
			if s.litters[k] == l {
				delete(s.litters, k)
			}
		case s.litters[k] != l:
			s.end(child)
		default:
			l.born = append(l.born, child)
		}
		s.mu.Unlock()
	}
}

// end closes a process without making the caller wait.
func (s *spares) end(child *process.Child) {
	s.busy.Go(func() {
		if err := child.Close(); err != nil {
			s.logger.Error("end a spare process", "pid", child.PID(), "error", err)
		}
	})
}

// close ends every spare. The context of newSpares must have ended.
func (s *spares) close() {
	s.mu.Lock()
	for k, l := range s.litters {
		for _, child := range l.born {
			s.end(child)
		}
		delete(s.litters, k)
	}
	s.mu.Unlock()
	s.busy.Wait()
}
