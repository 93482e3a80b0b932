package ensemble

import (
	"context"
	"fmt"
	"io"
	"math"
	"slices"
	"testing"
)

func randomMembers(seed uint64, n, rows, classes int, coarse bool) (Records, [][]float64) {
	random := seeded(seed)
	var library Records
	var values [][]float64
	for i := range n {
		values = append(values, randomProbabilities(random, rows, classes, coarse))
		library = append(library, probabilities(fmt.Sprintf("m%d", i), classes, values[i]))
	}
	return library, values
}

func TestVotesEqualVotingClassifierToTheBit(t *testing.T) {
	for i, weights := range [][]float64{nil, {1, 1, 1, 1}, {0.1, 0.7, 0, 1.3}, {2, 1, 1, 2}} {
		for _, classes := range []int{2, 5} {
			for _, coarse := range []bool{false, true} {
				library, members := randomMembers(uint64(20+i), 4, 120, classes, coarse)
				var want struct{ Mean, Soft, Hard []float64 }
				ask(t, "vote", request{"members": members, "outputs": classes, "weights": weights}, &want)
				wantBits(t, "mean", must(Mean(t.Context(), library, weights)).values, want.Mean)
				wantBits(t, "soft vote", must(SoftVote(t.Context(), library, weights)).values, want.Soft)
				wantBits(t, "hard vote", must(HardVote(t.Context(), library, weights)).values, want.Hard)
			}
		}
	}
}

func TestMeanEqualsVotingRegressorToTheBit(t *testing.T) {
	random := seeded(30)
	for _, n := range []int{2, 9, 30} {
		var library Records
		var members [][]float64
		weights := make([]float64, n)
		for i := range n {
			members = append(members, randomValues(random, 50))
			library = append(library, record(fmt.Sprint(i), KindValues, nil, 1, members[i]))
			weights[i] = random.Float64()
		}
		for _, weights := range [][]float64{nil, weights} {
			var want []float64
			ask(t, "regress", request{"members": members, "outputs": 1, "weights": weights}, &want)
			wantBits(t, "mean", must(Mean(t.Context(), library, weights)).values, want)
		}
	}
}

func TestMeansOfFoldsAndPartitions(t *testing.T) {
	library := Records{
		record("a", KindValues, nil, 1, []float64{1, 4}),
		record("b", KindValues, nil, 1, []float64{3, 8}),
	}
	wantBits(t, "folds", must(MeanOfFolds(t.Context(), library)).values, []float64{2, 6})
	wantBits(t, "partitions", must(MeanOfPartitions(t.Context(), library, []int64{300, 100})).values, []float64{1.5, 5})
	_, err := MeanOfPartitions(t.Context(), library, []int64{300, -1})
	wantRefused(t, err, ErrInput, "weight 1 is -1")
}

func TestRankAverageEqualsScipy(t *testing.T) {
	for i, weights := range [][]float64{nil, {1, 0, 2.5}} {
		library, members := randomMembers(uint64(40+i), 3, 90, 4, true)
		var want []float64
		ask(t, "rank", request{"members": members, "outputs": 4, "weights": weights}, &want)
		for j, got := range must(RankAverage(t.Context(), library, weights)).values {
			wantNear(t, "rank average", got, want[j])
		}
	}
}

func TestRankAverageIgnoresScale(t *testing.T) {
	random := seeded(42)
	scores := randomValues(random, 60)
	moved := make([]float64, len(scores))
	for i, score := range scores {
		moved[i] = math.Atan(score) * 1000
	}
	other := record("other", KindDecisions, classNames(2), 0, randomValues(random, 60))
	one := Records{record("a", KindDecisions, classNames(2), 0, scores), other}
	two := Records{record("a", KindDecisions, classNames(2), 0, moved), other}
	wantBits(t, "ranks", must(RankAverage(t.Context(), one, nil)).values, must(RankAverage(t.Context(), two, nil)).values)
}

func TestRankAverageOfTwoClassesIsTheSecondClass(t *testing.T) {
	library := Records{probabilities("a", 2, []float64{0.1, 0.9, 0.8, 0.2, 0.5, 0.5})}
	average := must(RankAverage(t.Context(), library, nil))
	if average.Shape().Kind != KindDecisions {
		t.Errorf("the kind is %s", average.Shape().Kind)
	}
	wantBits(t, "ranks", average.values, []float64{1.0 / 3, -1.0 / 3, 0})
}

