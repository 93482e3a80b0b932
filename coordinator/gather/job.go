// Package gather holds the state of one job: events in, instructions out. It does no I/O and reads
// no clock. The coordinator feeds it what happens and carries out the Step it answers.
//
// A unit (a fit or a call) waits, travels in a task, and is done with its first result:
//
//	waiting ──published──▶ travelling ──result──▶ done
//	   ▲                       │
//	   └──────── fault ────────┤
//	                           └─ third fault of its own ──▶ set aside ──its result──▶ done
package gather

import (
	"fmt"
	"strconv"
	"strings"

	"google.golang.org/grpc/codes"

	"github.com/crossfold/crossfold/coordinator/plan"
	pb "github.com/crossfold/crossfold/proto/crossfold/v1"
)

const (
	// maxAttempts is how often a unit's process may die before the unit is set aside.
	maxAttempts = 3
	// maxBarren is how many attempts in a row may die before anything started; then no worker can
	// run the job at all.
	maxBarren = 8
	// window is how many tasks are published per slot: one runs, one waits behind it.
	window = 2
)

// Config says what a job is.
type Config struct {
	JobID string
	// TaskPrefix starts the ids of the job's tasks and makes them unique in the cluster.
	TaskPrefix string
	// MaxParallel is the most units at a time; 0: every slot.
	MaxParallel int
	// FailFast ends the job at its first failed unit.
	FailFast bool
	// FailTogether makes the job a failed one when every one of its units failed.
	FailTogether bool
	// InOrder hands units out as they were added, not the longest first.
	InOrder bool
	// SplitBySplit hands all units of a split out before those of the next. InOrder and FoldByFold go
	// before it.
	SplitBySplit bool
	// FoldByFold hands fits out split by split and asks after each which candidates go on. The job
	// gets beyond its first split when it is closed.
	FoldByFold bool
	// Metric names the scores that such a decision is made by.
	Metric string
	// Experience is what an earlier job of the kind showed; nil without one.
	Experience *plan.Experience
}

// Step is what the coordinator must do, in the order of the fields.
type Step struct {
	// Record holds results to store: of units that were set aside.
	Record []*pb.Result
	// Events happened to the job, in order.
	Events []*pb.Event
	// Drop says to remove the job's tasks and to kill what runs of it.
	Drop bool
	// Publish holds tasks to hand out.
	Publish []Assignment
	// Decide is a fold that all candidates have finished: Prune must answer it.
	Decide *Round
	// TasksDone is the number of tasks all of whose units have their results now.
	TasksDone int
	// Finished says that the job ended with this step; State tells how.
	Finished bool
}

// Assignment is a task to publish.
type Assignment struct {
	TaskID string
	// Attempt is how often these units were handed out before, from 0.
	Attempt uint32
	// Units are positions in the job; units of one task share a split.
	Units []uint32
}

type phase uint8

const (
	waiting phase = iota
	travelling
	setAside
	done
)

type unit struct {
	phase   phase
	attempt uint8
	// task is the number of the task it travels in.
	task uint32
}

// task is a published task with units that have no result yet.
type task struct {
	units   []uint32
	left    int
	attempt uint32
}

// batch is units that were handed out before and wait to be handed out again.
type batch struct {
	units   []uint32
	attempt uint32
}

// Job is the state of one job. It is not safe for concurrent use.
type Job struct {
	config  Config
	planner *plan.Planner
	state   *pb.JobState
	units   []unit
	tasks   map[uint32]*task
	retries []batch
	// lastTask numbers tasks.
	lastTask uint32
	slots    int
	closed   bool
	// barren counts faults in a row that no unit can be blamed for.
	barren int
	// worst is the failed unit that comes first in the job.
	worst *pb.Result
	// rounds is nil unless the job goes fold by fold.
	rounds *rounds
	// experience is what the planner had learned when the job ended.
	experience *plan.Experience
}

