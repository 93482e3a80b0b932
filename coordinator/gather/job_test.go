package gather_test

import (
	"math/rand/v2"
	"strings"
	"testing"
	"testing/quick"

	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/proto"

	"github.com/crossfold/crossfold/coordinator/gather"
	"github.com/crossfold/crossfold/coordinator/plan"
	pb "github.com/crossfold/crossfold/proto/crossfold/v1"
)

func units(n, splits int) []plan.Unit {
	all := make([]plan.Unit, n)
	for i := range all {
		all[i] = plan.Unit{Index: uint32(i), Split: uint32(i % splits)}
	}
	return all
}

func start(t *testing.T, config gather.Config, n, splits, slots int) (*gather.Job, []gather.Assignment) {
	t.Helper()
	config.JobID, config.TaskPrefix = "job", "p"
	j, step := gather.New(config)
	if len(step.Events) != 1 || step.Events[0].GetState().GetPhase() != pb.JobState_PHASE_RUNNING {
		t.Fatalf("New emitted %v, want the running state", step.Events)
	}
	if step = j.Append(units(n, splits)); len(step.Publish) > 0 {
		t.Fatalf("published %v without a slot", step.Publish)
	}
	published := j.SetSlots(slots).Publish
	return j, published
}

func ok(index uint32) *pb.Result {
	return &pb.Result{JobId: "job", Index: index, Outcome: pb.Outcome_OUTCOME_OK}
}

func raised(index uint32, text string) *pb.Result {
	return &pb.Result{
		JobId: "job", Index: index, Outcome: pb.Outcome_OUTCOME_RAISED,
		Failure: &pb.Failure{Type: "builtins.ValueError", Message: text},
	}
}

func died(task string, running ...uint32) *pb.Fault {
	fault := &pb.Fault{TaskId: task, JobId: "job", Reason: "killed by signal 9", Worker: "w"}
	if len(running) > 0 {
		fault.Running = proto.Uint32(running[0])
	}
	return fault
}

// finishAll answers every published task until the job ends; it returns the last step.
func finishAll(j *gather.Job, published []gather.Assignment) (last gather.Step) {
	for len(published) > 0 {
		a := published[0]
		published = published[1:]
		for _, index := range a.Units {
			last = j.Results([]*pb.Result{ok(index)})
			published = append(published, last.Publish...)
		}
	}
	return last
}

func TestAJobRunsToItsEnd(t *testing.T) {
	j, published := start(t, gather.Config{}, 20, 5, 2)
	if len(published) != 4 {
		t.Fatalf("%d tasks published, want twice the slots", len(published))
	}
	j.Close()
	last := finishAll(j, published)
	state := j.State()
	if !last.Finished || last.Drop || state.GetPhase() != pb.JobState_PHASE_DONE ||
		state.GetFinished() != 20 || state.GetTotal() != 20 {
		t.Errorf("last step %+v, state %v; want a done job", last, state)
	}
	if step := j.Results([]*pb.Result{ok(1)}); len(step.Events) > 0 {
		t.Errorf("an ended job emitted %v", step.Events)
	}
}

func TestAnEmptyJobEndsWhenClosed(t *testing.T) {
	j, _ := start(t, gather.Config{}, 0, 1, 2)
	if step := j.Close(); !step.Finished || j.State().GetPhase() != pb.JobState_PHASE_DONE {
		t.Errorf("step %+v, want the job's end", step)
	}
}

func TestDuplicatesAndStrangersAreIgnored(t *testing.T) {
	j, _ := start(t, gather.Config{}, 3, 1, 2)
	if step := j.Results([]*pb.Result{ok(0), ok(0), ok(77)}); len(step.Events) != 1 {
		t.Errorf("events %v, want one result", step.Events)
	}
	if step := j.Fault(died("other-1", 1)); len(step.Events)+len(step.Publish) > 0 {
		t.Errorf("a fault of another's task did %+v", step)
	}
}

func TestMaxParallelBoundsTheTasks(t *testing.T) {
	_, published := start(t, gather.Config{MaxParallel: 1}, 20, 5, 4)
	if len(published) != 1 {
		t.Errorf("%d tasks published, want 1", len(published))
	}
}

