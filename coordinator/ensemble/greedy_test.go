package ensemble

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"testing"
)

// skilled members are random, leaning towards the truth.
func skilledMembers(seed uint64, n, rows, classes int) (Records, [][]float64, []int) {
	random := seeded(seed)
	labels := randomLabels(random, rows, classes)
	var library Records
	var members [][]float64
	for i := range n {
		values := randomProbabilities(random, rows, classes, false)
		skill := random.Float64()
		for row, label := range labels {
			for j := range classes {
				truth := 0.0
				if j == label {
					truth = 1
				}
				values[row*classes+j] = (1-skill*0.4)*values[row*classes+j] + skill*0.4*truth
			}
		}
		members = append(members, values)
		library = append(library, probabilities(fmt.Sprintf("m%d", i), classes, values))
	}
	return library, members, labels
}

func TestGreedyEqualsPlainNumpy(t *testing.T) {
	for _, c := range []struct {
		metric  string
		classes int
		greedy  Greedy
	}{
		{"neg_log_loss", 3, Greedy{Rounds: 15}},
		{"neg_log_loss", 3, Greedy{Rounds: 12, Initial: 5}},
		{"accuracy", 3, Greedy{Rounds: 10}},
		{"accuracy", 3, Greedy{Rounds: 8, Initial: 4, Bags: 3, Seed: 7}},
		{"roc_auc", 2, Greedy{Rounds: 10, Initial: 2}},
		{"roc_auc_ovr", 3, Greedy{Rounds: 5}},
		{"f1_macro", 4, Greedy{Rounds: 6, Bags: 4, Fraction: 0.3, Seed: 1}},
	} {
		library, members, labels := skilledMembers(90, 10, 100, c.classes)
		weights := randomWeights(seeded(91), 100)
		target := must(ClassTarget(classNames(c.classes), labels, weights))
		got := must(c.greedy.Select(t.Context(), library, target, must(ParseMetric(c.metric))))
		var bags [][]int
		for _, bag := range got.Bags {
			bags = append(bags, bag.Candidates)
		}
		var want struct {
			Singles, Weights []float64
			Score            float64
			Bags             []struct {
				Picks  []int
				Scores []float64
			}
		}
		ask(t, "greedy", request{"members": members, "outputs": c.classes, "classes": c.classes, "truth": labels,
			"weights": weights, "metric": c.metric, "bags": bags, "rounds": c.greedy.Rounds, "initial": c.greedy.Initial}, &want)
		about := fmt.Sprintf("%s, %+v", c.metric, c.greedy)
		wantAllNear(t, about+": singles", got.Singles, want.Singles)
		wantAllNear(t, about+": weights", got.Weights, want.Weights)
		wantNear(t, about+": score", got.Score, want.Score)
		for i, bag := range got.Bags {
			wantAllNear(t, about+": path", bag.Scores, want.Bags[i].Scores)
			if !slices.Equal(bag.Picks, want.Bags[i].Picks) {
				t.Errorf("%s: bag %d picks %v, want %v", about, i, bag.Picks, want.Bags[i].Picks)
			}
		}
	}
}

func wantAllNear(t *testing.T, what string, got, want []float64) {
	t.Helper()
	if len(got) != len(want) {
		t.Fatalf("%s: %d numbers, want %d", what, len(got), len(want))
	}
	for i := range got {
		wantNear(t, fmt.Sprintf("%s %d", what, i), got[i], want[i])
	}
}

func TestGreedyIsNeverWorseThanTheBestSingle(t *testing.T) {
	for seed := range uint64(15) {
		library, _, labels := skilledMembers(100+seed, 6, 60, 3)
		target := must(ClassTarget(classNames(3), labels, nil))
		for _, metric := range []string{"accuracy", "neg_log_loss", "roc_auc_ovo"} {
			s := must(Greedy{Rounds: 6, Initial: int(seed % 2)}.Select(t.Context(), library, target, must(ParseMetric(metric))))
			if s.Score < s.Singles[s.BestSingle] {
				t.Errorf("%s: the ensemble scores %v, candidate %d alone %v", metric, s.Score, s.BestSingle, s.Singles[s.BestSingle])
			}
			wantNear(t, "sum of weights", sum(s.Weights), 1)
			ensemble := must(Mean(t.Context(), library, s.Weights))
			wantNear(t, "score of the mean", must(must(ParseMetric(metric)).Score(target, ensemble)), s.Score)
		}
	}
}

