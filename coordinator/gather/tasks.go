package gather

import (
	"fmt"

	"google.golang.org/grpc/codes"

	pb "github.com/crossfold/crossfold/proto/crossfold/v1"
)

// handOut publishes tasks while there is room: first what was handed out before.
func (j *Job) handOut(step *Step) {
	if j.Ended() || j.slots <= 0 {
		return
	}
	room := window * j.slots
	if j.config.MaxParallel > 0 {
		room = min(room, j.config.MaxParallel)
	}
	for len(j.tasks) < room && len(j.retries) > 0 {
		next := j.retries[0]
		j.retries = j.retries[1:]
		j.publish(next, step)
	}
	for len(j.tasks) < room && j.planner.Len() > 0 {
		j.publish(batch{units: j.planner.Next(j.slots)}, step)
	}
}

// publish hands out what has no result yet: a late result may have come while units waited.
func (j *Job) publish(next batch, step *Step) {
	units := next.units[:0]
	for _, index := range next.units {
		if j.units[index].phase == waiting {
			units = append(units, index)
		}
	}
	if len(units) == 0 {
		return
	}
	j.lastTask++
	j.tasks[j.lastTask] = &task{units: units, left: len(units), attempt: next.attempt}
	for _, index := range units {
		j.units[index].phase, j.units[index].task = travelling, j.lastTask
	}
	step.Publish = append(step.Publish, Assignment{
		TaskID: j.taskID(j.lastTask), Attempt: next.attempt, Units: units,
	})
}

// Fault takes the news that an attempt died. Its unfinished units are handed out again: the one
// that ran alone and as a new attempt, the others together. A fault of a task that is not
// travelling, such as a fault that came twice, is ignored.
func (j *Job) Fault(fault *pb.Fault) Step {
	var step Step
	number, ok := j.taskNumber(fault.GetTaskId())
	dead := j.tasks[number]
	if !ok || dead == nil || j.Ended() {
		return step
	}
	delete(j.tasks, number)
	step.Events = append(step.Events, &pb.Event{
		JobId: j.config.JobID, Kind: &pb.Event_Fault{Fault: fault},
	})
	blamed := false
	var others []uint32
	for _, index := range dead.units {
		u := &j.units[index]
		if u.phase != travelling || u.task != number {
			continue
		}
		u.phase = waiting
		if fault.Running != nil && fault.GetRunning() == index {
			blamed = true
			j.blame(index, fault, &step)
		} else {
			others = append(others, index)
		}
	}
	if len(others) > 0 {
		j.retries = append(j.retries, batch{units: others, attempt: dead.attempt})
	}
	if !blamed && len(others) == len(dead.units) {
		j.barrenFault(fault, &step)
	} else {
		j.barren = 0
	}
	j.handOut(&step)
	return step
}

// blame counts an attempt of the unit whose process died.
func (j *Job) blame(index uint32, fault *pb.Fault, step *Step) {
	u := &j.units[index]
	u.attempt++
	if u.attempt < maxAttempts {
		j.retries = append(j.retries, batch{units: []uint32{index}, attempt: uint32(u.attempt)})
		return
	}
	u.phase = setAside
	step.Record = append(step.Record, &pb.Result{
		JobId: j.config.JobID, Index: index, Outcome: pb.Outcome_OUTCOME_POISON,
		Failure: &pb.Failure{
			Type: "crossfold.PoisonFitError",
			Message: fmt.Sprintf("its process died in each of %d attempts; the last: %s; "+
				"run it alone to see why, and look for native crashes or too little memory",
				maxAttempts, fault.GetReason()),
		},
		Worker: fault.GetWorker(), Attempt: uint32(u.attempt) - 1,
	})
}

// barrenFault ends a job that no worker can start.
func (j *Job) barrenFault(fault *pb.Fault, step *Step) {
	j.barren++
	if j.barren < maxBarren {
		return
	}
	j.end(step, pb.JobState_PHASE_FAILED, codes.Unavailable, fmt.Sprintf(
		"%d attempts in a row died before anything started; the last, on worker %q: %s; "+
			"see the worker's log", j.barren, fault.GetWorker(), fault.GetReason()))
}
