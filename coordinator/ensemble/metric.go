package ensemble

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Metric scores predictions as one of scikit-learn's scorers does: greater is better.
type Metric struct {
	name string
	// loss is set for the neg_ scorers.
	loss  bool
	takes []Kind
	score func(*scoring) (float64, error)
}

// scoring is what a metric sees: the predicted rows without gaps, and memory to reuse.
type scoring struct {
	target  *Target
	kind    Kind
	outputs int
	values  []float64
	floats  []float64
	labels  []int
	points  []rocPoint
	curve   []rocStep
}

var (
	classKinds = []Kind{KindProbabilities, KindDecisions, KindLabels}
	rankKinds  = []Kind{KindProbabilities, KindDecisions}
	probaKinds = []Kind{KindProbabilities}
	valueKinds = []Kind{KindValues}
)

var metrics = map[string]Metric{
	"accuracy":                {takes: classKinds, score: accuracy},
	"balanced_accuracy":       {takes: classKinds, score: balancedAccuracy},
	"f1":                      {takes: classKinds, score: f1Binary},
	"f1_macro":                {takes: classKinds, score: f1Macro},
	"f1_micro":                {takes: classKinds, score: f1Micro},
	"f1_weighted":             {takes: classKinds, score: f1Weighted},
	"neg_log_loss":            {takes: probaKinds, score: logLoss, loss: true},
	"roc_auc":                 {takes: rankKinds, score: rocBinary},
	"roc_auc_ovr":             {takes: rankKinds, score: rocOneVsRest(false)},
	"roc_auc_ovr_weighted":    {takes: rankKinds, score: rocOneVsRest(true)},
	"roc_auc_ovo":             {takes: rankKinds, score: rocOneVsOne(false)},
	"roc_auc_ovo_weighted":    {takes: rankKinds, score: rocOneVsOne(true)},
	"neg_mean_squared_error":  {takes: valueKinds, score: squaredError, loss: true},
	"neg_mean_absolute_error": {takes: valueKinds, score: absoluteError, loss: true},
	"r2":                      {takes: valueKinds, score: r2},
}

// ParseMetric gives the metric of a scikit-learn scorer name, such as "neg_log_loss".
func ParseMetric(name string) (Metric, error) {
	metric, ok := metrics[name]
	if !ok {
		known := slices.Sorted(maps.Keys(metrics))
		return Metric{}, fmt.Errorf("%w: unknown metric %q: use one of %s", ErrInput, name, strings.Join(known, ", "))
	}
	metric.name = name
	return metric, nil
}

// PinballMetric is the negative mean pinball loss of a quantile alpha in [0, 1].
func PinballMetric(alpha float64) (Metric, error) {
	if !(alpha >= 0 && alpha <= 1) {
		return Metric{}, fmt.Errorf("%w: quantile %v: want 0 to 1", ErrInput, alpha)
	}
	name := fmt.Sprintf("neg_mean_pinball_loss(alpha=%v)", alpha)
	return Metric{name: name, takes: valueKinds, score: pinball(alpha), loss: true}, nil
}

// Name is scikit-learn's scorer name.
func (m Metric) Name() string { return m.name }

// Takes reports whether the metric scores predictions of this kind.
func (m Metric) Takes(kind Kind) bool { return slices.Contains(m.takes, kind) }

// Score compares the predicted rows of a record with the target. It fails with ErrUndefined where
// scikit-learn gives NaN, such as for ROC AUC with one class.
func (m Metric) Score(target *Target, p *Predictions) (float64, error) {
	scorer, err := m.on(target, &members{name: p.name, shape: p.shape, mask: p.predicted, count: p.count})
	if err != nil {
		return 0, err
	}
	score, err := scorer.score(scorer.compact(p))
	if err != nil {
		return 0, fmt.Errorf("candidate %s: %w", p.name, err)
	}
	return score, nil
}

// scorer scores many predictions of the same rows and reuses its memory.
type scorer struct {
	metric  Metric
	rows    []int
	buffer  []float64
	scoring scoring
}

func (m Metric) on(target *Target, of *members) (*scorer, error) {
	if m.score == nil {
		return nil, fmt.Errorf("%w: no metric: use ParseMetric", ErrInput)
	}
	if err := target.matches(of.name, of.shape); err != nil {
		return nil, err
	}
	if !slices.Contains(m.takes, of.shape.Kind) {
		return nil, fmt.Errorf("%w: %s can't score %s of candidate %s", ErrInput, m.name, of.shape.Kind, of.name)
	}
	if of.count == 0 {
		return nil, fmt.Errorf("%w: candidate %s predicted no rows", ErrInput, of.name)
	}
	s := &scorer{metric: m, rows: of.rows()}
	part, err := target.subset(s.rows)
	if err != nil {
		return nil, err
	}
	s.scoring = scoring{target: part, kind: of.shape.Kind, outputs: of.shape.Outputs()}
	if s.rows != nil {
		s.buffer = make([]float64, of.count*s.scoring.outputs)
	}
	return s, nil
}

// compact gives the predicted rows of a record, valid until the next call.
func (s *scorer) compact(p *Predictions) []float64 { return compact(p, s.rows, s.buffer) }

// score takes predictions without gaps.
func (s *scorer) score(values []float64) (float64, error) {
	s.scoring.values = values
	score, err := s.metric.score(&s.scoring)
	if err != nil {
		return 0, fmt.Errorf("%s: %w", s.metric.name, err)
	}
	if s.metric.loss {
		score = -score
	}
	return score, nil
}

// scratch gives n floats, not cleared.
func (s *scoring) scratch(n int) []float64 {
	if cap(s.floats) < n {
		s.floats = make([]float64, n)
	}
	return s.floats[:n]
}

// average is numpy.average of one number per row, with the sample weights. It overwrites the numbers.
func (s *scoring) average(numbers []float64) float64 {
	if s.target.weights == nil {
		return mean(numbers)
	}
	for i, weight := range s.target.weights {
		numbers[i] *= weight
	}
	return sum(numbers) / sum(s.target.weights)
}

// weight is the sample weight of a row.
func (s *scoring) weight(row int) float64 {
	if s.target.weights == nil {
		return 1
	}
	return s.target.weights[row]
}
