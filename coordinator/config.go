package coordinator

import (
	"context"
	"fmt"
	"log/slog"
	"runtime"

	"github.com/crossfold/crossfold/arrowipc/store"
	"github.com/crossfold/crossfold/coordinator/queue"
)

// Config says what a coordinator is and where it keeps what it knows.
type Config struct {
	// Dir is the folder of store, ledger and sockets; one coordinator at a time may use it.
	// Default: a private temporary folder that Close removes.
	Dir string
	// NATSURL is an external NATS cluster with JetStream that carries tasks and keeps the ledger.
	// Default: a server inside this process, with the ledger in Dir.
	NATSURL string
	// NATSCredentials is a NATS credentials file for NATSURL. Default: none.
	NATSCredentials string
	// Queue carries tasks and keeps the ledger instead of NATS; Close closes it. It needs a
	// Sidecar. Default: nil.
	Queue queue.Queue
	// Slots is how many fits the coordinator's own worker runs at a time.
	// Default: the number of CPUs.
	Slots int
	// Python is the interpreter of the coordinator's own worker. Default: python3.
	Python string
	// Binary is the crossfold binary that runs the worker when Sidecar is nil. Default:
	// $CROSSFOLD_BINARY, this executable if it is crossfold, bin/crossfold of the enclosing module,
	// or crossfold on PATH.
	Binary string
	// Sidecar starts the coordinator's own worker. Default: a child process of Binary; with
	// NATSURL none, since workers connect by themselves.
	Sidecar SidecarFunc
	// Version is what clients are told. Default: dev.
	Version string
	// Logger gets what has no caller to return to. Default: slog.Default().
	Logger *slog.Logger
}

// SidecarFunc starts a worker on the coordinator's queue and store.
type SidecarFunc func(ctx context.Context, config SidecarConfig) (Sidecar, error)

// SidecarConfig is what a worker needs.
type SidecarConfig struct {
	Queue  queue.Queue
	Store  *store.Store
	Slots  int
	Python string
	Logger *slog.Logger
}

// Sidecar is a running worker. Close ends it and its processes.
type Sidecar interface{ Close() error }

// validate fills in defaults and names the first bad value.
func (c *Config) validate() error {
	switch {
	case c.Slots < 0:
		return invalid("coordinator: Slots is %d: set 1 or more, or 0 for one per CPU", c.Slots)
	case c.Queue != nil && c.NATSURL != "":
		return invalid("coordinator: both Queue and NATSURL %q are set: set one", c.NATSURL)
	case c.Queue != nil && c.Sidecar == nil:
		return invalid("coordinator: Queue is set and Sidecar is not: a worker in another process " +
			"can't reach this queue, so set Sidecar")
	case c.NATSCredentials != "" && c.NATSURL == "":
		return invalid("coordinator: NATSCredentials %q without NATSURL: set NATSURL, too", c.NATSCredentials)
	}
	if c.Slots == 0 {
		c.Slots = runtime.NumCPU()
	}
	if c.Python == "" {
		c.Python = "python3"
	}
	if c.Version == "" {
		c.Version = "dev"
	}
	if c.Logger == nil {
		c.Logger = slog.Default()
	}
	return nil
}

// maxSocketPath is what fits into a Unix socket's address.
const maxSocketPath = 107

func checkSocketPath(path string) error {
	if len(path) > maxSocketPath {
		return fmt.Errorf("coordinator: socket path %s has %d bytes, the most is %d: use a shorter Dir",
			path, len(path), maxSocketPath)
	}
	return nil
}
