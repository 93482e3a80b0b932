package simulate

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
)

// Options say what is simulated beside the measured job itself.
type Options struct {
	// Nodes are the cluster sizes that the measured job runs on as it is, the first for comparison.
	Nodes []int
	// Workers are the sizes of the large clusters.
	Workers []int
	// FitsPerWorker and Seconds say how many fits of which mean a large cluster's job has.
	FitsPerWorker int
	Seconds       float64
	// Troubled is what goes wrong on large clusters, one thing at a time and then all together.
	Troubled Cluster
}

// Row is one simulated run.
type Row struct {
	Scenario   string  `json:"scenario"`
	Workers    int     `json:"workers"`
	Fits       int     `json:"fits"`
	Seconds    float64 `json:"seconds"`
	Speedup    float64 `json:"speedup"`
	Efficiency float64 `json:"efficiency"`
}

// Report is what was simulated, from which inputs.
type Report struct {
	Simulated bool   `json:"simulated"`
	Inputs    string `json:"inputs"`
	Rows      []Row  `json:"rows"`
	Large     []Row  `json:"large"`
}

// Simulate runs everything that the options name.
func Simulate(inputs Inputs, o Options) (Report, error) {
	report := Report{Simulated: true, Inputs: describe(inputs)}
	var single float64
	for i, nodes := range o.Nodes {
		outcome, err := Run(Cluster{Workers: nodes, Seed: o.Troubled.Seed}, inputs, inputs.Fits)
		if err != nil {
			return report, err
		}
		if i == 0 {
			single = outcome.Seconds * float64(nodes)
		}
		report.Rows = append(report.Rows, row("as measured", nodes, outcome, single))
	}
	for _, workers := range o.Workers {
		fits := inputs.Repeated(o.FitsPerWorker*workers, o.Seconds)
		for _, s := range scenarios(o.Troubled) {
			s.cluster.Workers, s.cluster.Seed = workers, o.Troubled.Seed
			outcome, err := Run(s.cluster, inputs, fits)
			if err != nil {
				return report, err
			}
			report.Large = append(report.Large, row(s.name, workers, outcome, outcome.Work))
		}
	}
	return report, nil
}

func row(name string, workers int, outcome Outcome, single float64) Row {
	return Row{
		Scenario: name, Workers: workers, Fits: outcome.Fits, Seconds: outcome.Seconds,
		Speedup: single / outcome.Seconds, Efficiency: outcome.Efficiency(),
	}
}

type scenario struct {
	name    string
	cluster Cluster
}

func scenarios(all Cluster) []scenario {
	return []scenario{
		{"equal workers", Cluster{}},
		{fmt.Sprintf("speeds within ±%.0f %%", 100*all.Spread), Cluster{Spread: all.Spread}},
		{fmt.Sprintf("%.0f %% at a fourth of the speed", 100*all.Stragglers), Cluster{Stragglers: all.Stragglers}},
		{fmt.Sprintf("%.0f %% lost", 100*all.Lost), Cluster{Lost: all.Lost}},
		{"all of it", all},
	}
}

func describe(inputs Inputs) string {
	total, longest := 0.0, 0.0
	for _, fit := range inputs.Fits {
		total += fit.Seconds
		longest = max(longest, fit.Seconds)
	}
	return fmt.Sprintf("%s: %d fits, %.1f s in all, the longest %.2f s; %.1f ms to a task's first fit, "+
		"%.1f ms to a stored result, %.0f µs of the coordinator per fit", inputs.Source, len(inputs.Fits), total,
		longest, 1e3*inputs.TaskSeconds, 1e3*inputs.ResultSeconds, 1e6*inputs.CoordinatorSeconds)
}

// JSON writes the report for programs.
func (r Report) JSON(out io.Writer) error {
	encoder := json.NewEncoder(out)
	encoder.SetIndent("", "  ")
	return encoder.Encode(r)
}

// What others measured, for comparison.
const (
	othersName    = "Databricks, TensorFlow on Spark (published)"
	othersNodes   = 13
	othersSpeedup = 7.0
)

// Text writes the report for people.
func (r Report) Text(out io.Writer) error {
	fmt.Fprintf(out, "SIMULATED on virtual time; planner and gatherer are the real ones.\nInputs: %s.\n\n", r.Inputs)
	table := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "the measured job\tnodes\tseconds\tspeed-up\tefficiency\t")
	for _, row := range r.Rows {
		fmt.Fprintf(table, "simulated\t%d\t%.2f\t%.2f ×\t%.1f %%\t%s\n", row.Workers, row.Seconds, row.Speedup,
			100*row.Efficiency, bar(row.Speedup))
	}
	fmt.Fprintf(table, "%s\t%d\t\t%.2f ×\t%.1f %%\t%s\n", othersName, othersNodes, othersSpeedup,
		100*othersSpeedup/othersNodes, bar(othersSpeedup))
	if err := table.Flush(); err != nil || len(r.Large) == 0 {
		return err
	}
	fmt.Fprintln(out)
	fmt.Fprintln(table, "larger jobs, simulated\tworkers\tfits\tseconds\tefficiency")
	for _, row := range r.Large {
		fmt.Fprintf(table, "%s\t%d\t%d\t%.1f\t%.1f %%\n", row.Scenario, row.Workers, row.Fits, row.Seconds,
			100*row.Efficiency)
	}
	return table.Flush()
}

func bar(speedup float64) string { return strings.Repeat("█", int(speedup+0.5)) }
