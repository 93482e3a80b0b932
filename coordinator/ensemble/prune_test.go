package ensemble

import (
	"math"
	"slices"
	"strings"
	"testing"
)

// trial has the scores of its first folds; the rest of the folds have not run.
func trial(candidate, folds int, scores ...float64) Trial {
	t := Trial{Candidate: candidate, Scores: make([]float64, folds), Finished: make([]bool, folds)}
	fill(t.Scores, math.NaN())
	for fold, score := range scores {
		t.Scores[fold], t.Finished[fold] = score, true
	}
	return t
}

func stopped(stops []Stop) []int {
	candidates := []int{}
	for _, stop := range stops {
		candidates = append(candidates, stop.Candidate)
	}
	return candidates
}

func wantStopped(t *testing.T, rule Rule, trials []Trial, want ...int) []Stop {
	t.Helper()
	stops := must(rule.Stops(trials))
	if got := stopped(stops); !slices.Equal(got, append([]int{}, want...)) {
		t.Errorf("%#v stops %v, want %v", rule, stops, want)
	}
	return stops
}

func TestMedianStopsTheLowerHalf(t *testing.T) {
	trials := []Trial{
		trial(0, 3, 0.9), trial(1, 3, 0.8), trial(2, 3, 0.7), trial(3, 3, 0.6), trial(4, 3, 0.5), trial(5, 3, 0.4),
	}
	stops := wantStopped(t, Median(), trials, 3, 4, 5)
	if want := "mean 0.6 (1 of 3 folds) is below 0.7, the bar for the best 50% of 5 others on the same folds"; stops[0].Reason != want {
		t.Errorf("the reason is %q, want %q", stops[0].Reason, want)
	}
	wantStopped(t, Percentile{Keep: 90}, trials, 5)
	wantStopped(t, Percentile{MinFolds: 2}, trials)
	wantStopped(t, Percentile{MinOthers: 6}, trials)
}

func TestMedianComparesOnTheSameFolds(t *testing.T) {
	// Fold 1 is hard for everyone: candidate 0 has run it, and is still the best there.
	trials := []Trial{trial(0, 3, 0.9, 0.3), trial(1, 3, 0.8), trial(2, 3, 0.7)}
	wantStopped(t, Percentile{MinOthers: 1}, trials, 2)
	trials[1] = trial(1, 3, 0.8, 0.6)
	wantStopped(t, Percentile{MinOthers: 1}, trials, 0, 2)
}

func TestStoppedCandidatesStayInTheComparison(t *testing.T) {
	trials := []Trial{trial(0, 3, 0.2), trial(1, 3, 0.5), trial(2, 3, 0.4)}
	trials[1].Stopped = true
	wantStopped(t, Percentile{MinOthers: 2}, trials, 0)
	trials[0] = trial(0, 1, 0.2)
	trials[1], trials[2] = trial(1, 1, 0.5), trial(2, 1, 0.4)
	wantStopped(t, Percentile{MinOthers: 2}, trials)
}

func TestEveryRuleStopsNaNAndRefusesBadTrials(t *testing.T) {
	for _, rule := range []Rule{Median(), Halving{}, Race{}} {
		trials := []Trial{trial(4, 3, 0.5), trial(2, 3, 0.6, math.NaN()), trial(3, 3, math.Inf(-1))}
		stops := wantStopped(t, rule, trials, 2, 3)
		if want := "fold 1 scored NaN: the candidate can't win any more"; stops[0].Reason != want {
			t.Errorf("the reason is %q, want %q", stops[0].Reason, want)
		}
		wantStopped(t, rule, []Trial{trial(0, 1, math.NaN())})
		wantStopped(t, rule, nil)
		_, err := rule.Stops([]Trial{trial(4, 3, 0.5), trial(4, 3, 0.5)})
		wantRefused(t, err, ErrInput, "candidate 4 is listed twice")
		_, err = rule.Stops([]Trial{trial(4, 3, 0.5), trial(5, 2, 0.5)})
		wantRefused(t, err, ErrInput, "candidate 5 has 2 scores")
	}
	for named, rule := range map[string]Rule{
		"keep 100": Percentile{Keep: 100},
		"factor 1": Halving{Factor: 1},
		"alpha 1":  Race{Alpha: 1},
		"1 folds":  Race{MinFolds: 1},
	} {
		_, err := rule.Stops([]Trial{trial(0, 2, 0.5)})
		wantRefused(t, err, ErrInput, named)
	}
}

