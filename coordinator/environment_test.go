package coordinator_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc/codes"

	"github.com/crossfold/crossfold/coordinator"
	"github.com/crossfold/crossfold/coordinator/queue/memory"
	pb "github.com/crossfold/crossfold/proto/crossfold/v1"
)

func having(numpy string) *pb.Environment {
	return &pb.Environment{Python: "3.11.7", Packages: map[string]string{"numpy": numpy}}
}

// beats sends heartbeats of a worker until stop is called, and returns when the coordinator lists it.
func beats(t *testing.T, c *coordinator.Coordinator, q *memory.Queue, info *pb.WorkerInfo) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		for q.Heartbeat(ctx, info) == nil {
			select {
			case <-ctx.Done():
				return
			case <-time.After(20 * time.Millisecond):
			}
		}
	}()
	listed(t, c, info.GetId(), true)
	return func() { cancel(); <-done }
}

// listed waits until a worker is listed, or is not, and returns it.
func listed(t *testing.T, c *coordinator.Coordinator, id string, want bool) *pb.WorkerInfo {
	t.Helper()
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); time.Sleep(5 * time.Millisecond) {
		var found *pb.WorkerInfo
		for _, info := range c.Stats().GetWorkers() {
			if info.GetId() == id {
				found = info
			}
		}
		if (found != nil) == want {
			return found
		}
	}
	t.Fatalf("worker %s: listed is not %v", id, want)
	return nil
}

func TestAWorkerThatDiffersFromTheFirstIsListedAndGetsNothing(t *testing.T) {
	q := memory.New(memory.Config{})
	c, err := coordinator.OpenImpatient(bounded(t), coordinator.Config{Queue: q, Sidecar: noWorker, Logger: quiet()},
		time.Second, 5*time.Second)
	if err != nil {
		t.Fatal(err)
	}
	defer closeIt(t, c)
	leave := beats(t, c, q, &pb.WorkerInfo{Id: "b-first", Slots: 2, Environment: having("2.4.6")})
	defer beats(t, c, q, &pb.WorkerInfo{Id: "a-later", Slots: 4, Environment: having("2.3.0")})()

	refused := listed(t, c, "a-later", true).GetRefused()
	for _, text := range []string{"numpy 2.3.0", "numpy 2.4.6", "--python"} {
		if !strings.Contains(refused, text) {
			t.Errorf("refused = %q, want it to name %q", refused, text)
		}
	}
	hello, err := c.Hello(bounded(t), &pb.HelloRequest{Environment: having("2.4.6")})
	if err != nil || hello.GetWorkers() != 1 || hello.GetSlots() != 2 {
		t.Errorf("Hello = %v, %v; want the first worker's two slots", hello, err)
	}
	_, err = c.Hello(bounded(t), &pb.HelloRequest{Environment: having("2.3.0")})
	wantError(t, err, codes.FailedPrecondition, "numpy 2.3.0", "numpy 2.4.6", "b-first")

	// A job of the first worker's environment does not go on with another one.
	spec := search(dataset(t, c, 20, ""), 1, 2)
	spec.Environment = having("2.4.6")
	id := submit(t, c, spec)
	leave()
	listed(t, c, "b-first", false)
	if refused := listed(t, c, "a-later", true).GetRefused(); refused != "" {
		t.Errorf("the only worker is refused: %s", refused)
	}
	_, err = c.Wait(bounded(t), id)
	wantError(t, err, codes.FailedPrecondition, "numpy 2.4.6", "numpy 2.3.0", "a-later")
}

func TestAWorkerWithoutPythonSaysWhy(t *testing.T) {
	q := memory.New(memory.Config{})
	c, err := coordinator.OpenImpatient(bounded(t), coordinator.Config{Queue: q, Sidecar: noWorker, Logger: quiet()},
		time.Second, time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	defer closeIt(t, c)
	reason := "its Python can't be started: /opt/py can't import crossfold"
	stop := beats(t, c, q, &pb.WorkerInfo{Id: "w1", Host: "h1", Slots: 2, Refused: reason})

	_, err = c.Hello(bounded(t), &pb.HelloRequest{Environment: having("2.4.6")})
	wantError(t, err, codes.Unavailable, "w1", "h1", reason)

	// Beside one that works it is only listed.
	defer beats(t, c, q, &pb.WorkerInfo{Id: "w2", Slots: 3, Environment: having("2.4.6")})()
	hello, err := c.Hello(bounded(t), &pb.HelloRequest{Environment: having("2.4.6")})
	if err != nil || hello.GetWorkers() != 1 || hello.GetSlots() != 3 {
		t.Errorf("Hello = %v, %v; want the three slots of w2", hello, err)
	}
	if refused := listed(t, c, "w1", true).GetRefused(); refused != reason {
		t.Errorf("w1 is refused for %q, want %q", refused, reason)
	}
	stop()
	defer beats(t, c, q, &pb.WorkerInfo{Id: "w1", Host: "h1", Slots: 2, Environment: having("2.4.6")})()
	for deadline := time.Now().Add(patience); listed(t, c, "w1", true).GetRefused() != ""; time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("w1 is still refused")
		}
	}
	if hello, err = c.Hello(bounded(t), &pb.HelloRequest{Environment: having("2.4.6")}); err != nil || hello.GetSlots() != 5 {
		t.Errorf("Hello = %v, %v; want five slots", hello, err)
	}
}
