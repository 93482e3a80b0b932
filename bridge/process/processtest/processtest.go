// Package processtest helps tests that run real Python processes.
package processtest

import (
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// Python returns the interpreter for tests: $CROSSFOLD_PYTHON, the repository's .venv, or python3.
func Python() string {
	if python := os.Getenv("CROSSFOLD_PYTHON"); python != "" {
		return python
	}
	if python := filepath.Join(root(), ".venv", "bin", "python"); exists(python) {
		return python
	}
	return "python3"
}

// Env makes the repository's own package importable, installed or not.
func Env() []string {
	return []string{"PYTHONPATH=" + filepath.Join(root(), "python")}
}

// AwaitGone fails the test unless all processes are gone, reaped or not, within 5 s.
func AwaitGone(t *testing.T, pids ...int) {
	t.Helper()
	deadline := time.Now().Add(5 * time.Second)
	for _, pid := range pids {
		for Alive(pid) {
			if time.Now().After(deadline) {
				t.Errorf("process %d is still there", pid)
				break
			}
			time.Sleep(5 * time.Millisecond)
		}
	}
}

// Alive says whether a process exists and is not a zombie.
func Alive(pid int) bool {
	if syscall.Kill(pid, 0) != nil {
		return false
	}
	stat, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(pid), "stat"))
	if err != nil {
		return false
	}
	_, state, found := strings.Cut(string(stat), ") ")
	return found && state[0] != 'Z' && state[0] != 'X'
}

func root() string {
	_, file, _, _ := runtime.Caller(0)
	return filepath.Join(filepath.Dir(file), "..", "..", "..")
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}
