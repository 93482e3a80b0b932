package leaderboard

import (
	"fmt"
	"io"
	"strings"
	"text/tabwriter"

	"github.com/crossfold/crossfold/coordinator/gather"
	pb "github.com/crossfold/crossfold/proto/crossfold/v1"
)

// PrintSelected writes the candidate that a policy selected.
func PrintSelected(to io.Writer, table *gather.Table, row int) error {
	_, err := fmt.Fprintf(to, "\nthe policy selects %s\n", parameters(table.Params[row]))
	return err
}

// PrintEnsemble writes the members of an ensemble, the heaviest first, and how it scores.
func PrintEnsemble(to io.Writer, table *gather.Table, metric string, ensemble *pb.EnsembleResponse) error {
	fmt.Fprintf(to, "\nensemble: out-of-fold %s %.6g, best single candidate %.6g\n\n",
		metric, ensemble.GetScore(), ensemble.GetBestSingleScore())
	lines := tabwriter.NewWriter(to, 0, 0, 2, ' ', 0)
	member := func(at int) string {
		return fmt.Sprintf("%.6g\t%s", ensemble.GetScores()[at], parameters(table.Params[ensemble.GetCandidates()[at]]))
	}
	if len(ensemble.GetWeights()) == 0 { // a stack
		fmt.Fprintf(lines, "%s\tparameters\n", metric)
		for at := range ensemble.GetScores() {
			fmt.Fprintln(lines, member(at))
		}
	} else {
		fmt.Fprintf(lines, "weight\t%s\tparameters\n", metric)
		for _, at := range byWeight(ensemble.GetWeights()) {
			fmt.Fprintf(lines, "%.4f\t%s\n", ensemble.GetWeights()[at], member(at))
		}
	}
	if err := lines.Flush(); err != nil {
		return err
	}
	if marks := ensemble.GetMarks(); len(marks) > 0 {
		_, err := fmt.Fprintf(to, "\n%s\n", strings.Join(marks, "\n"))
		return err
	}
	return nil
}
