// Package pythontest runs Python beside a Go test, so that scikit-learn and pyarrow can be asked
// what is right.
package pythontest

import (
	"bytes"
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"
)

const limit = 2 * time.Minute

// Run runs a script with stdin and arguments (sys.argv[1:]) and returns what it prints. The test
// fails when the script does, or when there is no Python that has what it imports.
func Run(t testing.TB, script string, stdin []byte, args ...string) []byte {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	python := interpreter()
	cmd := exec.CommandContext(ctx, python, append([]string{"-c", script}, args...)...)
	cmd.Env = append(os.Environ(), "PYTHONPATH="+filepath.Join(moduleRoot(), "python"), "PYTHONWARNINGS=default")
	cmd.Stdin = bytes.NewReader(stdin)
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Run(); err != nil {
		t.Fatalf("%s: %v\n%s\nset CROSSFOLD_PYTHON to a Python with the project's packages, or run `make setup`",
			python, err, stderr.Bytes())
	}
	return stdout.Bytes()
}

// interpreter returns $CROSSFOLD_PYTHON, the Python of the repository's environment, or python3.
func interpreter() string {
	if python := os.Getenv("CROSSFOLD_PYTHON"); python != "" {
		return python
	}
	python := filepath.Join(moduleRoot(), ".venv", "bin", "python")
	if _, err := os.Stat(python); err == nil {
		return python
	}
	return "python3"
}

// moduleRoot returns the nearest folder upwards that has a go.mod. Tests run in their package's.
func moduleRoot() string {
	dir, err := os.Getwd()
	for err == nil {
		if _, statErr := os.Stat(filepath.Join(dir, "go.mod")); statErr == nil {
			return dir
		}
		parent := filepath.Dir(dir)
		if parent == dir {
			break
		}
		dir = parent
	}
	return "."
}
