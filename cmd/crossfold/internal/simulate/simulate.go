// Package simulate runs a job on workers that do not exist: the real planner and gatherer, on
// virtual time, with measured seconds per fit.
//
// What is real: which fits travel together, how many tasks are published at a time, what is handed
// out again, and when the job is done (coordinator/gather over coordinator/plan). What is modelled:
// the bus delivers tasks in their order to the slot that waits longest and takes a task back when
// its lease lapses; a worker runs fits one after the other; the coordinator takes results one by one.
package simulate

import (
	"fmt"
	"math/rand/v2"

	"github.com/crossfold/crossfold/coordinator/gather"
	"github.com/crossfold/crossfold/coordinator/plan"
	"github.com/crossfold/crossfold/coordinator/queue"
	pb "github.com/crossfold/crossfold/proto/crossfold/v1"
)

// extendSeconds is how often a worker renews the lease of its task.
const extendSeconds = queue.LeaseSeconds / 3.0

// Cluster says what workers there are, each with one slot.
type Cluster struct {
	Workers int
	// Spread makes speeds differ: uniform between 1 - Spread and 1 + Spread.
	Spread float64
	// Stragglers is the share of workers that run at a fourth of their speed.
	Stragglers float64
	// Lost is the share of workers that vanish, each at some time of an ideal run.
	Lost float64
	// Seed makes the draws repeatable.
	Seed uint64
}

// Outcome is how a simulated run went.
type Outcome struct {
	// Seconds is the virtual time from submission to the last result.
	Seconds float64
	// Work is the sum of the seconds of all fits on a worker of speed 1.
	Work float64
	// Capacity is the sum of all workers' speeds, those included that were lost.
	Capacity float64
	// Fits, Tasks and Repeated count the job's fits, tasks, and fits that a lost worker had begun.
	Fits, Tasks, Repeated int
}

// Efficiency is the share of the cluster's capacity that did the job's work.
func (o Outcome) Efficiency() float64 { return o.Work / (o.Seconds * o.Capacity) }

// run is a simulation under way.
type run struct {
	inputs  Inputs
	fits    []Fit
	job     *gather.Job
	clock   clock
	workers []*worker
	// idle holds the workers that wait for a task, the longest waiting first.
	idle []*worker
	// waiting holds the published tasks that no worker has.
	waiting []*delivery
	// coordinator is when the coordinator has worked off what it was told.
	coordinator float64
	done        []bool
	finished    bool
	outcome     Outcome
}

type worker struct {
	speed float64
	lost  bool
	// holds is the task that it runs.
	holds *delivery
}

// delivery is a task on the bus.
type delivery struct {
	units []uint32
	// taken is when a worker got it last.
	taken float64
}

// Run simulates one job of these fits.
func Run(cluster Cluster, inputs Inputs, fits []Fit) (Outcome, error) {
	if cluster.Workers < 1 || len(fits) == 0 {
		return Outcome{}, fmt.Errorf("simulate: %d workers and %d fits: at least one of each is needed",
			cluster.Workers, len(fits))
	}
	r := &run{inputs: inputs, fits: fits, done: make([]bool, len(fits))}
	for _, fit := range fits {
		r.outcome.Work += fit.Seconds
	}
	r.outcome.Fits = len(fits)
	r.hire(cluster)
	job, step := gather.New(gather.Config{JobID: "simulated", TaskPrefix: "t"})
	r.job = job
	r.apply(step)
	units := make([]plan.Unit, len(fits))
	for i, fit := range fits {
		units[i] = plan.Unit{
			Index: uint32(i), Split: fit.Split, Candidate: fit.Candidate, Features: inputs.features(fit.Candidate),
		}
	}
	r.apply(job.Append(units))
	r.apply(job.Close())
	r.apply(job.SetSlots(cluster.Workers))
	for !r.finished {
		if !r.clock.next() {
			return r.outcome, fmt.Errorf("simulate: no worker is left after %.0f s: lose fewer", r.clock.now)
		}
	}
	return r.outcome, nil
}

// hire makes the workers and decides their fates.
func (r *run) hire(cluster Cluster) {
	random := rand.New(rand.NewPCG(cluster.Seed, 0))
	for range cluster.Workers {
		w := &worker{speed: 1 + cluster.Spread*(2*random.Float64()-1)}
		if random.Float64() < cluster.Stragglers {
			w.speed /= 4
		}
		r.outcome.Capacity += w.speed
		r.workers = append(r.workers, w)
	}
	r.idle = append(r.idle, r.workers...)
	ideal := r.outcome.Work / r.outcome.Capacity
	lost := int(cluster.Lost*float64(cluster.Workers) + 0.5)
	for _, at := range random.Perm(cluster.Workers)[:min(lost, cluster.Workers)] {
		w := r.workers[at]
		r.clock.at(ideal*random.Float64(), func() { r.lose(w) })
	}
}

// lose ends a worker. Its task comes back when the lease lapses that it renewed last.
func (r *run) lose(w *worker) {
	w.lost = true
	held := w.holds
	if held == nil {
		return
	}
	held.taken += float64(int((r.clock.now-held.taken)/extendSeconds)) * extendSeconds
	r.clock.at(held.taken+queue.LeaseSeconds, func() {
		r.waiting = append([]*delivery{held}, r.waiting...)
		r.deliver()
	})
}

// apply carries out what the gatherer says.
func (r *run) apply(step gather.Step) {
	for _, assignment := range step.Publish {
		r.outcome.Tasks++
		r.waiting = append(r.waiting, &delivery{units: assignment.Units})
	}
	if step.Finished {
		r.finished, r.outcome.Seconds = true, r.clock.now
	}
	r.deliver()
}

// deliver brings waiting tasks to idle workers.
func (r *run) deliver() {
	for len(r.waiting) > 0 && len(r.idle) > 0 {
		w := r.idle[0]
		r.idle = r.idle[1:]
		if w.lost {
			continue
		}
		w.holds, r.waiting = r.waiting[0], r.waiting[1:]
		w.holds.taken = r.clock.now
		r.clock.in(r.inputs.TaskSeconds, func() { r.work(w, w.holds.units) })
	}
}

// work runs the first of units that has no result yet, and then the others.
func (r *run) work(w *worker, units []uint32) {
	for len(units) > 0 && r.done[units[0]] {
		units = units[1:]
	}
	switch {
	case w.lost:
		r.outcome.Repeated += len(units)
	case len(units) == 0:
		// Results are stored before the task is acked and the next one fetched.
		r.clock.in(r.inputs.ResultSeconds, func() {
			w.holds = nil
			r.idle = append(r.idle, w)
			r.deliver()
		})
	default:
		seconds := r.fits[units[0]].Seconds / w.speed
		r.clock.in(seconds, func() {
			if !w.lost {
				r.store(units[0], seconds)
			}
			r.work(w, units)
		})
	}
}

// store keeps a fit's result; the coordinator gets to it when it has worked off earlier ones.
func (r *run) store(index uint32, seconds float64) {
	r.done[index] = true
	r.coordinator = max(r.coordinator, r.clock.now+r.inputs.ResultSeconds) + r.inputs.CoordinatorSeconds
	r.clock.at(r.coordinator, func() {
		r.apply(r.job.Results([]*pb.Result{{
			JobId: "simulated", Index: index, Outcome: pb.Outcome_OUTCOME_OK, SlotSeconds: seconds,
		}}))
	})
}
