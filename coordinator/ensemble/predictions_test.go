package ensemble

import (
	"errors"
	"math"
	"slices"
	"strings"
	"testing"
)

// wantRefused checks that an error is of a kind and names the value.
func wantRefused(t *testing.T, err, kind error, named string) {
	t.Helper()
	if !errors.Is(err, kind) || !strings.Contains(err.Error(), named) {
		t.Errorf("got %v, want %v naming %q", err, kind, named)
	}
}

func TestRecordIsTheSameInAnyOrderOfFolds(t *testing.T) {
	random := seeded(10)
	for range 50 {
		rows, classes, folds := 1+random.IntN(60), 2+random.IntN(4), 1+random.IntN(5)
		want := probabilities("want", classes, randomProbabilities(random, rows, classes, false))
		shuffled := random.Perm(rows)
		p := must(NewPredictions("x", want.Shape()))
		for _, fold := range random.Perm(folds) {
			f := Fold{Number: fold}
			for i := fold; i < rows; i += folds {
				f.Rows = append(f.Rows, int64(shuffled[i]))
				f.Values = append(f.Values, want.Row(shuffled[i])...)
			}
			if err := p.Fill(f); err != nil {
				t.Fatal(err)
			}
		}
		wantBits(t, "record", p.values, want.values)
		if !p.Complete() {
			t.Fatalf("%d of %d rows predicted", p.Count(), rows)
		}
	}
}

func TestRowsNotPredictedAreMasked(t *testing.T) {
	p := must(NewPredictions("x", Shape{Kind: KindValues, Rows: 5, Targets: 2}))
	if err := p.Fill(Fold{Rows: []int64{4, 2}, Values: []float64{1, 2, 3, 4}}); err != nil {
		t.Fatal(err)
	}
	if p.Complete() || p.Count() != 2 || p.Predicted(0) || !p.Predicted(2) || !slices.Equal(p.Row(2), []float64{3, 4}) {
		t.Errorf("rows %v, values %v", p.predicted, p.values)
	}
	p.Reset("y")
	if p.Count() != 0 || p.Predicted(2) || p.Name() != "y" || !slices.Equal(p.Row(2), []float64{0, 0}) {
		t.Errorf("after a reset: rows %v, values %v", p.predicted, p.values)
	}
}

func TestColumnsFollowTheFoldsClasses(t *testing.T) {
	classes := []string{"a", "b", "c"}
	p := must(NewPredictions("svm", Shape{Kind: KindProbabilities, Rows: 3, Classes: classes}))
	for _, fold := range []Fold{
		{Number: 0, Rows: []int64{0}, Classes: []string{"c", "a", "b"}, Values: []float64{0.5, 0.2, 0.3}},
		{Number: 1, Rows: []int64{1}, Classes: []string{"a", "c"}, Values: []float64{0.1, 0.9}},
		{Number: 2, Rows: []int64{2}, Values: []float64{1, 0, 0}},
	} {
		if err := p.Fill(fold); err != nil {
			t.Fatal(err)
		}
	}
	wantBits(t, "record", p.values, []float64{0.2, 0.3, 0.5, 0.1, 0, 0.9, 1, 0, 0})
	marks := p.Marks()
	if len(marks) != 1 || !strings.Contains(marks[0], `fold 1: class "b"`) || !strings.Contains(marks[0], "svm") {
		t.Errorf("marks are %q", marks)
	}

	labels := must(NewPredictions("tree", Shape{Kind: KindLabels, Rows: 2, Classes: classes}))
	if err := labels.Fill(Fold{Rows: []int64{0, 1}, Classes: []string{"b", "c"}, Values: []float64{1, 0}}); err != nil {
		t.Fatal(err)
	}
	wantBits(t, "labels", labels.values, []float64{2, 1})

	decisions := must(NewPredictions("svm", Shape{Kind: KindDecisions, Rows: 1, Classes: []string{"a", "b", "c", "d"}}))
	if err := decisions.Fill(Fold{Rows: []int64{0}, Classes: []string{"a", "b", "d"}, Values: []float64{1, 2, 3}}); err != nil {
		t.Fatal(err)
	}
	wantBits(t, "decisions", decisions.values, []float64{1, 2, -math.MaxFloat64, 3})

	two := must(NewPredictions("svm", Shape{Kind: KindDecisions, Rows: 1, Classes: []string{"a", "b"}}))
	if err := two.Fill(Fold{Rows: []int64{0}, Classes: []string{"b", "a"}, Values: []float64{3}}); err != nil {
		t.Fatal(err)
	}
	wantBits(t, "decision", two.values, []float64{-3})
}

