package jobfile

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	pb "github.com/crossfold/crossfold/proto/crossfold/v1"
)

const small = "data: d.csv\ntarget: y\nestimator: sklearn.svm:SVC\n"

func parse(t *testing.T, text string) *File {
	t.Helper()
	f, err := Parse("/jobs/search.yaml", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func params(f *File) []string {
	var all []string
	for _, c := range f.Candidates {
		all = append(all, c.GetParamsJson())
	}
	return all
}

func TestSmallestFile(t *testing.T) {
	f := parse(t, small)
	if f.Name != "search" || f.Data != "/jobs/d.csv" || f.Recipe.Target != "y" {
		t.Errorf("name %q, data %q, target %q", f.Name, f.Data, f.Recipe.Target)
	}
	if f.Splits.Kind != pb.SplitSpec_KIND_STRATIFIED_KFOLD || f.Splits.NSplits != 5 || f.Splits.RandomState != nil {
		t.Errorf("splits %v, want stratified 5", f.Splits)
	}
	if got := params(f); len(got) != 1 || got[0] != "{}" {
		t.Errorf("candidates %v, want one that changes nothing", got)
	}
	spec := f.JobSpec("ds-1")
	if spec.DatasetId != "ds-1" || spec.GetCode().GetRecipe().GetSteps()[0].GetEntryPoint() != "sklearn.svm:SVC" {
		t.Errorf("job %v", spec)
	}
}

func TestEveryKey(t *testing.T) {
	f := parse(t, `
name: digits
data: /data/d.parquet
target: label
features: [b, a]
pipeline:
  - {name: scale, entry_point: "sklearn.preprocessing:StandardScaler"}
  - name: clf
    entry_point: sklearn.svm:SVC
    params: {C: 1.0, degree: 3, kernel: rbf, class_weight: null}
cv: {kind: kfold, n_splits: 3, shuffle: true, random_state: 4294967295}
scoring: [accuracy, f1_macro]
error_score: raise
return_train_score: true
slots: 2
limits: {fit_seconds: 0.5, fit_bytes: 2000000000}
`)
	spec := f.JobSpec("ds-1")
	recipe := spec.GetCode().GetRecipe()
	if got := recipe.Steps[1].ParamsJson; got != `{"C":1.0,"class_weight":null,"degree":3,"kernel":"rbf"}` {
		t.Errorf("params %s", got)
	}
	if strings.Join(recipe.Features, ",") != "b,a" || strings.Join(recipe.Scoring, ",") != "accuracy,f1_macro" {
		t.Errorf("features %v, scoring %v", recipe.Features, recipe.Scoring)
	}
	if recipe.ErrorScore != "raise" || !recipe.ReturnTrainScore || spec.MaxParallel != 2 || spec.Name != "digits" {
		t.Errorf("job %v", spec)
	}
	if l := spec.Limits; l.GetFitSeconds() != 0.5 || l.GetFitBytes() != 2e9 {
		t.Errorf("limits %v", l)
	}
	if s := spec.SplitSpec; s.Kind != pb.SplitSpec_KIND_KFOLD || s.NSplits != 3 || !s.Shuffle || s.GetRandomState() != 1<<32-1 {
		t.Errorf("splits %v", s)
	}
	if strings.Join(spec.Code.Preload, ",") != "sklearn.preprocessing,sklearn.svm" {
		t.Errorf("preload %v", spec.Code.Preload)
	}
}

func TestGridInParameterGridOrder(t *testing.T) {
	f := parse(t, small+`
param_grid:
  - gamma: [0.1, 0.01]
    C: [1, 1.0, 1e3]
  - {kernel: [linear]}
  - {}
`)
	want := []string{
		`{"C":1,"gamma":0.1}`, `{"C":1,"gamma":0.01}`,
		`{"C":1.0,"gamma":0.1}`, `{"C":1.0,"gamma":0.01}`,
		`{"C":1e3,"gamma":0.1}`, `{"C":1e3,"gamma":0.01}`,
		`{"kernel":"linear"}`, `{}`,
	}
	if got := params(f); strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

func TestNumbersKeepTheirKind(t *testing.T) {
	for yaml, want := range map[string]string{
		"1": "1", "1.0": "1.0", "1.": "1.0", ".5": "0.5", "1e-3": "1e-3", "1E5": "1E5", "-0.0": "-0.0", "0x10": "16",
		"1_000": "1000", "1_0.5": "10.5", ".inf": "1e999", "-.inf": "-1e999", "123456789012345678901234567890": "123456789012345678901234567890",
		"0.1000000000000000055511151231257827": "0.1000000000000000055511151231257827",
		"true":                                 "true", "null": "null", "~": "null", "'1'": `"1"`, "yes": `"yes"`, "<b>": `"<b>"`, "2020-01-01": `"2020-01-01"`,
		"[1, [2.0, {b: 1, a: 2}]]": `[1,[2.0,{"a":2,"b":1}]]`,
	} {
		f, err := Parse("j.yaml", []byte(small+"param_grid: {p: ["+yaml+"]}\n"))
		if err != nil {
			t.Errorf("%s: %v", yaml, err)
			continue
		}
		if got := params(f)[0]; got != `{"p":`+want+`}` {
			t.Errorf("%s became %s, want %s", yaml, got, want)
		}
	}
}

func TestBadInputIsNamed(t *testing.T) {
	for _, c := range []struct{ text, want string }{
		{"", "j.yaml: is empty"},
		{"# nothing\n", "j.yaml: is empty"},
		{"a: [1", "j.yaml:1: is not YAML"},
		{"- 1\n", "j.yaml:1: a job file must be a mapping of keys to values, not a list"},
		{small + "---\na: 1\n", "more than one YAML document"},
		{small + "scorng: accuracy\n", `j.yaml:4: unknown key "scorng"; did you mean "scoring"?`},
		{small + "cv: {folds: 3}\n", `j.yaml:4: unknown key "folds" in cv; known are kind, n_splits, random_state, shuffle`},
		{small + "target: z\n", `j.yaml:4: key "target" is there twice, first in line 2`},
		{"target: y\nestimator: a:b\n", `"data" is missing`},
		{"data: d.csv\nestimator: a:b\n", `"target" is missing`},
		{"data: d.csv\ntarget: y\n", `"estimator" is missing`},
		{"data: 5\n", `j.yaml:1: a text is wanted here, not "5"`},
		{"data: ''\n", "is empty"},
		{"estimator: sklearn.svm.SVC\n", `did you mean "sklearn.svm:SVC"?`},
		{"estimator: SVC\n", `"SVC" is not an entry point; write it as "module:name"`},
		{"estimator: {params: {C: 1}}\n", `estimator lacks "entry_point"`},
		{"estimator: {entry_point: 'a:b', params: [1]}\n", "params must be a mapping of names to values, not a list"},
		{small + "pipeline: []\n", "pipeline has 0 steps"},
		{small + "pipeline: [{name: a, entry_point: 'a:b'}, {name: b, entry_point: 'a:b'}]\n", `both "estimator" and "pipeline"`},
		{"pipeline: [{name: a, entry_point: 'a:b'}, {name: a, entry_point: 'a:b'}]\n", `step name "a" is used twice`},
		{"pipeline: [{name: a__b, entry_point: 'a:b'}, {name: a, entry_point: 'a:b'}]\n", "two underscores"},
		{"pipeline: [{entry_point: 'a:b'}, {name: a, entry_point: 'a:b'}]\n", `pipeline[0] lacks "name"`},
		{small + "features: [y]\n", `features hold the target "y"`},
		{small + "features: [a, a]\n", `"a" is in the list twice`},
		{small + "features: []\n", "the list is empty"},
		{small + "cv: {kind: loo}\n", `cv kind "loo" is not known`},
		{small + "cv: {n_splits: 1}\n", `a whole number from 2 to 2147483647 is wanted here, not "1"`},
		{small + "cv: {n_splits: 2.5}\n", `not "2.5"`},
		{small + "cv: {random_state: 1}\n", "j.yaml:4: random_state has no effect without shuffle"},
		{small + "cv: {shuffle: maybe}\n", `true or false is wanted here, not "maybe"`},
		{small + "error_score: low\n", `error_score must be a number, nan or "raise", not "low"`},
		{small + "slots: 0\n", "a whole number from 1 to 65536"},
		{small + "limits: {fit_seconds: 0}\n", `a number of seconds above 0, at most 1e+09, is wanted here, not "0"`},
		{small + "limits: {fit_seconds: .inf}\n", `not ".inf"`},
		{small + "limits: {fit_seconds: soon}\n", `not "soon"`},
		{small + "limits: {fit_bytes: 1.5}\n", `not "1.5"`},
		{small + "limits: {fit_hours: 1}\n", `unknown key "fit_hours" in limits`},
		{small + "param_grid: []\n", "param_grid has no candidate"},
		{small + "param_grid: {C: []}\n", `parameter "C" has no value, so the grid has no candidate`},
		{small + "param_grid: {C: 1}\n", `parameter "C" needs a list of values, not "1"; write [1]`},
		{small + "param_grid: {C: [1], C: [2]}\n", `parameter "C" is in the grid twice`},
		{small + "param_grid: {C: [.nan]}\n", `".nan" can't be a parameter`},
		{small + "param_grid: {C: [!!binary aGk=]}\n", "can't be a parameter"},
		{small + "param_grid: {C: &a [*a]}\n", "aliases expand to too much"},
		{small + "param_grid: {a: &x [" + strings.Repeat("1,", 999) + "1], b: *x}\n", "more than 100000 candidates"},
	} {
		_, err := Parse("j.yaml", []byte(c.text))
		var bad *Error
		if !errors.As(err, &bad) {
			t.Errorf("%q: error %v, want an *Error", c.text, err)
			continue
		}
		if !strings.Contains(err.Error(), c.want) {
			t.Errorf("%q:\n got %s\nwant %s", c.text, err, c.want)
		}
		if strings.ContainsRune(err.Error(), '\n') {
			t.Errorf("%q: message has more than one line: %q", c.text, err)
		}
	}
}

func TestLoad(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "job.yaml")
	if err := os.WriteFile(path, []byte(small), 0o600); err != nil {
		t.Fatal(err)
	}
	f, err := Load(path)
	if err != nil || f.Data != filepath.Join(dir, "d.csv") {
		t.Fatalf("Load: %v, data %q", err, f.Data)
	}
	if _, err := Load(filepath.Join(dir, "no.yaml")); err == nil || !strings.Contains(err.Error(), "there is no such file") {
		t.Errorf("missing file: %v", err)
	}
	if _, err := Load(dir); err == nil || !strings.Contains(err.Error(), "is a folder") {
		t.Errorf("folder: %v", err)
	}
}

// What is accepted is JSON that a coordinator can read, and messages stay one line.
func FuzzParse(f *testing.F) {
	for _, seed := range []string{
		small, small + "param_grid: {C: [1, 1.0, .inf], g: [a, null]}\n", small + "param_grid: {C: &a [*a]}\n",
		small + "cv: {kind: kfold, n_splits: 3, shuffle: true, random_state: 1}\n", "a: [1", "? [x]\n: 1\n", "<<: *a",
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		file, err := Parse("j.yaml", text)
		if err != nil {
			var bad *Error
			if !errors.As(err, &bad) || strings.ContainsRune(err.Error(), '\n') {
				t.Fatalf("error %q", err)
			}
			return
		}
		if len(file.Candidates) == 0 {
			t.Fatal("no candidate and no error")
		}
		for _, c := range file.Candidates {
			if !json.Valid([]byte(c.GetParamsJson())) {
				t.Fatalf("candidate %q is not JSON", c.GetParamsJson())
			}
		}
	})
}