func TestGreedyTiesGoToTheFirstCandidateAndTheSmallerEnsemble(t *testing.T) {
	library, _, labels := skilledMembers(120, 3, 50, 3)
	tied := Records{library[0], library[1], library[1], library[0], library[2], library[1]}
	target := must(ClassTarget(classNames(3), labels, nil))
	for _, metric := range []string{"accuracy", "neg_log_loss"} {
		want := must(Greedy{Rounds: 9}.Select(t.Context(), library, target, must(ParseMetric(metric))))
		for range 3 {
			got := must(Greedy{Rounds: 9}.Select(t.Context(), tied, target, must(ParseMetric(metric))))
			moved := slices.Clone(want.Bags[0].Picks)
			for i, pick := range moved {
				moved[i] = []int{0, 1, 4}[pick]
			}
			if !slices.Equal(got.Bags[0].Picks, moved) {
				t.Errorf("%s: picks %v, want %v", metric, got.Bags[0].Picks, moved)
			}
		}
	}
	perfect := probabilities("perfect", 2, []float64{1, 0, 0, 1})
	two := must(ClassTarget(classNames(2), []int{0, 1}, nil))
	s := must(Greedy{}.Select(t.Context(), Records{perfect, perfect}, two, must(ParseMetric("accuracy"))))
	if !slices.Equal(s.Bags[0].Picks, []int{0}) || len(s.Bags[0].Scores) != 50 {
		t.Errorf("picks %v of %d rounds, want the first candidate once of 50", s.Bags[0].Picks, len(s.Bags[0].Scores))
	}
}

func TestBagsFollowTheSeed(t *testing.T) {
	g := Greedy{Bags: 5, Fraction: 0.5, Seed: 3}
	first, more := g.bags(40), Greedy{Bags: 9, Fraction: 0.5, Seed: 3}.bags(40)
	for i, bag := range first {
		if !slices.Equal(bag, more[i]) || len(bag) != 20 || !slices.IsSorted(bag) || len(slices.Compact(slices.Clone(bag))) != 20 {
			t.Errorf("bag %d is %v, among more %v", i, bag, more[i])
		}
	}
	if slices.Equal(first[0], first[1]) || slices.Equal(first[0], Greedy{Bags: 1, Fraction: 0.5, Seed: 4}.bags(40)[0]) {
		t.Error("bags repeat")
	}
	if tiny := (Greedy{Bags: 1, Fraction: 0.01}).bags(3); len(tiny[0]) != 1 {
		t.Errorf("a bag of %v", tiny[0])
	}
}

func TestGreedyOnAHoldOutReadsItsRowsOnly(t *testing.T) {
	library, _, labels := skilledMembers(130, 5, 80, 3)
	target := must(ClassTarget(classNames(3), labels, nil))
	loss := must(ParseMetric("neg_log_loss"))
	held := []int64{70, 3, 12, 55, 20, 21, 22}
	var short Records
	for _, p := range library {
		part := must(NewPredictions(p.Name(), p.Shape()))
		for _, row := range held {
			if err := part.Fill(Fold{Rows: []int64{row}, Values: p.Row(int(row))}); err != nil {
				t.Fatal(err)
			}
		}
		short = append(short, part)
	}
	got := must(Greedy{Rounds: 8}.Select(t.Context(), HoldOut(library, held), target, loss))
	want := must(Greedy{Rounds: 8}.Select(t.Context(), short, target, loss))
	wantBits(t, "weights", got.Weights, want.Weights)
	wantBits(t, "singles", got.Singles, want.Singles)
	if library[0].Count() != 80 {
		t.Errorf("the library itself now has %d rows", library[0].Count())
	}
}

