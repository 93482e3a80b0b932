package ensemble

import (
	"cmp"
	"fmt"
	"math"
	"slices"
)

// Spread summarises one candidate's scores over repeats: seeds, row orders or noise levels.
type Spread struct {
	Mean float64
	// Std is the sample standard deviation; 0 for one repeat.
	Std float64
	Min float64
	Max float64
}

// Range is the distance from the worst repeat to the best.
func (s Spread) Range() float64 { return s.Max - s.Min }

// SpreadOf summarises the scores of one candidate's repeats.
func SpreadOf(scores []float64) (Spread, error) {
	if len(scores) == 0 {
		return Spread{}, fmt.Errorf("%w: no scores to summarise", ErrInput)
	}
	if err := checkFinite(scores, "repeat"); err != nil {
		return Spread{}, err
	}
	spread := Spread{Mean: mean(scores), Min: slices.Min(scores), Max: slices.Max(scores)}
	if len(scores) > 1 {
		spread.Std = math.Sqrt(variance(scores))
	}
	return spread, nil
}

func checkFinite(scores []float64, what string) error {
	for i, score := range scores {
		if math.IsNaN(score) || math.IsInf(score, 0) {
			return fmt.Errorf("%w: the score of %s %d is %v", ErrInput, what, i, score)
		}
	}
	return nil
}

// variance is the sample variance, numpy's var(ddof=1).
func variance(values []float64) float64 {
	center := mean(values)
	squares := make([]float64, len(values))
	for i, value := range values {
		squares[i] = (value - center) * (value - center)
	}
	return sum(squares) / float64(len(values)-1)
}

// Stability says how far repeats agree on the ranking of the candidates.
type Stability struct {
	// W is Kendall's coefficient of concordance, corrected for ties: 1 when every repeat ranks the
	// candidates alike, 0 when the rankings have nothing in common.
	W float64
	// P is the probability of such agreement by chance: Friedman's test, chi-square approximation.
	P float64
	// MeanRanks of the candidates, 1 for the best.
	MeanRanks []float64
	// Firsts counts the repeats in which each candidate was best, shared by those that tie.
	Firsts []float64
}

// RankStability compares the rankings of candidates over repeats: scores[candidate][repeat], greater
// is better. It needs two candidates and two repeats. It fails with ErrUndefined when every repeat
// scores all candidates alike.
func RankStability(scores [][]float64) (Stability, error) {
	if err := checkTable(scores); err != nil {
		return Stability{}, err
	}
	f := friedman(scores)
	if f.agreement == 0 {
		return Stability{}, fmt.Errorf("%w: in every repeat all %d candidates score alike", ErrUndefined, len(scores))
	}
	repeats := float64(len(scores[0]))
	stability := Stability{W: f.w, P: f.p, Firsts: f.firsts}
	for _, total := range f.rankSums {
		stability.MeanRanks = append(stability.MeanRanks, total/repeats)
	}
	return stability, nil
}

func checkTable(scores [][]float64) error {
	if len(scores) < 2 || len(scores[0]) < 2 {
		return fmt.Errorf("%w: a ranking over repeats needs 2 candidates and 2 repeats", ErrInput)
	}
	for candidate, row := range scores {
		if len(row) != len(scores[0]) {
			return fmt.Errorf("%w: candidate %d has %d repeats, candidate 0 has %d",
				ErrInput, candidate, len(row), len(scores[0]))
		}
		if err := checkFinite(row, "repeat"); err != nil {
			return fmt.Errorf("candidate %d: %w", candidate, err)
		}
	}
	return nil
}

// friedmanTest is Friedman's test of candidates ranked within blocks, with Kendall's W.
type friedmanTest struct {
	rankSums, firsts []float64
	// agreement is the largest sum of squares the ranks could have; 0 when all scores tie.
	agreement float64
	w, p      float64
}

// friedman takes scores[candidate][block]; rank 1 is the highest score of a block.
func friedman(scores [][]float64) friedmanTest {
	n, blocks := len(scores), len(scores[0])
	test := friedmanTest{rankSums: make([]float64, n), firsts: make([]float64, n)}
	ties := 0.0
	order := consecutive(n)
	for block := range blocks {
		value := func(candidate int) float64 { return scores[candidate][block] }
		slices.SortFunc(order, func(a, b int) int { return cmp.Compare(value(b), value(a)) })
		first := true
		eachTie(order, value, func(tied []int, rank float64) {
			size := float64(len(tied))
			ties += size*size*size - size
			for _, candidate := range tied {
				test.rankSums[candidate] += rank
				if first {
					test.firsts[candidate] += 1 / size
				}
			}
			first = false
		})
	}
	k, m := float64(blocks), float64(n)
	squares := 0.0
	for _, total := range test.rankSums {
		deviation := total - k*(m+1)/2
		squares += deviation * deviation
	}
	test.agreement = (k*k*(m*m*m-m) - k*ties) / 12
	if test.agreement > 0 {
		test.w = squares / test.agreement
		test.p = chiSquareTail(k*(m-1)*test.w, m-1)
	}
	return test
}

// PairedTest compares two candidates over the same splits.
type PairedTest struct {
	// Difference is the mean of a - b.
	Difference float64
	// T is the corrected t statistic, with DF degrees of freedom.
	T  float64
	DF int
	// P is the two-sided probability of such a difference between equal candidates.
	P float64
}

// CorrectedTTest is the corrected resampled t-test of Nadeau and Bengio (2003): scores of two
// candidates over the same splits, with the variance enlarged for the rows that train sets share.
// trainRows and testRows are the sizes of a split. Equal scores everywhere give T 0 and P 1; it
// fails with ErrUndefined when the difference is the same in every split but not 0.
func CorrectedTTest(a, b []float64, trainRows, testRows int64) (PairedTest, error) {
	if len(a) != len(b) || len(a) < 2 {
		return PairedTest{}, fmt.Errorf("%w: %d scores against %d: give the same splits of both, at least 2",
			ErrInput, len(a), len(b))
	}
	if trainRows < 1 || testRows < 1 {
		return PairedTest{}, fmt.Errorf("%w: %d train rows and %d test rows", ErrInput, trainRows, testRows)
	}
	for _, scores := range [][]float64{a, b} {
		if err := checkFinite(scores, "split"); err != nil {
			return PairedTest{}, err
		}
	}
	test := pairedTest(a, b, float64(testRows)/float64(trainRows))
	if math.IsInf(test.T, 0) {
		return PairedTest{}, fmt.Errorf("%w: the difference is %v in every split: there is no spread to test it against",
			ErrUndefined, test.Difference)
	}
	return test, nil
}

// negligible is the part of the scores' size below which a difference is rounding: equal differences
// of accuracies are rarely equal to the last bit.
const negligible = 1e-12

// pairedTest gives an infinite T when all differences are equal but not 0.
func pairedTest(a, b []float64, testOverTrain float64) PairedTest {
	differences := make([]float64, len(a))
	rounding := 0.0
	for i := range a {
		differences[i] = a[i] - b[i]
		rounding = max(rounding, negligible*math.Abs(a[i]), negligible*math.Abs(b[i]))
	}
	n := float64(len(a))
	test := PairedTest{Difference: mean(differences), DF: len(a) - 1}
	if spread := math.Sqrt(variance(differences)); spread > rounding {
		test.T = test.Difference / (math.Sqrt(1/n+testOverTrain) * spread)
	} else if math.Abs(test.Difference) > rounding {
		test.T = math.Copysign(math.Inf(1), test.Difference)
	}
	test.P = 2 * studentTail(math.Abs(test.T), float64(test.DF))
	return test
}
