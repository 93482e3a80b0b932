package process

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"os/exec"
	"sync"
	"syscall"
	"time"

	pb "github.com/crossfold/crossfold/proto/crossfold/v1"
)

const (
	// protocol is the version of the frames.
	protocol = 1
	// readyTimeout bounds the imports of a zygote.
	readyTimeout = 90 * time.Second
	// forkTimeout bounds a Fork, the imports it asks for included.
	forkTimeout = 120 * time.Second
	// exitTimeout bounds how long an end that was asked for may take.
	exitTimeout = 3 * time.Second
)

// ErrZygoteDead is returned by Fork, and is the cause of a child's end, when the zygote is gone.
var ErrZygoteDead = errors.New("the zygote is gone")

// Config says how to start a zygote.
type Config struct {
	// Python is the interpreter; default "python3".
	Python string
	// StoreDir is the folder of the store.
	StoreDir string
	// Env is added to this process's environment.
	Env []string
	// Logger hears of starts and ends; default none.
	Logger *slog.Logger
}

// Zygote is a Python process that has imported and forks children. Its methods are safe for
// concurrent use.
type Zygote struct {
	cfg  Config
	proc *zygoteProcess
	conn *net.UnixConn
	env  *pb.Environment

	// forking is held from sending a Fork until its answer: the zygote reads one frame at a time.
	forking chan struct{}
	// done is closed when the zygote and all its children have ended.
	done chan struct{}

	mu       sync.Mutex
	lastID   uint64
	children map[uint64]*Child
}

