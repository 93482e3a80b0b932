package main

import (
	"github.com/spf13/cobra"

	"github.com/crossfold/crossfold/cmd/crossfold/internal/simulate"
)

func newBench() *cobra.Command {
	command := &cobra.Command{
		Use:   "bench",
		Short: "Find out how a search would scale",
		Args:  cobra.NoArgs,
		RunE:  func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	command.AddCommand(newSimulate())
	return command
}

func newSimulate() *cobra.Command {
	var (
		inputs string
		asJSON bool
		o      simulate.Options
	)
	command := &cobra.Command{
		Use:   "simulate",
		Short: "Simulate a search on 1 to 1,000 workers from measured seconds per fit",
		Long: "Simulate a search on 1 to 1,000 workers: the real planner and gatherer on virtual time, with\n" +
			"measured seconds per fit. Everything it prints is simulated, and names its inputs.",
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			measured, err := simulate.Read(inputs)
			if err != nil {
				return err
			}
			report, err := simulate.Simulate(measured, o)
			if err != nil {
				return err
			}
			if asJSON {
				return report.JSON(cmd.OutOrStdout())
			}
			return report.Text(cmd.OutOrStdout())
		},
	}
	flags := command.Flags()
	flags.StringVar(&inputs, "inputs", "", "file of measured inputs, as make bench CASE=plain writes it "+
		"(default: those recorded with this program)")
	flags.IntSliceVar(&o.Nodes, "nodes", []int{1, 2, 13}, "cluster sizes for the measured job")
	flags.IntSliceVar(&o.Workers, "workers", []int{10, 100, 1000}, "cluster sizes for larger jobs")
	flags.IntVar(&o.FitsPerWorker, "fits-per-worker", 400, "fits of a larger job, for each worker")
	flags.Float64Var(&o.Seconds, "seconds", 1, "mean seconds of a larger job's fits; 0: as measured")
	flags.Float64Var(&o.Troubled.Spread, "spread", 0.25, "speeds are uniform between 1 - spread and 1 + spread")
	flags.Float64Var(&o.Troubled.Stragglers, "stragglers", 0.05, "share of workers at a fourth of their speed")
	flags.Float64Var(&o.Troubled.Lost, "lost", 0.01, "share of workers that vanish")
	flags.Uint64Var(&o.Troubled.Seed, "seed", 1, "seed of all draws")
	flags.BoolVar(&asJSON, "json", false, "print JSON")
	return command
}
