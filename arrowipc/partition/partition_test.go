package partition

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"testing/quick"

	"github.com/apache/arrow/go/v15/arrow"

	pb "github.com/crossfold/crossfold/proto/crossfold/v1"
)

// checkPlan says what is wrong with splits of n rows into k folds, if anything is.
func checkPlan(splits []Split, n, k int) string {
	if len(splits) != k {
		return "wrong number of splits"
	}
	tested := make([]int, n)
	smallest, largest := n, 0
	for _, s := range splits {
		if len(s.Train)+len(s.Test) != n {
			return "train and test do not add up to all rows"
		}
		if !slices.IsSorted(s.Train) || !slices.IsSorted(s.Test) {
			return "rows are not in order"
		}
		both := slices.Concat(s.Train, s.Test)
		slices.Sort(both)
		if len(slices.Compact(both)) != n {
			return "train and test share a row"
		}
		for _, row := range s.Test {
			tested[row]++
		}
		smallest, largest = min(smallest, len(s.Test)), max(largest, len(s.Test))
	}
	if slices.Min(tested) != 1 || slices.Max(tested) != 1 {
		return "a row is not tested exactly once"
	}
	if largest-smallest > 1 {
		return "fold sizes differ by more than one"
	}
	return ""
}

func TestKFoldPartitionsRows(t *testing.T) {
	property := func(rows uint8, folds uint8, shuffled bool, seed uint32) bool {
		k := int(folds)%20 + 2
		n := int(rows) + k
		s := &seed
		if !shuffled {
			s = nil
		}
		splits, err := KFold(int64(n), k, shuffled, s)
		if problem := checkPlan(splits, n, k); err != nil || problem != "" {
			t.Log(n, k, shuffled, seed, problem, err)
			return false
		}
		return true
	}
	if err := quick.Check(property, nil); err != nil {
		t.Error(err)
	}
}

func TestStratifiedKFoldKeepsTheClassesShares(t *testing.T) {
	property := func(classes []uint8, folds uint8, shuffled bool, seed uint32) bool {
		k := int(folds)%6 + 2
		var y Labels
		for class := range 4 {
			// Every class has k members at least, spread over the rows.
			for range k {
				y.codes = append(y.codes, int32(class))
			}
		}
		for _, c := range classes {
			y.codes = append(y.codes, int32(c%4))
		}
		y.classes = 4
		s := &seed
		if !shuffled {
			s = nil
		}
		splits, err := StratifiedKFold(y, k, shuffled, s)
		if problem := checkPlan(splits, y.Len(), k); err != nil || problem != "" {
			t.Log(y, k, shuffled, seed, problem, err)
			return false
		}
		for class, count := range y.counts() {
			for _, split := range splits {
				members := 0
				for _, row := range split.Test {
					if int(y.codes[row]) == class {
						members++
					}
				}
				if members < count/k || members > (count+k-1)/k {
					t.Logf("class %d of %d rows has %d in a fold of %d", class, count, members, k)
					return false
				}
			}
		}
		return true
	}
	if err := quick.Check(property, nil); err != nil {
		t.Error(err)
	}
}

func TestSameSeedSameSplits(t *testing.T) {
	seed := uint32(5)
	a, _ := KFold(100, 5, true, &seed)
	b, _ := KFold(100, 5, true, &seed)
	other := uint32(6)
	c, _ := KFold(100, 5, true, &other)
	equal := func(a, b Split) bool { return slices.Equal(a.Test, b.Test) }
	if !slices.EqualFunc(a, b, equal) || slices.EqualFunc(a, c, equal) {
		t.Error("splits are not decided by the seed")
	}
}

func labelsOf(t *testing.T, dt arrow.DataType, values ...any) (Labels, error) {
	t.Helper()
	a := build(t, dt, values)
	defer a.Release()
	return LabelsOf(a)
}

