package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/spf13/cobra"

	"github.com/crossfold/crossfold/bridge/policy"
	_ "github.com/crossfold/crossfold/bridge/policy/early" // crossfold policy-child
)

// Exit statuses of crossfold policy; a refused policy is exitBadInput.
const (
	exitException = 3
	exitLimit     = 4
)

// exitStatus is an error with an exit status of its own.
type exitStatus struct {
	error
	status int
}

func (e exitStatus) Unwrap() error { return e.error }

func newPolicy() *cobra.Command {
	command := &cobra.Command{
		Use:   "policy",
		Short: "Check and try out a policy: rules of a search in Python syntax, run without Python",
		Args:  cobra.NoArgs,
		RunE:  func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	command.AddCommand(
		&cobra.Command{
			Use:   "check FILE",
			Short: "Say whether a policy is accepted: exit 0, or 2 with file:line and what to write instead",
			Args:  cobra.ExactArgs(1),
			RunE:  func(cmd *cobra.Command, args []string) error { return checkPolicy(cmd, args[0]) },
		},
		&cobra.Command{
			Use:   "call FILE FUNCTION",
			Short: "Call a function with a JSON list of arguments from standard input and print its result as JSON",
			Long: "Call a function with a JSON list of arguments from standard input and print its result as JSON.\n" +
				"Exit status: 2 when the policy is refused, 3 for an exception, 4 for a limit.",
			Args: cobra.ExactArgs(2),
			RunE: func(cmd *cobra.Command, args []string) error { return callPolicy(cmd, args[0], args[1]) },
		},
	)
	return command
}

func checkPolicy(cmd *cobra.Command, file string) error {
	source, err := os.ReadFile(file)
	if err != nil {
		return exitStatus{fmt.Errorf("read the policy: %w", err), exitBadInput}
	}
	problems := policy.Check(file, string(source))
	for _, problem := range problems {
		if _, err := fmt.Fprintln(cmd.OutOrStdout(), problem); err != nil {
			return err
		}
	}
	if len(problems) > 0 {
		return exitStatus{fmt.Errorf("%s is refused: see docs/policies.md", file), exitBadInput}
	}
	return openPolicy(cmd, file, string(source), func(*policy.Policy) error { return nil })
}

func callPolicy(cmd *cobra.Command, file, function string) error {
	source, err := os.ReadFile(file)
	if err != nil {
		return exitStatus{fmt.Errorf("read the policy: %w", err), exitBadInput}
	}
	args, err := io.ReadAll(cmd.InOrStdin())
	if err != nil {
		return fmt.Errorf("read the arguments from standard input: %w", err)
	}
	if len(args) == 0 {
		args = []byte("[]")
	}
	return openPolicy(cmd, file, string(source), func(p *policy.Policy) error {
		result, err := p.Call(cmd.Context(), function, json.RawMessage(args))
		if err != nil {
			return err
		}
		_, err = fmt.Fprintf(cmd.OutOrStdout(), "%s\n", result)
		return err
	})
}

// openPolicy loads a policy, which runs its module's statements, and gives its errors their exit status.
func openPolicy(cmd *cobra.Command, file, source string, use func(*policy.Policy) error) (err error) {
	defer func() {
		switch {
		case errors.Is(err, policy.ErrRefused):
			err = exitStatus{err, exitBadInput}
		case errors.Is(err, policy.ErrException):
			err = exitStatus{err, exitException}
		case errors.Is(err, policy.ErrLimit):
			err = exitStatus{err, exitLimit}
		}
	}()
	p, err := policy.Open(cmd.Context(), policy.Config{Source: source, Name: file})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, p.Close()) }()
	return use(p)
}
