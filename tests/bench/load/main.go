// Load puts a coordinator under the load of thousands of simulated slots that pull tasks over real
// NATS connections, kills it, and measures its restart. It prints one line of JSON.
//
//	go run ./tests/bench/load -fits 1000000 -workers 2000
//
// The coordinator with its NATS server is one process, all slots are another; both share this
// machine's cores. A slot answers at once: what is measured is everything but Python.
package main

import (
	"bufio"
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"github.com/crossfold/crossfold/coordinator"
)

// patience bounds everything.
const patience = 10 * time.Minute

// options are the same in all three processes.
type options struct {
	fits, slots, hosts int
	dir, profile       string
}

// report is what is printed.
type report struct {
	FitsPerSecond  float64 `json:"fits_per_second"`
	FitsPerMessage float64 `json:"fits_per_message"`
	// ServerMicros is the coordinator's processor time in µs, its NATS server included.
	ServerMicros float64 `json:"server_microseconds_per_fit"`
	BytesPerFit  float64 `json:"bytes_per_fit"`
	Recovery     float64 `json:"recovery_seconds"`
}

func main() {
	slog.SetDefault(slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelWarn})))
	var o options
	flag.IntVar(&o.fits, "fits", 1_000_000, "fits of the job")
	flag.IntVar(&o.slots, "workers", 2_000, "slots that pull tasks")
	flag.IntVar(&o.hosts, "hosts", 100, "connections that the slots share")
	flag.StringVar(&o.dir, "dir", "", "the coordinator's folder; a temporary one by default")
	flag.StringVar(&o.profile, "profile", "", "write profiles with this prefix: -serve.pprof, -heap.pprof and -recover.pprof")
	role := flag.String("role", "", "for the processes that this one starts")
	flag.Parse()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	run := map[string]func(context.Context, options) error{"": orchestrate, "serve": serve, "swarm": swarm}[*role]
	if err := run(ctx, o); err != nil {
		fmt.Fprintln(os.Stderr, "load:", err)
		os.Exit(1)
	}
}

// orchestrate starts both processes, kills the coordinator and opens its folder again.
func orchestrate(ctx context.Context, o options) (err error) {
	if o.dir == "" {
		if o.dir, err = os.MkdirTemp("", "cf-load-"); err != nil {
			return err
		}
		defer os.RemoveAll(o.dir)
	}
	server, lines, err := child(ctx, o, "serve")
	if err != nil {
		return err
	}
	defer end(server)
	if !lines.Scan() {
		return fmt.Errorf("the coordinator did not start: %w", lines.Err())
	}
	workers, _, err := child(ctx, o, "swarm")
	if err != nil {
		return err
	}
	defer end(workers)
	var measured report
	if !lines.Scan() {
		return fmt.Errorf("the coordinator ended early: %w", lines.Err())
	}
	if err := json.Unmarshal(lines.Bytes(), &measured); err != nil {
		return err
	}
	end(server)
	if measured.Recovery, err = recoverJob(ctx, o); err != nil {
		return err
	}
	return json.NewEncoder(os.Stdout).Encode(measured)
}

func child(ctx context.Context, o options, role string) (*exec.Cmd, *bufio.Scanner, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, nil, err
	}
	command := exec.CommandContext(ctx, self, "-role", role, "-dir", o.dir, "-profile", o.profile,
		"-fits", fmt.Sprint(o.fits), "-workers", fmt.Sprint(o.slots), "-hosts", fmt.Sprint(o.hosts))
	command.Stderr = os.Stderr
	output, err := command.StdoutPipe()
	if err != nil {
		return nil, nil, err
	}
	return command, bufio.NewScanner(output), command.Start()
}

// end kills a process, as a crash would.
func end(command *exec.Cmd) {
	_ = command.Process.Kill() // it may have ended
	_ = command.Wait()
}

// noWorker stands for the coordinator's own worker.
type noWorker struct{}

func (noWorker) Close() error { return nil }

func open(ctx context.Context, o options) (*coordinator.Coordinator, error) {
	return coordinator.Open(ctx, coordinator.Config{
		Dir: filepath.Join(o.dir, "cluster"),
		Sidecar: func(context.Context, coordinator.SidecarConfig) (coordinator.Sidecar, error) {
			return noWorker{}, nil
		},
	})
}
