package workers_test

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/crossfold/crossfold/bridge/process/processtest"
	pb "github.com/crossfold/crossfold/proto/crossfold/v1"
)

func checkKilled(t *testing.T, result *pb.Result, kind string) {
	t.Helper()
	if result.Outcome != pb.Outcome_OUTCOME_LIMIT || result.GetFailure().GetType() != kind || result.Worker != "w1" {
		t.Errorf("result = %v, want one that says %s", result, kind)
	}
}

func TestLimits(t *testing.T) {
	b := newBench(t).withObjects().start(1)
	for name, test := range map[string]func(*testing.T, *bench){
		"a fit stuck in C is killed and the others go on": fitStuckInC,
		"a call has limits, too":                          callStuckInC,
		"a loop that allocates is killed":                 allocates,
		"a process that the fit started counts":           childAllocates,
		"memory counts once and from the start":           countsOnce,
	} {
		t.Run(name, func(t *testing.T) { test(t, b) })
	}
}

// limited publishes a task as a job of its own.
func (b *bench) limited(task *pb.Task, limits *pb.Limits) {
	b.t.Helper()
	task.JobId, task.Limits = task.Id, limits
	b.publish(task)
}

func fitStuckInC(t *testing.T, b *bench) {
	b.limited(b.behave("slow", "1", "sum(range(10**15))", "3"), &pb.Limits{FitSeconds: 0.3})
	results := b.results(3)
	checkKilled(t, results[1], "crossfold.FitTimeout")
	if seconds := results[1].FitSeconds; seconds < 0.3 || seconds > 1.3 {
		t.Errorf("it was killed after %v s, want at most 1 s after the limit of 0.3 s", seconds)
	}
	if text := results[1].GetFailure().GetMessage(); !strings.Contains(text, "0.3 s") || !strings.Contains(text, "fit_timeout") {
		t.Errorf("message = %q, want the limit and what to do", text)
	}
	checkFine(t, results[0], results[2])
}

func callStuckInC(t *testing.T, b *bench) {
	pid := filepath.Join(t.TempDir(), "pid")
	stuck := "[open('" + pid + "', 'w').write(str(__import__('os').getpid())), sum(range(10**15))]"
	b.limited(calls("call", "1", stuck, "3"), &pb.Limits{FitSeconds: 0.3})
	results := b.results(3)
	checkKilled(t, results[1], "crossfold.FitTimeout")
	checkFine(t, results[0], results[2])
	processtest.AwaitGone(t, awaitPID(t, pid))
}

func allocates(t *testing.T, b *bench) {
	b.limited(b.behave("own", "[b'x' * (1 << 20) for _ in iter(int, 1)]", "2"), &pb.Limits{FitBytes: 200 << 20})
	results := b.results(2)
	checkKilled(t, results[0], "crossfold.FitMemoryExceeded")
	checkFine(t, results[1])
}

func childAllocates(t *testing.T, b *bench) {
	loop := "os.system(\"exec python3 -c '[bytes(1 << 20).replace(bytes(1), bytes([1])) for _ in iter(int, 1)]'\")"
	b.limited(b.behave("child", loop, "2"), &pb.Limits{FitBytes: 200 << 20})
	results := b.results(2)
	checkKilled(t, results[0], "crossfold.FitMemoryExceeded")
	checkFine(t, results[1])
}

// What the process held before is not the fit's, and forked processes share what they have.
func countsOnce(t *testing.T, b *bench) {
	b.limited(b.behave("before", "setattr(os, 'kept', b'x' * (300 << 20))"), nil)
	b.results(1)
	b.limited(b.behave("once", "1",
		"(lambda held: [os.waitpid(pid, 0) for pid in [os.fork() or __import__('time').sleep(0.3) or os._exit(0)"+
			" for _ in range(4)]])(b'x' * (100 << 20))"), &pb.Limits{FitBytes: 200 << 20})
	results := b.results(2)
	checkFine(t, results[0], results[1])
}

func checkFine(t *testing.T, results ...*pb.Result) {
	t.Helper()
	for _, result := range results {
		if result.Outcome != pb.Outcome_OUTCOME_OK {
			t.Errorf("result = %v, want a fine one", result)
		}
	}
}
