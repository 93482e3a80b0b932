package main

import (
	"context"
	"fmt"
	"path/filepath"

	"github.com/crossfold/crossfold/coordinator"
	"github.com/crossfold/crossfold/coordinator/queue/jetstream"
	"github.com/crossfold/crossfold/coordinator/workertest"
	pb "github.com/crossfold/crossfold/proto/crossfold/v1"
)

// slotSeconds is what a slot says that a fit took.
const slotSeconds = 0.4e-3

// swarm runs workers until it is killed. Every host has one connection.
func swarm(ctx context.Context, o options) error {
	last := uint32(o.fits/folds - 1)
	for host := range o.hosts {
		connection, err := jetstream.Open(ctx, jetstream.Config{Socket: filepath.Join(o.dir, "cluster", "nats.sock")})
		if err != nil {
			return err
		}
		start := workertest.Sidecar(workertest.Config{
			ID:  fmt.Sprintf("host-%d", host),
			Run: func(_ context.Context, task *pb.Task) ([]*pb.Result, *pb.Fault) { return answer(task, last), nil },
		})
		slots := o.slots / o.hosts
		if host < o.slots%o.hosts {
			slots++
		}
		if _, err := start(ctx, coordinator.SidecarConfig{Queue: connection, Slots: slots}); err != nil {
			return err
		}
	}
	<-ctx.Done() // the kill comes first
	return ctx.Err()
}

// answer is what a sidecar reports of a task, except for the last candidate: its fits stay open, so
// that the job still runs when its coordinator is killed.
func answer(task *pb.Task, last uint32) []*pb.Result {
	results := make([]*pb.Result, 0, len(task.GetFits()))
	for _, fit := range task.GetFits() {
		if fit.GetCandidateIndex() == last {
			continue
		}
		result := workertest.OK(task, fit.GetIndex())
		result.TestScores = map[string]float64{"score": 1 / float64(fit.GetIndex()+3)}
		result.FitSeconds, result.ScoreSeconds, result.SlotSeconds = slotSeconds/2, slotSeconds/4, slotSeconds
		result.Worker = "w-0123456789abcdef"
		results = append(results, result)
	}
	return results
}
