// Package joblist prints the jobs of a cluster.
package joblist

import (
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"

	pb "github.com/crossfold/crossfold/proto/crossfold/v1"
)

// Print writes one line per job, in the order given.
func Print(to io.Writer, jobs []*pb.JobInfo) error {
	if len(jobs) == 0 {
		_, err := fmt.Fprintln(to, "no jobs")
		return err
	}
	table := tabwriter.NewWriter(to, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "job\tname\tstate\tfinished\tfailed\tsubmitted")
	for _, job := range jobs {
		state := job.GetState()
		fmt.Fprintf(table, "%s\t%s\t%s\t%d/%d\t%d\t%s\n", job.GetJobId(), job.GetName(), phase(state.GetPhase()),
			state.GetFinished(), state.GetTotal(), state.GetFailed(),
			time.Unix(job.GetSubmittedUnix(), 0).Format(time.DateTime))
	}
	return table.Flush()
}

func phase(p pb.JobState_Phase) string {
	return strings.ToLower(strings.TrimPrefix(p.String(), "PHASE_"))
}
