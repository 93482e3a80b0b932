// Package partition makes the splits of cross validation, index for index as scikit-learn makes
// them: same folds, same order, same shuffles for the same seed. It does no I/O.
package partition

import (
	"errors"
	"fmt"
	"slices"

	pb "github.com/crossfold/crossfold/proto/crossfold/v1"
)

// ErrSpec says that a plan can't be carried out: its settings contradict each other or the data.
var ErrSpec = errors.New("invalid splits")

func invalid(format string, args ...any) error {
	return fmt.Errorf("partition: %w: "+format, append([]any{ErrSpec}, args...)...)
}

// Split is one (train rows, test rows) pair. Rows count from 0 and ascend.
type Split struct {
	Train, Test []int64
}

// Splits makes the splits that spec asks for over a dataset of so many rows. It calls labels, for
// the target column, only when the kind of split needs them. Warnings are what scikit-learn warns
// of: the splits are made all the same.
func Splits(spec *pb.SplitSpec, rows int64, labels func() (Labels, error)) (
	splits []Split, warnings []string, err error,
) {
	if spec == nil {
		return nil, nil, invalid("no split spec was given; say how to split")
	}
	k, shuffled, seed := int(spec.GetNSplits()), spec.GetShuffle(), spec.RandomState
	// KFold and StratifiedKFold check this too; here it saves reading labels in vain.
	if err := checkFolds(rows, k, shuffled, seed); err != nil {
		return nil, nil, err
	}
	switch spec.GetKind() {
	case pb.SplitSpec_KIND_KFOLD:
		splits, err = KFold(rows, k, shuffled, seed)
		return splits, nil, err
	case pb.SplitSpec_KIND_STRATIFIED_KFOLD:
		y, err := labels()
		if err != nil {
			return nil, nil, err
		}
		if int64(y.Len()) != rows {
			return nil, nil, invalid("y has %d labels and the dataset %d rows; give every row one label",
				y.Len(), rows)
		}
		splits, err = StratifiedKFold(y, k, shuffled, seed)
		if fewest := y.fewest(); err == nil && fewest < k {
			warnings = append(warnings, fmt.Sprintf("The least populated class in y has only %d members, "+
				"which is less than n_splits=%d.", fewest, k))
		}
		return splits, warnings, err
	default:
		return nil, nil, invalid("kind %s is not known; use KFOLD or STRATIFIED_KFOLD", spec.GetKind())
	}
}

// KFold splits n rows into k folds of equal size, the first n mod k one larger, as
// sklearn.model_selection.KFold does. shuffle needs a seed, and a seed needs shuffle.
func KFold(n int64, k int, shuffled bool, seed *uint32) ([]Split, error) {
	if err := checkFolds(n, k, shuffled, seed); err != nil {
		return nil, err
	}
	rows := make([]int64, n)
	for i := range rows {
		rows[i] = int64(i)
	}
	if shuffled {
		shuffle(newMT19937(*seed), rows)
	}
	fold := make([]int32, n)
	for f, next := 0, 0; f < k; f++ {
		size := int(n) / k
		if f < int(n)%k {
			size++
		}
		for _, row := range rows[next : next+size] {
			fold[row] = int32(f)
		}
		next += size
	}
	return splitsOf(fold, k), nil
}

// StratifiedKFold splits rows into k folds that keep the classes' shares, as
// sklearn.model_selection.StratifiedKFold does. A class may have fewer members than k, not all may.
func StratifiedKFold(y Labels, k int, shuffled bool, seed *uint32) ([]Split, error) {
	if err := checkFolds(int64(y.Len()), k, shuffled, seed); err != nil {
		return nil, err
	}
	counts := y.counts()
	if most := slices.Max(counts); k > most {
		return nil, invalid("n_splits=%d cannot be greater than the number of members in each class, "+
			"and the largest class has %d; ask for at most %d splits, or for KFold", k, most, most)
	}
	var random *mt19937
	if shuffled {
		random = newMT19937(*seed)
	}
	// Folds are dealt out round robin over the rows sorted by class, so a class that begins at
	// position p of that order gives its first row to fold p mod k. The rows of a class then take
	// its folds in ascending order, in blocks, unless they are shuffled.
	folds := make([][]int32, len(counts))
	position := 0
	for class, count := range counts {
		folds[class] = make([]int32, 0, count)
		for f := range k {
			first := (f - position%k + k) % k
			for i := first; i < count; i += k {
				folds[class] = append(folds[class], int32(f))
			}
		}
		position += count
		if shuffled {
			shuffle(random, folds[class])
		}
	}
	fold := make([]int32, y.Len())
	for row, class := range y.codes {
		fold[row] = folds[class][0]
		folds[class] = folds[class][1:]
	}
	return splitsOf(fold, k), nil
}

// checkFolds refuses what no splitter can do.
func checkFolds(rows int64, k int, shuffled bool, seed *uint32) error {
	switch {
	case k < 2:
		return invalid("n_splits=%d; ask for at least 2", k)
	case int64(k) > rows:
		return invalid("cannot have n_splits=%d greater than the number of rows, %d; ask for at most %d splits, "+
			"or bring more rows", k, rows, rows)
	case !shuffled && seed != nil:
		return invalid("random_state=%d has no effect without shuffle; leave it out, or set shuffle", *seed)
	case shuffled && seed == nil:
		return invalid("shuffle needs a random_state; draw one and record it, so that a restart makes the same splits")
	}
	return nil
}

// splitsOf turns each row's fold into k splits.
func splitsOf(fold []int32, k int) []Split {
	sizes := make([]int, k)
	for _, f := range fold {
		sizes[f]++
	}
	splits := make([]Split, k)
	for f := range splits {
		train := make([]int64, 0, len(fold)-sizes[f])
		test := make([]int64, 0, sizes[f])
		for row, of := range fold {
			if int(of) == f {
				test = append(test, int64(row))
			} else {
				train = append(train, int64(row))
			}
		}
		splits[f] = Split{Train: train, Test: test}
	}
	return splits
}
