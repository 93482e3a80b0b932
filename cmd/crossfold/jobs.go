package main

import (
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/crossfold/crossfold/cmd/crossfold/internal/joblist"
	pb "github.com/crossfold/crossfold/proto/crossfold/v1"
)

func newJobs() *cobra.Command {
	var cluster clusterFlags
	cmd := &cobra.Command{
		Use:   "jobs",
		Short: "List a cluster's jobs, newest first",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) (err error) {
			c, err := cluster.dial()
			if err != nil {
				return err
			}
			defer func() { err = errors.Join(err, c.Close()) }()
			list, err := c.Jobs.List(cmd.Context(), &pb.ListRequest{})
			if err != nil {
				return fmt.Errorf("list jobs: %w", err)
			}
			return joblist.Print(cmd.OutOrStdout(), list.GetJobs())
		},
	}
	cluster.add(cmd)
	cmd.AddCommand(newCancel())
	return cmd
}

func newCancel() *cobra.Command {
	var cluster clusterFlags
	cmd := &cobra.Command{
		Use:   "cancel ID",
		Short: "Stop a job; what is finished is kept",
		Args:  cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) (err error) {
			c, err := cluster.dial()
			if err != nil {
				return err
			}
			defer func() { err = errors.Join(err, c.Close()) }()
			if _, err := c.Jobs.Cancel(cmd.Context(), &pb.CancelRequest{JobId: args[0]}); err != nil {
				return fmt.Errorf("cancel job %s: %w", args[0], err)
			}
			return nil
		},
	}
	cluster.add(cmd)
	return cmd
}
