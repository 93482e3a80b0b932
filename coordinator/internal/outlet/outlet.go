// Package outlet holds the channels that are handed out: many senders, one receiver, closed once.
package outlet

import (
	"context"
	"sync"
)

// Outlet is a channel that several goroutines send to and that its context closes.
type Outlet[T any] struct {
	ctx context.Context
	ch  chan T

	mu     sync.RWMutex
	closed bool
}

// New returns an outlet whose sends end with ctx. The owner calls Close when ctx has ended.
func New[T any](ctx context.Context, buffer int) *Outlet[T] {
	return &Outlet[T]{ctx: ctx, ch: make(chan T, buffer)}
}

// C is the receiving side.
func (o *Outlet[T]) C() <-chan T { return o.ch }

// Send waits for room; it says false when the outlet ended first.
func (o *Outlet[T]) Send(value T) bool {
	o.mu.RLock()
	defer o.mu.RUnlock()
	if o.closed || o.ctx.Err() != nil {
		return false
	}
	select {
	case o.ch <- value:
		return true
	case <-o.ctx.Done():
		return false
	}
}

// Close closes the channel once no sender is left. The context must have ended.
func (o *Outlet[T]) Close() {
	o.mu.Lock()
	defer o.mu.Unlock()
	if !o.closed {
		o.closed = true
		close(o.ch)
	}
}
