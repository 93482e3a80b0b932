package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"runtime/pprof"
	"strings"
	"syscall"
	"time"

	"github.com/crossfold/crossfold/arrowipc/source"
	"github.com/crossfold/crossfold/coordinator"
	pb "github.com/crossfold/crossfold/proto/crossfold/v1"
)

const (
	// folds is how many splits the job has.
	folds = 5
	// look is how often the counts are looked at.
	look = 5 * time.Millisecond
)

// serve runs a coordinator until it is killed: a line when workers may come, and one with figures.
func serve(ctx context.Context, o options) error {
	c, err := open(ctx, o)
	if err != nil {
		return err
	}
	fmt.Println("{}")
	slots := func() bool { return slotsOf(c) >= o.slots }
	if err := until(ctx, slots); err != nil {
		return err
	}
	spec, err := grid(ctx, c, o)
	if err != nil {
		return err
	}
	before := heap()
	stop, err := startProfile(o, "serve")
	if err != nil {
		return err
	}
	began, busy := time.Now(), processorTime()
	if _, err := c.Submit(ctx, spec); err != nil {
		return err
	}
	fits := func(n int) func() bool {
		return func() bool { return c.Stats().GetFitsCompleted() >= uint64(n) }
	}
	if err := until(ctx, fits(o.fits/2)); err != nil {
		return err
	}
	midway := heap()
	if err := writeHeap(o); err != nil {
		return err
	}
	if err := until(ctx, fits(o.fits-folds)); err != nil {
		return err
	}
	seconds := time.Since(began).Seconds()
	busy = processorTime() - busy
	stop()
	stats := c.Stats()
	finished := float64(stats.GetFitsCompleted())
	err = json.NewEncoder(os.Stdout).Encode(report{
		FitsPerSecond:  finished / seconds,
		FitsPerMessage: finished / float64(stats.GetTasksCompleted()),
		ServerMicros:   busy.Seconds() * 1e6 / finished,
		BytesPerFit:    (float64(max(midway, heap())) - float64(before)) / float64(o.fits),
	})
	if err != nil {
		return err
	}
	<-ctx.Done() // the kill comes first
	return ctx.Err()
}

// recoverJob opens the folder of a killed coordinator and returns the seconds that took.
func recoverJob(ctx context.Context, o options) (float64, error) {
	stop, err := startProfile(o, "recover")
	if err != nil {
		return 0, err
	}
	began := time.Now()
	c, err := open(ctx, o)
	if err != nil {
		return 0, err
	}
	seconds := time.Since(began).Seconds()
	stop()
	jobs, err := c.Jobs(ctx)
	if err == nil && (len(jobs) != 1 || int(jobs[0].GetState().GetFinished()) != o.fits-folds) {
		err = fmt.Errorf("recovered %v, want one job with %d finished fits", jobs, o.fits-folds)
	}
	return seconds, errors.Join(err, c.Close())
}

// grid is a job of so many fits: every candidate on five folds of a small table.
func grid(ctx context.Context, c *coordinator.Coordinator, o options) (*coordinator.JobSpec, error) {
	var table strings.Builder
	table.WriteString("x,y\n")
	for row := range 2 * folds {
		fmt.Fprintf(&table, "%d.5,%d\n", row, row%2)
	}
	path := filepath.Join(o.dir, "table.csv")
	if err := os.WriteFile(path, []byte(table.String()), 0o600); err != nil {
		return nil, err
	}
	dataset, err := source.Read(ctx, c.Store(), path, source.Options{})
	if err != nil {
		return nil, err
	}
	spec := &coordinator.JobSpec{
		Name: "load", DatasetId: dataset.ID,
		SplitSpec: &pb.SplitSpec{Kind: pb.SplitSpec_KIND_KFOLD, NSplits: folds},
		Code: &pb.Code{Source: &pb.Code_Recipe{Recipe: &pb.Recipe{
			Steps: []*pb.Step{{EntryPoint: "sklearn.svm:SVC"}}, Target: "y",
		}}},
	}
	for candidate := range o.fits / folds {
		params := fmt.Sprintf(`{"C": %d.5}`, candidate)
		spec.Candidates = append(spec.Candidates, &pb.Candidate{
			Setting: &pb.Candidate_ParamsJson{ParamsJson: params},
		})
	}
	return spec, nil
}

func slotsOf(c *coordinator.Coordinator) (slots int) {
	for _, worker := range c.Stats().GetWorkers() {
		slots += int(worker.GetSlots())
	}
	return slots
}

func until(ctx context.Context, condition func() bool) error {
	for !condition() {
		select {
		case <-time.After(look):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}

// heap is the memory that is in use, in bytes: without the pools of buffers, which the second collection
// empties.
func heap() uint64 {
	var stats runtime.MemStats
	runtime.GC()
	runtime.GC()
	runtime.ReadMemStats(&stats)
	return stats.HeapAlloc
}

func processorTime() time.Duration {
	var usage syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &usage) // fails for other arguments only
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}

// writeHeap writes a profile of the memory that is in use, when one is wanted.
func writeHeap(o options) error {
	if o.profile == "" {
		return nil
	}
	file, err := os.Create(o.profile + "-heap.pprof")
	if err != nil {
		return err
	}
	return errors.Join(pprof.WriteHeapProfile(file), file.Close())
}

// startProfile writes a CPU profile from now until stop is called, when one is wanted.
func startProfile(o options, role string) (stop func(), err error) {
	if o.profile == "" {
		return func() {}, nil
	}
	file, err := os.Create(o.profile + "-" + role + ".pprof")
	if err != nil {
		return nil, err
	}
	if err := pprof.StartCPUProfile(file); err != nil {
		return nil, errors.Join(err, file.Close())
	}
	return func() { pprof.StopCPUProfile(); _ = file.Close() }, nil
}
