package coordinator

import (
	"context"
	"fmt"

	"google.golang.org/grpc/codes"

	"github.com/crossfold/crossfold/coordinator/gather"
	pb "github.com/crossfold/crossfold/proto/crossfold/v1"
)

// find returns a whole job. The caller holds c.mu.
func (c *Coordinator) find(jobID string) (*job, error) {
	if j := c.jobs[jobID]; j != nil && j.whole() {
		return j, nil
	}
	return nil, notFound("no job %q: list the known ones with `crossfold jobs` or Jobs", jobID)
}

// Events delivers a submitted job's events from its first. The channel is closed after the last
// one, when ctx ends, and when the coordinator is closed.
func (c *Coordinator) Events(ctx context.Context, jobID string) (<-chan *Event, error) {
	if err := c.alive(ctx); err != nil {
		return nil, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	j, err := c.find(jobID)
	if err != nil {
		return nil, err
	}
	out := make(chan *Event, 64)
	c.running.Add(1)
	go func() {
		defer c.running.Done()
		defer close(out)
		c.follow(ctx, j, out)
	}()
	return out, nil
}

func (c *Coordinator) follow(ctx context.Context, j *job, out chan<- *Event) {
	for at := (place{}); ; {
		c.mu.Lock()
		data, next := j.log.behind(at)
		ended := j.machine.Ended()
		if j.changed == nil {
			j.changed = make(chan struct{})
		}
		changed := j.changed
		c.mu.Unlock()
		events, err := decodeEvents(j.id, data)
		if err != nil {
			c.logger.Error("coordinator: a job's events can't be read", "job", j.id, "error", err)
			return
		}
		for _, event := range events {
			select {
			case out <- event:
			case <-ctx.Done():
				return
			case <-c.ctx.Done():
				return
			}
		}
		if next != at {
			at = next
			continue
		}
		if ended {
			return
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return
		case <-c.ctx.Done():
			return
		}
	}
}

// Wait waits for a submitted job's end. When the job failed or was cancelled it returns an error
// beside the results there are.
func (c *Coordinator) Wait(ctx context.Context, jobID string) (*Results, error) {
	events, err := c.Events(ctx, jobID)
	if err != nil {
		return nil, err
	}
	var last *pb.Event
	results := map[uint32]*pb.Result{}
	for event := range events {
		last = event
		if result := event.GetResult(); result != nil {
			results[result.GetIndex()] = result
		}
	}
	state := last.GetState()
	if state == nil || state.GetPhase() == pb.JobState_PHASE_RUNNING {
		if err := c.alive(ctx); err != nil {
			return nil, err
		}
		return nil, ErrClosed
	}
	c.mu.Lock()
	j, err := c.find(jobID)
	c.mu.Unlock()
	if err != nil {
		return nil, err
	}
	units := make([]*pb.Result, state.GetTotal())
	for index, result := range results {
		units[index] = result
	}
	return gather.NewResults(j.spec, state, units), stateError(jobID, state)
}

func stateError(jobID string, state *pb.JobState) error {
	switch state.GetPhase() {
	case pb.JobState_PHASE_FAILED:
		return &Error{
			Code:    codes.Code(state.GetErrorCode()),
			Message: fmt.Sprintf("job %s failed: %s", jobID, state.GetError()),
		}
	case pb.JobState_PHASE_CANCELLED:
		return &Error{
			Code:    codes.Canceled,
			Message: fmt.Sprintf("job %s was cancelled: submit it again to run it", jobID),
		}
	}
	return nil
}

// Cancel stops a job; what is finished is kept. Cancelling an ended job does nothing.
func (c *Coordinator) Cancel(ctx context.Context, jobID string) error {
	if err := c.alive(ctx); err != nil {
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	j := c.jobs[jobID]
	if j == nil {
		return notFound("no job %q: list the known ones with `crossfold jobs` or Jobs", jobID)
	}
	c.apply(j, j.machine.Stop())
	return nil
}
