package workers_test

import (
	"context"
	"errors"
	"sync"
	"testing"

	"github.com/crossfold/crossfold/bridge/process/processtest"
	"github.com/crossfold/crossfold/workers"
)

// sent remembers what a worker sent; the first try fails.
type sent struct {
	mu    sync.Mutex
	tries []string
}

func (s *sent) send(_ context.Context, id string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.tries = append(s.tries, id)
	if len(s.tries) == 1 {
		return errors.New("nobody is there")
	}
	return nil
}

func TestLargeResultsAreSentBeforeTheyAreReported(t *testing.T) {
	b, s := newBench(t), &sent{}
	worker, err := workers.Start(t.Context(), workers.Config{
		Queue: b.queue, Store: b.store, Sender: s.send, Slots: 1,
		Python: processtest.Python(), Env: processtest.Env(), ID: "w1",
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = worker.Close() })
	b.publish(calls("t1", "b'x' * 100000", "b'y'"))
	id := b.results(2)[0].GetValue().GetBlobId()
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.tries) != 2 || id == "" || s.tries[0] != id || s.tries[1] != id {
		t.Errorf("sent %q, want the object %q twice: the first try failed", s.tries, id)
	}
}
