package workers_test

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/crossfold/crossfold/arrowipc/store"
	"github.com/crossfold/crossfold/bridge/process/processtest"
	"github.com/crossfold/crossfold/coordinator/queue"
	"github.com/crossfold/crossfold/coordinator/queue/memory"
	pb "github.com/crossfold/crossfold/proto/crossfold/v1"
	"github.com/crossfold/crossfold/workers"
)

const wait = 60 * time.Second

// bench is a queue with a store and, once started, one worker.
type bench struct {
	t        *testing.T
	queue    *memory.Queue
	store    *store.Store
	objects  objects
	outcomes <-chan queue.Outcome
	worker   *workers.Worker
}

// objects are the ids that testdata/objects.py prints.
type objects struct {
	Dataset, Split, Behave, Score string
	Candidates                    []string
}

func newBench(t *testing.T) *bench {
	t.Helper()
	b := &bench{t: t, queue: memory.New(memory.Config{})}
	t.Cleanup(func() { _ = b.queue.Close() })
	var err error
	if b.store, err = store.Open(t.TempDir()); err != nil {
		t.Fatal(err)
	}
	if b.outcomes, err = b.queue.Outcomes(t.Context()); err != nil {
		t.Fatal(err)
	}
	return b
}

// withObjects fills the store with what fits need.
func (b *bench) withObjects() *bench {
	b.t.Helper()
	cmd := exec.CommandContext(b.t.Context(), processtest.Python(), "testdata/objects.py", b.store.Dir())
	cmd.Env = append(os.Environ(), processtest.Env()...)
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		b.t.Fatal(err)
	}
	if err := json.Unmarshal(out, &b.objects); err != nil {
		b.t.Fatal(err)
	}
	return b
}

func (b *bench) start(slots int) *bench {
	b.t.Helper()
	worker, err := workers.Start(b.t.Context(), workers.Config{
		Queue: b.queue, Store: b.store, Slots: slots, Python: processtest.Python(), Env: processtest.Env(), ID: "w1",
	})
	if err != nil {
		b.t.Fatal(err)
	}
	b.worker = worker
	b.t.Cleanup(func() { _ = worker.Close() })
	return b
}

func (b *bench) publish(task *pb.Task) {
	b.t.Helper()
	if task.JobId == "" {
		task.JobId = "job"
	}
	if task.SessionId == "" {
		task.SessionId = "session"
	}
	if err := b.queue.PublishTask(b.t.Context(), task); err != nil {
		b.t.Fatal(err)
	}
}

// next returns what the worker reported next.
func (b *bench) next() queue.Outcome {
	b.t.Helper()
	for {
		select {
		case outcome := <-b.outcomes:
			if !outcome.Replayed {
				return outcome
			}
		case <-time.After(wait):
			b.t.Fatal("the worker reported nothing")
		}
	}
}

// results collects n results by index; a fault fails the test.
func (b *bench) results(n int) map[uint32]*pb.Result {
	b.t.Helper()
	results := map[uint32]*pb.Result{}
	for len(results) < n {
		outcome := b.next()
		if outcome.Fault != nil {
			b.t.Fatalf("fault: %v", outcome.Fault)
		}
		for _, result := range outcome.Results {
			results[result.Index] = result
		}
	}
	return results
}

func (b *bench) fault() *pb.Fault {
	b.t.Helper()
	outcome := b.next()
	if outcome.Fault == nil {
		b.t.Fatalf("outcome = %v, want a fault", outcome)
	}
	return outcome.Fault
}

// behave makes fits that evaluate Python expressions.
func (b *bench) behave(id string, expressions ...string) *pb.Task {
	task := b.fitTask(id, b.objects.Behave)
	for i, expression := range expressions {
		pickle := fmt.Sprintf("(dVestimator\nNsVexpression\nV%s\ns.", expression)
		task.Fits = append(task.Fits, fit(uint32(i), []byte(pickle)))
	}
	return task
}

func (b *bench) fitTask(id, code string) *pb.Task {
	return &pb.Task{
		Id:        id,
		Code:      &pb.Code{Source: &pb.Code_BlobId{BlobId: code}},
		DatasetId: b.objects.Dataset,
		Split:     &pb.Split{Id: b.objects.Split, TrainRows: 40, TestRows: 20},
	}
}

