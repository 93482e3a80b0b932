package process

import (
	"io"
	"os"
	"strings"
	"sync"
	"time"
)

// tailSize is how much of a process's log is kept.
const tailSize = 16 << 10

// tailLines is how many lines of it are shown in an error.
const tailLines = 20

// tail drains a log and keeps its end.
type tail struct {
	file *os.File
	done chan struct{}

	mu   sync.Mutex
	kept []byte
}

// drain reads a log in a goroutine of its own until it ends or close is called.
func drain(log *os.File) *tail {
	t := &tail{file: log, done: make(chan struct{})}
	go func() {
		defer close(t.done)
		_, _ = io.Copy(t, log)
	}()
	return t
}

// wait gives what the process wrote last some time to arrive. The log of a process that left
// others behind does not end.
func (t *tail) wait(limit time.Duration) {
	select {
	case <-t.done:
	case <-time.After(limit):
	}
}

func (t *tail) close() {
	_ = t.file.Close()
	<-t.done
}

// Write keeps the end of what was written.
func (t *tail) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.kept = append(t.kept, p[max(0, len(p)-tailSize):]...)
	if extra := len(t.kept) - tailSize; extra > 0 {
		t.kept = append(t.kept[:0], t.kept[extra:]...)
	}
	return len(p), nil
}

// lastLines returns the last lines of the log.
func (t *tail) lastLines() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	lines := strings.Split(strings.TrimSpace(strings.ToValidUTF8(string(t.kept), "�")), "\n")
	return strings.Join(lines[max(0, len(lines)-tailLines):], "\n")
}
