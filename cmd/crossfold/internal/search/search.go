// Package search runs a job file on a cluster: it checks it, submits it and collects the results.
package search

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	"github.com/crossfold/crossfold/cmd/crossfold/internal/client"
	"github.com/crossfold/crossfold/cmd/crossfold/internal/jobfile"
	"github.com/crossfold/crossfold/cmd/crossfold/internal/leaderboard"
	"github.com/crossfold/crossfold/cmd/crossfold/internal/recipecheck"
	"github.com/crossfold/crossfold/coordinator/gather"
	pb "github.com/crossfold/crossfold/proto/crossfold/v1"
)

// cancelLimit bounds the goodbye to a job that was interrupted.
const cancelLimit = time.Second

// Options says what to run where.
type Options struct {
	File   *jobfile.File
	Client *client.Client
	// Python checks the recipe before anything is fitted; empty leaves that to the workers.
	Python string
	// Warn is told what is odd but no error.
	Warn func(message string)
	// Progress is told the job's counts after every fit.
	Progress func(*pb.JobState)
}

// Outcome is a job that ended well.
type Outcome struct {
	JobID   string
	Rows    int64
	Results *gather.Results
	// Selected is the row that the policy selected; -1 without one.
	Selected int
	// Ensemble is nil unless the file asks for one.
	Ensemble *pb.EnsembleResponse
	// Uncombined is why there is no ensemble though the file asks for one.
	Uncombined error
}

// Run takes the job from its file to its results. When ctx ends first the job is cancelled.
func Run(ctx context.Context, o Options) (*Outcome, error) {
	hello, err := o.Client.Jobs.Hello(ctx, &pb.HelloRequest{NoWait: true})
	if err != nil {
		return nil, fmt.Errorf("reach the cluster: %w", err)
	}
	spec, rows, err := prepare(ctx, o, hello.GetStoreDir())
	if err != nil {
		return nil, err
	}
	jobID, units, err := fit(ctx, o, spec)
	if err != nil {
		return nil, err
	}
	outcome := &Outcome{JobID: jobID, Rows: rows, Results: results(spec, units)}
	// The job is done: what fails now must not lose its results.
	outcome.Ensemble, outcome.Uncombined = combine(ctx, o, jobID)
	if outcome.Selected, err = selected(ctx, o.File, outcome.Results); err != nil {
		o.Warn(err.Error())
		outcome.Selected = -1
	}
	return outcome, nil
}

// fit runs a job to its end and gives the result of each of its fits. When ctx ends first the job is cancelled.
func fit(ctx context.Context, o Options, spec *pb.JobSpec) (jobID string, units []*pb.Result, err error) {
	submitted, err := o.Client.Jobs.Submit(ctx, &pb.SubmitRequest{Job: spec})
	if err != nil {
		return "", nil, fmt.Errorf("submit job %s: %w", spec.GetName(), err)
	}
	jobID = submitted.GetJobId()
	units, err = collect(ctx, o, jobID, fits(spec))
	if ctx.Err() != nil {
		err = errors.Join(ctx.Err(), cancel(ctx, o.Client, jobID))
	}
	return jobID, units, err
}

// fits is how many fits the job has.
func fits(spec *pb.JobSpec) int {
	return len(spec.GetCandidates()) * int(spec.GetSplitSpec().GetNSplits())
}

// results puts a finished job's results into scikit-learn's layout. The coordinator made the splits,
// so here they are only counted.
func results(spec *pb.JobSpec, units []*pb.Result) *gather.Results {
	spec = proto.CloneOf(spec)
	spec.Splits = make([]*pb.Split, spec.GetSplitSpec().GetNSplits())
	return gather.NewResults(spec, &pb.JobState{Phase: pb.JobState_PHASE_DONE}, units)
}

// prepare checks all that can be known before a fit and makes the job.
func prepare(ctx context.Context, o Options, storeDir string) (spec *pb.JobSpec, rows int64, err error) {
	table, err := o.Client.Load(ctx, o.File.Data, storeDir)
	if err != nil {
		return nil, 0, err
	}
	defer func() { err = errors.Join(err, table.Close()) }()
	if err := checkColumns(o.File, table); err != nil {
		return nil, 0, err
	}
	if err := applyPolicy(ctx, o.File); err != nil {
		return nil, 0, err
	}
	warnings, err := checkRows(o.File, table)
	if err != nil {
		return nil, 0, err
	}
	if o.Python != "" {
		if err := recipecheck.Check(ctx, o.Python, o.File); err != nil {
			return nil, 0, err
		}
		if o.File.FinalEstimator != nil {
			if err := recipecheck.Check(ctx, o.Python, o.File.Final()); err != nil {
				return nil, 0, err
			}
		}
	}
	for _, warning := range warnings {
		o.Warn(warning)
	}
	return o.File.JobSpec(table.ID), table.Rows, nil
}

// collect follows the job's events to its last and returns the result of each fit by index.
func collect(ctx context.Context, o Options, jobID string, fits int) ([]*pb.Result, error) {
	events, err := o.Client.Jobs.Events(ctx, &pb.EventsRequest{JobId: jobID})
	if err != nil {
		return nil, fmt.Errorf("follow job %s: %w", jobID, err)
	}
	units := make([]*pb.Result, fits)
	counts := &pb.JobState{Total: uint32(fits)}
	for {
		event, err := events.Recv()
		if errors.Is(err, io.EOF) {
			return nil, fmt.Errorf("job %s: its events ended after %d of %d fits; see the coordinator's log",
				jobID, counts.GetFinished(), fits)
		}
		if err != nil {
			return nil, fmt.Errorf("follow job %s: %w", jobID, err)
		}
		if result := event.GetResult(); result != nil && int(result.GetIndex()) < fits {
			units[result.GetIndex()] = result
			counts.Finished++
			if _, failed := leaderboard.Failure(result); failed {
				counts.Failed++
			}
			o.Progress(counts)
		}
		if state := event.GetState(); state != nil && state.GetPhase() != pb.JobState_PHASE_RUNNING {
			return units, ended(jobID, state)
		}
	}
}

// ended turns a job's last state into an error, or nil.
func ended(jobID string, state *pb.JobState) error {
	switch state.GetPhase() {
	case pb.JobState_PHASE_DONE:
		return nil
	case pb.JobState_PHASE_CANCELLED:
		return fmt.Errorf("job %s was cancelled", jobID)
	}
	code := codes.Code(state.GetErrorCode())
	if code == codes.OK {
		code = codes.Unknown
	}
	return status.Error(code, state.GetError())
}

// cancel drops the job of an interrupted run; its ctx has ended, so it takes only the values.
func cancel(ctx context.Context, c *client.Client, jobID string) error {
	ctx, stop := context.WithTimeout(context.WithoutCancel(ctx), cancelLimit)
	defer stop()
	if _, err := c.Jobs.Cancel(ctx, &pb.CancelRequest{JobId: jobID}); err != nil {
		return fmt.Errorf("cancel job %s: %w", jobID, err)
	}
	return nil
}
