package jobfile

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestAnEnsembleTakesItsMetricAndPolicyFromTheFile(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "rules.py"), []byte("PARAM_GRID = {}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	f, err := Parse(filepath.Join(dir, "j.yaml"), []byte(small+`
scoring: f1_macro
predictions: [predict, predict_proba]
policy: {file: rules.py, n: 3, seed: 7}
prune: {rule: percentile, keep: 25.0}
ensemble: {method: policy, predictions: predict_proba, rounds: 9, initial: 9, bags: 2, seed: 5}
`))
	if err != nil {
		t.Fatal(err)
	}
	e := f.Ensemble
	if e.GetMetric() != "f1_macro" || e.GetCombine() != "policy" || e.GetPolicy() != "PARAM_GRID = {}\n" ||
		e.GetPredictions() != "predict_proba" {
		t.Errorf("ensemble %v", e)
	}
	if g := e.GetGreedy(); g.GetRounds() != 9 || g.GetInitial() != 9 || g.GetBags() != 2 || g.GetSeed() != 5 {
		t.Errorf("greedy %v", g)
	}
	if f.Policy.Space.N != 3 || f.Policy.Space.Seed != 7 {
		t.Errorf("space %v", f.Policy.Space)
	}
	if p := f.Pruning; p.GetRule() != "percentile" || p.GetParamsJson() != `{"keep":25.0}` {
		t.Errorf("pruning %v", p)
	}
}

func TestWhatCanNotBeCombinedIsRefusedBeforeAFit(t *testing.T) {
	const proba = "predictions: predict_proba\nscoring: accuracy\n"
	for _, c := range []struct{ text, want string }{
		{"ensemble: {method: mean}\n", "j.yaml:4: an ensemble needs predictions"},
		{"predictions: predict\nensemble: {method: mean}\n", `j.yaml:5: "metric" is missing`},
		{proba + "ensemble: {method: gredy}\n", `j.yaml:6: method "gredy" is not known; use one of greedy, blend, policy`},
		{proba + "ensemble: {metric: accurcy}\n", `j.yaml:6: unknown metric "accurcy": use one of accuracy, balanced`},
		{"predictions: [predict, probabilities]\n", `j.yaml:4: fits can't predict by "probabilities"`},
		{proba + "ensemble: {method: stak, final_estimator: \"sklearn.svm:SVC\"}\n", `method "stak" is not known`},
		{proba + "ensemble: {method: vote, metric: roc_auc}\n", "j.yaml:6: roc_auc can't score what vote gives"},
		{proba + "ensemble: {method: rank, metric: neg_log_loss}\n", "j.yaml:6: neg_log_loss can't score what rank gives"},
		{"predictions: predict\nscoring: r2\nensemble: {method: vote}\n", "j.yaml:5: r2 can't score what vote gives"},
		{proba + "ensemble: {metric: r2}\n", "j.yaml:6: r2 can't score what predict_proba gives"},
		{"predictions: predict\nscoring: neg_log_loss\nensemble: {}\n", "j.yaml:5: neg_log_loss can't score what predict gives"},
		{"predictions: predict\nscoring: precision\nensemble: {}\n", `j.yaml:5: unknown metric "precision"`},
		{proba + "ensemble: {predictions: predict}\n", `j.yaml:6: the fits do not predict "predict" but predict_proba`},
		{"predictions: [predict, predict_proba]\nscoring: accuracy\nensemble: {}\n",
			"j.yaml:6: the fits predict predict, predict_proba; say which"},
		{proba + "ensemble: {initial: 51}\n", "j.yaml:6: initial is 51; start with at most as many candidates as there are rounds, 50"},
		{proba + "ensemble: {rounds: 3, initial: 4}\n", "rounds, 3"},
		{proba + "ensemble: {method: stack}\n", `j.yaml:6: "method: stack" and "final_estimator" go together`},
		{proba + "ensemble: {final_estimator: \"sklearn.svm:SVC\"}\n", `go together`},
		{proba + "ensemble: {method: stack, final_estimator: svm.SVC}\n", `j.yaml:6: "svm.SVC" is not an entry point`},
		{proba + "ensemble: {method: policy}\n", `j.yaml:6: method "policy" needs a "policy"`},
		{"policy: none.py\n", "j.yaml:4: policy none.py can't be read"},
		{"policy: {n: 3}\n", `policy lacks "file"`},
		{"prune: {keep: 3}\n", `j.yaml:4: prune must be a rule`},
	} {
		_, err := Parse("j.yaml", []byte(small+c.text))
		var bad *Error
		if !errors.As(err, &bad) || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%q:\n got %v\nwant %s", c.text, err, c.want)
		}
	}
}
