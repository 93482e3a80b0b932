package main

import (
	"fmt"
	"log/slog"
	"os"

	"github.com/spf13/cobra"

	"github.com/crossfold/crossfold/cmd/crossfold/internal/client"
)

// pythonDefault is how messages name the interpreter that no flag named.
const pythonDefault = "$CROSSFOLD_PYTHON, the active virtual environment, python3"

// clusterFlags name a running cluster.
type clusterFlags struct{ dir, url string }

func (f *clusterFlags) add(cmd *cobra.Command) {
	cmd.Flags().StringVar(&f.dir, "dir", "", "folder of a cluster that runs on this host")
	cmd.Flags().StringVar(&f.url, "url", "", "address of a cluster, unix:///path/to/sock or grpcs://host:port "+
		"(default: $CROSSFOLD_URL)")
	cmd.MarkFlagsMutuallyExclusive("dir", "url")
}

// address is the cluster that was named, or "".
func (f *clusterFlags) address() (string, error) {
	switch {
	case f.dir != "":
		return client.SocketURL(f.dir)
	case f.url != "":
		return f.url, nil
	}
	return os.Getenv("CROSSFOLD_URL"), nil
}

// dial connects to the cluster that was named; one must be.
func (f *clusterFlags) dial() (*client.Client, error) {
	address, err := f.address()
	if err != nil {
		return nil, err
	}
	if address == "" {
		return nil, fmt.Errorf("%w: no cluster is named; use --dir, --url or CROSSFOLD_URL", client.ErrAddress)
	}
	return client.Dial(address)
}

// newLogger logs to standard error: everything, or nothing.
func newLogger(cmd *cobra.Command, on bool) *slog.Logger {
	if !on {
		return slog.New(slog.DiscardHandler)
	}
	return slog.New(slog.NewTextHandler(cmd.ErrOrStderr(), nil))
}
