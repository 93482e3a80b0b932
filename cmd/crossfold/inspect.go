package main

import (
	"github.com/spf13/cobra"

	"github.com/crossfold/crossfold/cmd/crossfold/internal/inspect"
)

func newInspect() *cobra.Command {
	return &cobra.Command{
		Use:   "inspect FILE",
		Short: "Describe a data file (Parquet, CSV, Arrow) or a job file (YAML)",
		Args:  cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return inspect.File(cmd.Context(), cmd.OutOrStdout(), args[0])
		},
	}
}
