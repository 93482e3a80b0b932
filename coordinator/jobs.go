package coordinator

import (
	"context"
	"iter"
	"os"
	"slices"
	"time"

	"google.golang.org/grpc/codes"

	"github.com/crossfold/crossfold/coordinator/gather"
	"github.com/crossfold/crossfold/coordinator/plan"
	"github.com/crossfold/crossfold/coordinator/queue"
	pb "github.com/crossfold/crossfold/proto/crossfold/v1"
)

// keptJobs is how many ended whole jobs the ledger keeps.
const keptJobs = 100

// largeDataset is from how many bytes on the fits of a job come split by split: workers keep its train
// rows once a host and split, in 4 GiB at most (LIMIT in python/crossfold/_runtime/_parts.py).
const largeDataset = 256 << 20

// job is a job and what runs it. Its fields are guarded by Coordinator.mu.
type job struct {
	id string
	// spec is the whole of a submitted job; of an attached one it is what Open gave, and what was
	// appended is in the slices below.
	spec       *pb.JobSpec
	splits     []*pb.Split
	candidates []*pb.Candidate
	fits       []jobFit
	// extras holds what the few fits that have it send along, by position.
	extras    map[uint32][]byte
	calls     []*pb.Call
	machine   *gather.Job
	submitted int64
	// session is nil for whole jobs.
	session *Session
	// since is when the job began to wait for a worker; zero while there is one.
	since time.Time
	// suited is the workers' environment that was found to suit the job; nil before.
	suited *pb.Environment
	// environment is what the job's tasks say that their results depend on.
	environment *pb.Environment
	// ran says that the job had a worker before, if in an earlier coordinator.
	ran bool

	// predicted is nil unless the job's fits return predictions.
	predicted *outOfFold

	// log holds every event of a whole job; changed is closed when it grows.
	log     eventLog
	changed chan struct{}
}

// jobFit is a fit of a job: as a message it would take ten times the memory.
type jobFit struct{ candidate, split uint32 }

func (c *Coordinator) newJob(id string, spec *pb.JobSpec, session *Session) (*job, gather.Step) {
	recipe := spec.GetCode().GetRecipe()
	machine, step := gather.New(gather.Config{
		JobID: id, TaskPrefix: newID()[:12], MaxParallel: int(spec.GetMaxParallel()),
		FailFast:     recipe.GetErrorScore() == "raise",
		FailTogether: recipe != nil && session == nil,
		InOrder:      spec.GetInOrder(),
		SplitBySplit: c.isLarge(spec.GetDatasetId()),
		FoldByFold:   spec.GetPruning() != nil, Metric: pruneMetric(spec.GetPruning()),
		Experience: c.known.of[kindOf(spec)],
	})
	j := &job{
		id: id, spec: spec, session: session, machine: machine, submitted: time.Now().Unix(), since: time.Now(),
		extras: map[uint32][]byte{},
	}
	if len(spec.GetPredictions()) > 0 {
		j.predicted = newOutOfFold()
	}
	return j, step
}

// isLarge says whether the folds of a dataset are better not in memory all at a time.
func (c *Coordinator) isLarge(dataset string) bool {
	path, err := c.store.Path(dataset)
	if err != nil {
		return false
	}
	info, err := os.Stat(path)
	return err == nil && info.Size() >= largeDataset
}

// whole says that the job lives on without its client.
func (j *job) whole() bool { return j.session == nil }

func (j *job) hasCalls() bool { return j.spec.GetDatasetId() == "" }

// sessionID is whose Python processes may run the job.
func (j *job) sessionID() string {
	if j.session != nil {
		return j.session.id
	}
	return j.id
}

// suit notes that the workers' environment suits the job.
func (j *job) suit(workers *pb.Environment) {
	j.suited, j.ran = workers, true
	j.environment = &pb.Environment{
		Python: workers.GetPython(), Packages: workers.GetPackages(), Code: j.spec.GetEnvironment().GetCode(),
	}
}

