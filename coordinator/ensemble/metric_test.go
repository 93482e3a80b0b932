package ensemble

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"testing"
)

// metricCase is one comparison with scikit-learn.
type metricCase struct {
	metric           string
	kind             Kind
	classes, outputs int
	labels           []int
	truth, values    []float64
	weights          []float64
}

func (c metricCase) record() *Predictions {
	if c.classes == 0 {
		return record("x", KindValues, nil, c.outputs, c.values)
	}
	return record("x", c.kind, classNames(c.classes), 0, c.values)
}

func (c metricCase) target() *Target {
	if c.classes == 0 {
		return must(ValueTarget(c.truth, c.outputs, c.weights))
	}
	return must(ClassTarget(classNames(c.classes), c.labels, c.weights))
}

func (c metricCase) request() request {
	truth := any(c.truth)
	if c.classes > 0 {
		truth = c.labels
	}
	return request{"metric": c.metric, "kind": c.kind.String(), "classes": c.classes, "outputs": c.outputs,
		"truth": truth, "values": c.values, "weights": c.weights}
}

// check compares one case; where scikit-learn raises or gives NaN, so must we fail.
func (c metricCase) check(t *testing.T) {
	t.Helper()
	var answer json.RawMessage
	asked := c.request()
	metric, err := ParseMetric(c.metric)
	if c.metric == "pinball" {
		metric, err = PinballMetric(0.3)
		asked["alpha"] = 0.3
	}
	if err != nil {
		t.Fatal(err)
	}
	ask(t, "score", asked, &answer)
	got, err := metric.Score(c.target(), c.record())
	about := fmt.Sprintf("%s of %d rows, %d classes, %s, weights %v", c.metric, c.record().Count(), c.classes, c.kind, c.weights != nil)
	var want float64
	if json.Unmarshal(answer, &want) != nil {
		if !errors.Is(err, ErrUndefined) && !errors.Is(err, ErrInput) {
			t.Errorf("%s: got %v, %v where scikit-learn answers %s", about, got, err, answer)
		}
		return
	}
	if err != nil {
		t.Errorf("%s: %v where scikit-learn gives %v", about, err, want)
		return
	}
	wantNear(t, about, got, want)
	// Only the logarithm differs between libraries. For the rest equal bits mean equal ties.
	if c.metric != "neg_log_loss" && got != want {
		t.Errorf("%s is %.17g, want exactly %.17g", about, got, want)
	}
}

func randomWeights(random *rand.Rand, rows int) []float64 {
	weights := make([]float64, rows)
	for i := range weights {
		weights[i] = random.Float64() * 3
		if random.IntN(5) == 0 {
			weights[i] = 0
		}
	}
	weights[random.IntN(rows)] = 1
	return weights
}

func randomLabels(random *rand.Rand, rows, classes int) []int {
	labels := make([]int, rows)
	for i := range labels {
		labels[i] = random.IntN(classes)
	}
	return labels
}

func TestClassMetricsEqualScikitLearn(t *testing.T) {
	random := seeded(1)
	names := []string{"accuracy", "balanced_accuracy", "f1", "f1_macro", "f1_micro", "f1_weighted", "neg_log_loss",
		"roc_auc", "roc_auc_ovr", "roc_auc_ovr_weighted", "roc_auc_ovo", "roc_auc_ovo_weighted"}
	for _, classes := range []int{2, 3, 7} {
		for _, rows := range []int{1, 2, 9, 300} {
			for variant := range 4 {
				c := metricCase{kind: KindProbabilities, classes: classes, outputs: classes,
					labels: randomLabels(random, rows, classes),
					values: randomProbabilities(random, rows, classes, variant%2 == 0)}
				if variant >= 2 {
					c.weights = randomWeights(random, rows)
				}
				for _, name := range names {
					binary := name == "f1" || name == "roc_auc"
					if binary && classes > 2 {
						continue
					}
					c.metric = name
					c.check(t)
				}
			}
		}
	}
}

