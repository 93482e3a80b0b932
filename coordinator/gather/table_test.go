package gather_test

import (
	"encoding/json"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/crossfold/crossfold/coordinator/gather"
	pb "github.com/crossfold/crossfold/proto/crossfold/v1"
)

// scorer prints cv_results_ as scikit-learn itself makes it: names in order, floats as hex.
const scorer = `
import json, sys, warnings
import numpy as np
from sklearn.model_selection import GridSearchCV
warnings.simplefilter("ignore")
tables = []
for case in json.load(sys.stdin):
    number = lambda x: float.fromhex(x) if isinstance(x, str) else x
    out = [{k: {m: number(v) for m, v in d.items()} if isinstance(d, dict) else number(d)
            for k, d in fit.items()} for fit in case["out"]]
    if case["single"]:
        out = [{k: d["score"] if isinstance(d, dict) else d for k, d in fit.items()} for fit in out]
    search = GridSearchCV(None, {}, return_train_score=case["train"])
    table = search._format_results(case["params"], case["splits"], out)
    columns = []
    for name, values in table.items():
        if name == "params":
            text = [json.dumps(v) for v in values]
        elif name.startswith("param_"):
            text = [None if m else json.dumps(d)
                    for d, m in zip(values.data.tolist(), np.ma.getmaskarray(values))]
        elif values.dtype == np.int32:
            text = [str(v) for v in values]
        else:
            text = ["nan" if np.isnan(v) else float(v).hex() for v in values]
        columns.append([name, text])
    tables.append(columns)
json.dump(tables, sys.stdout)
`

type fitOut struct {
	FitTime     string            `json:"fit_time"`
	ScoreTime   string            `json:"score_time"`
	TestScores  map[string]string `json:"test_scores"`
	TrainScores map[string]string `json:"train_scores,omitempty"`
}

type tableCase struct {
	Out    []fitOut          `json:"out"`
	Params []json.RawMessage `json:"params"`
	Splits int               `json:"splits"`
	Single bool              `json:"single"`
	Train  bool              `json:"train"`

	spec  *pb.JobSpec
	units []*pb.Result
}

func hex(x float64) string {
	if math.IsNaN(x) {
		return "nan"
	}
	return fmt.Sprintf("%x", x)
}

// randomCase has ties, NaN and infinities among its scores.
func randomCase(random *rand.Rand) *tableCase {
	candidates, splits := 1+random.IntN(12), 1+random.IntN(20)
	recipe := &pb.Recipe{ReturnTrainScore: random.IntN(2) == 0}
	metrics := []string{"score"}
	if random.IntN(2) == 0 {
		metrics = []string{"roc_auc", "accuracy"}
		recipe.Scoring = metrics
	}
	c := &tableCase{Splits: splits, Single: len(metrics) == 1, Train: recipe.ReturnTrainScore}
	c.spec = &pb.JobSpec{Code: &pb.Code{Source: &pb.Code_Recipe{Recipe: recipe}}}
	for range splits {
		c.spec.Splits = append(c.spec.Splits, &pb.Split{})
	}
	score := func() float64 {
		switch random.IntN(12) {
		case 0:
			return math.NaN()
		case 1:
			return float64(random.IntN(3))
		case 2:
			return math.Inf(random.IntN(2)*2 - 1)
		}
		return random.NormFloat64()
	}
	for i := range candidates {
		params := fmt.Sprintf(`{"C": %d.5, "gamma": %g}`, i, float64(i)+1./7)
		if i%3 == 1 {
			params = fmt.Sprintf(`{"kernel": "rbf", "C": %d.5}`, i)
		}
		c.Params = append(c.Params, json.RawMessage(params))
		c.spec.Candidates = append(c.spec.Candidates, &pb.Candidate{Setting: &pb.Candidate_ParamsJson{ParamsJson: params}})
		for split := range splits {
			r := &pb.Result{
				Index: uint32(i*splits + split), FitSeconds: random.Float64(), ScoreSeconds: random.Float64(),
				TestScores: map[string]float64{}, TrainScores: map[string]float64{},
			}
			out := fitOut{FitTime: hex(r.FitSeconds), ScoreTime: hex(r.ScoreSeconds), TestScores: map[string]string{}}
			if c.Train {
				out.TrainScores = map[string]string{}
			}
			for _, metric := range metrics {
				r.TestScores[metric] = score()
				out.TestScores[metric] = hex(r.TestScores[metric])
				if c.Train {
					r.TrainScores[metric] = score()
					out.TrainScores[metric] = hex(r.TrainScores[metric])
				}
			}
			c.units, c.Out = append(c.units, r), append(c.Out, out)
		}
	}
	return c
}

// python is an interpreter that has scikit-learn.
func python(t *testing.T) string {
	t.Helper()
	if named := os.Getenv("CROSSFOLD_PYTHON"); named != "" {
		return named
	}
	if path, err := filepath.Abs("../../.venv/bin/python"); err == nil {
		if _, err := os.Stat(path); err == nil {
			return path
		}
	}
	return "python3"
}

