// Package leaderboard shows a search's results in a terminal and writes them to files.
package leaderboard

import (
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/crossfold/crossfold/coordinator/gather"
	pb "github.com/crossfold/crossfold/proto/crossfold/v1"
)

// Print writes so many of the best candidates, best first, by the first metric; then what failed, and
// why.
func Print(to io.Writer, results *gather.Results, most int) error {
	table := results.Table
	if table == nil || len(table.Metrics) == 0 {
		return fmt.Errorf("the job has no table of candidates and splits")
	}
	most = max(most, 0)
	lines := tabwriter.NewWriter(to, 0, 0, 2, ' ', 0)
	fmt.Fprint(lines, "rank\t")
	for _, metric := range table.Metrics {
		fmt.Fprintf(lines, "%s\t", metric.Name)
	}
	fmt.Fprintln(lines, "fit\tparameters")
	order := byRank(table.Metrics[0].Rank)
	for _, row := range order[:min(most, len(order))] {
		fmt.Fprintf(lines, "%d\t", table.Metrics[0].Rank[row])
		for _, metric := range table.Metrics {
			fmt.Fprintf(lines, "%s\t", score(metric.Test.Mean[row], metric.Test.Std[row]))
		}
		fmt.Fprintf(lines, "%.3f s\t%s\n", table.FitTime.Mean[row], parameters(table.Params[row]))
	}
	if err := lines.Flush(); err != nil {
		return err
	}
	if more := len(order) - most; more > 0 {
		fmt.Fprintf(to, "and %d more candidates\n", more)
	}
	if err := printPruned(to, results.Units); err != nil {
		return err
	}
	return printFailures(to, results.Units)
}

// byRank lists the rows best first; ties keep their order.
func byRank(ranks []int32) []int {
	rows := make([]int, len(ranks))
	for i := range rows {
		rows[i] = i
	}
	slices.SortStableFunc(rows, func(a, b int) int { return cmp.Compare(ranks[a], ranks[b]) })
	return rows
}

func score(mean, std float64) string {
	if math.IsNaN(mean) {
		return "nan"
	}
	return fmt.Sprintf("%.4f ± %.4f", mean, std)
}

// parameters writes a candidate as name=value pairs.
func parameters(params json.RawMessage) string {
	var members map[string]json.RawMessage
	if err := json.Unmarshal(params, &members); err != nil || len(members) == 0 {
		return "(as written)"
	}
	pairs := make([]string, 0, len(members))
	for name, value := range members {
		pairs = append(pairs, name+"="+strings.Trim(string(value), `"`))
	}
	slices.Sort(pairs)
	return strings.Join(pairs, "  ")
}

// byWeight lists the positions of the weights above 0, the largest first; ties keep their order.
func byWeight(weights []float64) []int {
	var positions []int
	for i, weight := range weights {
		if weight > 0 {
			positions = append(positions, i)
		}
	}
	slices.SortStableFunc(positions, func(a, b int) int { return cmp.Compare(weights[b], weights[a]) })
	return positions
}

// printPruned says how many fits were not run.
func printPruned(to io.Writer, units []*pb.Result) error {
	pruned := 0
	for _, unit := range units {
		if unit.GetOutcome() == pb.Outcome_OUTCOME_PRUNED {
			pruned++
		}
	}
	if pruned == 0 {
		return nil
	}
	_, err := fmt.Fprintf(to, "\n%d of %d fits were pruned\n", pruned, len(units))
	return err
}

// printFailures groups failed fits by their error, the most frequent first.
func printFailures(to io.Writer, units []*pb.Result) error {
	counts := map[string]int{}
	total := 0
	for _, unit := range units {
		if reason, failed := Failure(unit); failed {
			counts[reason]++
			total++
		}
	}
	if total == 0 {
		return nil
	}
	reasons := make([]string, 0, len(counts))
	for reason := range counts {
		reasons = append(reasons, reason)
	}
	slices.SortFunc(reasons, func(a, b string) int {
		return cmp.Or(cmp.Compare(counts[b], counts[a]), cmp.Compare(a, b))
	})
	fmt.Fprintf(to, "\n%d of %d fits failed:\n", total, len(units))
	for _, reason := range reasons {
		if _, err := fmt.Fprintf(to, "%6d × %s\n", counts[reason], reason); err != nil {
			return err
		}
	}
	return nil
}

// Failure is why a fit has no score of its own, on one line.
func Failure(unit *pb.Result) (reason string, failed bool) {
	if unit.GetOutcome() == pb.Outcome_OUTCOME_PRUNED {
		return "", false
	}
	failure := unit.GetFailure()
	if failure == nil {
		return "", unit.GetOutcome() != pb.Outcome_OUTCOME_OK
	}
	first, _, _ := strings.Cut(strings.TrimSpace(failure.GetMessage()), "\n")
	return strings.TrimPrefix(failure.GetType(), "builtins.") + ": " + first, true
}
