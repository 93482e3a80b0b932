package ensemble

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"slices"
)

// Greedy selects an ensemble from a library by forward selection with replacement (Caruana,
// Niculescu-Mizil, Crew and Ksikes 2004): round by round it adds the candidate that gives the mean
// the best score, and keeps the ensemble of the best round. Ties go to the candidate that comes
// first and to the smaller ensemble.
//
// It holds three records' worth of numbers, and reads the library once per round and bag.
type Greedy struct {
	// Rounds is the most picks. Default: 50.
	Rounds int
	// Initial is the most candidates to start from: the best ones by themselves, as many of them as
	// score best together; not above Rounds. Default: 0, start empty.
	Initial int
	// Bags is how many random parts of the library select an ensemble each; their mean is the result.
	// It guards against overfitting the selection. Default: 0, the whole library once.
	Bags int
	// Fraction of the library in each bag. Default: 0.5.
	Fraction float64
	// Seed of the bags. Default: 0.
	Seed uint64
}

// Selection is the ensemble that was selected.
type Selection struct {
	// Weights holds one number per candidate; they sum to 1.
	Weights []float64
	// Score of the ensemble on the rows it was selected on; greater is better.
	Score float64
	// Singles are the candidates' own scores.
	Singles []float64
	// BestSingle is the candidate with the best own score, the first on a tie.
	BestSingle int
	// Bags says how each bag chose; there is one when no bagging was asked for.
	Bags []Bag
	// Marks are sentences about odd members: equal predictions, or classes missing in a fold.
	Marks []string
}

// Bag is one run of the selection.
type Bag struct {
	// Candidates that took part, ascending.
	Candidates []int
	// Picks in the order they were added, up to the best round.
	Picks []int
	// Scores of the ensemble after each pick, of the rounds beyond the best one, too.
	Scores []float64
}

// Score is the score of the bag's own ensemble.
func (b Bag) Score() float64 { return b.Scores[len(b.Picks)-1] }

func (g Greedy) withDefaults() (Greedy, error) {
	g.Rounds = cmp.Or(g.Rounds, 50)
	g.Fraction = cmp.Or(g.Fraction, 0.5)
	switch {
	case g.Rounds < 1:
		return g, fmt.Errorf("%w: %d rounds: want at least 1", ErrInput, g.Rounds)
	case g.Initial < 0 || g.Initial > g.Rounds:
		return g, fmt.Errorf("%w: a start of %d candidates: want 0 to the number of rounds, %d", ErrInput, g.Initial, g.Rounds)
	case g.Bags < 0:
		return g, fmt.Errorf("%w: %d bags: want at least 0", ErrInput, g.Bags)
	case !(g.Fraction > 0 && g.Fraction <= 1):
		return g, fmt.Errorf("%w: a fraction of %v: want above 0 and at most 1", ErrInput, g.Fraction)
	}
	return g, nil
}

// Select chooses the weights of an ensemble by what the metric says of its mean on the predicted rows.
func (g Greedy) Select(ctx context.Context, library Library, target *Target, metric Metric) (*Selection, error) {
	g, err := g.withDefaults()
	if err != nil {
		return nil, err
	}
	m, err := openMembers(ctx, library)
	if err != nil {
		return nil, err
	}
	if err := m.refuseLabels("averaged"); err != nil {
		return nil, err
	}
	scorer, err := metric.on(target, m)
	if err != nil {
		return nil, err
	}
	selection := &Selection{Weights: make([]float64, library.Len())}
	if err := scoreSingles(ctx, m, scorer, selection); err != nil {
		return nil, err
	}
	for _, candidates := range g.bags(library.Len()) {
		run := newSelectionRun(m, scorer, candidates, selection.Singles)
		if err := run.climb(ctx, g); err != nil {
			return nil, err
		}
		selection.Bags = append(selection.Bags, run.bag)
	}
	return selection, selection.combine(ctx, m, scorer)
}

func scoreSingles(ctx context.Context, m *members, scorer *scorer, selection *Selection) error {
	for candidate := range m.library.Len() {
		record, err := m.record(ctx, candidate)
		if err != nil {
			return err
		}
		score, err := scorer.score(scorer.compact(record))
		if err != nil {
			return fmt.Errorf("candidate %s: %w", record.name, err)
		}
		selection.Singles = append(selection.Singles, score)
		selection.Marks = append(selection.Marks, record.Marks()...)
		if score > selection.Singles[selection.BestSingle] {
			selection.BestSingle = candidate
		}
	}
	return nil
}