func fit(index uint32, pickle []byte) *pb.TaskFit {
	return &pb.TaskFit{Index: index, Candidate: &pb.Candidate{Setting: &pb.Candidate_Pickle{Pickle: inline(pickle)}}}
}

// calls makes calls that evaluate Python expressions.
func calls(id string, expressions ...string) *pb.Task {
	task := &pb.Task{Id: id}
	for i, expression := range expressions {
		pickle := fmt.Sprintf("cfunctools\npartial\n(cbuiltins\neval\nV%s\ntR.", expression)
		task.Calls = append(task.Calls, &pb.Call{Index: uint32(i), Pickle: inline([]byte(pickle))})
	}
	return task
}

func inline(data []byte) *pb.Value { return &pb.Value{Kind: &pb.Value_Inline{Inline: data}} }

func TestFitsAreScored(t *testing.T) {
	b := newBench(t).withObjects().start(2)
	task := b.fitTask("t1", b.objects.Score)
	task.Attempt = 1
	for i, candidate := range b.objects.Candidates {
		pickle, err := hex.DecodeString(candidate)
		if err != nil {
			t.Fatal(err)
		}
		task.Fits = append(task.Fits, fit(uint32(i), pickle))
	}
	b.publish(task)
	results := b.results(3)
	for index := range uint32(2) {
		result := results[index]
		if result.Outcome != pb.Outcome_OUTCOME_OK || result.TestScores["score"] < 0.5 || result.TrainScores["score"] < 0.5 {
			t.Errorf("result %d = %v, want scores", index, result)
		}
		if result.FitSeconds <= 0 || result.SlotSeconds < result.FitSeconds || result.Value == nil {
			t.Errorf("result %d = %v, want times and a value", index, result)
		}
		if result.JobId != "job" || result.Worker != "w1" || result.Attempt != 1 {
			t.Errorf("result %d is from job %q, worker %q, attempt %d", index, result.JobId, result.Worker, result.Attempt)
		}
	}
	// C = -1 is refused by the estimator: a result under a numeric error_score, with its error.
	if bad := results[2]; bad.Outcome != pb.Outcome_OUTCOME_OK || !strings.Contains(bad.GetFailure().GetMessage(), "'C' parameter") {
		t.Errorf("result of a bad candidate = %v", bad)
	}
}

func TestCallsOfOneTaskTravelTogether(t *testing.T) {
	b := newBench(t).start(1)
	expressions := make([]string, 500)
	for i := range expressions {
		expressions[i] = strconv.Itoa(i)
	}
	b.publish(calls("t1", expressions...))
	got, messages := 0, 0
	for got < len(expressions) {
		outcome := b.next()
		got += len(outcome.Results)
		messages++
	}
	if messages > 100 {
		t.Errorf("%d results came in %d messages", got, messages)
	}
}

func TestDeadProcessIsAFaultAndTheSlotLivesOn(t *testing.T) {
	b := newBench(t).withObjects().start(1)
	b.publish(b.behave("t1", "1", "os.kill(os.getpid(), 9)", "3"))
	if first := b.results(1); first[0] == nil {
		t.Fatalf("results = %v, want that of the fit before the crash", first)
	}
	fault := b.fault()
	if fault.TaskId != "t1" || fault.Running == nil || *fault.Running != 1 || !strings.Contains(fault.Reason, "signal 9") {
		t.Errorf("fault = %v, want fit 1 killed by signal 9", fault)
	}
	b.publish(calls("t2", "1"))
	b.results(1)
}

func TestExitInACallIsAFaultWithItsLastWords(t *testing.T) {
	b := newBench(t).start(1)
	b.publish(calls("t1", "1", "__import__('os').write(2, b'no more') and __import__('os')._exit(4)"))
	var fault *pb.Fault
	for fault == nil {
		fault = b.next().Fault
	}
	if *fault.Running != 1 || !strings.Contains(fault.Reason, "exit status 4") || !strings.Contains(fault.Reason, "no more") {
		t.Errorf("fault = %v", fault)
	}
}

