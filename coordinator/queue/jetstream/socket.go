package jetstream

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"

	"github.com/crossfold/crossfold/coordinator/queue"
)

// ServeSocket opens the embedded server to other processes of this user through a Unix socket. It
// returns when the socket accepts; serving ends with ctx or with the queue.
func (q *Queue) ServeSocket(ctx context.Context, path string) error {
	if q.server == nil {
		return fmt.Errorf("jetstream: no embedded server to open at %s: it needs Config.Dir", path)
	}
	if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("jetstream: removing the old socket: %w", err)
	}
	listener, err := net.Listen("unix", path)
	if err != nil {
		return fmt.Errorf("jetstream: opening socket %s: %w", path, err)
	}
	if err := os.Chmod(path, 0o600); err != nil {
		return errors.Join(fmt.Errorf("jetstream: protecting the socket: %w", err), listener.Close())
	}
	if !q.start() {
		return errors.Join(queue.ErrClosed, listener.Close())
	}
	ctx, cancel := q.within(ctx)
	context.AfterFunc(ctx, func() { _ = listener.Close() }) // also removes the file
	go func() {
		defer q.running.Done()
		defer cancel()
		q.accept(ctx, listener)
	}()
	return nil
}

func (q *Queue) accept(ctx context.Context, listener net.Listener) {
	for {
		conn, err := listener.Accept()
		if err != nil {
			if ctx.Err() == nil {
				q.logger.Error("queue: the NATS socket is closed: workers of other processes can't connect",
					"error", err)
			}
			return
		}
		inner, err := q.server.InProcessConn()
		if err != nil || !q.start() {
			_ = conn.Close()
			continue
		}
		go func() {
			defer q.running.Done()
			splice(ctx, conn, inner)
		}()
	}
}

// splice copies both ways until one side or ctx ends.
func splice(ctx context.Context, a, b net.Conn) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	closed := make(chan struct{})
	context.AfterFunc(ctx, func() {
		defer close(closed)
		_, _ = a.Close(), b.Close() // ends both copies
	})
	go func() {
		defer cancel()
		_, _ = io.Copy(b, a) // an error means that a side is gone: that ends the pair
	}()
	_, _ = io.Copy(a, b)
	cancel()
	<-closed
}