// add appends units that were validated.
func (j *job) add(more *pb.Append) gather.Step {
	j.splits = append(j.splits, more.GetSplits()...)
	j.candidates = append(j.candidates, more.GetCandidates()...)
	units := make([]plan.Unit, 0, len(more.GetFits())+len(more.GetCalls()))
	j.fits = slices.Grow(j.fits, len(more.GetFits()))
	for _, fit := range more.GetFits() {
		candidate, index := j.candidates[fit.GetCandidate()], uint32(len(j.fits))
		units = append(units, plan.Unit{
			Index: index, Split: fit.GetSplit(), Candidate: fit.GetCandidate(),
			Prefix: candidate.GetPrefixKey(), Features: candidate.GetFeatures(),
			Family: candidate.GetFamilyKey(), Size: candidate.GetFamilySize(),
			Bytes: 64 + len(candidate.GetPickle().GetInline()) + len(candidate.GetParamsJson()) +
				len(candidate.GetPrefixKey()) + len(candidate.GetFamilyKey()) + 32*len(candidate.GetFeatures()) + len(fit.GetExtra()),
		})
		j.fits = append(j.fits, jobFit{fit.GetCandidate(), fit.GetSplit()})
		if len(fit.GetExtra()) > 0 {
			j.extras[index] = fit.GetExtra()
		}
		if j.predicted != nil {
			j.predicted.expect(fit.GetCandidate())
		}
	}
	for _, call := range more.GetCalls() {
		units = append(units, plan.Unit{
			Index: uint32(len(j.calls)), Split: plan.Calls, Bytes: 16 + len(call.GetPickle().GetInline()),
		})
		j.calls = append(j.calls, call)
	}
	if j.spec.GetPruning() == nil {
		return j.machine.Append(units)
	}
	candidates := make([]uint32, len(units))
	for i := range units {
		candidates[i] = j.fits[units[i].Index].candidate
	}
	return j.machine.AppendGrid(units, candidates)
}

// forgetUnits frees what an ended job is not asked for again.
func (j *job) forgetUnits() { j.splits, j.candidates, j.fits, j.extras = nil, nil, nil, nil }

// wholeGrid is every candidate on every split, candidate by candidate.
func wholeGrid(candidates, splits int) []*pb.JobFit {
	fits := make([]*pb.JobFit, 0, candidates*splits)
	for candidate := range candidates {
		for split := range splits {
			fits = append(fits, &pb.JobFit{Candidate: uint32(candidate), Split: uint32(split)})
		}
	}
	return fits
}

// task builds the message of an assignment.
func (j *job) task(a gather.Assignment) *pb.Task {
	task := &pb.Task{
		Id: a.TaskID, JobId: j.id, SessionId: j.sessionID(), Attempt: a.Attempt,
		Code: j.spec.GetCode(), DatasetId: j.spec.GetDatasetId(), Environment: j.environment,
		Predictions: j.spec.GetPredictions(), Limits: j.spec.GetLimits(),
	}
	if j.hasCalls() {
		task.Calls = make([]*pb.Call, len(a.Units))
		for i, index := range a.Units {
			task.Calls[i] = &pb.Call{Index: index, Pickle: j.calls[index].GetPickle()}
		}
		return task
	}
	split := j.fits[a.Units[0]].split
	task.Split, task.SplitFits = j.splits[split], j.machine.SplitUnits(split)
	task.Fits = make([]*pb.TaskFit, len(a.Units))
	for i, index := range a.Units {
		fit := j.fits[index]
		task.Fits[i] = &pb.TaskFit{
			Index: index, CandidateIndex: fit.candidate, SplitIndex: fit.split,
			Candidate: j.candidates[fit.candidate], Extra: j.extras[index], Sharers: j.machine.Sharers(index),
		}
		task.Fits[i].Family = j.family(index)
	}
	return task
}

// family is what a worker is told of a fit's family; nil without one, and where the first candidates are
// not to wait for the largest.
func (j *job) family(index uint32) *pb.Family {
	if j.spec.GetInOrder() {
		return nil
	}
	if known := j.candidates[j.fits[index].candidate].GetFamily(); known != nil {
		return known
	}
	members, largest, total := j.machine.Family(index)
	if members == 0 {
		return nil
	}
	return &pb.Family{Members: members, Largest: largest, Total: total}
}

// apply carries out a step. The caller holds c.mu.
func (c *Coordinator) apply(j *job, step gather.Step) {
	for _, result := range step.Record {
		c.courier.send(j.id, c.recordErrand(j, result))
	}
	c.emit(j, step)
	if step.Drop && j.whole() {
		c.courier.send("", func(ctx context.Context) error { return c.queue.DropTasks(ctx, j.id) })
	}
	if len(step.Publish) > 0 {
		c.courier.send(j.id, c.publishErrand(j, step.Publish))
	}
	if step.Decide != nil {
		c.decide(j, step.Decide)
	}
	if step.Finished {
		c.finish(j)
	}
}

func (c *Coordinator) recordErrand(j *job, result *pb.Result) func(context.Context) error {
	if j.hasCalls() {
		return func(ctx context.Context) error {
			return c.queue.PublishCallResults(ctx, []*pb.Result{result})
		}
	}
	return func(ctx context.Context) error {
		_, err := c.queue.PublishResult(ctx, result)
		return err
	}
}

