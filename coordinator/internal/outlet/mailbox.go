package outlet

import (
	"context"
	"sync"
)

// Mailbox is a queue without a bound: Put never waits, so a slow receiver can't stall a sender.
type Mailbox[T any] struct {
	mu     sync.Mutex
	items  []T
	signal chan struct{}
}

// NewMailbox returns an empty mailbox.
func NewMailbox[T any]() *Mailbox[T] {
	return &Mailbox[T]{signal: make(chan struct{}, 1)}
}

// Put appends values.
func (m *Mailbox[T]) Put(values ...T) {
	m.mu.Lock()
	m.items = append(m.items, values...)
	m.mu.Unlock()
	select {
	case m.signal <- struct{}{}:
	default:
	}
}

// Take waits until there is something and returns all of it; nil when ctx ended first.
func (m *Mailbox[T]) Take(ctx context.Context) []T {
	for {
		if items := m.Drain(); len(items) > 0 {
			return items
		}
		select {
		case <-m.signal:
		case <-ctx.Done():
			return nil
		}
	}
}

// Drain returns what is there without waiting.
func (m *Mailbox[T]) Drain() []T {
	m.mu.Lock()
	defer m.mu.Unlock()
	items := m.items
	m.items = nil
	return items
}
