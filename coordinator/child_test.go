package coordinator_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"google.golang.org/grpc/codes"

	"github.com/crossfold/crossfold/coordinator"
	"github.com/crossfold/crossfold/coordinator/queue/memory"
	"github.com/crossfold/crossfold/coordinator/workertest"
	pb "github.com/crossfold/crossfold/proto/crossfold/v1"
)

// script writes a program that stands in for the crossfold binary.
func script(t *testing.T, body string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "crossfold")
	if err := os.WriteFile(path, []byte("#!/bin/sh\n"+body), 0o700); err != nil {
		t.Fatal(err)
	}
	return path
}

func withBinary(t *testing.T, binary string) *coordinator.Coordinator {
	t.Helper()
	c, err := coordinator.Open(bounded(t), coordinator.Config{Binary: binary, Slots: 3, Python: "py", Logger: quiet()})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestTheWorkerProcessIsStartedAndEnded(t *testing.T) {
	out := filepath.Join(t.TempDir(), "out")
	c := withBinary(t, script(t, `echo "$@" > `+out+`.tmp; mv `+out+`.tmp `+out+`; cat > /dev/null; echo ended >> `+out))
	waitUntil(t, "the process runs", func() bool { _, err := os.Stat(out); return err == nil })
	dir := c.Dir()
	closeIt(t, c)
	text, err := os.ReadFile(out)
	want := "worker --dir " + dir + " --slots 3 --python py --exit-on-stdin-eof\nended\n"
	if err != nil || string(text) != want {
		t.Errorf("the process wrote %q, %v; want %q", text, err, want)
	}
}

func TestAWorkerProcessThatDiesIsStartedAgain(t *testing.T) {
	pids := filepath.Join(t.TempDir(), "pids")
	c := withBinary(t, script(t, `echo $$ >> `+pids+`; exec cat > /dev/null`))
	defer closeIt(t, c)
	lines := func() []string {
		text, _ := os.ReadFile(pids)
		return strings.Fields(string(text))
	}
	waitUntil(t, "the process runs", func() bool { return len(lines()) == 1 })
	pid, err := strconv.Atoi(lines()[0])
	if err != nil {
		t.Fatal(err)
	}
	if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	waitUntil(t, "it is started again", func() bool { return len(lines()) == 2 })
}

func TestAWorkerProcessThatCannotRunFailsJobsWithItsReason(t *testing.T) {
	c := withBinary(t, script(t, `echo "py can't import crossfold" >&2; exit 7`))
	defer closeIt(t, c)
	id := submit(t, c, search(dataset(t, c, 20, ""), 1, 2))
	_, err := c.Wait(bounded(t), id)
	wantError(t, err, codes.Unavailable, "exit status 7", "py can't import crossfold")
	_, err = c.Hello(bounded(t), &pb.HelloRequest{})
	wantError(t, err, codes.Unavailable, "py can't import crossfold")
	_, err = c.Wait(bounded(t), submit(t, c, search(dataset(t, c, 20, ""), 1, 2)))
	wantError(t, err, codes.Unavailable, "py can't import crossfold")
}

func TestAStubbornWorkerProcessIsKilled(t *testing.T) {
	c := withBinary(t, script(t, `trap '' TERM; echo $$ > "$3/pid"; exec sleep 600`))
	pidFile := filepath.Join(c.Dir(), "pid")
	var pid int
	waitUntil(t, "the process runs", func() bool {
		text, _ := os.ReadFile(pidFile)
		pid, _ = strconv.Atoi(strings.TrimSpace(string(text)))
		return pid > 0
	})
	closeIt(t, c)
	if err := syscall.Kill(pid, 0); err == nil {
		t.Error("the process still runs")
	}
}

// parentEnv names the worker's program to a copy of this test that is killed.
const parentEnv = "CROSSFOLD_TEST_PARENT"

// A Go program that is killed takes its worker process along.
func TestTheWorkerProcessDiesWithItsParent(t *testing.T) {
	if os.Getenv(parentEnv) != "" {
		c := withBinary(t, os.Getenv(parentEnv))
		waitUntil(t, "killed", func() bool { return c == nil })
	}
	pids := filepath.Join(t.TempDir(), "pids")
	parent := exec.Command(os.Args[0], "-test.run", "^"+t.Name()+"$")
	parent.Env = append(os.Environ(), "TMPDIR="+t.TempDir(), parentEnv+"="+script(t, `echo $$ > `+pids+`; exec sleep 600`))
	if err := parent.Start(); err != nil {
		t.Fatal(err)
	}
	var pid int
	waitUntil(t, "the worker process runs", func() bool {
		text, _ := os.ReadFile(pids)
		pid, _ = strconv.Atoi(strings.TrimSpace(string(text)))
		return pid > 0
	})
	if err := parent.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = parent.Wait() // it was killed
	waitUntil(t, "the worker process ends", func() bool { return !runs(pid) })
}

// runs says whether a process is there and no zombie that nobody reaps.
func runs(pid int) bool {
	text, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(pid), "stat"))
	if os.IsNotExist(err) && runtime.GOOS == "linux" {
		return false
	}
	return syscall.Kill(pid, 0) == nil && !strings.Contains(string(text), ") Z ")
}

func TestCloseLeavesNoGoroutine(t *testing.T) {
	before := runtime.NumGoroutine()
	for range 3 {
		c, err := coordinator.Open(bounded(t), coordinator.Config{
			Sidecar: workertest.Sidecar(workertest.Config{}), Slots: 2, Logger: quiet(),
		})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := c.Wait(bounded(t), submit(t, c, search(dataset(t, c, 20, ""), 2, 2))); err != nil {
			t.Fatal(err)
		}
		client := attach(t, c)
		client.open("a", &pb.JobSpec{})
		client.call("a", 10)
		closeIt(t, c)
	}
	// What ends by itself after Close needs a moment.
	waitUntil(t, "no more goroutines than before", func() bool { return runtime.NumGoroutine() <= before+2 })
}

func TestAnInMemoryCoordinatorLeavesNoGoroutine(t *testing.T) {
	before := runtime.NumGoroutine()
	c, err := coordinator.Open(bounded(t), coordinator.Config{
		Queue: memory.New(memory.Config{}), Sidecar: workertest.Sidecar(workertest.Config{}), Logger: quiet(),
	})
	if err != nil {
		t.Fatal(err)
	}
	closeIt(t, c)
	waitUntil(t, "no more goroutines than before", func() bool { return runtime.NumGoroutine() <= before })
}