func TestCombinationsKeepTheRowsOfTheirMembers(t *testing.T) {
	shape := Shape{Kind: KindProbabilities, Rows: 4, Classes: classNames(2)}
	var library Records
	for i := range 3 {
		p := must(NewPredictions(fmt.Sprint(i), shape))
		if err := p.Fill(Fold{Rows: []int64{1, 3}, Values: []float64{0.25, 0.75, 1, 0}}); err != nil {
			t.Fatal(err)
		}
		library = append(library, p)
	}
	for name, combine := range map[string]func(context.Context, Library, []float64) (*Predictions, error){
		"mean": Mean, "hard": HardVote, "soft": SoftVote, "rank": RankAverage,
	} {
		result := must(combine(t.Context(), library, nil))
		if !slices.Equal(result.predicted, []bool{false, true, false, true}) || result.Count() != 2 {
			t.Errorf("%s: rows %v", name, result.predicted)
		}
	}
	wantBits(t, "mean", must(Mean(t.Context(), library, nil)).values, []float64{0, 0, 0.25, 0.75, 0, 0, 1, 0})
}

func TestVotesDoNotDependOnTheOrderOfMembers(t *testing.T) {
	library, _ := randomMembers(50, 5, 80, 3, true)
	want := must(HardVote(t.Context(), library, nil)).values
	slices.Reverse(library)
	wantBits(t, "hard vote", must(HardVote(t.Context(), library, nil)).values, want)
}

func TestStackEqualsStackingClassifierToTheBit(t *testing.T) {
	for _, classes := range []int{2, 4} {
		library, members := randomMembers(60, 3, 40, classes, false)
		var want [][]float64
		ask(t, "stack", request{"members": members, "outputs": classes}, &want)
		columns := must(Stack(t.Context(), library))
		if len(columns) != len(want) {
			t.Fatalf("%d columns, want %d", len(columns), len(want))
		}
		for i, column := range columns {
			wantBits(t, column.Name, column.Values, want[i])
		}
	}
	library, _ := randomMembers(61, 1, 3, 3, false)
	library = append(library, record("knn", KindLabels, classNames(3), 0, []float64{2, 0, 1}))
	var names []string
	for _, column := range must(Stack(t.Context(), library)) {
		names = append(names, column.Name)
	}
	if want := []string{"m0_class00", "m0_class01", "m0_class02", "knn"}; !slices.Equal(names, want) {
		t.Errorf("columns are %q, want %q", names, want)
	}
}

func TestMembersThatDoNotMatchAreRefused(t *testing.T) {
	two := probabilities("two", 2, []float64{1, 0, 0, 1})
	partial := must(NewPredictions("partial", two.Shape()))
	if err := partial.Fill(Fold{Rows: []int64{1}, Values: []float64{0, 1}}); err != nil {
		t.Fatal(err)
	}
	renamed := record("renamed", KindProbabilities, []string{"class00", "other"}, 0, []float64{1, 0, 0, 1})
	for named, odd := range map[string]*Predictions{
		"row 0 is predicted by one of them only": partial,
		`classes ["class00" "other"] against`:    renamed,
		"3 rows against 2":                       probabilities("long", 2, []float64{1, 0, 0, 1, 1, 0}),
		"decisions against probabilities":        record("d", KindDecisions, classNames(2), 0, []float64{1, 2}),
	} {
		_, err := Mean(t.Context(), Records{two, odd}, nil)
		wantRefused(t, err, ErrInput, named)
		wantRefused(t, err, ErrInput, odd.Name())
	}
	_, err := Stack(t.Context(), Records{two, partial})
	wantRefused(t, err, ErrInput, "predicted 1 of 2 rows")
	_, err = Stack(t.Context(), Records{two, renamed})
	wantRefused(t, err, ErrInput, "renamed")
	_, err = Mean(t.Context(), Records{}, nil)
	wantRefused(t, err, ErrInput, "no candidates")
}

// unreadable is a library whose records after the first can't be read.
type unreadable struct{ Records }

func (u unreadable) Record(ctx context.Context, candidate int) (*Predictions, error) {
	if candidate > 0 {
		return nil, io.ErrUnexpectedEOF
	}
	return u.Records.Record(ctx, candidate)
}

func TestErrorsOfTheLibraryNameTheCandidate(t *testing.T) {
	records, _ := randomMembers(71, 2, 4, 2, false)
	library := unreadable{records}
	target := must(ClassTarget(classNames(2), []int{0, 1, 0, 1}, nil))
	for _, work := range []func() error{
		func() error { _, err := Mean(t.Context(), library, nil); return err },
		func() error { _, err := HardVote(t.Context(), library, nil); return err },
		func() error { _, err := RankAverage(t.Context(), library, nil); return err },
		func() error { _, err := Stack(t.Context(), library); return err },
		func() error { _, err := Blend(t.Context(), library, target, []int64{0, 1}); return err },
		func() error {
			_, err := Greedy{}.Select(t.Context(), library, target, must(ParseMetric("accuracy")))
			return err
		},
	} {
		wantRefused(t, work(), io.ErrUnexpectedEOF, "candidate 1")
	}
}

