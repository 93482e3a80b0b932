// Package daemon runs a cluster of one folder in this process: a coordinator, its gRPC doors and,
// if wanted, a worker.
package daemon

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"os/signal"
	"path/filepath"
	"sync"
	"syscall"
	"time"

	"google.golang.org/grpc"

	"github.com/crossfold/crossfold/cmd/crossfold/internal/client"
	"github.com/crossfold/crossfold/coordinator"
	"github.com/crossfold/crossfold/coordinator/server"
	"github.com/crossfold/crossfold/workers"
)

// ErrLocked says that another process uses the folder.
var ErrLocked = coordinator.ErrLocked

var errQueue = errors.New("the queue ended, as it does when its NATS server was restarted; start the " +
	"coordinator again on the same folder: jobs that were submitted as a whole go on")

// Config says what to run.
type Config struct {
	// Dir is the cluster's folder.
	Dir string
	// Worker runs a worker in this process.
	Worker bool
	// Python runs the worker's fits.
	Python string
	// Slots is how many fits the worker runs at a time; 0 is one a core.
	Slots int
	// NATSURL and NATSCredentials reach an external NATS cluster; empty is a server in this process.
	NATSURL, NATSCredentials string
	// Door is served beside the folder's socket.
	Door    Door
	Version string
	Logger  *slog.Logger
}

// Daemon is a running cluster.
type Daemon struct {
	url string
	// outside is the address of the Door's listener, or "".
	outside     string
	coordinator *coordinator.Coordinator
	servers     []*server.Server
	// failed holds the first error of a server that stopped by itself.
	failed  chan error
	serving sync.WaitGroup
	close   func() error
	// scratch is a folder to remove in Close, or "".
	scratch string
}

// Start brings a cluster up. When it returns, the folder's socket accepts connections.
func Start(ctx context.Context, config Config) (*Daemon, error) { return start(ctx, config, "") }

// StartPrivate brings up a cluster in a temporary folder that Close removes.
func StartPrivate(ctx context.Context, config Config) (*Daemon, error) {
	dir, err := privateFolder()
	if err != nil {
		return nil, err
	}
	config.Dir = dir
	return start(ctx, config, dir)
}

func start(ctx context.Context, config Config, scratch string) (_ *Daemon, err error) {
	d := &Daemon{failed: make(chan error, 2), scratch: scratch}
	d.close = sync.OnceValue(d.shutDown)
	defer func() {
		if err != nil {
			err = errors.Join(err, d.Close())
		}
	}()
	if d.url, err = client.SocketURL(config.Dir); err != nil {
		return nil, err
	}
	// A door that can't be opened is found out before anything is started behind it.
	outside, options, err := config.Door.open()
	if err != nil {
		return nil, err
	}
	if err := d.open(ctx, config); err != nil {
		return nil, errors.Join(err, closeListener(outside))
	}
	if outside != nil {
		d.outside = outside.Addr().String()
		d.serve(outside, options...)
	}
	return d, nil
}

func closeListener(listener net.Listener) error {
	if listener == nil {
		return nil
	}
	return listener.Close()
}

// open starts the coordinator and serves it on the folder's socket.
func (d *Daemon) open(ctx context.Context, config Config) error {
	c, err := coordinator.Open(ctx, coordinator.Config{
		Dir: config.Dir, NATSURL: config.NATSURL, NATSCredentials: config.NATSCredentials,
		Slots: config.Slots, Python: config.Python, Sidecar: sidecar(config.Worker),
		Version: config.Version, Logger: config.Logger,
	})
	if err != nil {
		return err
	}
	d.coordinator = c
	listener, err := listenUnix(filepath.Join(c.Dir(), "sock"))
	if err != nil {
		return err
	}
	d.serve(listener)
	return nil
}

func (d *Daemon) serve(listener net.Listener, options ...grpc.ServerOption) {
	s := server.New(d.coordinator, options...)
	d.servers = append(d.servers, s)
	d.serving.Go(func() {
		if err := s.Serve(listener); err != nil {
			d.failed <- fmt.Errorf("serve on %s: %w", listener.Addr(), err)
		}
	})
}

// URL is the address of the folder's socket.
func (d *Daemon) URL() string { return d.url }

