package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/crossfold/crossfold/cmd/crossfold/internal/client"
	"github.com/crossfold/crossfold/cmd/crossfold/internal/daemon"
	"github.com/crossfold/crossfold/cmd/crossfold/internal/interpreter"
	"github.com/crossfold/crossfold/cmd/crossfold/internal/jobfile"
	"github.com/crossfold/crossfold/cmd/crossfold/internal/leaderboard"
	"github.com/crossfold/crossfold/cmd/crossfold/internal/progress"
	"github.com/crossfold/crossfold/cmd/crossfold/internal/search"
	pb "github.com/crossfold/crossfold/proto/crossfold/v1"
)

// runFlags are the flags of `crossfold run`.
type runFlags struct {
	cluster clusterFlags
	python  string
	slots   int
	out     string
	top     int
	verbose bool
}

func newRun() *cobra.Command {
	var f runFlags
	cmd := &cobra.Command{
		Use:   "run JOB.yaml",
		Short: "Run a job file and print its leaderboard",
		Long: "Run a job file and print its leaderboard. Without --dir, --url or CROSSFOLD_URL it runs on a\n" +
			"cluster of its own, which lasts as long as the run. docs/job-file.md describes the file.",
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error { return f.run(cmd, args[0]) },
	}
	f.cluster.add(cmd)
	cmd.Flags().StringVar(&f.python, "python", "", "interpreter that runs the fits (default: "+pythonDefault+")")
	cmd.Flags().IntVar(&f.slots, "slots", 0, "fits at a time (default: the file's slots, else one a core)")
	cmd.Flags().StringVar(&f.out, "out", "", "folder to write results.json and results.parquet to")
	cmd.Flags().IntVar(&f.top, "top", 10, "candidates to print")
	cmd.Flags().BoolVar(&f.verbose, "verbose", false, "log the run's own cluster to standard error")
	return cmd
}

func (f *runFlags) run(cmd *cobra.Command, path string) (err error) {
	ctx := cmd.Context()
	file, err := jobfile.Load(path)
	if err != nil {
		return err
	}
	if f.slots != 0 {
		file.Slots = f.slots
	}
	address, err := f.cluster.address()
	if err != nil {
		return err
	}
	if address == "" {
		own, err := f.start(ctx, cmd, file.Slots)
		if err != nil {
			return err
		}
		defer func() { err = errors.Join(err, own.Close()) }()
		address = own.URL()
	}
	cluster, err := client.Dial(address)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, cluster.Close()) }()
	return f.search(ctx, cmd, file, cluster)
}

// start runs a cluster for this run alone.
func (f *runFlags) start(ctx context.Context, cmd *cobra.Command, slots int) (*daemon.Daemon, error) {
	return daemon.StartPrivate(ctx, daemon.Config{
		Python:  f.interpreter(),
		Slots:   slots,
		Worker:  true,
		Version: version,
		Logger:  newLogger(cmd, f.verbose),
	})
}

func (f *runFlags) search(ctx context.Context, cmd *cobra.Command, file *jobfile.File, cluster *client.Client) error {
	options := search.Options{
		File:   file,
		Client: cluster,
		Warn:   func(message string) { fmt.Fprintf(cmd.ErrOrStderr(), "warning: %s\n", message) },
	}
	// A cluster elsewhere has a Python of its own, which may know more or less than the one here.
	if cluster.Local() || f.python != "" {
		options.Python = f.interpreter()
	}
	start := time.Now()
	done := showProgress(cmd, &options)
	outcome, err := search.Run(ctx, options)
	done()
	if err != nil {
		return err
	}
	out := cmd.OutOrStdout()
	fmt.Fprintf(out, "%s: %d candidates × %d splits of %d rows, %.1f s (job %s)\n\n", file.Name,
		len(file.Candidates), file.Splits.GetNSplits(), outcome.Rows, time.Since(start).Seconds(), outcome.JobID)
	if err := leaderboard.Print(out, outcome.Results, f.top); err != nil {
		return err
	}
	if outcome.Selected >= 0 {
		if err := leaderboard.PrintSelected(out, outcome.Results.Table, outcome.Selected); err != nil {
			return err
		}
	}
	if outcome.Ensemble != nil {
		err := leaderboard.PrintEnsemble(out, outcome.Results.Table, file.Ensemble.GetMetric(), outcome.Ensemble)
		if err != nil {
			return err
		}
	}
	if f.out != "" {
		if err := search.Save(ctx, options, outcome, f.out); err != nil {
			return exitStatus{err, exitFailure}
		}
	}
	if outcome.Uncombined != nil {
		// Not bad input: it was good enough for the fits, whose results are above.
		return exitStatus{outcome.Uncombined, exitFailure}
	}
	return nil
}

func (f *runFlags) interpreter() string {
	if f.python != "" {
		return f.python
	}
	return interpreter.Default()
}

// showProgress draws a line while the search runs, if standard error is a terminal.
func showProgress(cmd *cobra.Command, options *search.Options) (done func()) {
	stderr, ok := cmd.ErrOrStderr().(*os.File)
	if !ok || !term.IsTerminal(int(stderr.Fd())) {
		options.Progress = func(*pb.JobState) {}
		return func() {}
	}
	line := progress.New(stderr, time.Now)
	options.Progress = line.Update
	return line.Close
}
