package plan

import (
	"maps"
	"slices"
)

// recalled is how many observations of its own those of an earlier job are worth: data, machine and
// parameters may be others by now.
const recalled = 4

// Experience is what one job showed of the time that fits take. It never changes.
type Experience struct{ model predictor }

// Experience is what was observed so far; nil when nothing was.
func (p *Planner) Experience() *Experience {
	if p.predictor.observed == 0 {
		return nil
	}
	return &Experience{p.predictor.model()}
}

// Recall makes the planner expect of the units it is given later what an earlier job showed; e may be nil.
func (p *Planner) Recall(e *Experience) {
	if e == nil {
		return
	}
	p.predictor = e.model.model()
	p.ranked = !p.inOrder
}

// model is a copy without the candidates, as sure of itself as a few observations make it.
func (p *predictor) model() predictor {
	copied := *p
	copied.candidates = nil
	copied.observed = min(p.observed, recalled)
	copied.columns = maps.Clone(p.columns)
	copied.centre, copied.weights = slices.Clone(p.centre), slices.Clone(p.weights)
	copied.covariance = make([][]float64, len(p.weights))
	for i := range copied.covariance {
		copied.covariance[i] = make([]float64, len(p.weights))
		copied.covariance[i][i] = spread * spread
	}
	return copied
}