func TestGreedyRefusesAndMarks(t *testing.T) {
	library, _, labels := skilledMembers(140, 3, 20, 2)
	target := must(ClassTarget(classNames(2), labels, nil))
	accuracy := must(ParseMetric("accuracy"))
	for named, greedy := range map[string]Greedy{
		"-1 rounds":       {Rounds: -1},
		"start of 9":      {Rounds: 5, Initial: 9},
		"fraction of 1.5": {Fraction: 1.5},
		"-2 bags":         {Bags: -2},
	} {
		_, err := greedy.Select(t.Context(), library, target, accuracy)
		wantRefused(t, err, ErrInput, named)
	}
	labelled := Records{must(library[0].Labels())}
	_, err := Greedy{}.Select(t.Context(), labelled, target, accuracy)
	wantRefused(t, err, ErrInput, "labels of candidate m0")
	short := must(ClassTarget(classNames(2), labels[:19], nil))
	_, err = Greedy{}.Select(t.Context(), library, short, accuracy)
	wantRefused(t, err, ErrInput, "candidate m0 has 20 rows, the target 19")

	flat := make([]float64, 40)
	fill(flat, 0.5)
	s := must(Greedy{Rounds: 2}.Select(t.Context(), append(library, probabilities("flat", 2, flat)), target, accuracy))
	if len(s.Marks) != 1 || s.Marks[0] != "candidate flat: the predictions of all 20 rows are equal" {
		t.Errorf("marks are %q", s.Marks)
	}

	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := (Greedy{}).Select(ctx, library, target, accuracy); !errors.Is(err, context.Canceled) {
		t.Errorf("after a cancel: %v", err)
	}
}

// streamed makes each record anew, fold by fold, in the memory of one: as a library on disk does.
type streamed struct {
	n, rows, classes int
	record           *Predictions
	block            []float64
	at               []int64
}

func newStreamed(n, rows, classes int) *streamed {
	shape := Shape{Kind: KindProbabilities, Rows: rows, Classes: classNames(classes)}
	return &streamed{n: n, rows: rows, classes: classes, record: must(NewPredictions("", shape)),
		block: make([]float64, rows/5*classes), at: make([]int64, rows/5)}
}

func (s *streamed) Len() int { return s.n }

func (s *streamed) Record(_ context.Context, candidate int) (*Predictions, error) {
	s.record.Reset("streamed")
	for fold := range 5 {
		for i := range s.at {
			s.at[i] = int64(i*5 + fold)
			for j := range s.classes {
				s.block[i*s.classes+j] = 1 / float64(s.classes)
			}
			shift := 0.001 * float64((int(s.at[i])*7+candidate*13)%97)
			s.block[i*s.classes] -= shift
			s.block[i*s.classes+1] += shift
		}
		if err := s.record.Fill(Fold{Number: fold, Rows: s.at, Values: s.block}); err != nil {
			return nil, err
		}
	}
	return s.record, nil
}

// 200 candidates × 100,000 rows × 10 classes are 1.6 GB of probabilities. What selection allocates
// must follow one record (8 MB there) and not their number: at most 8 of them, 64 MB.
func TestMemoryFollowsOneRecordNotTheLibrary(t *testing.T) {
	const rows, classes, candidates = 1000, 10, 30
	const recordBytes = rows * classes * 8
	target := must(ClassTarget(classNames(classes), randomLabels(seeded(150), rows, classes), nil))
	everyThird := make([]int64, 0, rows)
	for row := int64(0); row < rows; row += 3 {
		everyThird = append(everyThird, row)
	}
	for name, work := range map[string]func(Library) error{
		"greedy log loss": func(l Library) error {
			_, err := Greedy{Rounds: 3, Initial: 2}.Select(t.Context(), l, target, must(ParseMetric("neg_log_loss")))
			return err
		},
		"greedy ROC AUC": func(l Library) error {
			_, err := Greedy{Rounds: 1}.Select(t.Context(), l, target, must(ParseMetric("roc_auc_ovr")))
			return err
		},
		"greedy on a hold-out": func(l Library) error {
			_, err := Greedy{Rounds: 2}.Select(t.Context(), HoldOut(l, everyThird), target, must(ParseMetric("accuracy")))
			return err
		},
		"mean":      func(l Library) error { _, err := Mean(t.Context(), l, nil); return err },
		"hard vote": func(l Library) error { _, err := HardVote(t.Context(), l, nil); return err },
		"soft vote": func(l Library) error { _, err := SoftVote(t.Context(), l, nil); return err },
	} {
		library := newStreamed(candidates, rows, classes)
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		if err := work(library); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		runtime.ReadMemStats(&after)
		if allocated := after.TotalAlloc - before.TotalAlloc; allocated > 8*recordBytes {
			t.Errorf("%s allocated %.1f records' worth", name, float64(allocated)/recordBytes)
		}
	}
}
