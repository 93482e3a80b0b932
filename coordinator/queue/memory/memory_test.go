package memory_test

import (
	"testing"

	"github.com/crossfold/crossfold/coordinator/queue"
	"github.com/crossfold/crossfold/coordinator/queue/memory"
	"github.com/crossfold/crossfold/coordinator/queue/queuetest"
)

func TestConformance(t *testing.T) {
	queuetest.Run(t, queuetest.Options{
		Open: func(*testing.T) queue.Queue { return memory.New(memory.Config{Lease: queuetest.Lease}) },
	})
}
