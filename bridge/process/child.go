package process

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"strings"
	"sync"
	"syscall"
	"time"

	pb "github.com/crossfold/crossfold/proto/crossfold/v1"
)

// lastWordsTimeout bounds the wait for what a dead process wrote before it died.
const lastWordsTimeout = time.Second

// ExitError says that a child ended before its task did.
type ExitError struct {
	PID int
	// Status is the exit status, or minus the signal that ended it; nil when its zygote died.
	Status *int32
	// Running is the index of the fit or call that ran; nil when none had started.
	Running *uint32
	// Log holds the last lines that the process and its libraries wrote to its descriptors 1 and 2.
	Log string
}

func (e *ExitError) Error() string {
	var text strings.Builder
	switch {
	case e.Status == nil:
		text.WriteString("process ended with its zygote")
	case *e.Status < 0:
		signal := syscall.Signal(-*e.Status)
		fmt.Fprintf(&text, "killed by signal %d (%v)", int(signal), signal)
	default:
		fmt.Fprintf(&text, "exit status %d", *e.Status)
	}
	if e.Log != "" {
		fmt.Fprintf(&text, "; its last words:\n%s", e.Log)
	}
	return text.String()
}

// Child is one forked Python process. Run serves one caller at a time; Kill and Close may be called
// at any time.
type Child struct {
	zygote *Zygote
	id     uint64
	conn   *net.UnixConn
	reader *bufio.Reader
	frames *frameReader
	log    *tail
	page   page

	// forked is closed when the zygote has answered, exited when the process has ended.
	forked, exited chan struct{}
	forkErr        error

	mu       sync.Mutex
	pid      int
	ended    bool
	status   *int32
	released bool
}

// newChild makes Go's side of a child and the three descriptors of Python's side.
func newChild(z *Zygote, id uint64) (*Child, []*os.File, error) {
	conn, socket, err := socketPair()
	if err != nil {
		return nil, nil, err
	}
	log, logEnd, err := os.Pipe()
	if err != nil {
		conn.Close()
		socket.Close()
		return nil, nil, fmt.Errorf("create log pipe: %w", err)
	}
	page, memory, err := newPage()
	if err != nil {
		conn.Close()
		closeAll([]*os.File{socket, log, logEnd})
		return nil, nil, err
	}
	child := &Child{
		zygote: z, id: id, conn: conn, log: drain(log), page: page,
		forked: make(chan struct{}), exited: make(chan struct{}),
	}
	child.reader = bufio.NewReaderSize(&stream{sent: conn, unsent: child.unsent}, 64<<10)
	child.frames = &frameReader{r: child.reader}
	return child, []*os.File{socket, logEnd, memory}, nil
}

func (c *Child) awaitReady(ctx context.Context) error {
	select {
	case <-c.forked:
	case <-c.zygote.done:
		return fmt.Errorf("process: fork: %w", ErrZygoteDead)
	case <-ctx.Done():
		// A child that is forked after all finds its socket closed and ends.
		return fmt.Errorf("process: fork: %w", ctx.Err())
	}
	if c.forkErr != nil {
		return c.forkErr
	}
	stop := context.AfterFunc(ctx, func() { _ = c.conn.SetReadDeadline(time.Unix(1, 0)) })
	defer stop()
	var message pb.FromChild
	if err := c.frames.message(&message); err != nil {
		var exit *ExitError
		switch {
		case ctx.Err() != nil:
			err = ctx.Err()
		case errors.As(c.explain(err), &exit) && exit.Status == nil:
			err = ErrZygoteDead
		case exit != nil:
			err = exit
		}
		return errors.Join(fmt.Errorf("process: start child %d: %w", c.PID(), err), c.Kill())
	}
	return nil
}

func (c *Child) onForked(forked *pb.Forked) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if forked.Error != "" {
		c.forkErr = fmt.Errorf("process: fork: %s; free some memory or processes", forked.Error)
	}
	c.pid = int(forked.Pid)
	close(c.forked)
}

// onExit records the end of the process; status is nil when nobody knows it.
func (c *Child) onExit(status *int32) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.ended {
		return
	}
	c.ended, c.status = true, status
	close(c.exited)
	// A process it left behind may hold its socket open: a reader must not wait for that one.
	_ = c.conn.SetReadDeadline(time.Now().Add(lastWordsTimeout))
}

// PID is the child's process id, and that of its process group.
func (c *Child) PID() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.pid
}

// Done is closed when the process has ended.
func (c *Child) Done() <-chan struct{} { return c.exited }

