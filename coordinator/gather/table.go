package gather

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"strconv"

	pb "github.com/crossfold/crossfold/proto/crossfold/v1"
)

// Results is what a job gave.
type Results struct {
	State *pb.JobState
	// Units holds a result for each fit or call by index; nil where there is none.
	Units []*pb.Result
	// Table is nil for jobs that are no whole grid of candidates and splits.
	Table *Table
}

// Table is a cross validation's results in the layout of scikit-learn's cv_results_: one row for
// each candidate, in order.
type Table struct {
	// Params holds each candidate's parameters, a JSON object; nil where they are pickled.
	Params []json.RawMessage
	// Splits is the number of splits.
	Splits int
	// FitTime and ScoreTime are in seconds.
	FitTime, ScoreTime Summary
	// Metrics holds the scores of each metric, in order.
	Metrics []Metric
}

// Summary is the mean and population standard deviation over the splits, for each candidate.
type Summary struct{ Mean, Std []float64 }

// Scores are one metric's scores on one part of the data.
type Scores struct {
	Summary
	// Splits holds a column of scores, candidate by candidate, for each split.
	Splits [][]float64
}

// Metric is what one metric says of every candidate.
type Metric struct {
	// Name is "score" for a single metric.
	Name string
	Test Scores
	// Rank is 1 for the best mean test score; ties share the lowest of their ranks, NaN is last.
	Rank []int32
	// Train is nil unless the job returns train scores.
	Train *Scores
}

// Column is one column of the table. One of Floats, Ranks and Values is set.
type Column struct {
	// Name is scikit-learn's key, such as "mean_test_score" or "param_svc__C".
	Name   string
	Floats []float64
	Ranks  []int32
	// Values holds JSON values as they were submitted, 1 and 1.0 apart; nil where a candidate has no
	// such parameter.
	Values []json.RawMessage
}

// NewResults collects a job's results. Units holds a result for each fit of the spec by index.
func NewResults(spec *pb.JobSpec, state *pb.JobState, units []*pb.Result) *Results {
	r := &Results{State: state, Units: units}
	candidates, splits := len(spec.GetCandidates()), len(spec.GetSplits())
	if candidates > 0 && splits > 0 && len(spec.GetFits()) == 0 && len(units) == candidates*splits {
		r.Table = newTable(spec, units)
	}
	return r
}

func newTable(spec *pb.JobSpec, units []*pb.Result) *Table {
	t := &Table{Splits: len(spec.GetSplits())}
	for _, candidate := range spec.GetCandidates() {
		var params json.RawMessage
		if text := candidate.GetParamsJson(); text != "" {
			params = json.RawMessage(text)
		}
		t.Params = append(t.Params, params)
	}
	t.FitTime = t.scores(units, func(r *pb.Result) float64 { return r.GetFitSeconds() }).Summary
	t.ScoreTime = t.scores(units, func(r *pb.Result) float64 { return r.GetScoreSeconds() }).Summary
	fallback := errorScore(spec)
	for _, name := range metricNames(spec, units) {
		metric := Metric{Name: name, Test: t.scores(units, scoreOf((*pb.Result).GetTestScores, name, fallback))}
		metric.Rank = ranks(metric.Test.Mean)
		if spec.GetCode().GetRecipe().GetReturnTrainScore() {
			train := t.scores(units, scoreOf((*pb.Result).GetTrainScores, name, fallback))
			metric.Train = &train
		}
		t.Metrics = append(t.Metrics, metric)
	}
	return t
}

// scores reads one number of every unit; a unit that was not run has NaN.
func (t *Table) scores(units []*pb.Result, value func(*pb.Result) float64) Scores {
	rows := len(t.Params)
	s := Scores{
		Summary: Summary{Mean: make([]float64, rows), Std: make([]float64, rows)},
		Splits:  make([][]float64, t.Splits),
	}
	for split := range s.Splits {
		s.Splits[split] = make([]float64, rows)
	}
	row := make([]float64, t.Splits)
	for candidate := range rows {
		for split := range row {
			row[split] = math.NaN()
			if unit := units[candidate*t.Splits+split]; unit != nil && unit.GetOutcome() != pb.Outcome_OUTCOME_PRUNED {
				row[split] = value(unit)
			}
			s.Splits[split][candidate] = row[split]
		}
		s.Mean[candidate] = mean(row)
		s.Std[candidate] = std(row, s.Mean[candidate])
	}
	return s
}

