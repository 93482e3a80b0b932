package partition

import (
	"encoding/json"
	"fmt"
	"math"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/apache/arrow/go/v15/arrow"
	"github.com/apache/arrow/go/v15/arrow/array"
	"github.com/apache/arrow/go/v15/arrow/memory"

	"github.com/crossfold/crossfold/arrowipc/internal/pythontest"
	pb "github.com/crossfold/crossfold/proto/crossfold/v1"
)

// splitCase is one call of a splitter, in scikit-learn's words.
type splitCase struct {
	Stratified bool    `json:"stratified"`
	Rows       int     `json:"rows"`
	Folds      int     `json:"folds"`
	Shuffle    bool    `json:"shuffle"`
	Seed       *uint32 `json:"seed"`
	// Labels holds one value per row.
	Labels []any `json:"labels,omitempty"`
	// Dtype is numpy's type of the labels, or "category".
	Dtype string `json:"dtype"`
}

// answer is what scikit-learn says to a case.
type answer struct {
	Train    [][]int64 `json:"train"`
	Test     [][]int64 `json:"test"`
	Warnings []string  `json:"warnings"`
	Error    string    `json:"error"`
}

const askScikitLearn = `
import json, sys, warnings
import numpy as np
from sklearn.model_selection import KFold, StratifiedKFold

answers = []
for case in json.load(sys.stdin):
    cls = StratifiedKFold if case["stratified"] else KFold
    y = None
    if case["stratified"]:
        dtype = case["dtype"]
        y = np.array(case["labels"], dtype=object if dtype in ("str", "category") else dtype)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            cv = cls(case["folds"], shuffle=case["shuffle"], random_state=case["seed"])
            splits = list(cv.split(np.zeros(case["rows"]), y))
        except ValueError as error:
            answers.append({"error": str(error)})
            continue
    answers.append({
        "train": [train.tolist() for train, _ in splits],
        "test": [test.tolist() for _, test in splits],
        "warnings": [str(w.message) for w in caught],
    })
json.dump(answers, sys.stdout)
`

func TestSplitsEqualScikitLearn(t *testing.T) {
	cases := splitCases()
	input, err := json.Marshal(cases)
	if err != nil {
		t.Fatal(err)
	}
	var answers []answer
	if err := json.Unmarshal(pythontest.Run(t, askScikitLearn, input), &answers); err != nil {
		t.Fatal(err)
	}
	made, refused, warned := 0, 0, 0
	for i, c := range cases {
		splits, warnings, err := c.run(t)
		want := answers[i]
		name := fmt.Sprintf("case %d (stratified=%v rows=%d folds=%d shuffle=%v dtype=%s)",
			i, c.Stratified, c.Rows, c.Folds, c.Shuffle, c.Dtype)
		if (err != nil) != (want.Error != "") {
			t.Errorf("%s: error %v, scikit-learn says %q", name, err, want.Error)
			continue
		}
		if err != nil {
			refused++
			continue
		}
		made++
		if !slices.Equal(warnings, want.Warnings) {
			t.Errorf("%s: warnings %q, scikit-learn says %q", name, warnings, want.Warnings)
		}
		warned += len(warnings)
		for f, s := range splits {
			if !slices.Equal(s.Train, want.Train[f]) || !slices.Equal(s.Test, want.Test[f]) {
				t.Errorf("%s: split %d differs", name, f)
				break
			}
		}
		if len(splits) != len(want.Test) {
			t.Errorf("%s: %d splits, want %d", name, len(splits), len(want.Test))
		}
	}
	if made < 500 || refused < 10 || warned < 10 {
		t.Errorf("compared %d splits, %d refusals, %d warnings: too few to mean anything", made, refused, warned)
	}
}

func (c splitCase) run(t *testing.T) ([]Split, []string, error) {
	t.Helper()
	spec := &pb.SplitSpec{
		Kind: pb.SplitSpec_KIND_KFOLD, NSplits: int32(c.Folds), Shuffle: c.Shuffle, RandomState: c.Seed,
	}
	if c.Stratified {
		spec.Kind = pb.SplitSpec_KIND_STRATIFIED_KFOLD
	}
	return Splits(spec, int64(c.Rows), func() (Labels, error) {
		if !c.Stratified {
			t.Error("KFold asked for labels")
		}
		chunked := c.chunked(t)
		defer chunked.Release()
		return LabelsOf(chunked)
	})
}

var arrowTypes = map[string]arrow.DataType{
	"bool": arrow.FixedWidthTypes.Boolean, "int8": arrow.PrimitiveTypes.Int8, "int64": arrow.PrimitiveTypes.Int64,
	"uint8": arrow.PrimitiveTypes.Uint8, "uint64": arrow.PrimitiveTypes.Uint64,
	"float32": arrow.PrimitiveTypes.Float32, "float64": arrow.PrimitiveTypes.Float64, "str": arrow.BinaryTypes.String,
	"category": &arrow.DictionaryType{IndexType: arrow.PrimitiveTypes.Int16, ValueType: arrow.BinaryTypes.String},
}

