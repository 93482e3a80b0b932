package ensemble

import (
	"math"
	"slices"
	"testing"
)

func TestTailsEqualScipy(t *testing.T) {
	var points [][2]float64
	for _, df := range []float64{1, 2, 4, 9, 50, 1000} {
		for _, x := range []float64{-30, -2, 0, 0.1, 1, 2.5, 12, 100} {
			points = append(points, [2]float64{x, df})
		}
	}
	var want struct{ Student, Chi []float64 }
	ask(t, "tails", request{"points": points}, &want)
	for i, point := range points {
		wantNear(t, "Student's t", studentTail(point[0], point[1]), want.Student[i])
		wantNear(t, "chi-square", chiSquareTail(math.Abs(point[0]), point[1]), want.Chi[i])
	}
	if p := studentTail(math.Inf(1), 3); p != 0 {
		t.Errorf("the tail beyond infinity is %v", p)
	}
}

func TestSpread(t *testing.T) {
	s := must(SpreadOf([]float64{2, 4, 4, 4, 5, 5, 7, 9}))
	wantNear(t, "mean", s.Mean, 5)
	wantNear(t, "std", s.Std, math.Sqrt(32.0/7))
	wantNear(t, "range", s.Range(), 7)
	if one := must(SpreadOf([]float64{3})); one != (Spread{Mean: 3, Min: 3, Max: 3}) {
		t.Errorf("the spread of one repeat is %+v", one)
	}
	_, err := SpreadOf(nil)
	wantRefused(t, err, ErrInput, "no scores")
	_, err = SpreadOf([]float64{1, math.NaN()})
	wantRefused(t, err, ErrInput, "repeat 1 is NaN")
}

func TestRankStabilityEqualsScipy(t *testing.T) {
	random := seeded(170)
	for _, coarse := range []bool{false, true} {
		for _, n := range []int{3, 10} {
			scores := make([][]float64, n)
			for candidate := range scores {
				scores[candidate] = randomValues(random, 6)
				for i := range scores[candidate] {
					scores[candidate][i] += 0.3 * float64(candidate)
					if coarse {
						scores[candidate][i] = math.Round(scores[candidate][i])
					}
				}
			}
			var want struct {
				W, P  float64
				Ranks []float64
			}
			ask(t, "stability", request{"scores": scores}, &want)
			got := must(RankStability(scores))
			wantNear(t, "W", got.W, want.W)
			wantNear(t, "p", got.P, want.P)
			wantAllNear(t, "mean ranks", got.MeanRanks, want.Ranks)
			wantNear(t, "firsts", sum(got.Firsts), 6)
		}
	}
}

func TestRankStabilityOfAgreementAndReversal(t *testing.T) {
	same := must(RankStability([][]float64{{3, 30}, {2, 20}, {1, 10}}))
	if same.W != 1 || !slices.Equal(same.MeanRanks, []float64{1, 2, 3}) || !slices.Equal(same.Firsts, []float64{2, 0, 0}) {
		t.Errorf("equal rankings give %+v", same)
	}
	reversed := must(RankStability([][]float64{{3, 10}, {2, 20}, {1, 30}}))
	if reversed.W != 0 || !slices.Equal(reversed.Firsts, []float64{1, 0, 1}) {
		t.Errorf("opposite rankings give %+v", reversed)
	}
	_, err := RankStability([][]float64{{1, 2}, {1, 2}})
	wantRefused(t, err, ErrUndefined, "all 2 candidates score alike")
	_, err = RankStability([][]float64{{1, 2}, {1, math.NaN()}})
	wantRefused(t, err, ErrInput, "candidate 1: ensemble: bad input: the score of repeat 1 is NaN")
	_, err = RankStability([][]float64{{1, 2}, {1}})
	wantRefused(t, err, ErrInput, "candidate 1 has 1 repeats")
	_, err = RankStability([][]float64{{1, 2}})
	wantRefused(t, err, ErrInput, "2 candidates")
}

func TestCorrectedTTestEqualsScipy(t *testing.T) {
	random := seeded(171)
	for _, n := range []int{2, 5, 30} {
		a, b := randomValues(random, n), randomValues(random, n)
		var want struct{ T, P float64 }
		ask(t, "paired", request{"a": a, "b": b, "train": 400, "test": 100}, &want)
		got := must(CorrectedTTest(a, b, 400, 100))
		wantNear(t, "t", got.T, want.T)
		wantNear(t, "p", got.P, want.P)
		if got.DF != n-1 {
			t.Errorf("%d degrees of freedom of %d splits", got.DF, n)
		}
	}
}

func TestCorrectedTTestWithoutSpread(t *testing.T) {
	equal := must(CorrectedTTest([]float64{0.9, 0.8}, []float64{0.9, 0.8}, 4, 1))
	if equal.T != 0 || equal.P != 1 {
		t.Errorf("equal scores give %+v", equal)
	}
	_, err := CorrectedTTest([]float64{0.95, 0.96, 0.94}, []float64{0.94, 0.95, 0.93}, 4, 1)
	wantRefused(t, err, ErrUndefined, "in every split")
	_, err = CorrectedTTest([]float64{1, 2}, []float64{1}, 4, 1)
	wantRefused(t, err, ErrInput, "2 scores against 1")
	_, err = CorrectedTTest([]float64{1, 2}, []float64{1, 3}, 4, 0)
	wantRefused(t, err, ErrInput, "0 test rows")
	_, err = CorrectedTTest([]float64{1, 2}, []float64{1, math.Inf(1)}, 4, 1)
	wantRefused(t, err, ErrInput, "split 1 is +Inf")
}