// publishErrand publishes tasks in order; trying again skips those that were stored. Messages are made
// one at a time: thousands of them would take more memory than the fits.
func (c *Coordinator) publishErrand(j *job, assignments []gather.Assignment) func(context.Context) error {
	return func(ctx context.Context) error {
		for len(assignments) > 0 {
			task := c.message(j, assignments[0])
			if task == nil {
				return nil
			}
			if err := c.queue.PublishTask(ctx, task); err != nil {
				return err
			}
			assignments = assignments[1:]
		}
		return nil
	}
}

// message is the message of an assignment; nil when the job has ended.
func (c *Coordinator) message(j *job, a gather.Assignment) *pb.Task {
	c.mu.Lock()
	defer c.mu.Unlock()
	if j.machine.Ended() {
		return nil
	}
	return j.task(a)
}

// emit counts what happened and tells those who listen.
func (c *Coordinator) emit(j *job, step gather.Step) {
	c.counts.tasks += uint64(step.TasksDone)
	j.remember(step.Events)
	for _, event := range step.Events {
		switch kind := event.GetKind().(type) {
		case *pb.Event_Result:
			if j.hasCalls() {
				c.counts.calls++
				j.calls[kind.Result.GetIndex()] = nil // its pickle is not needed again
			} else if kind.Result.GetOutcome() != pb.Outcome_OUTCOME_PRUNED {
				c.counts.fits++
			}
		case *pb.Event_Fault:
			c.counts.faults++
			c.logger.Warn("coordinator: an attempt died", "job", j.id, "task", kind.Fault.GetTaskId(),
				"worker", kind.Fault.GetWorker(), "reason", kind.Fault.GetReason())
		}
	}
	if len(step.Events) == 0 {
		return
	}
	if !j.whole() {
		if j.session.push(step.Events) {
			c.pause(j.session)
		}
		return
	}
	j.log.add(step.Events...)
	if j.changed != nil {
		close(j.changed)
		j.changed = nil
	}
}

// finish puts an ended job away.
func (c *Coordinator) finish(j *job) {
	c.active = time.Now()
	state := j.machine.State()
	c.logger.Info("coordinator: job ended", "job", j.id, "name", j.spec.GetName(),
		"phase", state.GetPhase(), "finished", state.GetFinished(), "failed", state.GetFailed(), "error", state.GetError())
	c.learn(j)
	if !j.whole() {
		delete(c.jobs, j.id)
		delete(j.session.jobs, j.id)
		c.courier.send("", func(ctx context.Context) error { return c.queue.DropJob(ctx, j.id) })
		return
	}
	manifest := &queue.Manifest{JobID: j.id, SubmittedUnix: j.submitted, Spec: j.spec, State: state}
	c.courier.send("", func(ctx context.Context) error { return c.queue.SaveJob(ctx, manifest) })
	c.courier.send("", func(ctx context.Context) error { return c.queue.EndSession(ctx, j.sessionID()) })
	j.forgetUnits()
	c.ended = append(c.ended, j.id)
	c.forgetOldJobs()
}

// forgetOldJobs drops the oldest ended whole jobs beyond those that are kept.
func (c *Coordinator) forgetOldJobs() {
	for len(c.ended) > keptJobs {
		id := c.ended[0]
		c.ended = slices.Delete(c.ended, 0, 1)
		delete(c.jobs, id)
		c.courier.send("", func(ctx context.Context) error { return c.queue.DropJob(ctx, id) })
	}
}

// failJob ends a running job with an error.
func (c *Coordinator) failJob(id string, code codes.Code, message string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if j := c.jobs[id]; j != nil {
		c.apply(j, j.machine.Fail(code, message))
	}
}

// consume feeds the jobs with what workers report.
func (c *Coordinator) consume(outcomes <-chan queue.Outcome) {
	defer c.running.Done()
	for outcome := range outcomes {
		c.mu.Lock()
		c.outcome(outcome)
		c.mu.Unlock()
	}
	if c.ctx.Err() == nil {
		c.logger.Error("coordinator: the queue ended, and the coordinator with it; open it again on its folder")
		c.cancel()
	}
}

func (c *Coordinator) outcome(outcome queue.Outcome) {
	if fault := outcome.Fault; fault != nil {
		if j := c.jobs[fault.GetJobId()]; j != nil {
			c.apply(j, j.machine.Fault(fault))
		}
		return
	}
	for id, results := range byJob(outcome.Results) {
		if j := c.jobs[id]; j != nil {
			c.apply(j, j.machine.Results(results))
		}
	}
}

// byJob yields runs of results of the same job.
func byJob(results []*pb.Result) iter.Seq2[string, []*pb.Result] {
	return func(yield func(string, []*pb.Result) bool) {
		for len(results) > 0 {
			id, n := results[0].GetJobId(), 1
			for n < len(results) && results[n].GetJobId() == id {
				n++
			}
			if !yield(id, results[:n]) {
				return
			}
			results = results[n:]
		}
	}
}
