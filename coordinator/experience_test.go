package coordinator_test

import (
	"context"
	"sync"
	"testing"

	"github.com/crossfold/crossfold/coordinator/workertest"
	pb "github.com/crossfold/crossfold/proto/crossfold/v1"
)

func TestAJobBeginsWithTheTaskSizeThatAnEarlierOneOfItsKindArrivedAt(t *testing.T) {
	var mu sync.Mutex
	first := map[string]int{}
	c := inMemory(t, workertest.Config{Run: func(ctx context.Context, task *pb.Task) ([]*pb.Result, *pb.Fault) {
		mu.Lock()
		if _, known := first[task.GetJobId()]; !known {
			first[task.GetJobId()] = len(task.GetFits())
		}
		mu.Unlock()
		return workertest.Succeed(ctx, task)
	}})
	data := dataset(t, c, 20, "")
	sizeOfFirst := func(name string) int {
		spec := search(data, 50, 2)
		spec.Name = name
		id := submit(t, c, spec)
		if _, err := c.Wait(bounded(t), id); err != nil {
			t.Fatal(err)
		}
		mu.Lock()
		defer mu.Unlock()
		return first[id]
	}
	if n := sizeOfFirst("a"); n != 1 {
		t.Errorf("%d fits in the first task of all, want 1", n)
	}
	if n := sizeOfFirst("b"); n != 1 {
		t.Errorf("%d fits in the first task of another kind, want 1", n)
	}
	if n := sizeOfFirst("a"); n < 8 {
		t.Errorf("%d fits in the first task of a kind that is known to be quick, want 8 or more", n)
	}
}