func TestSplitsErrorsSayWhatToDo(t *testing.T) {
	seed := uint32(3)
	kfold, stratified := pb.SplitSpec_KIND_KFOLD, pb.SplitSpec_KIND_STRATIFIED_KFOLD
	y := func() (Labels, error) { return labelsOf(t, arrow.BinaryTypes.String, "a", "b", "a", "b") }
	for name, c := range map[string]struct {
		spec *pb.SplitSpec
		rows int64
		want []string
	}{
		"more folds than rows": {&pb.SplitSpec{Kind: kfold, NSplits: 9}, 4, []string{"n_splits=9", "4", "at most 4"}},
		"one fold":             {&pb.SplitSpec{Kind: kfold, NSplits: 1}, 4, []string{"n_splits=1", "at least 2"}},
		"no spec":              {nil, 4, []string{"no split spec"}},
		"negative folds":       {&pb.SplitSpec{Kind: kfold, NSplits: -3}, 4, []string{"n_splits=-3"}},
		"no kind":              {&pb.SplitSpec{NSplits: 2}, 4, []string{"KIND_UNSPECIFIED", "KFOLD"}},
		"seed without shuffle": {&pb.SplitSpec{Kind: kfold, NSplits: 2, RandomState: &seed}, 4,
			[]string{"random_state=3", "set shuffle"}},
		"shuffle without seed": {&pb.SplitSpec{Kind: kfold, NSplits: 2, Shuffle: true}, 4, []string{"random_state", "draw one"}},
		"classes too small":    {&pb.SplitSpec{Kind: stratified, NSplits: 3}, 4, []string{"n_splits=3", "has 2", "at most 2"}},
		"labels missing":       {&pb.SplitSpec{Kind: stratified, NSplits: 2}, 5, []string{"4 labels", "5 rows"}},
	} {
		_, _, err := Splits(c.spec, c.rows, y)
		if !errors.Is(err, ErrSpec) {
			t.Errorf("%s: %v, want ErrSpec", name, err)
			continue
		}
		for _, part := range c.want {
			if !strings.Contains(err.Error(), part) {
				t.Errorf("%s: %q does not say %q", name, err, part)
			}
		}
	}
	broken := errors.New("no such column")
	_, _, err := Splits(&pb.SplitSpec{Kind: stratified, NSplits: 2}, 4, func() (Labels, error) { return Labels{}, broken })
	if !errors.Is(err, broken) {
		t.Errorf("error of labels is lost: %v", err)
	}
}

func TestLabelsOf(t *testing.T) {
	category := arrowTypes["category"]
	for name, c := range map[string]struct {
		dt     arrow.DataType
		values []any
		codes  []int32
		err    string
	}{
		"order of appearance": {arrow.BinaryTypes.LargeString, []any{"z", "a", "z", "m"}, []int32{0, 1, 0, 2}, ""},
		"whole floats":        {arrow.PrimitiveTypes.Float32, []any{2.0, -1.0, 2.0}, []int32{0, 1, 0}, ""},
		"dictionary":          {category, []any{"x", "y", "x"}, []int32{0, 1, 0}, ""},
		"half floats":         {arrow.FixedWidthTypes.Float16, []any{1.0, 3.0}, []int32{0, 1}, ""},
		"null":                {arrow.PrimitiveTypes.Int64, []any{1, 2, nil, nil}, nil, "no value in row 2"},
		"null of a category":  {category, []any{"x", nil}, nil, "no value in row 1"},
		"fraction":            {arrow.PrimitiveTypes.Float64, []any{1.0, 2.5}, nil, "2.5 in row 1"},
		"dates":               {arrow.FixedWidthTypes.Date32, []any{"2020-01-01"}, nil, "date32"},
	} {
		y, err := labelsOf(t, c.dt, c.values...)
		switch {
		case c.err == "" && (err != nil || !slices.Equal(y.codes, c.codes)):
			t.Errorf("%s: codes %v, %v; want %v", name, y.codes, err, c.codes)
		case c.err != "" && (err == nil || !strings.Contains(err.Error(), c.err)):
			t.Errorf("%s: %v, want an error that says %q", name, err, c.err)
		}
	}
}

func TestLabelsOfNamesTheFirstNaN(t *testing.T) {
	c := splitCase{Dtype: "float64", Labels: []any{1., 1., 1., 1., "NaN", "NaN"}}
	chunked := c.chunked(t)
	defer chunked.Release()
	if _, err := LabelsOf(chunked); err == nil || !strings.Contains(err.Error(), "NaN in row 4") {
		t.Errorf("error %v, want one that names row 4", err)
	}
}
