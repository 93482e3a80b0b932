package rules

import (
	"encoding/json"
	"fmt"
	"math"

	"github.com/crossfold/crossfold/coordinator/gather"
)

// NewResult describes a candidate by its scores on the folds.
func NewResult(candidate int, params json.RawMessage, scores []float64, fitSeconds float64) Result {
	mean, squares := 0.0, 0.0
	for _, score := range scores {
		mean += score / float64(len(scores))
	}
	for _, score := range scores {
		squares += (score - mean) * (score - mean) / float64(len(scores))
	}
	return Result{
		Candidate: candidate, Params: params, Mean: Float(mean), Std: Float(math.Sqrt(squares)),
		Scores: Floats(scores), FitSeconds: Float(fitSeconds),
	}
}

// Results describes the candidates of a table by one of its metrics.
func Results(table *gather.Table, metric string) ([]Result, error) {
	if table == nil {
		return nil, fmt.Errorf("rules: the job is no whole grid of candidates and splits: it has no table to select from")
	}
	for _, m := range table.Metrics {
		if m.Name != metric {
			continue
		}
		results := make([]Result, len(table.Params))
		for row, params := range table.Params {
			if params == nil {
				params = json.RawMessage("{}")
			}
			results[row] = Result{
				Candidate: row, Params: params, Mean: Float(m.Test.Mean[row]), Std: Float(m.Test.Std[row]),
				FitSeconds: Float(table.FitTime.Mean[row]),
			}
			for _, split := range m.Test.Splits {
				results[row].Scores = append(results[row].Scores, Float(split[row]))
			}
		}
		return results, nil
	}
	return nil, fmt.Errorf("rules: the table has no metric %q: use one of its own", metric)
}