// New returns a running job without units, and the event that says so.
func New(config Config) (*Job, Step) {
	j := &Job{
		config:  config,
		planner: plan.New(),
		state:   &pb.JobState{Phase: pb.JobState_PHASE_RUNNING},
		tasks:   map[uint32]*task{},
	}
	if config.FoldByFold {
		j.rounds = &rounds{}
	}
	if config.InOrder {
		j.planner.KeepOrder()
	} else if config.SplitBySplit && !config.FoldByFold {
		j.planner.SplitBySplit()
	}
	j.planner.Recall(config.Experience)
	return j, Step{Events: []*pb.Event{j.stateEvent()}}
}

// Ended says whether the job is over.
func (j *Job) Ended() bool { return j.state.Phase != pb.JobState_PHASE_RUNNING }

// Experience is what an ended job showed of the time that its fits take; nil when none ran.
func (j *Job) Experience() *plan.Experience { return j.experience }

// Closed says whether Close was called.
func (j *Job) Closed() bool { return j.closed }

// Units is the number of units appended so far.
func (j *Job) Units() int { return len(j.units) }

// Done says whether a unit has its result.
func (j *Job) Done(index uint32) bool {
	return int(index) < len(j.units) && j.units[index].phase == done
}

// State is a copy of where the job stands.
func (j *Job) State() *pb.JobState {
	return &pb.JobState{
		Phase: j.state.Phase, Total: j.state.Total, Finished: j.state.Finished, Failed: j.state.Failed,
		Error: j.state.Error, ErrorCode: j.state.ErrorCode,
	}
}

// Append adds units; their indices continue from Units.
func (j *Job) Append(units []plan.Unit) Step {
	if j.Ended() {
		return Step{}
	}
	for _, u := range units {
		j.planner.Add(u)
	}
	j.units = append(j.units, make([]unit, len(units))...)
	j.state.Total = uint32(len(j.units))
	var step Step
	j.handOut(&step)
	return step
}

// Close says that no units will be added.
func (j *Job) Close() Step {
	j.closed = true
	var step Step
	j.finish(&step)
	j.decide(&step)
	return step
}

// SetHosts tells on how many machines those slots are; they don't share what was fitted.
func (j *Job) SetHosts(hosts int) { j.planner.SetHosts(hosts) }

// Sharers is how many units share the prefix and the split of one, itself included; 0 without one.
func (j *Job) Sharers(index uint32) uint32 { return j.planner.Sharers(index) }

// Family tells of the units whose models are cut from one; all 0 for a unit without others.
func (j *Job) Family(index uint32) (members uint32, largest, total uint64) {
	return j.planner.Family(index)
}

// SplitUnits is how many units are on a split.
func (j *Job) SplitUnits(split uint32) uint32 { return j.planner.SplitUnits(split) }

// SetSlots tells how many slots may work for the job now; with 0 nothing is handed out.
func (j *Job) SetSlots(slots int) Step {
	j.slots = slots
	var step Step
	j.handOut(&step)
	return step
}

// Results takes results in the order they were stored. Later ones of a unit are ignored, and so is
// everything after the job's end.
func (j *Job) Results(results []*pb.Result) Step {
	var step Step
	for _, result := range results {
		j.result(result, &step)
	}
	j.handOut(&step)
	j.finish(&step)
	j.decide(&step)
	return step
}

func (j *Job) result(result *pb.Result, step *Step) {
	index := result.GetIndex()
	if j.Ended() || int(index) >= len(j.units) || j.units[index].phase == done {
		return
	}
	u := &j.units[index]
	if u.phase == travelling {
		if t := j.tasks[u.task]; t != nil {
			t.left--
			if t.left == 0 {
				delete(j.tasks, u.task)
				step.TasksDone++
			}
		}
	}
	u.phase = done
	j.barren = 0
	if result.GetSlotSeconds() > 0 {
		j.planner.Observe(index, result.GetSlotSeconds(), result.GetSharedSeconds())
	}
	if j.rounds != nil {
		j.rounds.finished(index, result, j.config.Metric)
	}
	j.state.Finished++
	step.Events = append(step.Events, &pb.Event{
		JobId: j.config.JobID, Kind: &pb.Event_Result{Result: result},
	})
	if failed(result) {
		j.failedUnit(result, step)
	}
}