// combine makes the weights, the mean of the bags' ensembles, and scores them.
func (s *Selection) combine(ctx context.Context, m *members, scorer *scorer) error {
	for _, bag := range s.Bags {
		counts := make([]float64, len(s.Weights))
		for _, candidate := range bag.Picks {
			counts[candidate]++
		}
		for candidate, count := range counts {
			s.Weights[candidate] += count / float64(len(bag.Picks)) / float64(len(s.Bags))
		}
	}
	if len(s.Bags) == 1 {
		s.Score = s.Bags[0].Score()
		return nil
	}
	ensemble, err := Mean(ctx, m.library, s.Weights)
	if err != nil {
		return err
	}
	s.Score, err = scorer.score(scorer.compact(ensemble))
	return err
}

// selectionRun is the state of one bag's selection.
type selectionRun struct {
	members *members
	scorer  *scorer
	singles []float64
	bag     Bag
	// total is the sum of the picks so far, trial the mean with one more; rows without gaps.
	total, trial []float64
	picks        []int
}

func newSelectionRun(m *members, scorer *scorer, candidates []int, singles []float64) *selectionRun {
	size := m.count * m.shape.Outputs()
	return &selectionRun{
		members: m,
		scorer:  scorer,
		singles: singles,
		bag:     Bag{Candidates: candidates},
		total:   make([]float64, size),
		trial:   make([]float64, size),
	}
}

func (r *selectionRun) climb(ctx context.Context, g Greedy) error {
	if err := r.start(ctx, g.Initial); err != nil {
		return err
	}
	for len(r.picks) < g.Rounds {
		best, score, err := r.bestPick(ctx)
		if err != nil {
			return err
		}
		if err := r.add(ctx, best); err != nil {
			return err
		}
		r.bag.Scores = append(r.bag.Scores, score)
	}
	r.bag.Picks = r.picks[:firstBest(r.bag.Scores)+1]
	return nil
}

// start adds the best candidates, as many of at most n as score best together.
func (r *selectionRun) start(ctx context.Context, n int) error {
	order := slices.Clone(r.bag.Candidates)
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(r.singles[b], r.singles[a]) })
	order = order[:min(n, len(order))]
	var scores []float64
	for _, candidate := range order {
		score, err := r.scoreWith(ctx, candidate)
		if err != nil {
			return err
		}
		scores = append(scores, score)
		if err := r.add(ctx, candidate); err != nil {
			return err
		}
	}
	keep := min(len(scores), firstBest(scores)+1)
	r.bag.Scores = scores[:keep]
	if keep == len(r.picks) {
		return nil
	}
	clear(r.total)
	r.picks = nil
	for _, candidate := range order[:keep] {
		if err := r.add(ctx, candidate); err != nil {
			return err
		}
	}
	return nil
}

// firstBest is the position of the highest score, the first on a tie.
func firstBest(scores []float64) int {
	best := 0
	for i, score := range scores {
		if score > scores[best] {
			best = i
		}
	}
	return best
}

func (r *selectionRun) bestPick(ctx context.Context) (best int, score float64, err error) {
	if len(r.picks) == 0 {
		// The first round is known: the mean of one candidate is the candidate.
		best = r.bag.Candidates[0]
		for _, candidate := range r.bag.Candidates {
			if r.singles[candidate] > r.singles[best] {
				best = candidate
			}
		}
		return best, r.singles[best], nil
	}
	best, score = -1, math.Inf(-1)
	for _, candidate := range r.bag.Candidates {
		trial, err := r.scoreWith(ctx, candidate)
		if err != nil {
			return 0, 0, err
		}
		if best < 0 || trial > score {
			best, score = candidate, trial
		}
	}
	return best, score, nil
}

// scoreWith is the score of the picks and one more candidate.
func (r *selectionRun) scoreWith(ctx context.Context, candidate int) (float64, error) {
	record, err := r.members.record(ctx, candidate)
	if err != nil {
		return 0, err
	}
	size := float64(len(r.picks) + 1)
	for i, value := range r.scorer.compact(record) {
		r.trial[i] = (r.total[i] + value) / size
	}
	score, err := r.scorer.score(r.trial)
	if err != nil {
		return 0, fmt.Errorf("an ensemble with candidate %s: %w", record.name, err)
	}
	return score, nil
}

func (r *selectionRun) add(ctx context.Context, candidate int) error {
	record, err := r.members.record(ctx, candidate)
	if err != nil {
		return err
	}
	for i, value := range r.scorer.compact(record) {
		r.total[i] += value
	}
	r.picks = append(r.picks, candidate)
	return nil
}