func TestAFaultRepublishesWhatIsUnfinished(t *testing.T) {
	j, published := start(t, gather.Config{}, 40, 1, 1)
	for range 2 { // lets tasks grow
		a := published[0]
		published = append(published[1:], j.Results([]*pb.Result{{
			JobId: "job", Index: a.Units[0], Outcome: pb.Outcome_OUTCOME_OK, SlotSeconds: 1e-4,
		}}).Publish...)
	}
	a := published[0]
	if len(a.Units) < 3 {
		t.Fatalf("task %+v, want at least three units", a)
	}
	j.Results([]*pb.Result{ok(a.Units[0])})
	step := j.Fault(died(a.TaskID, a.Units[1]))
	if len(step.Events) != 1 || step.Events[0].GetFault() == nil {
		t.Errorf("events %v, want the fault", step.Events)
	}
	alone := step.Publish[0]
	if len(alone.Units) != 1 || alone.Units[0] != a.Units[1] || alone.Attempt != 1 {
		t.Errorf("published %+v first, want the unit that ran, alone, as attempt 1", alone)
	}
	step = j.Results([]*pb.Result{ok(alone.Units[0])})
	others := step.Publish[0]
	if len(others.Units) != len(a.Units)-2 || others.Attempt != 0 {
		t.Errorf("published %+v next, want the others together as attempt 0", others)
	}
	if step := j.Fault(died(a.TaskID, a.Units[1])); len(step.Publish) > 0 {
		t.Errorf("the same fault again published %+v", step.Publish)
	}
}

func TestThreeFaultsOfItsOwnSetAUnitAside(t *testing.T) {
	j, published := start(t, gather.Config{}, 1, 1, 1)
	j.Close()
	for attempt := range uint32(2) {
		step := j.Fault(died(published[0].TaskID, 0))
		published = step.Publish
		if len(published) != 1 || published[0].Attempt != attempt+1 {
			t.Fatalf("published %+v, want attempt %d", published, attempt+1)
		}
	}
	step := j.Fault(died(published[0].TaskID, 0))
	if len(step.Publish) > 0 || len(step.Record) != 1 {
		t.Fatalf("step %+v, want a result to record and nothing to publish", step)
	}
	poison := step.Record[0]
	if poison.GetOutcome() != pb.Outcome_OUTCOME_POISON || poison.GetFailure().GetType() != "crossfold.PoisonFitError" ||
		!strings.Contains(poison.GetFailure().GetMessage(), "killed by signal 9") {
		t.Errorf("recorded %v, want a poison with its reason", poison)
	}
	if j.Ended() {
		t.Error("the job ended before the ledger had the record")
	}
	if step := j.Results([]*pb.Result{poison}); !step.Finished || j.State().GetFailed() != 1 {
		t.Errorf("step %+v, state %v; want the job's end with one failure", step, j.State())
	}
}

func TestWorkersThatCannotStartEndTheJob(t *testing.T) {
	j, published := start(t, gather.Config{}, 4, 1, 1)
	var step gather.Step
	for range 20 {
		if step.Finished {
			break
		}
		step = j.Fault(died(published[0].TaskID))
		published = append(published[1:], step.Publish...)
	}
	state := j.State()
	if !step.Finished || !step.Drop || state.GetPhase() != pb.JobState_PHASE_FAILED ||
		codes.Code(state.GetErrorCode()) != codes.Unavailable || !strings.Contains(state.GetError(), "killed by signal 9") {
		t.Errorf("step %+v, state %v; want a failed job with the last reason", step, state)
	}
}

func TestStop(t *testing.T) {
	j, published := start(t, gather.Config{}, 10, 2, 2)
	j.Results([]*pb.Result{ok(published[0].Units[0])})
	step := j.Stop()
	if !step.Drop || !step.Finished || j.State().GetPhase() != pb.JobState_PHASE_CANCELLED || j.State().GetFinished() != 1 {
		t.Errorf("step %+v, state %v; want a cancelled job with one result", step, j.State())
	}
	late := []gather.Step{
		j.Stop(), j.Results([]*pb.Result{ok(5)}), j.Fault(died(published[1].TaskID, 1)),
		j.Append(units(1, 1)), j.SetSlots(9), j.Close(),
	}
	for i, step := range late {
		if len(step.Events)+len(step.Publish)+len(step.Record) > 0 || step.Drop || step.Finished {
			t.Errorf("late event %d did %+v", i, step)
		}
	}
}

func TestFailFast(t *testing.T) {
	j, published := start(t, gather.Config{FailFast: true}, 10, 2, 2)
	step := j.Results([]*pb.Result{raised(published[0].Units[0], "bad C")})
	if !step.Finished || !step.Drop || len(step.Events) != 2 || !strings.Contains(j.State().GetError(), "ValueError: bad C") {
		t.Errorf("step %+v, state %v; want the result and a failed job with its text", step, j.State())
	}
}