// Listening is the network address of the Door, or "".
func (d *Daemon) Listening() string { return d.outside }

// Wait returns nil when ctx ends or the cluster was idle for so long (0: for ever), or the error that
// ended a server. A hang-up signal ends a cluster that nobody uses at that moment: whoever started it
// ahead of need turned out to have none.
func (d *Daemon) Wait(ctx context.Context, idle time.Duration) error {
	tick := make(<-chan time.Time)
	if idle > 0 {
		ticker := time.NewTicker(min(max(idle/10, 10*time.Millisecond), time.Second))
		defer ticker.Stop()
		tick = ticker.C
	}
	unwanted := make(chan os.Signal, 1)
	signal.Notify(unwanted, syscall.SIGHUP)
	defer signal.Stop(unwanted)
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-unwanted:
			if d.idleFor(time.Now()) > 0 {
				return nil
			}
		case err := <-d.failed:
			return err
		case <-d.coordinator.Done():
			return errQueue
		case now := <-tick:
			if d.idleFor(now) >= idle {
				return nil
			}
		}
	}
}

// idleFor is how long nobody was connected to any door and no job ran.
func (d *Daemon) idleFor(now time.Time) time.Duration {
	shortest := time.Duration(1<<63 - 1)
	for _, s := range d.servers {
		since := s.IdleSince()
		if since.IsZero() {
			return 0
		}
		shortest = min(shortest, now.Sub(since))
	}
	return shortest
}

// Close ends the cluster and every process of it. It is idempotent.
func (d *Daemon) Close() error { return d.close() }

func (d *Daemon) shutDown() error {
	var stopping sync.WaitGroup
	for _, s := range d.servers {
		stopping.Go(s.Stop)
	}
	stopping.Wait()
	d.serving.Wait()
	var errs []error
	if d.coordinator != nil {
		errs = append(errs, d.coordinator.Close())
	}
	if d.scratch != "" {
		errs = append(errs, os.RemoveAll(d.scratch))
	}
	return errors.Join(errs...)
}

// sidecar is a worker in this process, or none.
func sidecar(wanted bool) coordinator.SidecarFunc {
	return func(ctx context.Context, c coordinator.SidecarConfig) (coordinator.Sidecar, error) {
		if !wanted {
			return none{}, nil
		}
		worker, err := workers.Start(ctx, workers.Config{
			Queue: c.Queue, Store: c.Store, Slots: c.Slots, Python: c.Python, Logger: c.Logger,
		})
		if err != nil {
			return nil, err
		}
		return worker, nil
	}
}

type none struct{}

func (none) Close() error { return nil }

// listenUnix listens on a socket that only this user can use. The caller holds the folder's lock, so
// a socket that is there is a dead process's.
func listenUnix(path string) (net.Listener, error) {
	if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("remove the old socket %s: %w", path, err)
	}
	listener, err := net.Listen("unix", path)
	if err != nil {
		return nil, fmt.Errorf("listen on %s: %w; name another folder with --dir", path, err)
	}
	if err := os.Chmod(path, 0o600); err != nil {
		return nil, errors.Join(fmt.Errorf("protect %s: %w", path, err), listener.Close())
	}
	return listener, nil
}

// privateFolder makes a temporary folder whose sockets have paths short enough to bind.
func privateFolder() (string, error) {
	const longest = 107 - len("/nats.sock")
	dir, err := os.MkdirTemp("", "crossfold-run-")
	if err == nil && len(dir) > longest {
		_ = os.Remove(dir)
		dir, err = os.MkdirTemp("/tmp", "crossfold-run-")
	}
	if err != nil {
		return "", fmt.Errorf("folder for the run's own cluster: %w; set TMPDIR to one you can write to", err)
	}
	return dir, nil
}

// SignalReady writes "ready" to an inherited file descriptor and closes it.
func SignalReady(fd int) error {
	file := os.NewFile(uintptr(fd), "ready-fd")
	if fd < 3 || file == nil {
		return fmt.Errorf("%w: --ready-fd %d is no file descriptor passed by the parent", ErrConfig, fd)
	}
	_, err := file.WriteString("ready\n")
	if err := errors.Join(err, file.Close()); err != nil {
		return fmt.Errorf("say ready on descriptor %d: %w", fd, err)
	}
	return nil
}
