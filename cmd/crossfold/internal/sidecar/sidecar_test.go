package sidecar

import (
	"context"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/crossfold/crossfold/cmd/crossfold/internal/client"
	"github.com/crossfold/crossfold/cmd/crossfold/internal/daemon"
	pb "github.com/crossfold/crossfold/proto/crossfold/v1"
)

// patience bounds every wait of these tests.
const patience = time.Minute

var discard = slog.New(slog.DiscardHandler)

func python(t *testing.T) string {
	t.Helper()
	if named := os.Getenv("CROSSFOLD_PYTHON"); named != "" {
		return named
	}
	path, err := filepath.Abs("../../../../.venv/bin/python")
	if err != nil {
		t.Fatal(err)
	}
	return path
}

func TestAWorkerJoinsAClusterAndEndsWithItsInput(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	dir, err := os.MkdirTemp("", "cf-")
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(dir)
	cluster, err := daemon.Start(ctx, daemon.Config{Dir: dir, Version: "test", Logger: discard})
	if err != nil {
		t.Fatal(err)
	}
	defer cluster.Close()

	input, keep := io.Pipe()
	ended := make(chan error, 1)
	go func() {
		ended <- Run(ctx, Config{Dir: dir, Python: python(t), Slots: 3, Until: input, Logger: discard})
	}()
	c, err := client.Dial(cluster.URL())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	// Hello waits until a worker has reported.
	hello, err := c.Jobs.Hello(ctx, &pb.HelloRequest{})
	if err != nil || hello.GetWorkers() != 1 || hello.GetSlots() != 3 {
		t.Errorf("%v, %v; want one worker with 3 slots", hello, err)
	}
	if err := keep.Close(); err != nil {
		t.Fatal(err)
	}
	select {
	case err := <-ended:
		if err != nil {
			t.Error(err)
		}
	case <-ctx.Done():
		t.Fatal("the worker did not end with its input")
	}
}

func TestAWorkerWithoutACluster(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	err := Run(ctx, Config{Dir: t.TempDir(), Python: "python3", Logger: discard})
	if err == nil || ctx.Err() != nil || !strings.Contains(err.Error(), "check that the coordinator runs") {
		t.Errorf("got %v", err)
	}
}