func TestHalvingKeepsAThirdAtEachRung(t *testing.T) {
	var trials []Trial
	for candidate := range 10 {
		trials = append(trials, trial(candidate, 10, float64(candidate)))
	}
	waiting := slices.Clone(trials)
	waiting[3] = trial(3, 10)
	wantStopped(t, Halving{}, waiting)
	stops := wantStopped(t, Halving{}, trials, 0, 1, 2, 3, 4, 5)
	if want := "mean 5 (first 1 of 10 folds) ranks 5 of 10: the best 4 go on"; stops[5].Reason != want {
		t.Errorf("the reason is %q, want %q", stops[5].Reason, want)
	}
	for candidate := range 6 {
		trials[candidate].Stopped = true
	}
	wantStopped(t, Halving{}, trials)
	// The second rung is at 3 folds: 2 of the 4 go on, then 1 at 9 folds.
	for candidate := 6; candidate < 10; candidate++ {
		score := float64(-candidate)
		trials[candidate] = trial(candidate, 10, score, score, score)
	}
	wantStopped(t, Halving{}, trials, 8, 9)
}

func TestHalvingTiesKeepTheEarlierCandidate(t *testing.T) {
	wantStopped(t, Halving{Factor: 2}, []Trial{trial(7, 4, 1), trial(8, 4, 1), trial(9, 4, 1), trial(3, 4, 1)}, 9, 3)
}

func TestRaceStopsWhatIsSignificantlyWorse(t *testing.T) {
	trials := []Trial{
		trial(0, 5, 0.95, 0.96, 0.94, 0.95),
		trial(1, 5, 0.94, 0.97, 0.95, 0.93),
		trial(2, 5, 0.50, 0.53, 0.51, 0.52),
		trial(3, 5, 0.70, 0.66, 0.69, 0.71),
	}
	stops := wantStopped(t, Race{}, trials, 2, 3)
	if !strings.HasPrefix(stops[0].Reason, "mean 0.515 over 4 folds against 0.95 of candidate 0: p = ") {
		t.Errorf("the reason is %q", stops[0].Reason)
	}
	wantStopped(t, Race{MinFolds: 5}, trials)
	wantStopped(t, Race{Alpha: 0.001}, trials)
	trials[1] = trial(1, 5, 0.94, 0.97)
	wantStopped(t, Race{}, trials)
}

func TestRaceDoesNotTrustEqualDifferences(t *testing.T) {
	// One row of difference in each of three folds has no spread, but proves nothing.
	var trials []Trial
	for candidate := range 12 {
		trials = append(trials, trial(candidate, 5, 0.95-0.01*float64(candidate), 0.96-0.01*float64(candidate), 0.94-0.01*float64(candidate)))
	}
	wantStopped(t, Race{}, trials)
}

// A candidate that leads in every fold goes on under every rule, and asking twice changes nothing.
func TestNoRuleStopsTheLeader(t *testing.T) {
	random := seeded(160)
	rules := []Rule{Median(), Percentile{Keep: 25, MinOthers: 1}, Halving{}, Halving{Factor: 2, MinFolds: 2}, Race{}, Race{Alpha: 0.4, MinFolds: 2}}
	for range 200 {
		folds, candidates := 1+random.IntN(6), 1+random.IntN(12)
		leader := random.IntN(candidates)
		var trials []Trial
		for candidate := range candidates {
			var scores []float64
			for range random.IntN(folds + 1) {
				scores = append(scores, float64(random.IntN(20))/20)
			}
			if candidate == leader {
				for fold := range scores {
					scores[fold]++
				}
			}
			trials = append(trials, trial(candidate, folds, scores...))
			trials[candidate].Stopped = candidate != leader && random.IntN(5) == 0
		}
		for _, rule := range rules {
			stops := must(rule.Stops(trials))
			if !slices.Equal(stops, must(rule.Stops(trials))) {
				t.Fatalf("%#v answers differently the second time", rule)
			}
			for _, stop := range stops {
				if stop.Candidate == leader || !trials[stop.Candidate].running() {
					t.Fatalf("%#v stops candidate %d: %s", rule, stop.Candidate, stop.Reason)
				}
			}
		}
	}
}

func TestPercentileEqualsNumpy(t *testing.T) {
	random := seeded(161)
	for _, n := range []int{1, 2, 5, 30} {
		for _, q := range []float64{0, 25, 50, 90, 99.5, 100} {
			values := randomValues(random, n)
			var want float64
			ask(t, "percentile", request{"values": values, "q": q}, &want)
			wantNear(t, "percentile", percentile(values, q), want)
		}
	}
}
