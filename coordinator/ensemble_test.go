package coordinator_test

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"google.golang.org/grpc/codes"

	"github.com/crossfold/crossfold/arrowipc/predictions"
	"github.com/crossfold/crossfold/arrowipc/store"
	"github.com/crossfold/crossfold/coordinator"
	"github.com/crossfold/crossfold/coordinator/queue/memory"
	"github.com/crossfold/crossfold/coordinator/rules"
	"github.com/crossfold/crossfold/coordinator/workertest"
	pb "github.com/crossfold/crossfold/proto/crossfold/v1"
)

const (
	rowsOfTest  = 24
	foldsOfTest = 3
)

// fold is what a fake fit predicts: its test rows are those with row % folds == split.
type fold struct {
	kind    string
	classes []string
	// proba gives the probability of the second class.
	proba func(candidate, row int) float64
}

// predicting is a worker whose fits write their predictions into the coordinator's store. The truth of
// a row is row % 2; without classes the predictions are values.
func predicting(st func() *store.Store, made func(task *pb.Task, fit *pb.TaskFit) fold) workertest.Config {
	return workertest.Config{Run: func(ctx context.Context, task *pb.Task) ([]*pb.Result, *pb.Fault) {
		var results []*pb.Result
		for _, fit := range task.GetFits() {
			result := workertest.OK(task, fit.GetIndex())
			f := made(task, fit)
			score := 0.0
			target, table := tables(f, int(fit.GetCandidateIndex()), int(fit.GetSplitIndex()))
			for i, row := range table.Rows {
				if (f.proba(int(fit.GetCandidateIndex()), int(row)) > 0.5) == (target.Values[i] > 0) {
					score += 1 / float64(len(table.Rows))
				}
			}
			result.TestScores = map[string]float64{"score": score}
			for method, part := range map[string]*predictions.Table{"predict_proba": table, predictions.Target: target} {
				id, err := predictions.Write(ctx, st(), part)
				if err != nil {
					result.Predictions = []*pb.Predictions{{Method: method, Error: err.Error()}}
					break
				}
				result.Predictions = append(result.Predictions, &pb.Predictions{Method: method, ObjectId: id})
			}
			results = append(results, result)
		}
		return results, nil
	}}
}

func tables(f fold, candidate, split int) (target, table *predictions.Table) {
	all := []string{"no", "yes"}
	target = &predictions.Table{Columns: 1, Header: predictions.Header{
		Method: predictions.Target, Kind: "labels", Classes: all, AllClasses: all, DatasetRows: rowsOfTest,
	}}
	table = &predictions.Table{Columns: len(f.classes), Header: predictions.Header{
		Method: "predict_proba", Kind: f.kind, Classes: f.classes, AllClasses: all, DatasetRows: rowsOfTest,
	}}
	for row := split; row < rowsOfTest; row += foldsOfTest {
		target.Rows, target.Values = append(target.Rows, int64(row)), append(target.Values, float64(row%2))
		p := f.proba(candidate, row)
		table.Rows, table.Values = append(table.Rows, int64(row)), append(table.Values, []float64{1 - p, p}[:len(f.classes)]...)
	}
	return target, table
}

// noisy is right more often than not, with errors of each candidate's own.
func noisy(candidate, row int) float64 {
	random := rand.New(rand.NewPCG(uint64(candidate), uint64(row)))
	return min(max(0.25+0.5*float64(row%2)+0.9*(random.Float64()-0.5), 0), 1)
}

func probabilities(*pb.Task, *pb.TaskFit) fold {
	return fold{kind: "probabilities", classes: []string{"no", "yes"}, proba: noisy}
}

