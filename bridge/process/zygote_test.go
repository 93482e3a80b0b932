package process_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/crossfold/crossfold/bridge/process"
	"github.com/crossfold/crossfold/bridge/process/processtest"
	pb "github.com/crossfold/crossfold/proto/crossfold/v1"
)

func startZygote(t *testing.T) *process.Zygote {
	t.Helper()
	z, err := process.StartZygote(t.Context(), process.Config{
		Python: processtest.Python(), StoreDir: t.TempDir(), Env: processtest.Env(),
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = z.Close() })
	return z
}

var shared struct {
	sync.Mutex
	zygote *process.Zygote
}

// sharedZygote is for tests that leave it as it was: starting one takes seconds.
func sharedZygote(t *testing.T) *process.Zygote {
	t.Helper()
	shared.Lock()
	defer shared.Unlock()
	if shared.zygote == nil {
		zygote, err := process.StartZygote(context.Background(), process.Config{
			Python: processtest.Python(), StoreDir: os.TempDir(), Env: processtest.Env(),
		})
		if err != nil {
			t.Fatal(err)
		}
		shared.zygote = zygote
	}
	return shared.zygote
}

func TestMain(m *testing.M) {
	code := m.Run()
	if shared.zygote != nil {
		_ = shared.zygote.Close()
	}
	os.Exit(code)
}

func fork(t *testing.T, z *process.Zygote) *process.Child {
	t.Helper()
	child, err := z.Fork(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = child.Close() })
	return child
}

// calls makes a task of Python expressions, each run as one call. A pickle that calls exec-like
// builtins needs no Python to be written.
func calls(expressions ...string) *pb.Run {
	task := &pb.Task{Id: "t", JobId: "j"}
	for i, expression := range expressions {
		// functools.partial(eval, expression)
		pickle := fmt.Sprintf("cfunctools\npartial\n(cbuiltins\neval\nV%s\ntR.", expression)
		task.Calls = append(task.Calls, &pb.Call{Index: uint32(i), Pickle: inline(pickle)})
	}
	return &pb.Run{Task: task}
}

func inline(data string) *pb.Value {
	return &pb.Value{Kind: &pb.Value_Inline{Inline: []byte(data)}}
}

// run returns the results of a task by index.
func run(ctx context.Context, child *process.Child, task *pb.Run) ([]*pb.Result, error) {
	var results []*pb.Result
	err := child.Run(ctx, task, func(message *pb.FromChild, _ bool) error {
		if finished := message.GetFinished(); finished != nil {
			results = append(results, finished.GetResult())
		}
		return nil
	})
	return results, err
}

func TestCallsRunInOrder(t *testing.T) {
	child := fork(t, sharedZygote(t))
	for range 2 {
		results, err := run(t.Context(), child, calls("1+1", "1/0", "'x'*70000 and None"))
		if err != nil || len(results) != 3 {
			t.Fatalf("run = %v, %v; want three results", results, err)
		}
		for i, result := range results {
			if result.Index != uint32(i) {
				t.Errorf("result %d has index %d", i, result.Index)
			}
		}
		if got := results[1].GetFailure().GetType(); got != "builtins.ZeroDivisionError" {
			t.Errorf("failure type = %q", got)
		}
	}
}

func TestEnvironmentIsThePythons(t *testing.T) {
	env := sharedZygote(t).Environment()
	if !strings.HasPrefix(env.GetPython(), "3.") || env.GetPackages()["scikit-learn"] == "" {
		t.Errorf("environment = %v, want a Python 3 with scikit-learn", env)
	}
}

func TestDeadChildIsExplained(t *testing.T) {
	z := sharedZygote(t)
	for name, test := range map[string]struct {
		expression string
		status     int32
		log        string
	}{
		"exit":    {"__import__('os').write(2, b'last words') and __import__('os')._exit(3)", 3, "last words"},
		"kill":    {"__import__('os').kill(__import__('os').getpid(), 9)", -9, ""},
		"segment": {"__import__('ctypes').string_at(0)", -int32(syscall.SIGSEGV), "Segmentation fault"},
	} {
		t.Run(name, func(t *testing.T) {
			child := fork(t, z)
			results, err := run(t.Context(), child, calls("1", test.expression, "2"))
			var exit *process.ExitError
			if !errors.As(err, &exit) {
				t.Fatalf("run = %v, %v; want an ExitError", results, err)
			}
			if exit.Status == nil || *exit.Status != test.status || !strings.Contains(exit.Log, test.log) {
				t.Errorf("exit = %v (log %q), want status %d", exit, exit.Log, test.status)
			}
			if exit.Running == nil || *exit.Running != 1 {
				t.Errorf("running = %v, want 1", exit.Running)
			}
			if len(results) != 1 || results[0].GetOutcome() != pb.Outcome_OUTCOME_OK {
				t.Errorf("results = %v, want that of the call which had ended", results)
			}
		})
	}
}

