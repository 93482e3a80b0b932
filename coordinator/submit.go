package coordinator

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/binary"

	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/proto"

	"github.com/crossfold/crossfold/arrowipc/partition"
	"github.com/crossfold/crossfold/arrowipc/source"
	"github.com/crossfold/crossfold/arrowipc/store"
	"github.com/crossfold/crossfold/coordinator/queue"
	pb "github.com/crossfold/crossfold/proto/crossfold/v1"
)

// Submit hands in a whole job, which lives on without its client and survives a restart. Bad input
// is refused here, before anything runs. When Submit returns, the ledger has the job.
func (c *Coordinator) Submit(ctx context.Context, spec *JobSpec) (jobID string, err error) {
	if err := c.alive(ctx); err != nil {
		return "", err
	}
	spec = proto.CloneOf(spec)
	if err := c.checkSpec(spec); err != nil {
		return "", err
	}
	if err := c.expandSplits(ctx, spec); err != nil {
		return "", err
	}
	if err := checkWhole(spec); err != nil {
		return "", err
	}
	everything := wholeAppend(spec)
	if err := c.checkAppend(spec, 0, 0, everything); err != nil {
		return "", err
	}
	id := newID()
	j, step := c.newJob(id, spec, nil)
	manifest := &queue.Manifest{JobID: id, SubmittedUnix: j.submitted, Spec: spec, State: j.machine.State()}
	if err := c.queue.SaveJob(ctx, manifest); err != nil {
		return "", coded(codes.Unavailable, err)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.jobs[id] = j
	c.apply(j, step)
	c.apply(j, j.add(everything))
	c.apply(j, j.machine.Close())
	c.admit(j)
	c.logger.Info("coordinator: job submitted", "job", id, "name", spec.GetName(), "fits", j.machine.Units())
	return id, nil
}

// wholeAppend is everything a submitted job consists of.
func wholeAppend(spec *pb.JobSpec) *pb.Append {
	fits := spec.GetFits()
	if len(fits) == 0 {
		fits = wholeGrid(len(spec.GetCandidates()), len(spec.GetSplits()))
	}
	return &pb.Append{Splits: spec.GetSplits(), Candidates: spec.GetCandidates(), Fits: fits}
}

// expandSplits makes the splits that a spec asks for, stores them and writes them into the spec, so
// that a restart has the same ones.
func (c *Coordinator) expandSplits(ctx context.Context, spec *pb.JobSpec) error {
	wanted := spec.GetSplitSpec()
	if wanted == nil {
		return nil
	}
	if wanted.GetShuffle() && wanted.RandomState == nil {
		var seed [4]byte
		_, _ = rand.Read(seed[:]) // never fails
		wanted.RandomState = proto.Uint32(binary.LittleEndian.Uint32(seed[:]))
	}
	dataset, err := source.Describe(c.store, spec.GetDatasetId())
	if err != nil {
		return coded(codes.InvalidArgument, err)
	}
	splits, warnings, err := partition.Splits(wanted, dataset.Rows, func() (partition.Labels, error) {
		return c.labels(spec)
	})
	if err != nil {
		return coded(codes.InvalidArgument, err)
	}
	for _, warning := range warnings {
		c.logger.Warn("coordinator: splits", "job", spec.GetName(), "warning", warning)
	}
	for _, split := range splits {
		data, err := partition.Encode(split)
		if err != nil {
			return coded(codes.Internal, err)
		}
		id, _, err := c.store.Put(ctx, store.Split, bytes.NewReader(data))
		if err != nil {
			return coded(codes.Internal, err)
		}
		spec.Splits = append(spec.Splits, &pb.Split{
			Id: id, TrainRows: int64(len(split.Train)), TestRows: int64(len(split.Test)),
		})
	}
	return nil
}

func (c *Coordinator) labels(spec *pb.JobSpec) (partition.Labels, error) {
	target := spec.GetCode().GetRecipe().GetTarget()
	if target == "" {
		return partition.Labels{}, invalid("stratified splits need the classes: set code.recipe.target to " +
			"the column y, or hand in splits")
	}
	column, err := source.Column(c.store, spec.GetDatasetId(), target)
	if err != nil {
		return partition.Labels{}, err
	}
	defer column.Release()
	return partition.LabelsOf(column)
}