func TestWeightsAreChecked(t *testing.T) {
	library, _ := randomMembers(70, 2, 5, 2, false)
	for named, weights := range map[string][]float64{
		"sum to 0":       {0, 0},
		"weight 1 is -1": {2, -1},
		"is NaN":         {1, math.NaN()},
		"weight 0 is +I": {math.Inf(1), 1},
		"3 weights for":  {1, 1, 1},
		"sum to +Inf":    {math.MaxFloat64, math.MaxFloat64},
	} {
		for _, combine := range []func(context.Context, Library, []float64) (*Predictions, error){Mean, HardVote, SoftVote, RankAverage} {
			_, err := combine(t.Context(), library, weights)
			wantRefused(t, err, ErrInput, named)
		}
	}
}

func TestCombinersRefuseTheWrongKind(t *testing.T) {
	labels := Records{record("tree", KindLabels, classNames(2), 0, []float64{0, 1})}
	values := Records{record("ridge", KindValues, nil, 1, []float64{0, 1})}
	_, err := Mean(t.Context(), labels, nil)
	wantRefused(t, err, ErrInput, "labels of candidate tree")
	_, err = HardVote(t.Context(), values, nil)
	wantRefused(t, err, ErrInput, "values of candidate ridge")
	_, err = SoftVote(t.Context(), values, nil)
	wantRefused(t, err, ErrInput, "values have no classes")
	_, err = RankAverage(t.Context(), values, nil)
	wantRefused(t, err, ErrInput, "values of candidate ridge")
}

func TestBlendEqualsScipysNonNegativeLeastSquares(t *testing.T) {
	random := seeded(80)
	for _, members := range []int{1, 3, 12, 12, 12, 12} {
		const rows = 60
		truth, shared := randomValues(random, rows), randomValues(random, rows)
		weights := randomWeights(random, rows)
		var library Records
		var values [][]float64
		for i := range members {
			value := randomValues(random, rows)
			for row := range value {
				// Errors in common make good members drop out again when better ones come in.
				value[row] = truth[row]*random.Float64() + 0.5*value[row] + float64(i%4)*shared[row]
			}
			values = append(values, value)
			library = append(library, record(fmt.Sprint(i), KindValues, nil, 1, value))
		}
		var want []float64
		ask(t, "blend", request{"members": values, "outputs": 1, "truth": truth, "weights": weights}, &want)
		all := make([]int64, rows)
		for i := range all {
			all[i] = int64(i)
		}
		got := must(Blend(t.Context(), library, must(ValueTarget(truth, 1, weights)), all))
		for i := range got {
			if math.Abs(got[i]-want[i]) > 1e-9 {
				t.Errorf("weight %d of %d is %v, want %v", i, members, got[i], want[i])
			}
		}
	}
}

func TestBlendIsTheSameInTiles(t *testing.T) {
	library, _ := randomMembers(83, 7, 30, 3, false)
	target := must(ClassTarget(classNames(3), randomLabels(seeded(84), 30, 3), randomWeights(seeded(85), 30)))
	products := func(bytes int) *blend {
		b := &blend{members: must(openMembers(t.Context(), library)), target: target}
		if err := b.multiply(t.Context(), bytes); err != nil {
			t.Fatal(err)
		}
		return b
	}
	whole := products(tileBytes)
	for _, held := range []int{0, 2, 3} {
		tiled := products(held * 30 * 3 * 8)
		wantBits(t, "moment", tiled.moment, whole.moment)
		for i := range whole.gram {
			wantAllNear(t, "gram", tiled.gram[i], whole.gram[i])
		}
	}
}

func TestBlendLooksAtTheHoldOutOnly(t *testing.T) {
	// On rows 0 to 2 the first member is right, on row 3 the second.
	library := Records{
		record("a", KindValues, nil, 1, []float64{1, 2, 3, -9}),
		record("b", KindValues, nil, 1, []float64{-1, -1, -1, 4}),
	}
	target := must(ValueTarget([]float64{1, 2, 3, 4}, 1, nil))
	wantBits(t, "weights", must(Blend(t.Context(), library, target, []int64{2, 0, 1})), []float64{1, 0})
	wantBits(t, "weights", must(Blend(t.Context(), library, target, []int64{3})), []float64{0, 1})
	_, err := Blend(t.Context(), library, target, []int64{4})
	wantRefused(t, err, ErrInput, "hold-out row 4")
	_, err = Blend(t.Context(), library, target, []int64{1, 1})
	wantRefused(t, err, ErrInput, "hold-out row 1 is listed twice")
	_, err = Blend(t.Context(), library[1:], target, []int64{0, 1})
	wantRefused(t, err, ErrUndefined, "no member helps on the 2 rows")
}

func TestBlendOfEqualMembersUsesOne(t *testing.T) {
	library, _ := randomMembers(81, 1, 30, 3, false)
	library = append(library, library[0], library[0])
	target := must(ClassTarget(classNames(3), randomLabels(seeded(82), 30, 3), nil))
	rows := []int64{0, 1, 2, 3, 4, 5, 6, 7, 8, 9}
	wantBits(t, "weights", must(Blend(t.Context(), library, target, rows)), []float64{1, 0, 0})
}
