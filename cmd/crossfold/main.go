// Command crossfold is the one program of Crossfold: coordinator, worker and command line.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/spf13/cobra"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/crossfold/crossfold/cmd/crossfold/internal/client"
	"github.com/crossfold/crossfold/cmd/crossfold/internal/daemon"
	"github.com/crossfold/crossfold/cmd/crossfold/internal/jobfile"
	"github.com/crossfold/crossfold/coordinator"
)

// Exit statuses.
const (
	exitOK       = 0
	exitFailure  = 1
	exitBadInput = 2
	exitLocked   = 3
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	// A second signal ends the process at once.
	context.AfterFunc(ctx, stop)
	os.Exit(run(ctx, os.Args[1:], os.Stdout, os.Stderr))
}

// run executes one command line and returns its exit status.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	root := newRoot()
	root.SetArgs(args)
	root.SetOut(stdout)
	root.SetErr(stderr)
	err := root.ExecuteContext(ctx)
	if err == nil {
		return exitOK
	}
	message, code := explain(err)
	fmt.Fprintf(stderr, "crossfold: %s\n", message)
	return code
}

func newRoot() *cobra.Command {
	root := &cobra.Command{
		Use:           "crossfold",
		Short:         "Cross validation and hyper-parameter search on every core and machine you own",
		SilenceErrors: true,
		SilenceUsage:  true,
		Args:          cobra.NoArgs,
		RunE:          func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	root.CompletionOptions.HiddenDefaultCmd = true
	root.AddCommand(newRun(), newInspect(), newJobs(), newBench(), newPolicy(), newUp(), newCoordinator(), newWorker(), newVersion())
	for _, command := range root.Commands() {
		markFailures(command)
	}
	return root
}

// failure is what a command returned, set apart from what is wrong with the command line.
type failure struct{ error }

func (f failure) Unwrap() error { return f.error }

func markFailures(command *cobra.Command) {
	if body := command.RunE; body != nil {
		command.RunE = func(cmd *cobra.Command, args []string) error {
			if err := body(cmd, args); err != nil {
				return failure{err}
			}
			return nil
		}
	}
	for _, child := range command.Commands() {
		markFailures(child)
	}
}

// explain gives the message and the exit status of an error.
func explain(err error) (message string, code int) {
	message = err.Error()
	if rpc, ok := remote(err); ok {
		message = rpc.Message()
	}
	var failed failure
	var file *jobfile.Error
	var coded exitStatus
	switch {
	case errors.As(err, &coded):
		return message, coded.status
	case errors.As(err, &file):
		return oneLine(file.Error()), exitBadInput
	case !errors.As(err, &failed):
		return oneLine(message) + "; see crossfold --help", exitBadInput
	case errors.Is(err, client.ErrData), errors.Is(err, client.ErrAddress), errors.Is(err, daemon.ErrConfig),
		badRequest(err):
		return oneLine(message), exitBadInput
	case errors.Is(err, daemon.ErrLocked):
		return message, exitLocked
	case errors.Is(err, context.Canceled):
		return "interrupted", exitFailure
	}
	return message, exitFailure
}

// remote is the status in err, when a coordinator answered with one.
func remote(err error) (*status.Status, bool) {
	var answered interface{ GRPCStatus() *status.Status }
	if !errors.As(err, &answered) {
		return nil, false
	}
	return answered.GRPCStatus(), true
}

// badRequest says that a coordinator, here or elsewhere, refused what it was asked for.
func badRequest(err error) bool {
	code := codes.OK
	var here *coordinator.Error
	if errors.As(err, &here) {
		code = here.Code
	} else if rpc, ok := remote(err); ok {
		code = rpc.Code()
	}
	switch code {
	case codes.InvalidArgument, codes.NotFound, codes.FailedPrecondition, codes.Unauthenticated:
		return true
	}
	return false
}

func oneLine(text string) string { return strings.Join(strings.Fields(text), " ") }
