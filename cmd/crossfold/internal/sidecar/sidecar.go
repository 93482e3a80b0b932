// Package sidecar runs a worker in a process of its own.
package sidecar

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"

	"github.com/crossfold/crossfold/arrowipc/store"
	"github.com/crossfold/crossfold/cmd/crossfold/internal/client"
	"github.com/crossfold/crossfold/coordinator/queue/jetstream"
	"github.com/crossfold/crossfold/workers"
)

// Config says for whom a worker works, and with what.
type Config struct {
	// Dir is the folder of a cluster on this host; or NATSURL and URL name one elsewhere.
	Dir string
	// NATSURL and NATSCredentials reach the NATS cluster that carries the tasks.
	NATSURL, NATSCredentials string
	// URL is the coordinator's address, from which data is fetched and to which large results are sent.
	URL string
	// Store keeps fetched data; empty is a temporary folder.
	Store string
	// Python runs the fits.
	Python string
	// Slots is how many fits run at a time; 0 is one a core.
	Slots int
	// Until ends the worker when it ends; nil is never.
	Until  io.Reader
	Logger *slog.Logger
}

// Run works until ctx or Until ends.
func Run(ctx context.Context, config Config) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	if config.Until != nil {
		// It reads until the process ends: nothing else can end a read of a pipe.
		go func() {
			_, _ = io.Copy(io.Discard, config.Until)
			cancel()
		}()
	}
	return work(ctx, config)
}

func work(ctx context.Context, config Config) (err error) {
	bus := jetstream.Config{
		URL: config.NATSURL, Credentials: config.NATSCredentials, Worker: true, Logger: config.Logger,
	}
	if config.Dir != "" {
		bus.Socket = filepath.Join(config.Dir, "nats.sock")
	}
	queue, err := jetstream.Open(ctx, bus)
	if err != nil {
		return fmt.Errorf("reach the cluster's queue: %w; check that the coordinator runs", err)
	}
	defer func() { err = errors.Join(err, queue.Close()) }()
	objects, err := openObjects(config)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, objects.close()) }()
	worker, err := workers.Start(ctx, workers.Config{
		Queue: queue, Store: objects.store, Fetcher: objects.fetcher(), Sender: objects.sender(),
		Slots: config.Slots, Python: config.Python, Logger: config.Logger,
	})
	if err != nil {
		return err
	}
	<-ctx.Done()
	return worker.Close()
}

// objects is where the worker finds datasets, splits and code.
type objects struct {
	store  *store.Store
	remote *client.Client
	// scratch is a folder to remove, or "".
	scratch string
}

// openObjects uses the store of a cluster on this host, else one of its own that fetches.
func openObjects(config Config) (_ *objects, err error) {
	o := &objects{}
	defer func() {
		if err != nil {
			err = errors.Join(err, o.close())
		}
	}()
	folder := config.Store
	switch {
	case config.Dir != "":
		folder = filepath.Join(config.Dir, "store")
	case folder == "":
		if o.scratch, err = os.MkdirTemp("", "crossfold-store-"); err != nil {
			return nil, fmt.Errorf("folder for fetched data: %w; name one with --store", err)
		}
		folder = o.scratch
	}
	if o.store, err = store.Open(folder); err != nil {
		return nil, err
	}
	if config.URL != "" {
		o.remote, err = client.Dial(config.URL)
	}
	return o, err
}

// fetcher brings a missing object from the coordinator; nil where all are on this host.
func (o *objects) fetcher() func(context.Context, string) error {
	if o.remote == nil {
		return nil
	}
	return func(ctx context.Context, id string) error { return o.remote.Fetch(ctx, o.store, id) }
}

// sender takes an object of a result to the coordinator; nil where its store is this one.
func (o *objects) sender() func(context.Context, string) error {
	if o.remote == nil {
		return nil
	}
	return func(ctx context.Context, id string) error { return o.remote.Send(ctx, o.store, id) }
}

func (o *objects) close() error {
	var errs []error
	if o.remote != nil {
		errs = append(errs, o.remote.Close())
	}
	if o.scratch != "" {
		errs = append(errs, os.RemoveAll(o.scratch))
	}
	return errors.Join(errs...)
}
