package coordinator

import (
	"cmp"
	"context"
	"crypto/rand"
	"encoding/hex"
	"slices"
	"time"

	pb "github.com/crossfold/crossfold/proto/crossfold/v1"
)

// counts are totals since Open.
type counts struct{ tasks, fits, calls, faults uint64 }

// Stats counts.
func (c *Coordinator) Stats() *pb.StatsResponse {
	c.mu.Lock()
	defer c.mu.Unlock()
	return &pb.StatsResponse{
		Workers: c.workers.sorted(), TasksCompleted: c.counts.tasks, FitsCompleted: c.counts.fits,
		CallsCompleted: c.counts.calls, Faults: c.counts.faults, JobsRunning: uint32(c.runningJobs()),
	}
}

func (c *Coordinator) runningJobs() int {
	n := 0
	for _, j := range c.jobs {
		if !j.machine.Ended() {
			n++
		}
	}
	return n
}

// IdleSince is when the last job ended; zero while one runs.
func (c *Coordinator) IdleSince() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.runningJobs() > 0 {
		return time.Time{}
	}
	return c.active
}

// Jobs lists the submitted jobs that the ledger knows and the attached ones that run, newest first.
func (c *Coordinator) Jobs(ctx context.Context) ([]*pb.JobInfo, error) {
	if err := c.alive(ctx); err != nil {
		return nil, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	infos := make([]*pb.JobInfo, 0, len(c.jobs))
	for _, j := range c.jobs {
		infos = append(infos, &pb.JobInfo{
			JobId: j.id, Name: j.spec.GetName(), State: j.machine.State(), SubmittedUnix: j.submitted,
		})
	}
	slices.SortFunc(infos, func(a, b *pb.JobInfo) int {
		return cmp.Or(cmp.Compare(b.GetSubmittedUnix(), a.GetSubmittedUnix()), cmp.Compare(a.GetJobId(), b.GetJobId()))
	})
	return infos, nil
}

// newID is a random id of 32 hex digits.
func newID() string {
	var id [16]byte
	_, _ = rand.Read(id[:]) // never fails
	return hex.EncodeToString(id[:])
}