func TestAllFailedTogether(t *testing.T) {
	for _, together := range []bool{true, false} {
		j, _ := start(t, gather.Config{FailTogether: together}, 2, 1, 2)
		j.Close()
		j.Results([]*pb.Result{raised(1, "second"), raised(0, "first")})
		want := pb.JobState_PHASE_DONE
		if together {
			want = pb.JobState_PHASE_FAILED
		}
		if j.State().GetPhase() != want {
			t.Errorf("FailTogether %v: state %v, want %v", together, j.State(), want)
		}
		if together && !strings.Contains(j.State().GetError(), "first") {
			t.Errorf("error %q, want the first fit's", j.State().GetError())
		}
	}
}

// cluster simulates queue, workers and ledger around a job: tasks are answered in any order, twice,
// or die, and the coordinator restarts.
type cluster struct {
	random *rand.Rand
	config gather.Config
	units  []plan.Unit
	job    *gather.Job
	ledger []*pb.Result
	stored map[uint32]bool
	queue  []gather.Assignment
	faults int
	// events counts the results that clients of this incarnation saw.
	events map[uint32]int
	starts int
}

func (c *cluster) apply(step gather.Step) {
	for _, result := range step.Record {
		c.store(result)
	}
	for _, event := range step.Events {
		if result := event.GetResult(); result != nil {
			c.events[result.GetIndex()]++
		}
	}
	c.queue = append(c.queue, step.Publish...)
}

func (c *cluster) store(result *pb.Result) {
	if !c.stored[result.GetIndex()] {
		c.stored[result.GetIndex()] = true
		c.ledger = append(c.ledger, result)
	}
	c.apply(c.job.Results([]*pb.Result{result}))
}

func (c *cluster) restart() {
	c.starts++
	c.events = map[uint32]int{}
	c.config.TaskPrefix = strings.Repeat("p", c.starts)
	c.job, _ = gather.New(c.config)
	c.apply(c.job.Append(c.units))
	for _, result := range c.ledger {
		c.apply(c.job.Results([]*pb.Result{result}))
	}
	c.apply(c.job.Close())
	c.apply(c.job.SetSlots(1 + c.random.IntN(3)))
}

func (c *cluster) step() {
	if len(c.queue) == 0 {
		c.apply(c.job.SetSlots(1 + c.random.IntN(3)))
		return
	}
	at := c.random.IntN(len(c.queue))
	a := c.queue[at]
	if c.random.IntN(10) > 0 { // else the task is delivered again later
		c.queue = append(c.queue[:at:at], c.queue[at+1:]...)
	}
	for _, index := range a.Units {
		if c.faults > 0 && c.random.IntN(4) == 0 {
			c.faults--
			fault := died(a.TaskID, index)
			c.apply(c.job.Fault(fault))
			if c.random.IntN(3) == 0 {
				c.apply(c.job.Fault(fault))
			}
			return
		}
		result := ok(index)
		result.SlotSeconds = c.random.ExpFloat64() * 0.01
		c.store(result)
	}
}

// Whatever is duplicated, reordered, lost by dying processes or interrupted by restarts, every unit
// has exactly one result, and the clients of each incarnation saw each at most once.
func TestEveryUnitEndsWithOneResult(t *testing.T) {
	property := func(seed uint64) bool {
		random := rand.New(rand.NewPCG(seed, 2))
		n := 1 + random.IntN(60)
		c := &cluster{
			random: random, config: gather.Config{JobID: "job", MaxParallel: random.IntN(4)},
			units: units(n, 1+random.IntN(5)), stored: map[uint32]bool{}, faults: random.IntN(40),
		}
		c.restart()
		for steps := 0; !c.job.Ended(); steps++ {
			if steps > 10_000 {
				t.Logf("seed %d: no end after %d steps: %v", seed, steps, c.job.State())
				return false
			}
			if random.IntN(20) == 0 && c.starts < 4 {
				c.restart()
			}
			c.step()
		}
		for index := range uint32(n) {
			if c.events[index] != 1 {
				t.Logf("seed %d: unit %d was seen %d times", seed, index, c.events[index])
				return false
			}
		}
		return len(c.ledger) == n && int(c.job.State().GetFinished()) == n &&
			c.job.State().GetPhase() == pb.JobState_PHASE_DONE
	}
	if err := quick.Check(property, &quick.Config{MaxCount: 500}); err != nil {
		t.Error(err)
	}
}
