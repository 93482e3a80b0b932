package main

import (
	"errors"
	"time"

	"github.com/spf13/cobra"

	"github.com/crossfold/crossfold/cmd/crossfold/internal/daemon"
	"github.com/crossfold/crossfold/cmd/crossfold/internal/interpreter"
)

// daemonFlags are what `up` and `coordinator` share.
type daemonFlags struct {
	config  daemon.Config
	idle    time.Duration
	readyFD int
}

func (f *daemonFlags) add(cmd *cobra.Command) {
	flags := cmd.Flags()
	flags.StringVar(&f.config.Dir, "dir", "", "folder of the cluster: store, ledger and sockets")
	flags.DurationVar(&f.idle, "idle-timeout", 0, "end after so long without a client or a job (default: never)")
	flags.IntVar(&f.readyFD, "ready-fd", 0, `inherited file descriptor to write "ready" to`)
	if err := cmd.MarkFlagRequired("dir"); err != nil {
		panic(err)
	}
}

// run keeps the cluster up until a signal or the idle time ends it.
func (f *daemonFlags) run(cmd *cobra.Command) (err error) {
	f.config.Version, f.config.Logger = version, newLogger(cmd, true)
	d, err := daemon.Start(cmd.Context(), f.config)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, d.Close()) }()
	f.config.Logger.Info("cluster is up", "url", d.URL(), "listening", d.Listening(), "version", version)
	if f.readyFD != 0 {
		if err := daemon.SignalReady(f.readyFD); err != nil {
			return err
		}
	}
	if err := d.Wait(cmd.Context(), f.idle); err != nil {
		return err
	}
	f.config.Logger.Info("cluster ends", "url", d.URL(), "signalled", cmd.Context().Err() != nil)
	return nil
}

func newUp() *cobra.Command {
	f := daemonFlags{config: daemon.Config{Worker: true}}
	cmd := &cobra.Command{
		Use:   "up",
		Short: "Run a whole cluster in this process: coordinator, queue and worker",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if f.config.Python == "" {
				f.config.Python = interpreter.Default()
			}
			leaveCores()
			return f.run(cmd)
		},
	}
	f.add(cmd)
	cmd.Flags().StringVar(&f.config.Python, "python", "", "interpreter that runs the fits (default: "+pythonDefault+")")
	cmd.Flags().IntVar(&f.config.Slots, "slots", 0, "fits at a time (default: one a core)")
	return cmd
}
