package main

import (
	"github.com/spf13/cobra"

	"github.com/crossfold/crossfold/cmd/crossfold/internal/interpreter"
	"github.com/crossfold/crossfold/cmd/crossfold/internal/sidecar"
)

func newWorker() *cobra.Command {
	var c sidecar.Config
	var untilEOF bool
	cmd := &cobra.Command{
		Use:   "worker",
		Short: "Run fits for a coordinator in another process",
		Long: "Run fits for a coordinator in another process: one on this host, named by its folder (--dir), or\n" +
			"one elsewhere, named by its NATS cluster (--nats-url) and its address for data (--url).",
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if c.Python == "" {
				c.Python = interpreter.Default()
			}
			if untilEOF {
				c.Until = cmd.InOrStdin()
			}
			c.Logger = newLogger(cmd, true)
			leaveCores()
			return sidecar.Run(cmd.Context(), c)
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&c.Dir, "dir", "", "folder of a cluster on this host")
	flags.StringVar(&c.NATSURL, "nats-url", "", "NATS cluster with JetStream, such as tls://nats.example:4222")
	flags.StringVar(&c.NATSCredentials, "nats-creds", "", "NATS credentials file for --nats-url")
	flags.StringVar(&c.URL, "url", "", "address of the coordinator, grpcs://host:port, to fetch data from with --nats-url")
	flags.StringVar(&c.Store, "store", "", "folder that keeps fetched data (default: a temporary one)")
	flags.StringVar(&c.Python, "python", "", "interpreter that runs the fits (default: "+pythonDefault+")")
	flags.IntVar(&c.Slots, "slots", 0, "fits at a time (default: one a core)")
	flags.BoolVar(&untilEOF, "exit-on-stdin-eof", false, "end when standard input ends")
	cmd.MarkFlagsOneRequired("dir", "nats-url")
	cmd.MarkFlagsMutuallyExclusive("dir", "nats-url")
	cmd.MarkFlagsRequiredTogether("nats-url", "url")
	return cmd
}
