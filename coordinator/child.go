package coordinator

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"sync"
	"time"
)

const (
	// childRestarts is how often a worker process that died is started again.
	childRestarts = 3
	// childPause is between its death and the next start.
	childPause = time.Second
	// childPatience is how long it may take to end before it is killed.
	childPatience = 5 * time.Second
)

// child is the coordinator's own worker as a process of the crossfold binary. It ends with the
// coordinator: its standard input is a pipe whose end of file tells it, and the kernel signals it
// when this process dies.
type child struct {
	binary string
	args   []string
	logger *slog.Logger
	// failed is told why there will be no worker any more.
	failed func(reason string)

	ctx    context.Context
	cancel context.CancelFunc
	done   chan struct{}
}

// startChild is the SidecarFunc that is used when there is none.
func (c *Coordinator) startChild(_ context.Context, config SidecarConfig) (Sidecar, error) {
	binary, err := findBinary(c.config.Binary)
	if err != nil {
		return nil, err
	}
	w := &child{
		binary: binary,
		args: []string{"worker", "--dir", c.dir, "--slots", strconv.Itoa(config.Slots),
			"--python", config.Python, "--exit-on-stdin-eof"},
		logger: config.Logger, failed: c.workerFailed, done: make(chan struct{}),
	}
	w.ctx, w.cancel = context.WithCancel(context.Background())
	go w.keepRunning()
	return w, nil
}

// keepRunning runs the process until Close, again if it died.
func (w *child) keepRunning() {
	defer close(w.done)
	// The kernel's signal comes when the thread that started the process ends, so it must not.
	runtime.LockOSThread()
	for restarts := 0; ; restarts++ {
		err := w.runOnce()
		if w.ctx.Err() != nil {
			return
		}
		w.logger.Error("coordinator: the worker process ended", "binary", w.binary, "error", err)
		if restarts == childRestarts {
			w.failed(fmt.Sprintf("%s %s ended %d times; the last: %s", w.binary, w.args[0], restarts+1, err))
			return
		}
		select {
		case <-time.After(childPause):
		case <-w.ctx.Done():
			return
		}
	}
}

func (w *child) runOnce() error {
	cmd := exec.Command(w.binary, w.args...)
	cmd.SysProcAttr = childAttributes()
	stdin, err := cmd.StdinPipe()
	if err != nil {
		return err
	}
	reader, writer := io.Pipe()
	cmd.Stderr = writer
	tail := make(chan string, 1)
	go func() { tail <- w.logLines(reader) }()
	if err := cmd.Start(); err != nil {
		return errors.Join(err, writer.Close())
	}
	ended := make(chan struct{})
	var watching sync.WaitGroup
	watching.Go(func() {
		select {
		case <-ended:
			return
		case <-w.ctx.Done():
		}
		_ = stdin.Close() // tells it to end
		select {
		case <-ended:
		case <-time.After(childPatience):
			_ = cmd.Process.Kill() // fails only when it has ended
		}
	})
	err = cmd.Wait()
	close(ended)
	watching.Wait()
	_ = writer.Close()
	if last := <-tail; last != "" {
		return fmt.Errorf("%w: %s", err, last)
	}
	if err == nil {
		return errors.New("exit status 0")
	}
	return err
}

// logLines passes the process's messages on and returns the last one.
func (w *child) logLines(from io.Reader) (last string) {
	lines := bufio.NewScanner(from)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		last = lines.Text()
		w.logger.Info("worker: " + last)
	}
	_, _ = io.Copy(io.Discard, from) // a line that was too long must not block the process
	return last
}

// Close ends the process and waits for it.
func (w *child) Close() error {
	w.cancel()
	<-w.done
	return nil
}

// findBinary looks for the crossfold binary where Config.Binary says.
func findBinary(configured string) (string, error) {
	for _, named := range []struct{ from, path string }{
		{"Config.Binary", configured}, {"$CROSSFOLD_BINARY", os.Getenv("CROSSFOLD_BINARY")},
	} {
		if named.path == "" {
			continue
		}
		if path, err := exec.LookPath(named.path); err == nil {
			return filepath.Abs(path)
		}
		return "", fmt.Errorf("%s names %q, which is no executable: correct it", named.from, named.path)
	}
	if self, err := os.Executable(); err == nil && filepath.Base(self) == "crossfold" {
		return self, nil
	}
	if path := moduleBinary(); path != "" {
		return path, nil
	}
	if path, err := exec.LookPath("crossfold"); err == nil {
		return filepath.Abs(path)
	}
	return "", errors.New("no crossfold binary found: build one with `go build -o bin/crossfold ./cmd/crossfold` " +
		"or `pip install crossfold`, then set Config.Binary or $CROSSFOLD_BINARY, or put it on PATH")
}

// moduleBinary is bin/crossfold beside the nearest go.mod above the working folder; empty if none.
func moduleBinary() string {
	dir, err := os.Getwd()
	if err != nil {
		return ""
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			path, err := exec.LookPath(filepath.Join(dir, "bin", "crossfold"))
			if err != nil {
				return ""
			}
			return path
		}
		parent := filepath.Dir(dir)
		if parent == dir {
			return ""
		}
		dir = parent
	}
}
