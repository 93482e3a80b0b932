package workers_test

import (
	"slices"
	"testing"
	"time"

	"github.com/crossfold/crossfold/bridge/process/processtest"
	pb "github.com/crossfold/crossfold/proto/crossfold/v1"
)

const printProcess = "print(__import__('os').getpid())"

// ask runs an expression that prints a number, for a session, after importing modules.
func (b *bench) ask(session, expression string, modules ...string) int {
	b.t.Helper()
	task := calls("t-"+session, expression)
	task.JobId, task.SessionId, task.Code = session, session, &pb.Code{Preload: modules}
	b.publish(task)
	return number(b.t, b.results(1)[0])
}

// end ends a session and waits until two spares are ready, which it returns.
func (b *bench) end(session string) []int {
	b.t.Helper()
	// A task that is cut off before its ack would run again, in one of the spares.
	b.await("the ack", func() bool { return b.worker.Busy() == 0 })
	if err := b.queue.EndSession(b.t.Context(), session); err != nil {
		b.t.Fatal(err)
	}
	b.await("two spares", func() bool { return len(b.worker.Spares()) == 2 })
	return b.worker.Spares()
}

func (b *bench) await(what string, holds func() bool) {
	b.t.Helper()
	for deadline := time.Now().Add(wait); !holds(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			b.t.Fatalf("waited %v for %s", wait, what)
		}
	}
}

func TestTheNextSessionGetsAProcessThatIsThere(t *testing.T) {
	b := newBench(t).start(2)
	b.ask("first", printProcess)
	spares := b.end("first")
	second := b.ask("second", printProcess)
	if !slices.Contains(spares, second) {
		t.Errorf("process %d is none of the spares %v", second, spares)
	}
	if err := b.worker.Close(); err != nil {
		t.Error(err)
	}
	processtest.AwaitGone(t, spares...)
}

func TestASpareThatLacksAModuleIsReplaced(t *testing.T) {
	b := newBench(t).start(2)
	b.ask("first", printProcess)
	old := b.end("first")
	loaded := "print(int('sklearn.svm' in __import__('sys').modules))"
	if got := b.ask("second", loaded, "sklearn.svm"); got != 1 {
		t.Error("the second session's process lacks the module it asked for")
	}
	processtest.AwaitGone(t, old...)
	fresh := b.end("second")
	if third := b.ask("third", printProcess, "sklearn.svm"); !slices.Contains(fresh, third) {
		t.Errorf("process %d is none of the spares %v", third, fresh)
	}
}