func failed(result *pb.Result) bool {
	if result.GetOutcome() == pb.Outcome_OUTCOME_PRUNED {
		return false
	}
	return result.GetOutcome() != pb.Outcome_OUTCOME_OK || result.GetFailure() != nil
}

func (j *Job) failedUnit(result *pb.Result, step *Step) {
	j.state.Failed++
	if j.worst == nil || result.GetIndex() < j.worst.GetIndex() {
		j.worst = result
	}
	if j.config.FailFast {
		j.end(step, pb.JobState_PHASE_FAILED, codes.Aborted, fmt.Sprintf(
			"fit %d failed: %s; set error_score to a number to score failed fits and go on",
			result.GetIndex(), failureText(result)))
	}
}

func failureText(result *pb.Result) string {
	failure := result.GetFailure()
	name := strings.TrimPrefix(failure.GetType(), "builtins.")
	if name == "" {
		name = result.GetOutcome().String()
	}
	if failure.GetMessage() == "" {
		return name
	}
	return name + ": " + failure.GetMessage()
}

// Stop ends the job; what has its result keeps it.
func (j *Job) Stop() Step {
	var step Step
	j.end(&step, pb.JobState_PHASE_CANCELLED, codes.Canceled, "")
	return step
}

// Fail ends the job with an error.
func (j *Job) Fail(code codes.Code, message string) Step {
	var step Step
	j.end(&step, pb.JobState_PHASE_FAILED, code, message)
	return step
}

// Restore ends the job the way it had ended before, with the counts of then.
func (j *Job) Restore(state *pb.JobState) Step {
	var step Step
	if j.Ended() {
		return step
	}
	j.state.Finished, j.state.Failed = state.GetFinished(), state.GetFailed()
	j.end(&step, state.GetPhase(), codes.Code(state.GetErrorCode()), state.GetError())
	return step
}

// finish ends a closed job whose units all have their results.
func (j *Job) finish(step *Step) {
	if !j.closed || j.Ended() || j.state.Finished < j.state.Total {
		return
	}
	if j.config.FailTogether && j.state.Failed > 0 && j.state.Failed == j.state.Total {
		j.end(step, pb.JobState_PHASE_FAILED, codes.Aborted, fmt.Sprintf(
			"all %d fits failed; the first: %s; check the estimator's parameters and the data",
			j.state.Total, failureText(j.worst)))
		return
	}
	j.end(step, pb.JobState_PHASE_DONE, codes.OK, "")
}

func (j *Job) end(step *Step, phase pb.JobState_Phase, code codes.Code, message string) {
	if j.Ended() {
		return
	}
	j.state.Phase, j.state.Error, j.state.ErrorCode = phase, message, uint32(code)
	step.Events = append(step.Events, j.stateEvent())
	step.Drop = phase != pb.JobState_PHASE_DONE
	step.Finished = true
	step.Publish, step.Record = nil, nil
	j.experience = j.planner.Experience()
	j.tasks, j.retries, j.planner = nil, nil, plan.New()
}

func (j *Job) stateEvent() *pb.Event {
	return &pb.Event{JobId: j.config.JobID, Kind: &pb.Event_State{State: j.State()}}
}

// taskID and taskNumber turn a task's number into its id and back.
func (j *Job) taskID(number uint32) string {
	return j.config.TaskPrefix + "-" + strconv.FormatUint(uint64(number), 36)
}

func (j *Job) taskNumber(id string) (uint32, bool) {
	digits, ok := strings.CutPrefix(id, j.config.TaskPrefix+"-")
	if !ok {
		return 0, false
	}
	number, err := strconv.ParseUint(digits, 36, 32)
	return uint32(number), err == nil
}
