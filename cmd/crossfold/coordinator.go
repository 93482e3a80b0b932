package main

import "github.com/spf13/cobra"

func newCoordinator() *cobra.Command {
	var f daemonFlags
	cmd := &cobra.Command{
		Use:   "coordinator",
		Short: "Run a coordinator without a worker; `crossfold worker` connects to it",
		Args:  cobra.NoArgs,
		RunE:  func(cmd *cobra.Command, _ []string) error { return f.run(cmd) },
	}
	f.add(cmd)
	flags := cmd.Flags()
	flags.StringVar(&f.config.NATSURL, "nats-url", "", "NATS cluster with JetStream (default: a server in this process)")
	flags.StringVar(&f.config.NATSCredentials, "nats-creds", "", "NATS credentials file for --nats-url")
	flags.StringVar(&f.config.Door.Address, "listen", "", "host:port to serve on with TLS (default: only the folder's socket)")
	flags.StringVar(&f.config.Door.CertFile, "tls-cert", "", "PEM certificate for --listen")
	flags.StringVar(&f.config.Door.KeyFile, "tls-key", "", "PEM key for --listen")
	flags.StringVar(&f.config.Door.TokenFile, "token-file", "", "file with the token that clients must send to --listen")
	return cmd
}
