package plan

import (
	"cmp"
	"maps"
	"math"
	"slices"
)

const (
	// memory is the number of observations that running means reach back.
	memory = 64
	// maxFeatures bounds the cost of learning.
	maxFeatures = 24
	// leastSeconds is the shortest time that is told apart from none.
	leastSeconds = 1e-6
	// doubt is how many observations of a candidate the model of its features is worth.
	doubt = 0.5
	// spread is the standard deviation expected of a feature's weight.
	spread = 0.3
)

// predictor learns how long fits take, in logarithms: a fit that takes a hundred times as long as
// another says as much as one that takes a hundredth.
//
// What is known of a candidate is its mean on other splits, and, before that, what its parameters
// let expect: a linear model of its features, learned by recursive least squares.
type predictor struct {
	observed int
	// mean is the running mean of the logarithms, variance that of the squared errors of predictions.
	mean, variance float64
	candidates     []history

	columns map[string]int
	// centre holds the features of the candidate seen first: weights count from there.
	centre  []float64
	weights []float64
	// covariance of the weights, row by row.
	covariance [][]float64
}

// history is what was observed of one candidate.
type history struct {
	features map[string]float64
	count    int
	mean     float64
}

// describe tells the features of a candidate.
func (p *predictor) describe(candidate uint32, features map[string]float64) {
	for int(candidate) >= len(p.candidates) {
		p.candidates = append(p.candidates, history{})
	}
	if p.candidates[candidate].features == nil {
		p.candidates[candidate].features = features
	}
}

// observe learns from one fit; seconds is finite and not negative.
func (p *predictor) observe(candidate uint32, seconds float64) {
	value := math.Log(max(seconds, leastSeconds))
	if p.observed == 0 {
		p.mean = value
	}
	miss := value - p.expect(candidate)
	p.observed++
	n := float64(min(p.observed, memory))
	p.variance += (miss*miss - p.variance) / n
	p.learn(p.row(candidate, true), value-p.mean)
	p.mean += (value - p.mean) / n
	seen := &p.candidates[candidate]
	seen.count++
	seen.mean += (value - seen.mean) / float64(min(seen.count, memory))
}

// expect is the expected logarithm of a fit's seconds.
func (p *predictor) expect(candidate uint32) float64 {
	expected := p.mean
	for i, x := range p.row(candidate, false) {
		expected += x * p.weights[i]
	}
	seen := &p.candidates[candidate]
	return (expected*doubt + seen.mean*float64(seen.count)) / (doubt + float64(seen.count))
}

// seconds is how long a fit of the candidate may take: the mean of the distribution, not its middle.
// It is 0 while nothing is known.
func (p *predictor) seconds(candidate uint32) float64 {
	if p.observed == 0 {
		return 0
	}
	return math.Exp(min(p.expect(candidate)+p.variance/2, 50))
}

// typical is how long a fit takes by all that was observed; it is never 0.
func (p *predictor) typical() float64 {
	return math.Exp(min(p.mean+p.variance/2, 50))
}

// row is a candidate's features as the model sees them; with add unknown ones get a column.
func (p *predictor) row(candidate uint32, add bool) []float64 {
	features := p.candidates[candidate].features
	if len(features) == 0 {
		return nil
	}
	if add {
		p.addColumns(features)
	}
	row := make([]float64, len(p.columns))
	for i, centre := range p.centre {
		row[i] = -centre
	}
	for name, value := range features {
		if i, ok := p.columns[name]; ok {
			row[i] += scale(value)
		}
	}
	return row
}

func (p *predictor) addColumns(features map[string]float64) {
	if p.columns == nil {
		p.columns = map[string]int{}
	}
	first := len(p.columns) == 0
	// In order, so that equal jobs are planned equally.
	for _, name := range slices.SortedFunc(maps.Keys(features), cmp.Compare) {
		if _, ok := p.columns[name]; ok || len(p.columns) == maxFeatures {
			continue
		}
		p.columns[name] = len(p.columns)
		p.weights = append(p.weights, 0)
		centre := 0.0
		if first {
			centre = scale(features[name])
		}
		p.centre = append(p.centre, centre)
		for i := range p.covariance {
			p.covariance[i] = append(p.covariance[i], 0)
		}
		row := make([]float64, len(p.columns))
		row[len(row)-1] = spread * spread
		p.covariance = append(p.covariance, row)
	}
}

// scale spreads parameters evenly that people choose on a logarithmic scale.
func scale(value float64) float64 {
	if math.IsNaN(value) {
		return 0
	}
	return math.Copysign(math.Log1p(1e6*min(math.Abs(value), 1e300/1e6)), value)
}

// learn corrects the weights by one row whose value is known.
func (p *predictor) learn(row []float64, value float64) {
	if len(row) == 0 {
		return
	}
	gain := make([]float64, len(row))
	noise := 0.1
	for i, covariance := range p.covariance {
		for j, x := range row {
			gain[i] += covariance[j] * x
		}
		noise += gain[i] * row[i]
		value -= p.weights[i] * row[i]
	}
	for i := range gain {
		p.weights[i] += gain[i] / noise * value
		for j := range gain {
			p.covariance[i][j] -= gain[i] * gain[j] / noise
		}
	}
}
