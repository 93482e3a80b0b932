package memory

import (
	"context"
	"sync"

	"github.com/crossfold/crossfold/coordinator/internal/outlet"
)

// broadcast sends every value to all who listen at that moment.
type broadcast[T any] struct {
	mu    sync.Mutex
	boxes map[*outlet.Mailbox[T]]struct{}
}

func (b *broadcast[T]) send(value T) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for box := range b.boxes {
		box.Put(value)
	}
}

func (b *broadcast[T]) add(box *outlet.Mailbox[T]) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.boxes == nil {
		b.boxes = map[*outlet.Mailbox[T]]struct{}{}
	}
	b.boxes[box] = struct{}{}
}

func (b *broadcast[T]) remove(box *outlet.Mailbox[T]) {
	b.mu.Lock()
	defer b.mu.Unlock()
	delete(b.boxes, box)
}

// subscribe listens to a broadcast until ctx ends or the queue is closed.
func subscribe[T any](q *Queue, ctx context.Context, from *broadcast[T]) (<-chan T, error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if err := q.open(ctx); err != nil {
		return nil, err
	}
	box := outlet.NewMailbox[T]()
	from.add(box)
	ctx, out := attach[T](q, ctx)
	go func() {
		defer q.running.Done()
		defer out.Close()
		defer from.remove(box)
		pump(ctx, box, out)
	}()
	return out.C(), nil
}

// attach makes an outlet that ends with ctx and with the queue. The caller holds q.mu, so that
// Close waits for the goroutine counted here.
func attach[T any](q *Queue, ctx context.Context) (context.Context, *outlet.Outlet[T]) {
	q.running.Add(1)
	ctx, cancel := context.WithCancel(ctx)
	stop := context.AfterFunc(q.ctx, cancel)
	context.AfterFunc(ctx, func() { stop() })
	return ctx, outlet.New[T](ctx, 0)
}

// pump moves a mailbox's items to an outlet; it returns what was taken and not delivered.
func pump[T any](ctx context.Context, box *outlet.Mailbox[T], out *outlet.Outlet[T]) []T {
	for {
		items := box.Take(ctx)
		if items == nil {
			return nil
		}
		for i, item := range items {
			if !out.Send(item) {
				return items[i:]
			}
		}
	}
}