// predicted runs a job of candidates with predictions to its end.
func predicted(
	t *testing.T, candidates int, made func(*pb.Task, *pb.TaskFit) fold, change func(*coordinator.JobSpec),
) (*coordinator.Coordinator, string) {
	t.Helper()
	var c *coordinator.Coordinator
	c, err := coordinator.Open(bounded(t), coordinator.Config{
		Queue: memory.New(memory.Config{}), Slots: 2, Binary: worker.binary, Logger: quiet(),
		Sidecar: workertest.Sidecar(predicting(func() *store.Store { return c.Store() }, made)),
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { closeIt(t, c) })
	spec := search(dataset(t, c, rowsOfTest, ""), candidates, foldsOfTest)
	spec.Predictions = []string{"predict_proba"}
	if change != nil {
		change(spec)
	}
	id := submit(t, c, spec)
	if _, err := c.Wait(bounded(t), id); err != nil {
		t.Fatal(err)
	}
	return c, id
}

// logLoss scores the mean of candidates' predictions, as a few lines of arithmetic would.
func logLoss(weights []float64) float64 {
	loss := 0.0
	for row := range rowsOfTest {
		p := 0.0
		for candidate, weight := range weights {
			p += weight * noisy(candidate, row)
		}
		if row%2 == 0 {
			p = 1 - p
		}
		loss -= math.Log(min(max(p, 2.220446049250313e-16), 1)) / rowsOfTest
	}
	return -loss
}

func TestAGreedyEnsembleOfAJob(t *testing.T) {
	const candidates = 6
	c, id := predicted(t, candidates, probabilities, nil)
	request := &coordinator.EnsembleRequest{JobId: id, Metric: "neg_log_loss"}
	found, err := c.Ensemble(bounded(t), request)
	if err != nil {
		t.Fatal(err)
	}
	if len(found.GetCandidates()) != candidates || math.Abs(sum(found.GetWeights())-1) > 1e-12 {
		t.Fatalf("candidates %v with weights %v, want %d and a sum of 1", found.GetCandidates(), found.GetWeights(), candidates)
	}
	for candidate, score := range found.GetScores() {
		single := make([]float64, candidates)
		single[candidate] = 1
		if want := logLoss(single); math.Abs(score-want) > 1e-12 {
			t.Errorf("candidate %d scores %v, want %v", candidate, score, want)
		}
	}
	if want := logLoss(found.GetWeights()); math.Abs(found.GetScore()-want) > 1e-12 || found.GetScore() <= found.GetBestSingleScore() {
		t.Errorf("the ensemble scores %v, want %v and more than %v", found.GetScore(), want, found.GetBestSingleScore())
	}
	table, err := predictions.Read(c.Store(), found.GetPredictionsId())
	if err != nil {
		t.Fatal(err)
	}
	for i, row := range table.Rows {
		want := 0.0
		for candidate, weight := range found.GetWeights() {
			want += weight * noisy(candidate, int(row))
		}
		if math.Abs(table.Values[2*i+1]-want) > 1e-12 {
			t.Errorf("row %d is %v, want %v", row, table.Values[2*i+1], want)
		}
	}
	again, err := c.Ensemble(bounded(t), request)
	if err != nil || again.GetPredictionsId() != found.GetPredictionsId() {
		t.Errorf("asked again it gives %v (%v), want the same", again, err)
	}
}

func sum(values []float64) (total float64) {
	for _, value := range values {
		total += value
	}
	return total
}

func TestEveryWayToCombine(t *testing.T) {
	c, id := predicted(t, 4, probabilities, nil)
	const policy = "def weights(results):\n    return [r['score'] if r['candidate'] < 2 else 0 for r in results]\n"
	cases := map[string]*coordinator.EnsembleRequest{
		"mean":     {Combine: "mean"},
		"weighted": {Combine: "mean", Candidates: []uint32{3, 1}, Weights: []float64{3, 1}},
		"vote":     {Combine: "vote"},
		"rank":     {Combine: "rank"},
		"blend":    {Combine: "blend"},
		"bagged":   {Combine: "greedy", Greedy: &pb.GreedyOptions{Rounds: 5, Bags: 3, Seed: 7}},
		"policy":   {Combine: "policy", Policy: policy},
	}
	for name, request := range cases {
		request.JobId, request.Metric = id, "accuracy"
		found, err := c.Ensemble(bounded(t), request)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if math.Abs(sum(found.GetWeights())-1) > 1e-12 || found.GetScore() < 0.4 {
			t.Errorf("%s: weights %v and score %v", name, found.GetWeights(), found.GetScore())
		}
		switch name {
		case "weighted":
			if !slices.Equal(found.GetWeights(), []float64{0.75, 0.25}) || !slices.Equal(found.GetCandidates(), []uint32{3, 1}) {
				t.Errorf("weights %v of %v, want those given", found.GetWeights(), found.GetCandidates())
			}
		case "policy":
			if weights := found.GetWeights(); weights[0] <= 0 || weights[2] != 0 || weights[3] != 0 {
				t.Errorf("weights %v, want the policy's", weights)
			}
		}
	}
}

func TestBadRequestsForAnEnsemble(t *testing.T) {
	c, id := predicted(t, 2, probabilities, nil)
	plain := submit(t, c, search(dataset(t, c, rowsOfTest, ""), 1, 2))
	if _, err := c.Wait(bounded(t), plain); err != nil {
		t.Fatal(err)
	}
	policy := func(answer string) *coordinator.EnsembleRequest {
		return &coordinator.EnsembleRequest{Combine: "policy", Policy: "def weights(results):\n    return " + answer + "\n"}
	}
	cases := []struct {
		name    string
		request *coordinator.EnsembleRequest
		code    codes.Code
		text    string
	}{
		{"no such job", &coordinator.EnsembleRequest{JobId: "0123"}, codes.NotFound, "0123"},
		{"a job without predictions", &coordinator.EnsembleRequest{JobId: plain}, codes.InvalidArgument, "kept no predictions"},
		{"another method", &coordinator.EnsembleRequest{Predictions: "predict"}, codes.InvalidArgument, "predict_proba"},
		{"unknown metric", &coordinator.EnsembleRequest{Metric: "gini"}, codes.InvalidArgument, "gini"},
		{"unknown way", &coordinator.EnsembleRequest{Combine: "median"}, codes.InvalidArgument, "median"},
		{"unknown candidate", &coordinator.EnsembleRequest{Candidates: []uint32{0, 9}}, codes.InvalidArgument, "candidate 9"},
		{"a candidate twice", &coordinator.EnsembleRequest{Candidates: []uint32{1, 1}}, codes.InvalidArgument, "listed twice"},
		{"too few weights", &coordinator.EnsembleRequest{Combine: "mean", Candidates: []uint32{0, 1}, Weights: []float64{1}}, codes.InvalidArgument, "1 weights for 2"},
		{"weights of 0", &coordinator.EnsembleRequest{Combine: "mean", Candidates: []uint32{0, 1}, Weights: []float64{0, 0}}, codes.InvalidArgument, "sum to 0"},
		{"a weight of NaN", &coordinator.EnsembleRequest{Combine: "mean", Candidates: []uint32{0, 1}, Weights: []float64{math.NaN(), 1}}, codes.InvalidArgument, "NaN"},
		{"weights for greedy", &coordinator.EnsembleRequest{Combine: "greedy", Candidates: []uint32{0}, Weights: []float64{1}}, codes.InvalidArgument, "chooses its own"},
		{"a metric of values", &coordinator.EnsembleRequest{Metric: "r2"}, codes.InvalidArgument, "r2"},
		{"policy: text", policy("'all'"), codes.InvalidArgument, `"all"`},
		{"policy: too few", policy("[1.0]"), codes.InvalidArgument, "2 finite numbers"},
		{"policy: NaN", policy("[float('nan'), 1.0]"), codes.InvalidArgument, "nan"},
		{"policy: None", policy("[None, 1.0]"), codes.InvalidArgument, "null"},
		{"policy: negative", policy("[-1, 2]"), codes.InvalidArgument, "[-1,2]"},
		{"policy: zero", policy("[0, 0]"), codes.InvalidArgument, "above 0"},
		{"policy: an exception", policy("[1 / 0]"), codes.InvalidArgument, "ZeroDivisionError"},
		{"policy: refused", policy("f'{results}'"), codes.InvalidArgument, "write instead"},
		{"policy: no weights", &coordinator.EnsembleRequest{Combine: "policy", Policy: "x = 1\n"}, codes.InvalidArgument, "no weights"},
	}
	for _, tc := range cases {
		t.Run(tc.name, func(t *testing.T) {
			if tc.request.JobId == "" {
				tc.request.JobId = id
			}
			if tc.request.Metric == "" {
				tc.request.Metric = "accuracy"
			}
			_, err := c.Ensemble(bounded(t), tc.request)
			wantError(t, err, tc.code, tc.text)
		})
	}
}

func TestOddMembersAreMarkedOrRefused(t *testing.T) {
	constant := func(_, _ int) float64 { return 0.5 }
	c, id := predicted(t, 4, func(_ *pb.Task, fit *pb.TaskFit) fold {
		f := probabilities(nil, nil)
		switch {
		case fit.GetCandidateIndex() == 1:
			f.proba = constant
		case fit.GetCandidateIndex() == 2 && fit.GetSplitIndex() == 0:
			f.classes = []string{"no"} // the other class was not among the train rows
		case fit.GetCandidateIndex() == 3:
			f.kind = "decisions"
		}
		return f
	}, nil)
	request := &coordinator.EnsembleRequest{JobId: id, Metric: "accuracy", Candidates: []uint32{0, 1, 2}}
	found, err := c.Ensemble(bounded(t), request)
	if err != nil {
		t.Fatal(err)
	}
	marks := strings.Join(found.GetMarks(), "\n")
	for _, text := range []string{"candidate 1: the predictions of all 24 rows are equal", `candidate 2, fold 0: class "yes"`} {
		if !strings.Contains(marks, text) {
			t.Errorf("marks %q lack %q", marks, text)
		}
	}
	request.Candidates = []uint32{0, 3}
	_, err = c.Ensemble(bounded(t), request)
	wantError(t, err, codes.InvalidArgument, "candidate 3")
}

func TestAPrunedCandidateIsLeftOut(t *testing.T) {
	const policy = "def prune(trial, history):\n    return trial['candidate'] == 1 and trial['fold'] == 0\n"
	c, id := predicted(t, 3, probabilities, func(spec *coordinator.JobSpec) { spec.Pruning = &pb.Pruning{Policy: policy} })
	found, err := c.Ensemble(bounded(t), &coordinator.EnsembleRequest{JobId: id, Metric: "accuracy"})
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(found.GetCandidates(), []uint32{0, 2}) || !strings.Contains(found.GetMarks()[0], "candidate 1 was left out: it was pruned") {
		t.Errorf("candidates %v, marks %q", found.GetCandidates(), found.GetMarks())
	}
	_, err = c.Ensemble(bounded(t), &coordinator.EnsembleRequest{JobId: id, Metric: "accuracy", Candidates: []uint32{1}})
	wantError(t, err, codes.InvalidArgument, "candidate 1", "pruned")
}

// What prune gets wrong keeps the candidate, and the job ends as if it had not been asked.
func TestAJobNeverDiesOfItsPrune(t *testing.T) {
	for name, body := range map[string]string{
		"raises": "return 1 / 0", "returns a number": "return 0.5", "returns nothing": "pass", "never ends": "while True:\n        pass",
	} {
		t.Run(name, func(t *testing.T) {
			c := inMemory(t, workertest.Config{})
			spec := search(dataset(t, c, 20, ""), 2, 2)
			spec.Pruning = &pb.Pruning{Policy: "def prune(trial, history):\n    " + body + "\n"}
			results, err := c.Wait(bounded(t), submit(t, c, spec))
			if err != nil {
				t.Fatal(err)
			}
			for _, unit := range results.Units {
				if unit.GetOutcome() != pb.Outcome_OUTCOME_OK {
					t.Errorf("fit %d ended %v, want every fit run", unit.GetIndex(), unit.GetOutcome())
				}
			}
		})
	}
}

func TestBadPruningIsRefusedAtTheDoor(t *testing.T) {
	c := inMemory(t, workertest.Config{})
	id := dataset(t, c, 20, "")
	for text, pruning := range map[string]*pb.Pruning{
		"best":                       {Rule: "best"},
		"give one of them":           {},
		"kept":                       {Rule: "median", ParamsJson: `{"kept": 5}`},
		"keep 120":                   {Rule: "percentile", ParamsJson: `{"keep": 120}`},
		"policy has no prune":        {Policy: "x = 1\n"},
		"write instead":              {Policy: "import os\n"},
		"rule \"race\" and a policy": {Rule: "race", Policy: "x = 1\n"},
		"alpha 0.9 after 3 folds":    {Rule: "race", ParamsJson: `{"alpha": 0.9}`},
		"write a JSON object":        {Rule: "race", ParamsJson: "[1]"},
	} {
		spec := search(id, 2, 2)
		spec.Pruning = pruning
		_, err := c.Submit(bounded(t), spec)
		wantError(t, err, codes.InvalidArgument, text)
	}
	spec := search(id, 2, 2)
	spec.Predictions = []string{"predict_log_proba"}
	_, err := c.Submit(bounded(t), spec)
	wantError(t, err, codes.InvalidArgument, "predict_log_proba")
}

func TestAPolicyGivesCandidatesAndSelects(t *testing.T) {
	c := inMemory(t, workertest.Config{})
	const policy = `from crossfold.policy import seed, uniform


def space(ctx):
    seed(ctx["seed"])
    for i in range(ctx["n"]):
        yield {"C": 1 + i, "tol": uniform(0, 1)}


def select(results):
    return min(range(len(results)), key=lambda i: results[i]["mean"])
`
	candidates, err := c.Candidates(bounded(t), policy, rules.Space{Seed: 3, N: 2})
	if err != nil {
		t.Fatal(err)
	}
	again, err := c.Candidates(bounded(t), policy, rules.Space{Seed: 3, N: 2})
	if err != nil || fmt.Sprint(candidates) != fmt.Sprint(again) || len(candidates) != 2 || !strings.HasPrefix(candidates[1].GetParamsJson(), `{"C":2,"tol":0.`) {
		t.Fatalf("candidates %v, then %v (%v)", candidates, again, err)
	}
	spec := search(dataset(t, c, 20, ""), 0, 2)
	spec.Candidates = candidates
	results, err := c.Wait(bounded(t), submit(t, c, spec))
	if err != nil {
		t.Fatal(err)
	}
	if best, err := c.Select(bounded(t), policy, results.Table, "score"); err != nil || best != 0 {
		t.Errorf("selected %d (%v), want the lowest mean, 0", best, err)
	}
	for answer, text := range map[string]string{"2": "returned 2", "0.0": "returned 0.0", "True": "returned true", "-1": "returned -1"} {
		_, err := c.Select(bounded(t), "def select(results):\n    return "+answer+"\n", results.Table, "score")
		wantError(t, err, codes.InvalidArgument, text, "0 to 1")
	}
	_, err = c.Candidates(bounded(t), "PARAM_GRID = {\"C\": []}\n", rules.Space{})
	wantError(t, err, codes.InvalidArgument, `"C"`)
	grid, err := c.Candidates(bounded(t), "PARAM_GRID = {\"b\": [1, 1.0], \"a\": [\"x\"]}\n", rules.Space{})
	if err != nil || len(grid) != 2 || grid[1].GetParamsJson() != `{"a":"x","b":1.0}` {
		t.Errorf("grid %v (%v), want ParameterGrid's order and 1 and 1.0 apart", grid, err)
	}
}