func TestTablesEqualScikitLearns(t *testing.T) {
	random := rand.New(rand.NewPCG(7, 7))
	var cases []*tableCase
	for range 120 {
		cases = append(cases, randomCase(random))
	}
	// JSON objects lose the order of metrics, which scikit-learn takes from the first fit.
	input, err := json.Marshal(cases)
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(python(t), "-c", scorer)
	cmd.Stdin, cmd.Stderr = strings.NewReader(string(input)), os.Stderr
	output, err := cmd.Output()
	if err != nil {
		t.Fatalf("scikit-learn's tables: %v; set CROSSFOLD_PYTHON to a Python that has scikit-learn", err)
	}
	var tables [][][2]json.RawMessage
	if err := json.Unmarshal(output, &tables); err != nil {
		t.Fatal(err)
	}
	for i, c := range cases {
		compare(t, i, c, tables[i])
	}
}

func compare(t *testing.T, i int, c *tableCase, want [][2]json.RawMessage) {
	t.Helper()
	table := gather.NewResults(c.spec, &pb.JobState{}, c.units).Table
	columns, err := table.Columns()
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]string{}
	for _, column := range columns {
		got[column.Name] = describe(column)
	}
	var names []string
	for _, pair := range want {
		var name string
		var values []*string
		if json.Unmarshal(pair[0], &name) != nil || json.Unmarshal(pair[1], &values) != nil {
			t.Fatalf("unreadable column %s", pair)
		}
		names = append(names, name)
		var text []string
		for _, v := range values {
			text = append(text, normal(v))
		}
		if joined := strings.Join(text, " "); got[name] != joined {
			t.Errorf("case %d, column %s:\n got %s\nwant %s", i, name, got[name], joined)
		}
	}
	var ours []string
	for _, column := range columns {
		ours = append(ours, column.Name)
	}
	slices.Sort(ours)
	slices.Sort(names)
	if !slices.Equal(ours, names) {
		t.Errorf("case %d: columns %q, want %q", i, ours, names)
	}
}

// normal rewrites what Python printed the way describe writes it.
func normal(text *string) string {
	if text == nil {
		return "masked"
	}
	var x float64
	if strings.Contains(*text, "0x") || *text == "inf" || *text == "-inf" {
		if _, err := fmt.Sscanf(*text, "%g", &x); err == nil {
			return hex(x)
		}
	}
	return strings.ReplaceAll(*text, " ", "")
}

func describe(column gather.Column) string {
	var text []string
	for _, x := range column.Floats {
		text = append(text, hex(x))
	}
	for _, rank := range column.Ranks {
		text = append(text, fmt.Sprint(rank))
	}
	for _, value := range column.Values {
		if value == nil {
			text = append(text, "masked")
			continue
		}
		text = append(text, strings.ReplaceAll(string(value), " ", ""))
	}
	return strings.Join(text, " ")
}

func TestMissingResultsAreNaN(t *testing.T) {
	c := randomCase(rand.New(rand.NewPCG(1, 1)))
	c.units = make([]*pb.Result, len(c.units))
	table := gather.NewResults(c.spec, &pb.JobState{}, c.units).Table
	metric := table.Metrics[0]
	if !math.IsNaN(metric.Test.Mean[0]) || metric.Rank[0] != 1 {
		t.Errorf("mean %g, rank %d; want NaN and 1: all tie", metric.Test.Mean[0], metric.Rank[0])
	}
}

func TestFitsWithoutScoresGetTheErrorScore(t *testing.T) {
	spec := &pb.JobSpec{
		Code:       &pb.Code{Source: &pb.Code_Recipe{Recipe: &pb.Recipe{ErrorScore: "-1.5"}}},
		Splits:     []*pb.Split{{}},
		Candidates: []*pb.Candidate{{Setting: &pb.Candidate_ParamsJson{ParamsJson: "{}"}}},
	}
	poison := &pb.Result{Outcome: pb.Outcome_OUTCOME_POISON}
	table := gather.NewResults(spec, &pb.JobState{}, []*pb.Result{poison}).Table
	if got := table.Metrics[0].Test.Mean[0]; got != -1.5 {
		t.Errorf("mean %g, want the error score -1.5", got)
	}
}

func TestBest(t *testing.T) {
	table := &gather.Table{Metrics: []gather.Metric{{Name: "score", Rank: []int32{3, 1, 1}}}}
	if row, err := table.Best("score"); err != nil || row != 1 {
		t.Errorf("Best = %d, %v; want the first of rank 1", row, err)
	}
	if _, err := table.Best("f1"); err == nil || !strings.Contains(err.Error(), "score") {
		t.Errorf("Best of an unknown metric: %v, want the known ones", err)
	}
}

func TestOnlyWholeGridsHaveATable(t *testing.T) {
	spec := &pb.JobSpec{
		Splits: []*pb.Split{{}}, Candidates: []*pb.Candidate{{}, {}},
		Fits: []*pb.JobFit{{Candidate: 1}},
	}
	if r := gather.NewResults(spec, &pb.JobState{}, make([]*pb.Result, 1)); r.Table != nil {
		t.Error("a job with chosen fits has a table")
	}
}
