package coordinator_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// worker is what runs the default sidecar in tests: this repository's binary and Python.
var worker struct{ binary, python string }

func TestMain(m *testing.M) {
	status, err := withWorker(m.Run)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		status = 1
	}
	os.Exit(status)
}

// withWorker builds the binary, since tests must not run an old one.
func withWorker(run func() int) (status int, err error) {
	dir, err := os.MkdirTemp("", "crossfold-test-")
	if err != nil {
		return 0, err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	if os.Getenv(parentEnv) != "" { // this process plays a part in a test of another
		return run(), nil
	}
	worker.binary = filepath.Join(dir, "crossfold")
	build := exec.Command("go", "build", "-o", worker.binary, "../cmd/crossfold")
	if output, err := build.CombinedOutput(); err != nil {
		return 0, fmt.Errorf("go build ../cmd/crossfold: %w\n%s", err, output)
	}
	worker.python = "python3"
	if named := os.Getenv("CROSSFOLD_PYTHON"); named != "" {
		worker.python = named
	} else if path, err := filepath.Abs("../.venv/bin/python"); err == nil {
		if _, err := os.Stat(path); err == nil {
			worker.python = path
		}
	}
	return run(), nil
}
