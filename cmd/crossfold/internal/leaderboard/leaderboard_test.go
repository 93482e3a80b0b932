package leaderboard

import (
	"bytes"
	"encoding/json"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/apache/arrow/go/v15/arrow/memory"
	"github.com/apache/arrow/go/v15/parquet/file"
	"github.com/apache/arrow/go/v15/parquet/pqarrow"

	"github.com/crossfold/crossfold/coordinator/gather"
	pb "github.com/crossfold/crossfold/proto/crossfold/v1"
)

// results is a search of four candidates over two splits; the last one's fits raised.
func results() *gather.Results {
	spec := &pb.JobSpec{
		Code:   &pb.Code{Source: &pb.Code_Recipe{Recipe: &pb.Recipe{}}},
		Splits: []*pb.Split{{}, {}},
	}
	for _, params := range []string{`{"C":1,"kernel":"rbf"}`, `{"C":2,"kernel":"linear"}`, `{"C":3}`, `{"C":-1}`} {
		spec.Candidates = append(spec.Candidates, &pb.Candidate{Setting: &pb.Candidate_ParamsJson{ParamsJson: params}})
	}
	scores := []float64{0.5, 0.7, 1, 1, math.Copysign(0, -1), math.Copysign(0, -1), math.NaN(), math.NaN()}
	var units []*pb.Result
	for i, score := range scores {
		unit := &pb.Result{Index: uint32(i), Outcome: pb.Outcome_OUTCOME_OK, TestScores: map[string]float64{"score": score}}
		if math.IsNaN(score) {
			unit.Failure = &pb.Failure{Type: "builtins.ValueError", Message: "C must be positive\ngot -1"}
		}
		units = append(units, unit)
	}
	return gather.NewResults(spec, &pb.JobState{}, units)
}

func TestPrint(t *testing.T) {
	var out strings.Builder
	if err := Print(&out, results(), 3); err != nil {
		t.Fatal(err)
	}
	want := `rank  score            fit      parameters
1     1.0000 ± 0.0000  0.000 s  C=2  kernel=linear
2     0.6000 ± 0.1000  0.000 s  C=1  kernel=rbf
3     0.0000 ± 0.0000  0.000 s  C=3
and 1 more candidates

2 of 8 fits failed:
     2 × ValueError: C must be positive
`
	squeeze := func(s string) string { return strings.Join(strings.Fields(s), " ") }
	if squeeze(out.String()) != squeeze(want) {
		t.Errorf("got\n%s\nwant\n%s", &out, want)
	}
}

func TestJSONReadsBackAsItWas(t *testing.T) {
	var out bytes.Buffer
	if err := WriteJSON(&out, results().Table); err != nil {
		t.Fatal(err)
	}
	var columns map[string][]json.RawMessage
	if err := json.Unmarshal(out.Bytes(), &columns); err != nil {
		t.Fatalf("%v in\n%s", err, &out)
	}
	for name, want := range map[string]string{
		"mean_test_score":   `0.6 1.0 0.0 null`,
		"split0_test_score": `0.5 1.0 -0.0 null`,
		"rank_test_score":   `2 1 3 4`,
		"param_C":           `1 2 3 -1`,
		"param_kernel":      `"rbf" "linear" null null`,
	} {
		var got []string
		for _, value := range columns[name] {
			got = append(got, string(value))
		}
		if strings.Join(got, " ") != want {
			t.Errorf("%s is %s, want %s", name, strings.Join(got, " "), want)
		}
	}
	if string(columns["params"][0]) != `{"C":1,"kernel":"rbf"}` {
		t.Errorf("params %s", columns["params"][0])
	}
}

func TestParquetKeepsTypesAndGaps(t *testing.T) {
	var out bytes.Buffer
	if err := WriteParquet(&out, results().Table); err != nil {
		t.Fatal(err)
	}
	table, err := pqarrow.ReadTable(t.Context(), bytes.NewReader(out.Bytes()), nil,
		pqarrow.ArrowReadProperties{}, memory.DefaultAllocator)
	if err != nil {
		t.Fatal(err)
	}
	defer table.Release()
	for name, want := range map[string]struct {
		kind  string
		nulls int
	}{
		"mean_test_score": {"float64", 0}, "rank_test_score": {"int32", 0},
		"param_C": {"int64", 0}, "param_kernel": {"utf8", 2}, "params": {"utf8", 0},
	} {
		at := table.Schema().FieldIndices(name)
		if len(at) != 1 {
			t.Fatalf("column %s is there %d times", name, len(at))
		}
		column := table.Column(at[0])
		if column.DataType().Name() != want.kind || column.Data().NullN() != want.nulls || column.Len() != 4 {
			t.Errorf("%s: %s with %d gaps, want %v", name, column.DataType(), column.Data().NullN(), want)
		}
	}
}

func TestParameterTypes(t *testing.T) {
	for _, c := range []struct{ values, want string }{
		{`[1, 2]`, "int64"}, {`[1, 2.0]`, "float64"}, {`[1, 1e3]`, "float64"}, {`[true, false]`, "bool"},
		{`["a", "b"]`, "utf8"}, {`["a", 1]`, "utf8"}, {`[null, 1]`, "utf8"}, {`[[1], {}]`, "utf8"}, {`[1e999]`, "utf8"},
	} {
		var values []json.RawMessage
		if err := json.Unmarshal([]byte(c.values), &values); err != nil {
			t.Fatal(err)
		}
		a := parameterArray(values)
		if a.DataType().Name() != c.want || a.NullN() != 0 {
			t.Errorf("%s became %s", c.values, a)
		}
		a.Release()
	}
}

func TestSave(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "new", "out")
	if err := Save(dir, results().Table); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(filepath.Join(dir, "results.json"))
	if err != nil || !json.Valid(text) {
		t.Errorf("results.json: %v: %s", err, text)
	}
	reader, err := file.OpenParquetFile(filepath.Join(dir, "results.parquet"), false)
	if err != nil {
		t.Fatal(err)
	}
	defer reader.Close()
	if reader.NumRows() != 4 {
		t.Errorf("results.parquet has %d rows", reader.NumRows())
	}
	if entries, err := os.ReadDir(dir); err != nil || len(entries) != 2 {
		t.Errorf("left in the folder: %v, %v", entries, err)
	}
}
