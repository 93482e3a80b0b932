package recipecheck

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/crossfold/crossfold/cmd/crossfold/internal/jobfile"
)

// python is the interpreter with scikit-learn that the tests run.
func python(t *testing.T) string {
	t.Helper()
	if named := os.Getenv("CROSSFOLD_PYTHON"); named != "" {
		return named
	}
	if inTree, err := filepath.Abs("../../../../.venv/bin/python"); err == nil {
		if _, err := os.Stat(inTree); err == nil {
			return inTree
		}
	}
	return "python3"
}

func job(t *testing.T, dir, text string) *jobfile.File {
	t.Helper()
	file, err := jobfile.Parse(filepath.Join(dir, "j.yaml"), []byte("data: d.csv\ntarget: y\n"+text))
	if err != nil {
		t.Fatal(err)
	}
	return file
}

// own is a module beside the job file; its output must not spoil the answer.
const own = `
print("noise")
from sklearn.svm import SVC, LinearSVC
def make(C=1.0): return SVC(C=C)
class Bare: pass
linear = LinearSVC()
class NoScore:
    def get_params(self, deep=True): return {}
    def fit(self, X, y): return self
`

func writeModule(t *testing.T, dir, name, text string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestCheck(t *testing.T) {
	dir := t.TempDir()
	writeModule(t, dir, "own_models.py", own)
	good := job(t, dir, "estimator: own_models:make\nparam_grid: {C: [1]}\nscoring: [accuracy]\n")
	if err := Check(t.Context(), python(t), good); err != nil {
		t.Errorf("a good job: %v", err)
	}
	bad := job(t, dir, "estimator: own_models:make\nparam_grid:\n  CC: [1]\n")
	err := Check(t.Context(), python(t), bad)
	var located *jobfile.Error
	if !errors.As(err, &located) || located.Line != 5 || !strings.Contains(err.Error(), `SVC has no parameter "CC"`) {
		t.Errorf("a bad job: %v", err)
	}
}

// The answers of check.py, all from one process: importing scikit-learn takes a second.
func TestAnswers(t *testing.T) {
	dir := t.TempDir()
	writeModule(t, dir, "own_models.py", own)
	pipeline := "pipeline:\n  - {name: s, entry_point: 'sklearn.preprocessing:StandardScaler'}\n" +
		"  - {name: clf, entry_point: 'sklearn.svm:SVC'}\n"
	cases := []struct{ text, key, want string }{
		{"estimator: sklearn.svm:SVC\nparam_grid: {C: [1], kernel: [rbf]}\nscoring: [accuracy]\n", "", ""},
		{pipeline + "param_grid: {clf__C: [1], s__with_mean: [false]}\n", "", ""},
		{"estimator: {entry_point: 'sklearn.preprocessing:FunctionTransformer', " +
			"params: {func: {entry_point: 'numpy:log1p'}}}\nscoring: accuracy\n", "", ""},
		{pipeline + "param_grid: {clf: [{entry_point: 'own_models:linear'}], clf__dual: [true], s: [passthrough]}\n", "", ""},
		{pipeline + "param_grid: {clf: [{entry_point: 'own_models:linear'}], clf__duel: [1]}\n", "param_grid.clf__duel", "duel"},
		{"estimator: sklearn.svmm:SVC\n", "estimator", `module "sklearn.svmm" can't be imported`},
		{"estimator: sklearn.svm:SVCC\n", "estimator", `"sklearn.svm" has no "SVCC"; did you mean "SVC"?`},
		{"estimator: sklearn:__version__\n", "estimator", "is a str, not an estimator class"},
		{"estimator: own_models:Bare\n", "estimator", "Bare is not a scikit-learn estimator"},
		{"estimator: {entry_point: 'sklearn.svm:SVC', params: {kernl: rbf}}\n", "estimator",
			`SVC has no parameter "kernl"; did you mean "kernel"?`},
		{"estimator: sklearn.svm:SVC\nparam_grid: {C: [1], gama: [1]}\n", "param_grid.gama",
			`SVC has no parameter "gama"; did you mean "gamma"?`},
		{pipeline + "param_grid: {clf__gama: [1]}\n", "param_grid.clf__gama",
			`the pipeline has no parameter "clf__gama"; did you mean "clf__gamma"?`},
		{"estimator: sklearn.svm:SVC\nscoring: acuracy\n", "scoring", `there is no scorer "acuracy"; did you mean "accuracy"?`},
		{"estimator: own_models:NoScore\n", "estimator", "NoScore has no score method"},
	}
	requests := make([]request, len(cases))
	for i, c := range cases {
		requests[i] = newRequest(job(t, dir, c.text))
	}
	answers := checkAll(t, requests)
	for i, c := range cases {
		got := answers[i]
		if got.Key != c.key || !strings.Contains(got.Message, c.want) || strings.Contains(got.Message, "\n") {
			t.Errorf("%s\n got %q: %s\nwant %q: %s", c.text, got.Key, got.Message, c.key, c.want)
		}
	}
}

type answer struct{ Key, Message string }

func checkAll(t *testing.T, requests []request) []answer {
	t.Helper()
	input, err := json.Marshal(requests)
	if err != nil {
		t.Fatal(err)
	}
	loop := strings.Replace(script, "if __name__", "if False and __name__", 1) +
		"\nimport contextlib\nwith contextlib.redirect_stdout(sys.stderr):\n" +
		"    answers = [check(job) for job in json.load(sys.stdin)]\nprint(json.dumps(answers))\n"
	command := exec.CommandContext(t.Context(), python(t), "-P", "-c", loop)
	command.Stdin, command.Stderr = bytes.NewReader(input), os.Stderr
	output, err := command.Output()
	if err != nil {
		t.Fatal(err)
	}
	var answers []answer
	if err := json.Unmarshal(output, &answers); err != nil || len(answers) != len(requests) {
		t.Fatalf("%d answers to %d jobs, %v: %s", len(answers), len(requests), err, output)
	}
	return answers
}

func TestNoPython(t *testing.T) {
	file := job(t, t.TempDir(), "estimator: sklearn.svm:SVC\n")
	err := Check(t.Context(), "no-such-python", file)
	var bad *jobfile.Error
	if err == nil || errors.As(err, &bad) || !strings.Contains(err.Error(), "there is no no-such-python") {
		t.Errorf("got %v", err)
	}
	err = Check(t.Context(), "false", file)
	if err == nil || !strings.Contains(err.Error(), "false can't check the recipe") {
		t.Errorf("got %v", err)
	}
}

func TestCheckEndsWithItsContext(t *testing.T) {
	dir := t.TempDir()
	writeModule(t, dir, "endless.py", "while True: pass\n")
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
	defer cancel()
	start := time.Now()
	if err := Check(ctx, python(t), job(t, dir, "estimator: endless:make\n")); err == nil {
		t.Error("no error")
	}
	if took := time.Since(start); took > 10*time.Second {
		t.Errorf("took %s", took)
	}
}