// Run hands a task to the child and gives each message to emit, in order, until Done, which is the
// last one given; more says that further messages have arrived already. A message belongs to emit.
//
// When ctx ends or emit fails, the child is killed and Run returns that error. When the child ends
// by itself, Run returns an ExitError. After an error the child is of no use but to Close.
func (c *Child) Run(ctx context.Context, run *pb.Run, emit func(message *pb.FromChild, more bool) error) error {
	stop := context.AfterFunc(ctx, func() {
		c.signal()
		_ = c.conn.SetDeadline(time.Now().Add(exitTimeout))
	})
	err := c.exchange(run, emit)
	if killed := !stop(); killed {
		return errors.Join(context.Cause(ctx), c.Kill())
	}
	return err
}

func (c *Child) exchange(run *pb.Run, emit func(message *pb.FromChild, more bool) error) error {
	frame, err := appendFrame(nil, &pb.ToChild{Kind: &pb.ToChild_Run{Run: run}})
	if err != nil {
		return errors.Join(err, c.Kill())
	}
	if _, err := c.conn.Write(frame); err != nil {
		return c.explain(err)
	}
	for {
		message := new(pb.FromChild)
		if err := c.frames.message(message); err != nil {
			return c.explain(err)
		}
		if err := emit(message, c.reader.Buffered() > 0); err != nil {
			return errors.Join(err, c.Kill())
		}
		if message.GetDone() != nil {
			return nil
		}
	}
}

// unsent returns what a child whose stream ended with cause had not sent of it, once it is dead.
func (c *Child) unsent(received uint64, cause error) []byte {
	// After a deadline nobody wants to read on, or the child is dead and others hold its socket.
	if !errors.Is(cause, os.ErrDeadlineExceeded) {
		select {
		case <-c.exited:
		case <-time.After(lastWordsTimeout): // it has closed its socket: explain ends it
		}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.ended || c.released {
		return nil
	}
	return c.page.unsent(received)
}

// explain turns the end of the conversation into an ExitError; what is left of the child is killed.
func (c *Child) explain(cause error) error {
	select {
	case <-c.exited:
	case <-time.After(lastWordsTimeout):
		if err := c.Kill(); err != nil {
			return errors.Join(cause, err)
		}
	}
	c.log.wait(lastWordsTimeout)
	c.mu.Lock()
	defer c.mu.Unlock()
	exit := &ExitError{PID: c.pid, Status: c.status, Log: c.log.lastLines()}
	if !c.released {
		exit.Running = c.page.running()
	}
	return exit
}

// signal sends SIGKILL to the process group.
func (c *Child) signal() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.ended || c.pid == 0 {
		return
	}
	_ = syscall.Kill(-c.pid, syscall.SIGKILL)
	_ = syscall.Kill(c.pid, syscall.SIGKILL) // a newborn does not lead its group yet
}

// Kill kills the child and every process of its group, and waits until the zygote has reaped it,
// at most 3 s.
func (c *Child) Kill() error {
	c.signal()
	select {
	case <-c.exited:
		return nil
	case <-time.After(exitTimeout):
		return fmt.Errorf("process: child %d did not end within %v of SIGKILL", c.PID(), exitTimeout)
	}
}

// Close ends the child, if need be by force, and frees what Go holds for it. It is idempotent.
func (c *Child) Close() error {
	_ = c.conn.Close() // an idle child goes by itself
	select {
	case <-c.exited:
	case <-time.After(lastWordsTimeout):
	}
	err := c.Kill()
	c.release()
	return err
}

func (c *Child) release() {
	c.zygote.forget(c.id)
	_ = c.conn.Close()
	c.log.close()
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.released {
		c.released = true
		c.page.close()
	}
}

// socketPair returns a connected pair: Go's end, and the end to hand to a Python process.
func socketPair() (*net.UnixConn, *os.File, error) {
	fds, err := syscall.Socketpair(syscall.AF_UNIX, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, nil, fmt.Errorf("create socket pair: %w", err)
	}
	mine, theirs := os.NewFile(uintptr(fds[0]), "bridge"), os.NewFile(uintptr(fds[1]), "bridge-peer")
	defer mine.Close()
	conn, err := net.FileConn(mine)
	if err != nil {
		theirs.Close()
		return nil, nil, fmt.Errorf("use socket pair: %w", err)
	}
	return conn.(*net.UnixConn), theirs, nil
}

func closeAll(files []*os.File) {
	for _, file := range files {
		_ = file.Close()
	}
}