func TestKilledZygoteIsReplaced(t *testing.T) {
	b := newBench(t).start(1)
	b.publish(calls("t1", "print(__import__('os').getppid())"))
	zygote := number(t, b.results(1)[0])
	if err := syscall.Kill(zygote, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	processtest.AwaitGone(t, zygote)
	b.publish(calls("t2", "print(__import__('os').getppid())"))
	for {
		outcome := b.next()
		if outcome.Fault != nil { // the idle process may have died under the task: it comes again
			b.publish(calls("t3", "print(__import__('os').getppid())"))
			continue
		}
		if other := number(t, outcome.Results[0]); other == zygote {
			t.Errorf("still served by zygote %d", other)
		}
		return
	}
}

// number reads the number that a call printed.
func number(t *testing.T, result *pb.Result) int {
	t.Helper()
	value, err := strconv.Atoi(strings.TrimSpace(result.GetOutput()))
	if err != nil {
		t.Fatalf("result = %v, want a number printed", result)
	}
	return value
}

func TestDroppedJobIsKilledInC(t *testing.T) {
	b := newBench(t).start(1)
	started := filepath.Join(t.TempDir(), "pid")
	b.publish(calls("t1", "[open('"+started+"', 'w').write(str(__import__('os').getpid())), sum(range(10**15))]"))
	pid := awaitPID(t, started)
	began := time.Now()
	if err := b.queue.DropTasks(t.Context(), "job"); err != nil {
		t.Fatal(err)
	}
	processtest.AwaitGone(t, pid)
	if took := time.Since(began); took > time.Second {
		t.Errorf("killing took %v, want at most 1 s", took)
	}
	other := calls("t2", "1")
	other.JobId = "other"
	b.publish(other)
	b.results(1) // and no fault before it
}

func awaitPID(t *testing.T, path string) int {
	t.Helper()
	for deadline := time.Now().Add(wait); time.Now().Before(deadline); time.Sleep(5 * time.Millisecond) {
		text, err := os.ReadFile(path)
		if pid, convErr := strconv.Atoi(string(text)); err == nil && convErr == nil {
			return pid
		}
	}
	t.Fatalf("%s did not appear", path)
	return 0
}

func TestEndedSessionLosesItsProcesses(t *testing.T) {
	b := newBench(t).start(2)
	b.publish(calls("t1", "print(__import__('os').getpid())"))
	idle := number(t, b.results(1)[0])
	other := calls("t2", "print(__import__('os').getpid())")
	other.SessionId = "other"
	b.publish(other)
	kept := number(t, b.results(1)[0])
	if idle == kept {
		t.Fatal("two sessions share a process")
	}
	if err := b.queue.EndSession(t.Context(), "session"); err != nil {
		t.Fatal(err)
	}
	processtest.AwaitGone(t, idle)
	if !processtest.Alive(kept) {
		t.Error("the other session's process is gone, too")
	}
}

func TestLargeValuesGoThroughTheStore(t *testing.T) {
	b := newBench(t).start(1)
	b.publish(calls("t1", "b'x' * 3000000", "b'y'"))
	results := b.results(2)
	id := results[0].GetValue().GetBlobId()
	if !b.store.Has(id) {
		t.Errorf("value = %v, want a blob in the store", results[0].GetValue())
	}
	if results[1].GetValue().GetInline() == nil {
		t.Errorf("small value = %v, want it inline", results[1].GetValue())
	}
}

func TestRedeliveredTaskRunsOnlyWhatIsMissing(t *testing.T) {
	b := newBench(t).withObjects()
	ran := filepath.Join(t.TempDir(), "ran")
	expression := "open('" + ran + "', 'a').write('%d ')"
	b.publish(b.behave("t1", fmt.Sprintf(expression, 0), fmt.Sprintf(expression, 1)))
	// A first worker got as far as one result.
	source, err := b.queue.Tasks(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	delivery, err := source.Fetch(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := b.queue.PublishResult(t.Context(), &pb.Result{JobId: "job", Index: 0}); err != nil {
		t.Fatal(err)
	}
	if err := delivery.Nak(t.Context()); err != nil {
		t.Fatal(err)
	}
	b.start(1)
	b.results(2)
	if text, err := os.ReadFile(ran); err != nil || string(text) != "1 " {
		t.Errorf("ran fits %q, %v; want only 1", text, err)
	}
}

func TestMissingObjectIsAFaultThatNamesIt(t *testing.T) {
	b := newBench(t).start(1)
	missing := "ds-" + strings.Repeat("0", 64)
	b.objects.Dataset = missing
	task := b.behave("t1", "1")
	task.Code, task.Split = nil, nil
	b.publish(task)
	if fault := b.fault(); !strings.Contains(fault.Reason, missing) || fault.Running == nil {
		t.Errorf("fault = %v, want the object named and the fit blamed", fault)
	}
}

func TestCloseGivesTasksBackAndLeavesNothing(t *testing.T) {
	b := newBench(t).start(2)
	started := filepath.Join(t.TempDir(), "pid")
	b.publish(calls("t1", "[open('"+started+"', 'w').write(str(__import__('os').getpid())), sum(range(10**15))]"))
	busy := awaitPID(t, started)
	other := calls("t2", "print(__import__('os').getpid())")
	b.publish(other)
	idle := number(t, b.results(1)[0])
	began := time.Now()
	for range 2 {
		if err := b.worker.Close(); err != nil {
			t.Error(err)
		}
	}
	if took := time.Since(began); took > 5*time.Second {
		t.Errorf("Close took %v", took)
	}
	processtest.AwaitGone(t, busy, idle)
	source, err := b.queue.Tasks(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), wait)
	defer cancel()
	// The other one may come back as well, when Close came between its result and its ack.
	for id := ""; id != "t1"; {
		delivery, err := source.Fetch(ctx)
		if err != nil {
			t.Fatalf("fetch: %v; want t1 again", err)
		}
		id = delivery.Task().GetId()
	}
}

func TestClosedQueueKillsWhatRuns(t *testing.T) {
	b := newBench(t).start(1)
	started := filepath.Join(t.TempDir(), "pid")
	b.publish(calls("t1", "[open('"+started+"', 'w').write(str(__import__('os').getpid())), sum(range(10**15))]"))
	pid := awaitPID(t, started)
	if err := b.queue.Close(); err != nil {
		t.Fatal(err)
	}
	processtest.AwaitGone(t, pid)
	if err := b.worker.Close(); err != nil {
		t.Error(err)
	}
}

func TestHeartbeatsFollowTheWork(t *testing.T) {
	b := newBench(t)
	beats, err := b.queue.Heartbeats(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	b.start(2)
	b.publish(calls("t1", "__import__('time').sleep(1)"))
	var first *pb.WorkerInfo
	for busy := false; !busy; {
		select {
		case beat := <-beats:
			if first == nil {
				first = beat
			}
			busy = beat.Busy == 1
		case <-time.After(wait):
			t.Fatal("no heartbeat of a busy worker")
		}
	}
	if first.Id != "w1" || first.Slots != 2 || first.Environment.GetPython() == "" {
		t.Errorf("heartbeat = %v", first)
	}
}

func TestBrokenPython(t *testing.T) {
	b := newBench(t)
	cfg := workers.Config{Queue: b.queue, Store: b.store, Python: "/nonexistent/python", WaitReady: true}
	if _, err := workers.Start(t.Context(), cfg); err == nil || !strings.Contains(err.Error(), cfg.Python) {
		t.Errorf("start = %v, want an error that names the interpreter", err)
	}
	cfg.WaitReady = false
	worker, err := workers.Start(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	b.publish(calls("t1", "1"))
	if err := worker.Close(); err != nil {
		t.Error(err)
	}
	// It never took the task from others.
	b.start(1)
	b.results(1)
}

func TestConfigIsChecked(t *testing.T) {
	b := newBench(t)
	for want, cfg := range map[string]workers.Config{
		"Config.Queue": {Store: b.store},
		"Config.Store": {Queue: b.queue},
		"-1":           {Queue: b.queue, Store: b.store, Slots: -1},
		"a.b":          {Queue: b.queue, Store: b.store, ID: "a.b"},
	} {
		if _, err := workers.Start(t.Context(), cfg); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("start = %v, want an error that names %q", err, want)
		}
	}
}