// chunked builds the case's labels in two chunks, so that classes must be told across chunks.
func (c splitCase) chunked(t *testing.T) *arrow.Chunked {
	t.Helper()
	dt := arrowTypes[c.Dtype]
	var chunks []arrow.Array
	for _, part := range [][]any{c.Labels[:len(c.Labels)/3], c.Labels[len(c.Labels)/3:]} {
		chunks = append(chunks, build(t, dt, part))
	}
	defer func() {
		for _, chunk := range chunks {
			chunk.Release()
		}
	}()
	return arrow.NewChunked(dt, chunks)
}

// build makes an array of dt from Go values; nil is null.
func build(t *testing.T, dt arrow.DataType, values []any) arrow.Array {
	t.Helper()
	text, err := json.Marshal(values)
	if err != nil {
		t.Fatal(err)
	}
	a, _, err := array.FromJSON(memory.DefaultAllocator, dt, strings.NewReader(string(text)))
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// splitCases generates calls over every mix of settings, some of them wrong.
func splitCases() []splitCase {
	random := rand.New(rand.NewPCG(1, 2))
	seeds := []uint32{0, 1, 42, 1<<31 - 1, 1 << 31, 1<<32 - 1}
	dtypes := []string{"bool", "int8", "int64", "uint8", "uint64", "float32", "float64", "str", "category"}
	var cases []splitCase
	for i := range 900 {
		c := splitCase{
			Stratified: i%3 != 0, Shuffle: i%2 == 0, Rows: 2 + random.IntN(120), Dtype: dtypes[i%len(dtypes)],
		}
		if i%100 == 99 {
			c.Rows = 1000 + random.IntN(3000) // more draws than one refill of the generator gives
		}
		c.Folds = 2 + random.IntN(10)
		if c.Shuffle {
			seed := random.Uint32()
			if i%4 == 0 {
				seed = seeds[i/4%len(seeds)]
			}
			c.Seed = &seed
		}
		if c.Stratified {
			c.Labels = labelsFor(random, c.Dtype, c.Rows)
		}
		cases = append(cases, c)
	}
	seed := uint32(7)
	return append(cases,
		splitCase{Rows: 10, Folds: 3, Seed: &seed},
		splitCase{Rows: 10, Folds: 1}, splitCase{Rows: 10, Folds: 0}, splitCase{Rows: 3, Folds: 4},
		splitCase{Stratified: true, Rows: 4, Folds: 2, Dtype: "float64", Labels: []any{0.5, 1.5, 0.5, 1.5}},
		splitCase{Stratified: true, Rows: 4, Folds: 2, Dtype: "float64", Labels: []any{1e19, 1., 1e19, 1.}},
		splitCase{Stratified: true, Rows: 4, Folds: 2, Dtype: "float64", Labels: []any{math.Copysign(0, -1), 0., 1., 1.}},
	)
}

// labelsFor draws labels of a few classes of very different sizes, first seen in any order.
func labelsFor(random *rand.Rand, dtype string, rows int) []any {
	classes := 1 + random.IntN(6)
	labels := make([]any, rows)
	for i := range labels {
		class := int(float64(classes) * random.Float64() * random.Float64())
		switch dtype {
		case "bool":
			labels[i] = class > 0
		case "str", "category":
			labels[i] = []string{"pear", "apple", "", "Äpfel", "zebra", "apple "}[class]
		case "uint64":
			labels[i] = uint64(1<<63) + uint64(2048*class)
		case "uint8":
			labels[i] = 250 - 40*class
		default:
			labels[i] = 7 - 5*class
		}
	}
	return labels
}

func TestIntervalEqualsNumpy(t *testing.T) {
	limits := []uint64{0, 1, 2, 5, 1<<16 + 3, 1<<32 - 1, 1 << 32, 1<<40 + 12345, 1<<63 - 2}
	const script = `
import json, sys
import numpy as np
draws = []
for limit in json.load(sys.stdin):
    random = np.random.RandomState(2026)
    draws.append([int(random.randint(0, limit + 1, dtype=np.uint64)) for _ in range(700)])
json.dump(draws, sys.stdout)
`
	input, _ := json.Marshal(limits)
	var want [][]uint64
	if err := json.Unmarshal(pythontest.Run(t, script, input), &want); err != nil {
		t.Fatal(err)
	}
	for i, limit := range limits {
		random := newMT19937(2026)
		got := make([]uint64, len(want[i]))
		for j := range got {
			got[j] = random.interval(limit)
		}
		if !reflect.DeepEqual(got, want[i]) {
			t.Errorf("draws from [0, %d] differ from numpy's", limit)
		}
	}
}
