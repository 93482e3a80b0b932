package jetstream

import (
	"fmt"
	"log/slog"
	"os"
	"time"

	"github.com/nats-io/nats-server/v2/server"
)

const (
	// maxPayload is the largest message of an embedded server: a result with 1 MiB of output fits.
	maxPayload = 8 << 20
	maxMemory  = 1 << 30
	maxStore   = 256 << 30
)

// startServer starts a NATS server that listens nowhere and keeps its streams in dir.
func startServer(dir string, logger *slog.Logger) (*server.Server, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("jetstream: creating the ledger's folder: %w", err)
	}
	started, err := server.NewServer(&server.Options{
		ServerName:         "crossfold",
		DontListen:         true,
		NoSigs:             true,
		JetStream:          true,
		StoreDir:           dir,
		SyncAlways:         true, // a result that was acked survives a power cut
		JetStreamMaxMemory: maxMemory,
		JetStreamMaxStore:  maxStore,
		MaxPayload:         maxPayload,
	})
	if err != nil {
		return nil, fmt.Errorf("jetstream: starting the server in %s: %w", dir, err)
	}
	started.SetLoggerV2(serverLog{logger}, false, false, false)
	started.Start()
	if !started.ReadyForConnections(20 * time.Second) {
		started.Shutdown()
		return nil, fmt.Errorf("jetstream: the server in %s was not ready within 20 s: see the log", dir)
	}
	return started, nil
}

// serverLog passes the server's warnings and errors on; its notices are of no use to anybody.
type serverLog struct{ logger *slog.Logger }

func (l serverLog) Noticef(string, ...any) {}
func (l serverLog) Debugf(string, ...any)  {}
func (l serverLog) Tracef(string, ...any)  {}

func (l serverLog) Warnf(format string, args ...any) {
	l.logger.Warn("nats: " + fmt.Sprintf(format, args...))
}

func (l serverLog) Errorf(format string, args ...any) {
	l.logger.Error("nats: " + fmt.Sprintf(format, args...))
}

func (l serverLog) Fatalf(format string, args ...any) {
	l.logger.Error("nats: " + fmt.Sprintf(format, args...))
}