func TestFillRefusesBadFoldsAndLeavesTheRecord(t *testing.T) {
	p := must(NewPredictions("svm", Shape{Kind: KindProbabilities, Rows: 4, Classes: []string{"a", "b", "c"}}))
	if err := p.Fill(Fold{Rows: []int64{0}, Values: []float64{1, 0, 0}}); err != nil {
		t.Fatal(err)
	}
	row := []float64{0.2, 0.3, 0.5}
	for named, fold := range map[string]Fold{
		"row 4 of a dataset with 4":     {Rows: []int64{4}, Values: row},
		"row -1":                        {Rows: []int64{-1}, Values: row},
		"row 0 was predicted before":    {Rows: []int64{1, 0}, Values: slices.Concat(row, row)},
		"row 2 was predicted before":    {Rows: []int64{2, 2}, Values: slices.Concat(row, row)},
		"row 1, column 2 is NaN":        {Rows: []int64{1}, Values: []float64{0.5, 0.5, math.NaN()}},
		"row 1, column 0 is +Inf":       {Rows: []int64{1}, Values: []float64{math.Inf(1), 0, 0}},
		"2 numbers for 1 rows":          {Rows: []int64{1}, Values: []float64{0.5, 0.5}},
		`class "z" is not one of`:       {Rows: []int64{1}, Classes: []string{"a", "b", "z"}, Values: row},
		`class "a" is listed twice`:     {Rows: []int64{1}, Classes: []string{"a", "b", "a"}, Values: row},
		"candidate svm, fold 7: ensemb": {Number: 7, Rows: []int64{9}, Values: row},
	} {
		wantRefused(t, p.Fill(fold), ErrInput, named)
	}
	if p.Count() != 1 || p.Predicted(1) || p.Predicted(2) {
		t.Errorf("a refused fold left rows %v", p.predicted)
	}

	decisions := must(NewPredictions("svm", Shape{Kind: KindDecisions, Rows: 1, Classes: []string{"a", "b", "c"}}))
	err := decisions.Fill(Fold{Rows: []int64{0}, Classes: []string{"a", "c"}, Values: []float64{1}})
	wantRefused(t, err, ErrInput, `trained on 2 of 3 classes, ["a" "c"]`)
	labels := must(NewPredictions("tree", Shape{Kind: KindLabels, Rows: 1, Classes: []string{"a", "b"}}))
	wantRefused(t, labels.Fill(Fold{Rows: []int64{0}, Values: []float64{0.5}}), ErrInput, "label 0.5")
	values := must(NewPredictions("ridge", Shape{Kind: KindValues, Rows: 1, Targets: 1}))
	wantRefused(t, values.Fill(Fold{Rows: []int64{0}, Classes: []string{"a"}, Values: []float64{1}}), ErrInput, `["a"]`)
}

func TestShapesAreChecked(t *testing.T) {
	for named, shape := range map[string]Shape{
		"0 rows":                 {Kind: KindValues, Targets: 1},
		"0 targets":              {Kind: KindValues, Rows: 1},
		`1 classes ["a"]`:        {Kind: KindLabels, Rows: 1, Classes: []string{"a"}},
		`class "a" is listed`:    {Kind: KindProbabilities, Rows: 1, Classes: []string{"a", "a"}},
		"decisions with 2 targe": {Kind: KindDecisions, Rows: 1, Classes: []string{"a", "b"}, Targets: 2},
		"kind of predictions 9":  {Kind: 9, Rows: 1},
	} {
		_, err := NewPredictions("x", shape)
		wantRefused(t, err, ErrInput, named)
	}
}