func TestCancelKillsTheGroupAtOnce(t *testing.T) {
	child := fork(t, sharedZygote(t))
	pidFile := filepath.Join(t.TempDir(), "pid")
	// A grandchild that ignores everything but SIGKILL, and a loop in C that never looks at signals.
	script := `trap "" TERM HUP INT; echo $$ > ` + pidFile + `.new && mv ` + pidFile + `.new ` + pidFile + `; sleep 600`
	expression := `[__import__('subprocess').Popen(['sh', '-c', '` + script + `']), sum(range(10**15))]`
	ctx, cancel := context.WithCancelCause(t.Context())
	gone := errors.New("dropped")
	var grandchild int
	go func() {
		grandchild = awaitNumber(t, pidFile)
		cancel(gone)
	}()
	began := time.Now()
	if _, err := run(ctx, child, calls(expression)); !errors.Is(err, gone) {
		t.Fatalf("run = %v, want the cause %v", err, gone)
	}
	processtest.AwaitGone(t, child.PID(), grandchild)
	if took := time.Since(began); took > 5*time.Second {
		t.Errorf("took %v", took)
	}
}

func awaitNumber(t *testing.T, path string) int {
	for deadline := time.Now().Add(30 * time.Second); time.Now().Before(deadline); time.Sleep(5 * time.Millisecond) {
		if text, err := os.ReadFile(path); err == nil {
			number, err := strconv.Atoi(strings.TrimSpace(string(text)))
			if err != nil {
				t.Error(err)
			}
			return number
		}
	}
	t.Errorf("%s did not appear", path)
	return 0
}

func TestDeadZygoteTakesItsChildrenAndIsReported(t *testing.T) {
	z := startZygote(t)
	idle, busy := fork(t, z), fork(t, z)
	failed := make(chan error, 1)
	go func() {
		_, err := run(t.Context(), busy, calls("__import__('time').sleep(600)"))
		failed <- err
	}()
	if err := syscall.Kill(z.PID(), syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	select {
	case <-z.Done():
	case <-time.After(10 * time.Second):
		t.Fatal("the death of the zygote went unnoticed")
	}
	var exit *process.ExitError
	if err := <-failed; !errors.As(err, &exit) {
		t.Errorf("run = %v, want an ExitError", err)
	}
	if _, err := z.Fork(t.Context(), nil); !errors.Is(err, process.ErrZygoteDead) {
		t.Errorf("fork = %v, want %v", err, process.ErrZygoteDead)
	}
	processtest.AwaitGone(t, z.PID(), idle.PID(), busy.PID())
}

func TestCloseLeavesNothing(t *testing.T) {
	before := openFiles(t)
	z := startZygote(t)
	children := []*process.Child{fork(t, z), fork(t, z), fork(t, z)}
	pids := []int{z.PID()}
	for _, child := range children {
		pids = append(pids, child.PID())
	}
	if err := children[0].Close(); err != nil {
		t.Error(err)
	}
	for range 2 {
		if err := z.Close(); err != nil {
			t.Error(err)
		}
	}
	processtest.AwaitGone(t, pids...)
	for _, child := range children {
		if err := child.Close(); err != nil {
			t.Error(err)
		}
	}
	if after := openFiles(t); after > before {
		t.Errorf("%d descriptors were open before, %d after", before, after)
	}
}

func openFiles(t *testing.T) int {
	t.Helper()
	entries, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	return len(entries)
}

func TestStartErrorsSayWhatToDo(t *testing.T) {
	cancelled, cancel := context.WithCancel(t.Context())
	cancel()
	for name, test := range map[string]struct {
		ctx    context.Context
		config process.Config
		want   string
	}{
		"no such program": {t.Context(), process.Config{Python: "/nonexistent/python"}, "name another interpreter"},
		"no crossfold": {
			t.Context(), process.Config{Python: processtest.Python(), Env: []string{"PYTHONPATH=", "PYTHONNOUSERSITE=1", "PYTHONSAFEPATH=1", "PYTHONHOME=/nonexistent"}},
			"-m pip install crossfold",
		},
		"cancelled": {cancelled, process.Config{Python: processtest.Python(), Env: processtest.Env()}, "context canceled"},
	} {
		t.Run(name, func(t *testing.T) {
			z, err := process.StartZygote(test.ctx, test.config)
			if err == nil {
				z.Close()
				t.Fatal("started")
			}
			if !strings.Contains(err.Error(), test.want) {
				t.Errorf("error = %q, want %q in it", err, test.want)
			}
		})
	}
}

func TestFloodOfOutputIsBounded(t *testing.T) {
	child := fork(t, sharedZygote(t))
	results, err := run(t.Context(), child, calls(
		"[print('x'*10**6) for _ in range(100)] and None",
		"[__import__('os').write(1, b'y'*10**6) for _ in range(100)] and None",
		"print('after')",
	))
	if err != nil || len(results) != 3 {
		t.Fatalf("run = %d results, %v", len(results), err)
	}
	if size := len(results[0].Output); size > 1<<20 || !strings.Contains(results[0].Output, "output cut") {
		t.Errorf("output has %d bytes and ends in %q", size, results[0].Output[max(0, size-80):])
	}
	if results[1].Output != "" || results[2].Output != "after\n" {
		t.Errorf("outputs = %q, %q", results[1].Output, results[2].Output)
	}
}