func TestMetricsOfLabelsAndDecisionsEqualScikitLearn(t *testing.T) {
	random := seeded(2)
	for range 20 {
		rows := 2 + random.IntN(30)
		labels := metricCase{kind: KindLabels, classes: 4, outputs: 1, labels: randomLabels(random, rows, 3)}
		for _, label := range randomLabels(random, rows, 4) {
			labels.values = append(labels.values, float64(label))
		}
		decisions := metricCase{kind: KindDecisions, classes: 2, outputs: 1,
			labels: randomLabels(random, rows, 2), values: randomValues(random, rows)}
		for _, name := range []string{"accuracy", "balanced_accuracy", "f1_macro", "f1_micro", "f1_weighted"} {
			labels.metric, decisions.metric = name, name
			labels.check(t)
			decisions.check(t)
		}
		decisions.metric = "roc_auc"
		decisions.check(t)
	}
}

func TestValueMetricsEqualScikitLearn(t *testing.T) {
	random := seeded(3)
	for _, targets := range []int{1, 3} {
		for _, rows := range []int{1, 2, 8, 130, 1500} {
			for variant := range 2 {
				c := metricCase{outputs: targets, truth: randomValues(random, rows*targets), values: randomValues(random, rows*targets)}
				if variant == 1 {
					c.weights = randomWeights(random, rows)
				}
				for _, name := range []string{"neg_mean_squared_error", "neg_mean_absolute_error", "r2", "pinball"} {
					c.metric = name
					c.check(t)
				}
			}
		}
	}
}

// A constant target makes R² 1 or 0, but a mean that rounds away from the constant makes it huge and
// negative: scikit-learn's own answer, which takes its very sums to reproduce.
func TestR2OfConstantTargetEqualsScikitLearn(t *testing.T) {
	random := seeded(4)
	for _, rows := range []int{2, 3, 7, 8, 10, 100, 129, 1000} {
		for _, constant := range []float64{0.1, 1.0 / 3, 7} {
			for variant := range 4 {
				c := metricCase{metric: "r2", outputs: 1 + variant%2}
				c.truth = make([]float64, rows*c.outputs)
				fill(c.truth, constant)
				c.values = randomValues(random, len(c.truth))
				if variant >= 2 {
					c.weights = randomWeights(random, rows)
				}
				var want any
				ask(t, "score", c.request(), &want)
				got := must(must(ParseMetric("r2")).Score(c.target(), c.record()))
				if math.Abs(got-want.(float64)) > 1e-9*max(1, math.Abs(got)) {
					t.Errorf("R² of %d rows of %v in %d columns is %v, want %v", rows, constant, c.outputs, got, want)
				}
			}
		}
	}
}

func TestSumsAreNumpysToTheBit(t *testing.T) {
	random := seeded(5)
	for _, n := range []int{3, 6, 12, 126, 129, 132, 1026, 9999} {
		values := randomValues(random, n)
		var want struct {
			All     float64
			Columns []float64
		}
		ask(t, "sum", request{"values": values, "width": 3}, &want)
		wantBits(t, "sum", []float64{sum(values)}, []float64{want.All})
		wantBits(t, "column sums", columnSums(values, 3), want.Columns)
	}
}

func TestRocAucIgnoresMonotoneTransforms(t *testing.T) {
	random := seeded(6)
	for range 50 {
		rows := 5 + random.IntN(100)
		target := must(ClassTarget(classNames(2), append(randomLabels(random, rows-2, 2), 0, 1), nil))
		scores := randomValues(random, rows)
		moved := make([]float64, rows)
		for i, score := range scores {
			moved[i] = math.Exp(score) * 5
		}
		auc := must(ParseMetric("roc_auc"))
		one := must(auc.Score(target, record("a", KindDecisions, classNames(2), 0, scores)))
		two := must(auc.Score(target, record("b", KindDecisions, classNames(2), 0, moved)))
		if one != two {
			t.Fatalf("ROC AUC changed from %v to %v", one, two)
		}
	}
}

func TestScoreReadsPredictedRowsOnly(t *testing.T) {
	p := must(NewPredictions("half", Shape{Kind: KindValues, Rows: 4, Targets: 1}))
	if err := p.Fill(Fold{Rows: []int64{3, 1}, Values: []float64{7, 5}}); err != nil {
		t.Fatal(err)
	}
	target := must(ValueTarget([]float64{100, 5, 100, 9}, 1, nil))
	wantNear(t, "error", must(must(ParseMetric("neg_mean_squared_error")).Score(target, p)), -2)
}