func scoreOf(
	scores func(*pb.Result) map[string]float64, name string, fallback float64,
) func(*pb.Result) float64 {
	return func(r *pb.Result) float64 {
		if score, ok := scores(r)[name]; ok {
			return score
		}
		return fallback
	}
}

// errorScore is what a fit without scores gets: NaN unless the recipe says another number.
func errorScore(spec *pb.JobSpec) float64 {
	score, err := strconv.ParseFloat(spec.GetCode().GetRecipe().GetErrorScore(), 64)
	if err != nil {
		return math.NaN()
	}
	return score
}

func metricNames(spec *pb.JobSpec, units []*pb.Result) []string {
	recipe := spec.GetCode().GetRecipe()
	if len(recipe.GetScoring()) > 1 {
		return recipe.GetScoring()
	}
	if recipe != nil {
		return []string{"score"}
	}
	seen := map[string]bool{}
	for _, unit := range units {
		for name := range unit.GetTestScores() {
			seen[name] = true
		}
	}
	names := make([]string, 0, len(seen))
	for name := range seen {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// Best is the row of the best candidate by a metric, the first of those that tie, as scikit-learn's
// best_index_.
func (t *Table) Best(metric string) (int, error) {
	for _, m := range t.Metrics {
		if m.Name == metric {
			return slices.Index(m.Rank, slices.Min(m.Rank)), nil
		}
	}
	names := make([]string, len(t.Metrics))
	for i, m := range t.Metrics {
		names[i] = m.Name
	}
	return 0, fmt.Errorf("gather: no metric %q in the table: use one of %q", metric, names)
}

// Columns lists the table's columns in scikit-learn's order.
func (t *Table) Columns() ([]Column, error) {
	columns := append(t.FitTime.columns("fit_time"), t.ScoreTime.columns("score_time")...)
	params, err := t.paramColumns()
	if err != nil {
		return nil, err
	}
	columns = append(columns, params...)
	columns = append(columns, Column{Name: "params", Values: t.Params})
	for _, m := range t.Metrics {
		columns = append(columns, m.Test.columns("test_"+m.Name)...)
		columns = append(columns, Column{Name: "rank_test_" + m.Name, Ranks: m.Rank})
		if m.Train != nil {
			columns = append(columns, m.Train.columns("train_"+m.Name)...)
		}
	}
	return columns, nil
}

func (s Summary) columns(name string) []Column {
	return []Column{{Name: "mean_" + name, Floats: s.Mean}, {Name: "std_" + name, Floats: s.Std}}
}

func (s Scores) columns(name string) []Column {
	var columns []Column
	for split, scores := range s.Splits {
		columns = append(columns, Column{Name: fmt.Sprintf("split%d_%s", split, name), Floats: scores})
	}
	return append(columns, s.Summary.columns(name)...)
}

// paramColumns has a column for each parameter, in the order in which candidates name them.
func (t *Table) paramColumns() ([]Column, error) {
	var columns []Column
	places := map[string]int{}
	for row, params := range t.Params {
		if params == nil {
			continue
		}
		err := eachMember(params, func(name string, value json.RawMessage) {
			place, ok := places[name]
			if !ok {
				place = len(columns)
				places[name] = place
				columns = append(columns, Column{
					Name: "param_" + name, Values: make([]json.RawMessage, len(t.Params)),
				})
			}
			columns[place].Values[row] = value
		})
		if err != nil {
			return nil, fmt.Errorf("gather: parameters of candidate %d: %w", row, err)
		}
	}
	return columns, nil
}

// eachMember calls f for the members of a JSON object in their order.
func eachMember(object json.RawMessage, f func(name string, value json.RawMessage)) error {
	decoder := json.NewDecoder(bytes.NewReader(object))
	if open, err := decoder.Token(); err != nil {
		return err
	} else if open != json.Delim('{') {
		return fmt.Errorf("%s is not a JSON object", object)
	}
	for decoder.More() {
		name, err := decoder.Token()
		if err != nil {
			return err
		}
		var value json.RawMessage
		if err := decoder.Decode(&value); err != nil {
			return err
		}
		f(name.(string), value)
	}
	_, err := decoder.Token()
	return err
}
