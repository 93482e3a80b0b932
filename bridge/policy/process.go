package policy

import (
	"io"
	"os"
	"os/exec"
	"strings"
	"sync"
)

// child is the parent's side of a policy's process.
type child struct {
	cmd    *exec.Cmd
	in     io.WriteCloser
	out    io.ReadCloser
	errors *tail
	reaped sync.Once
}

// spawn starts a process with nothing but its three streams.
func spawn(command []string) (*child, error) {
	c := &child{cmd: exec.Command(command[0], command[1:]...), errors: &tail{}}
	c.cmd.Env = []string{}
	c.cmd.Dir = os.TempDir()
	c.cmd.Stderr = c.errors
	isolate(c.cmd)
	var err error
	if c.in, err = c.cmd.StdinPipe(); err != nil {
		return nil, err
	}
	if c.out, err = c.cmd.StdoutPipe(); err != nil {
		return nil, err
	}
	if err := c.cmd.Start(); err != nil {
		return nil, err
	}
	return c, nil
}

func (c *child) exchange(r request) (response, error) {
	var reply response
	if err := writeFrame(c.in, r); err != nil {
		return reply, err
	}
	return reply, readFrame(c.out, &reply)
}

// stop makes a running exchange fail; the process is reaped by kill.
func (c *child) stop() { _ = c.cmd.Process.Kill() }

func (c *child) kill() {
	c.reaped.Do(func() {
		_ = c.in.Close()
		c.stop()
		_ = c.cmd.Wait()
	})
}

// lastWords is the first line that a dead child wrote to its standard error.
func (c *child) lastWords() string {
	c.kill()
	first, _, _ := strings.Cut(strings.TrimSpace(c.errors.String()), "\n")
	if first == "" {
		return c.cmd.ProcessState.String()
	}
	return first
}

// tail keeps the start of what is written: a dying Go process says why on its first line.
type tail struct {
	mu   sync.Mutex
	text strings.Builder
}

func (t *tail) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	const most = 4096
	t.text.Write(p[:min(len(p), most-min(most, t.text.Len()))])
	return len(p), nil
}

func (t *tail) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.text.String()
}
