package coordinator

import (
	"context"

	"github.com/crossfold/crossfold/coordinator/queue"
	pb "github.com/crossfold/crossfold/proto/crossfold/v1"
)

// resume reads manifests and results from the ledger. Jobs that were running go on with what has no
// result; results of jobs without a manifest, left by attached clients, are dropped.
func (c *Coordinator) resume(ctx context.Context) (<-chan queue.Outcome, error) {
	manifests, err := c.queue.Jobs(ctx)
	if err != nil {
		return nil, err
	}
	outcomes, err := c.queue.Outcomes(c.ctx)
	if err != nil {
		return nil, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, manifest := range manifests {
		c.jobs[manifest.JobID] = c.restore(manifest)
	}
	strangers, err := c.replay(ctx, outcomes)
	if err != nil {
		return nil, err
	}
	for _, manifest := range manifests {
		c.goOn(c.jobs[manifest.JobID], manifest)
	}
	for id := range strangers {
		c.courier.send("", func(ctx context.Context) error { return c.queue.DropJob(ctx, id) })
	}
	return outcomes, nil
}

// restore makes a job from its manifest; its results follow.
func (c *Coordinator) restore(manifest *queue.Manifest) *job {
	j, step := c.newJob(manifest.JobID, manifest.Spec, nil)
	j.submitted = manifest.SubmittedUnix
	j.log.add(step.Events...)
	// No worker is known yet, so nothing is handed out.
	j.log.add(j.add(wholeAppend(manifest.Spec)).Events...)
	return j
}

// replay feeds the jobs with the ledger's results. It returns the ids of unknown jobs.
func (c *Coordinator) replay(ctx context.Context, outcomes <-chan queue.Outcome) (map[string]bool, error) {
	strangers := map[string]bool{}
	for {
		select {
		case outcome, ok := <-outcomes:
			if !ok {
				return nil, queue.ErrClosed
			}
			if outcome.Replayed {
				return strangers, nil
			}
			for id, results := range byJob(outcome.Results) {
				if j := c.jobs[id]; j != nil {
					events := j.machine.Results(results).Events
					j.remember(events)
					j.log.add(events...)
				} else {
					strangers[id] = true
				}
			}
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

// goOn ends a job that had ended, and closes one that was running: then it ends with its last fit.
func (c *Coordinator) goOn(j *job, manifest *queue.Manifest) {
	if manifest.State.GetPhase() != pb.JobState_PHASE_RUNNING {
		j.log.add(j.machine.Restore(manifest.State).Events...)
		j.forgetUnits()
		c.ended = append(c.ended, j.id)
		return
	}
	j.ran = true
	// What an earlier coordinator published may still wait in an external queue.
	c.courier.send("", func(ctx context.Context) error { return c.queue.DropTasks(ctx, j.id) })
	c.apply(j, j.machine.Close())
	if !j.machine.Ended() {
		c.logger.Info("coordinator: job resumed", "job", j.id, "name", j.spec.GetName(),
			"finished", j.machine.State().GetFinished(), "fits", j.machine.Units())
	}
}
