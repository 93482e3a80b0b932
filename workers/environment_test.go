package workers_test

import (
	"context"
	"log/slog"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/crossfold/crossfold/bridge/process/processtest"
	pb "github.com/crossfold/crossfold/proto/crossfold/v1"
	"github.com/crossfold/crossfold/workers"
)

// lines passes on what is logged.
type lines chan string

func (l lines) Write(line []byte) (int, error) {
	l <- string(line)
	return len(line), nil
}

func TestATaskOfAnotherEnvironmentIsGivenBack(t *testing.T) {
	b := newBench(t)
	log := make(lines, 100)
	worker, err := workers.Start(t.Context(), workers.Config{
		Queue: b.queue, Store: b.store, Slots: 1, Python: processtest.Python(), Env: processtest.Env(),
		Logger: slog.New(slog.NewTextHandler(log, &slog.HandlerOptions{Level: slog.LevelWarn})),
	})
	if err != nil {
		t.Fatal(err)
	}
	defer worker.Close()
	task := calls("t1", "1")
	task.Environment = &pb.Environment{Packages: map[string]string{"numpy": "0.0.1"}}
	b.publish(task)
	select {
	case line := <-log:
		if !strings.Contains(line, "package=numpy wanted=0.0.1 found=2") {
			t.Errorf("log = %q, want both versions", line)
		}
	case <-time.After(wait):
		t.Fatal("nothing was logged")
	}
	source, err := b.queue.Tasks(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer source.Close()
	ctx, cancel := context.WithTimeout(t.Context(), wait)
	defer cancel()
	if delivery, err := source.Fetch(ctx); err != nil || delivery.Task().GetId() != "t1" {
		t.Errorf("fetch = %v, %v; want the task", delivery, err)
	}
}

func TestAWorkerWhosePythonCannotStartTellsTheCoordinator(t *testing.T) {
	b := newBench(t)
	beats, err := b.queue.Heartbeats(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	worker, err := workers.Start(t.Context(), workers.Config{
		Queue: b.queue, Store: b.store, Slots: 1, Python: filepath.Join(t.TempDir(), "python9"), ID: "w1",
	})
	if err != nil {
		t.Fatal(err)
	}
	defer worker.Close()
	select {
	case info := <-beats:
		if info.GetId() != "w1" || !strings.Contains(info.GetRefused(), "python9") || info.GetEnvironment() != nil {
			t.Errorf("heartbeat = %v, want it to name the interpreter", info)
		}
	case <-time.After(wait):
		t.Fatal("no heartbeat")
	}
}