// StartZygote starts a zygote and waits, at most 90 s, until it has imported.
func StartZygote(ctx context.Context, cfg Config) (*Zygote, error) {
	if cfg.Python == "" {
		cfg.Python = "python3"
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	conn, theirs, err := socketPair()
	if err != nil {
		return nil, fmt.Errorf("process: connect zygote: %w", err)
	}
	proc, err := startProcess(cfg, theirs)
	theirs.Close()
	if err != nil {
		conn.Close()
		return nil, err
	}
	started := time.Now()
	z := &Zygote{
		cfg: cfg, proc: proc, conn: conn,
		forking:  make(chan struct{}, 1),
		done:     make(chan struct{}),
		children: map[uint64]*Child{},
	}
	frames := &frameReader{r: conn}
	if err := z.handshake(ctx, frames); err != nil {
		conn.Close()
		proc.kill()
		<-proc.exited
		proc.log.close()
		return nil, err
	}
	cfg.Logger.Info("zygote ready", "pid", z.PID(), "python", cfg.Python, "seconds", time.Since(started).Seconds())
	go z.listen(frames)
	return z, nil
}

func (z *Zygote) handshake(ctx context.Context, frames *frameReader) error {
	_ = z.conn.SetReadDeadline(time.Now().Add(readyTimeout))
	stop := context.AfterFunc(ctx, func() { _ = z.conn.SetReadDeadline(time.Unix(1, 0)) })
	var message pb.FromZygote
	err := frames.message(&message)
	if !stop() && ctx.Err() != nil {
		return fmt.Errorf("process: start python %q: %w", z.cfg.Python, context.Cause(ctx))
	}
	_ = z.conn.SetReadDeadline(time.Time{})
	if err != nil {
		return z.explainStart(err)
	}
	if got := message.GetReady().GetProtocol(); got != protocol {
		return fmt.Errorf("process: python %q has a crossfold that speaks version %d of the frames, not %d;"+
			" install the release of crossfold that this program comes from", z.cfg.Python, got, protocol)
	}
	z.env = message.GetReady().GetEnvironment()
	return nil
}

// explainStart says why no ZygoteReady came.
func (z *Zygote) explainStart(err error) error {
	if errors.Is(err, os.ErrDeadlineExceeded) {
		return fmt.Errorf("process: python %q did not finish its imports within %v; its last words: %s",
			z.cfg.Python, readyTimeout, z.proc.log.lastLines())
	}
	select {
	case <-z.proc.exited:
	case <-time.After(exitTimeout):
		return fmt.Errorf("process: python %q: handshake: %w", z.cfg.Python, err)
	}
	z.proc.log.wait(exitTimeout)
	return fmt.Errorf("process: python %q can't import crossfold (%s): %s; install it with: %s -m pip install crossfold"+
		" (Python 3.11 or newer)",
		z.cfg.Python, z.proc.status, z.proc.log.lastLines(), z.cfg.Python)
}

// Environment is the interpreter's fingerprint.
func (z *Zygote) Environment() *pb.Environment { return z.env }

// PID is the zygote's process id.
func (z *Zygote) PID() int { return z.proc.pid }

// Done is closed when the zygote has ended, for whatever reason, and its children with it.
func (z *Zygote) Done() <-chan struct{} { return z.done }

// Fork makes a child, after the zygote has imported preload. It returns an error that wraps
// ErrZygoteDead when another zygote is needed.
func (z *Zygote) Fork(ctx context.Context, preload []string) (*Child, error) {
	return z.fork(ctx, &pb.Fork{Preload: preload})
}

// ForkSpare makes a child ahead of need: before it is returned it goes through the motions of a
// first fit.
func (z *Zygote) ForkSpare(ctx context.Context) (*Child, error) {
	return z.fork(ctx, &pb.Fork{Rehearse: true})
}

func (z *Zygote) fork(ctx context.Context, fork *pb.Fork) (*Child, error) {
	ctx, cancel := context.WithTimeout(ctx, forkTimeout)
	defer cancel()
	select {
	case z.forking <- struct{}{}:
	case <-z.done:
		return nil, fmt.Errorf("process: fork: %w", ErrZygoteDead)
	case <-ctx.Done():
		return nil, fmt.Errorf("process: fork: %w", ctx.Err())
	}
	child, err := z.sendFork(fork)
	if err != nil {
		<-z.forking
		return nil, err
	}
	if err := child.awaitReady(ctx); err != nil {
		child.release()
		if errors.Is(err, context.DeadlineExceeded) {
			z.proc.kill() // it hangs: the owner starts another
		}
		return nil, err
	}
	return child, nil
}

func (z *Zygote) sendFork(fork *pb.Fork) (*Child, error) {
	z.mu.Lock()
	z.lastID++
	id := z.lastID
	z.mu.Unlock()
	fork.Id = id
	child, theirs, err := newChild(z, id)
	if err != nil {
		return nil, fmt.Errorf("process: fork: %w", err)
	}
	defer closeAll(theirs)
	frame, err := appendFrame(nil, &pb.ToZygote{Kind: &pb.ToZygote_Fork{Fork: fork}})
	if err != nil {
		child.release()
		return nil, err
	}
	z.mu.Lock()
	z.children[id] = child
	z.mu.Unlock()
	fds := make([]int, len(theirs))
	for i, file := range theirs {
		fds[i] = int(file.Fd())
		// Python expects its descriptors to block; what Go makes may not.
		if err := syscall.SetNonblock(fds[i], false); err != nil {
			child.release()
			return nil, fmt.Errorf("process: fork: prepare descriptor: %w", err)
		}
	}
	if _, _, err := z.conn.WriteMsgUnix(frame, syscall.UnixRights(fds...), nil); err != nil {
		child.release()
		return nil, fmt.Errorf("process: fork: %w: %w", ErrZygoteDead, err)
	}
	return child, nil
}

// listen hands out what the zygote reports, until its end.
func (z *Zygote) listen(frames *frameReader) {
	for {
		var message pb.FromZygote
		if err := frames.message(&message); err != nil {
			z.cfg.Logger.Debug("zygote stopped talking", "pid", z.PID(), "error", err)
			break
		}
		switch kind := message.Kind.(type) {
		case *pb.FromZygote_Forked:
			if child := z.child(kind.Forked.Id); child != nil {
				child.onForked(kind.Forked)
			}
			<-z.forking
		case *pb.FromZygote_Exited:
			if child := z.child(kind.Exited.Id); child != nil {
				child.onExit(&kind.Exited.Status)
			}
		}
	}
	z.bury()
}

// bury ends what is left of the zygote and its children.
func (z *Zygote) bury() {
	select {
	case <-z.proc.exited:
	case <-time.After(exitTimeout):
		z.proc.kill()
		<-z.proc.exited
	}
	z.conn.Close()
	z.proc.log.wait(exitTimeout)
	z.proc.log.close()
	z.mu.Lock()
	children := z.children
	z.children = map[uint64]*Child{}
	z.mu.Unlock()
	for _, child := range children {
		child.signal()
		child.onExit(nil)
	}
	z.cfg.Logger.Info("zygote ended", "pid", z.PID(), "status", z.proc.status, "log", z.proc.log.lastLines())
	close(z.done)
}

func (z *Zygote) child(id uint64) *Child {
	z.mu.Lock()
	defer z.mu.Unlock()
	return z.children[id]
}

func (z *Zygote) forget(id uint64) {
	z.mu.Lock()
	defer z.mu.Unlock()
	delete(z.children, id)
}

// Close kills the children and ends the zygote; no process is left when it returns. It is
// idempotent and takes a few seconds at most.
func (z *Zygote) Close() error {
	z.mu.Lock()
	for _, child := range z.children {
		child.signal()
	}
	z.mu.Unlock()
	// The end of its socket tells the zygote to reap its children and go.
	_ = z.conn.CloseWrite()
	select {
	case <-z.done:
	case <-time.After(exitTimeout):
		z.proc.kill() // it may be busy with an import
		<-z.done
	}
	return nil
}

// zygoteProcess is the operating system's side of a zygote.
type zygoteProcess struct {
	pid    int
	log    *tail
	exited chan struct{}
	// status is how it ended; valid once exited is closed.
	status string
}

func startProcess(cfg Config, socket *os.File) (*zygoteProcess, error) {
	log, logEnd, err := os.Pipe()
	if err != nil {
		return nil, fmt.Errorf("process: create log pipe: %w", err)
	}
	defer logEnd.Close()
	// -P: a file in the working folder must not take the place of a library.
	cmd := exec.Command(cfg.Python, "-P", "-m", "crossfold._runtime", "--fd", "3", "--store", cfg.StoreDir)
	cmd.Env = append(append(os.Environ(), cfg.Env...), environment...)
	cmd.Stdout, cmd.Stderr = logEnd, logEnd
	cmd.ExtraFiles = []*os.File{socket}
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	if err := syscall.SetNonblock(int(logEnd.Fd()), false); err != nil {
		log.Close()
		return nil, fmt.Errorf("process: prepare log pipe: %w", err)
	}
	p := &zygoteProcess{exited: make(chan struct{})}
	if err := p.start(cmd); err != nil {
		log.Close()
		return nil, fmt.Errorf("process: start python %q: %w; name another interpreter", cfg.Python, err)
	}
	p.log = drain(log)
	return p, nil
}

func (p *zygoteProcess) kill() {
	select {
	case <-p.exited:
	default:
		_ = syscall.Kill(-p.pid, syscall.SIGKILL)
	}
}