func TestConstantPredictionsAreMarked(t *testing.T) {
	constant := probabilities("dummy", 2, []float64{0.3, 0.7, 0.3, 0.7, 0.3, 0.7})
	if marks := constant.Marks(); len(marks) != 1 || !strings.Contains(marks[0], "dummy: the predictions of all 3 rows are equal") {
		t.Errorf("marks are %q", marks)
	}
	if marks := probabilities("x", 2, []float64{0.3, 0.7, 0.7, 0.3}).Marks(); len(marks) != 0 {
		t.Errorf("marks are %q", marks)
	}
}

func TestTargetsAreChecked(t *testing.T) {
	classes := []string{"a", "b"}
	target := func(_ *Target, err error) error { return err }
	for named, err := range map[string]error{
		"row 1 has label 2":               target(ClassTarget(classes, []int{0, 2}, nil)),
		"without rows":                    target(ClassTarget(classes, nil, nil)),
		"weights sum to 0":                target(ClassTarget(classes, []int{0, 1}, []float64{0, 0})),
		"weight of row 1 is -2":           target(ClassTarget(classes, []int{0, 1}, []float64{1, -2})),
		"1 sample weights for 2":          target(ClassTarget(classes, []int{0, 1}, []float64{1})),
		"target of row 1 is NaN":          target(ValueTarget([]float64{0, 0, 0, math.NaN()}, 2, nil)),
		"3 numbers for 2 targets per row": target(ValueTarget([]float64{0, 0, 0}, 2, nil)),
	} {
		wantRefused(t, err, ErrInput, named)
	}
}

func TestScoreRefusesWhatDoesNotFit(t *testing.T) {
	target := must(ClassTarget([]string{"class00", "class01"}, []int{0, 1}, nil))
	accuracy, loss := must(ParseMetric("accuracy")), must(ParseMetric("neg_log_loss"))
	score := func(_ float64, err error) error { return err }
	three := probabilities("three", 3, []float64{1, 0, 0, 0, 1, 0})
	above := probabilities("above", 2, []float64{1.5, -0.5, 0, 1})
	values := record("ridge", KindValues, nil, 1, []float64{1, 2})
	long := probabilities("long", 2, []float64{1, 0, 0, 1, 1, 0})
	empty := must(NewPredictions("empty", above.Shape()))
	sole := must(ClassTarget([]string{"class00", "class01"}, []int{1, 1}, nil))
	for named, err := range map[string]error{
		"candidate three has classes":       score(accuracy.Score(target, three)),
		"probability 1.5":                   score(loss.Score(target, above)),
		"candidate ridge has classes []":    score(accuracy.Score(target, values)),
		"candidate long has 3 rows":         score(accuracy.Score(target, long)),
		"candidate empty predicted no rows": score(accuracy.Score(target, empty)),
		"use ParseMetric":                   score(Metric{}.Score(target, above)),
		"neg_log_loss can't score decisi":   score(loss.Score(target, record("d", KindDecisions, target.classes, 0, []float64{1, 2}))),
	} {
		wantRefused(t, err, ErrInput, named)
	}
	odd := probabilities("odd", 3, []float64{0.5, 0.4, 0, 0, 1, 0})
	weighted := must(ClassTarget(classNames(3), []int{0, 2}, []float64{1, 2}))
	for name, named := range map[string]string{
		"f1":          "3 classes: use f1_macro",
		"roc_auc":     "3 classes: use roc_auc_ovr",
		"roc_auc_ovo": "takes no sample weights",
		"roc_auc_ovr": "scores of a row sum to 0.9",
	} {
		metric := must(ParseMetric(name))
		if metric.Name() != name {
			t.Errorf("%s is called %s", name, metric.Name())
		}
		wantRefused(t, score(metric.Score(weighted, odd)), ErrInput, named)
	}
	_, err := must(ParseMetric("roc_auc")).Score(sole, above)
	wantRefused(t, err, ErrUndefined, `class "class01"`)
	_, err = ParseMetric("acuracy")
	wantRefused(t, err, ErrInput, `"acuracy": use one of accuracy, `)
	_, err = PinballMetric(1.5)
	wantRefused(t, err, ErrInput, "1.5")
}
