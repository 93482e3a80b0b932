package main

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
)

// patience bounds a command line that runs a whole job on a busy machine.
const patience = 4 * time.Minute

// command runs a command line in this process.
func command(t *testing.T, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	var out, err bytes.Buffer
	code = run(ctx, args, &out, &err)
	return code, out.String(), err.String()
}

// usePython points the commands at the interpreter that has scikit-learn.
func usePython(t *testing.T) {
	t.Helper()
	if os.Getenv("CROSSFOLD_PYTHON") != "" {
		return
	}
	python, err := filepath.Abs("../../.venv/bin/python")
	if err != nil {
		t.Fatal(err)
	}
	t.Setenv("CROSSFOLD_PYTHON", python)
}

func TestBadInputIsOneLineAndStatus2(t *testing.T) {
	t.Setenv("CROSSFOLD_URL", "")
	t.Setenv("CROSSFOLD_TOKEN", "")
	dir := t.TempDir()
	job := filepath.Join(dir, "j.yaml")
	if err := os.WriteFile(job, []byte("data: d.csv\ntarget: y\nestimator: sklearn.svm:SVC\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		args []string
		want string
	}{
		{[]string{"runn"}, `"runn"`},
		{[]string{"run"}, "accepts 1 arg(s)"},
		{[]string{"run", job, "--slotz", "1"}, "--slotz"},
		{[]string{"run", job, "--dir", "a", "--url", "b"}, "dir"},
		{[]string{"run", filepath.Join(dir, "no.yaml")}, "no.yaml: there is no such file"},
		{[]string{"run", job}, filepath.Join(dir, "d.csv")},
		{[]string{"run", job, "--url", "grpc://host:1"}, "is not encrypted"},
		{[]string{"run", job, "--slots", "-1"}, "Slots is -1"},
		{[]string{"up", "--dir", filepath.Join(dir, "u"), "--slots", "-2"}, "Slots is -2"},
		{[]string{"inspect", filepath.Join(dir, "no.csv")}, "no.csv"},
		{[]string{"jobs"}, "no cluster is named"},
		{[]string{"jobs", "cancel"}, "accepts 1 arg(s)"},
		{[]string{"up"}, `"dir"`},
		{[]string{"worker"}, "dir"},
		{[]string{"worker", "--nats-url", "tls://host"}, "url"},
		{[]string{"coordinator", "--dir", filepath.Join(dir, "c"), "--listen", "127.0.0.1:0"}, "needs --tls-cert"},
		{[]string{"coordinator", "--dir", filepath.Join(dir, "c"), "--token-file", "t"}, "need --listen"},
	} {
		code, stdout, stderr := command(t, c.args...)
		if code != exitBadInput || stdout != "" || strings.Count(stderr, "\n") != 1 || !strings.Contains(stderr, c.want) {
			t.Errorf("%v: status %d, %q, %q; want %q", c.args, code, stdout, stderr, c.want)
		}
	}
}

func TestAClusterThatIsNotThere(t *testing.T) {
	code, _, stderr := command(t, "jobs", "--dir", t.TempDir())
	if code != exitFailure || !strings.Contains(stderr, "sock") {
		t.Errorf("status %d, %q", code, stderr)
	}
}

func TestVersion(t *testing.T) {
	if code, stdout, _ := command(t, "version"); code != exitOK || !strings.HasPrefix(stdout, "crossfold dev (") {
		t.Errorf("status %d, %q", code, stdout)
	}
}

// The example of docs/job-file.md is the file it names, and it runs.
func TestTheDocumentedJobRuns(t *testing.T) {
	usePython(t)
	t.Setenv("CROSSFOLD_URL", "")
	page, err := os.ReadFile("../../docs/job-file.md")
	if err != nil {
		t.Fatal(err)
	}
	file, err := os.ReadFile("../../examples/wine.yaml")
	if err != nil {
		t.Fatal(err)
	}
	block := regexp.MustCompile("(?s)```yaml\n(.*?)```").FindSubmatch(page)
	if block == nil || !bytes.Equal(block[1], file) {
		t.Fatal("the YAML in docs/job-file.md is not examples/wine.yaml")
	}
	out := t.TempDir()
	code, stdout, stderr := command(t, "run", "../../examples/wine.yaml", "--slots", "2", "--top", "3", "--out", out)
	if code != exitOK {
		t.Fatalf("status %d: %s", code, stderr)
	}
	for _, want := range []string{"8 candidates × 5 splits of 178 rows", "f1_macro", "and 5 more candidates"} {
		if !strings.Contains(stdout, want) {
			t.Errorf("%q is missing in\n%s", want, stdout)
		}
	}
	text, err := os.ReadFile(filepath.Join(out, "results.json"))
	if err != nil {
		t.Fatal(err)
	}
	var columns map[string][]any
	if err := json.Unmarshal(text, &columns); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"params", "mean_test_accuracy", "split4_test_f1_macro", "rank_test_accuracy"} {
		if len(columns[name]) != 8 {
			t.Errorf("%s has %d entries, want 8", name, len(columns[name]))
		}
	}
}
