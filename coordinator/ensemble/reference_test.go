package ensemble

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// reference is one Python process that answers every differential test with scikit-learn's figures.
type reference struct {
	lock    sync.Mutex
	stop    context.CancelFunc
	command *exec.Cmd
	stdin   io.WriteCloser
	stdout  *bufio.Reader
	stderr  bytes.Buffer
}

// started says whether some test needed Python.
var started atomic.Bool

var startReference = sync.OnceValues(func() (*reference, error) {
	python := pythonPath()
	ctx, stop := context.WithTimeout(context.Background(), 4*time.Minute)
	r := &reference{stop: stop, command: exec.CommandContext(ctx, python, "testdata/reference.py")}
	r.command.Stderr = &r.stderr
	stdin, err := r.command.StdinPipe()
	if err != nil {
		return nil, err
	}
	stdout, err := r.command.StdoutPipe()
	if err != nil {
		return nil, err
	}
	r.stdin, r.stdout = stdin, bufio.NewReaderSize(stdout, 1<<20)
	if err := r.command.Start(); err != nil {
		return nil, fmt.Errorf("start %s: %w: run `make setup` or set CROSSFOLD_PYTHON", python, err)
	}
	return r, nil
})

func pythonPath() string {
	if path := os.Getenv("CROSSFOLD_PYTHON"); path != "" {
		return path
	}
	path := filepath.Join("..", "..", ".venv", "bin", "python")
	if _, err := os.Stat(path); err == nil {
		return path
	}
	return "python3"
}

func TestMain(m *testing.M) {
	code := m.Run()
	if started.Load() {
		if r, err := startReference(); err == nil {
			r.close()
		}
	}
	os.Exit(code)
}

func (r *reference) close() {
	defer r.stop()
	if err := r.stdin.Close(); err != nil {
		return
	}
	// The context of the command bounds this wait.
	_ = r.command.Wait()
}

type request map[string]any

// ask sends one request and decodes the answer.
func ask(t testing.TB, what string, arguments request, answer any) {
	t.Helper()
	started.Store(true)
	r, err := startReference()
	if err != nil {
		t.Fatal(err)
	}
	arguments["ask"] = what
	line, err := json.Marshal(arguments)
	if err != nil {
		t.Fatal(err)
	}
	r.lock.Lock()
	defer r.lock.Unlock()
	if _, err := r.stdin.Write(append(line, '\n')); err != nil {
		t.Fatalf("ask Python: %v\n%s", err, r.stderr.String())
	}
	reply, err := r.stdout.ReadBytes('\n')
	if err != nil {
		t.Fatalf("Python ended: %v\n%s", err, r.stderr.String())
	}
	if err := json.Unmarshal(reply, answer); err != nil {
		t.Fatalf("%v in %s", err, reply)
	}
}

// near reports whether two numbers agree to 1e-12, relative above 1 and absolute below.
func near(a, b float64) bool { return math.Abs(a-b) <= 1e-12*max(1, math.Abs(b)) }

func wantNear(t testing.TB, what string, got, want float64) {
	t.Helper()
	if !near(got, want) {
		t.Errorf("%s is %.17g, want %.17g", what, got, want)
	}
}

func wantBits(t testing.TB, what string, got, want []float64) {
	t.Helper()
	if len(got) != len(want) {
		t.Fatalf("%s: %d numbers, want %d", what, len(got), len(want))
	}
	for i := range got {
		if got[i] != want[i] {
			t.Fatalf("%s: number %d is %.17g, want exactly %.17g", what, i, got[i], want[i])
		}
	}
}

func must[T any](value T, err error) T {
	if err != nil {
		panic(err)
	}
	return value
}

func seeded(seed uint64) *rand.Rand { return rand.New(rand.NewPCG(seed, 1)) }

func classNames(n int) []string {
	names := make([]string, n)
	for i := range names {
		names[i] = fmt.Sprintf("class%02d", i)
	}
	return names
}

// randomProbabilities are rows that sum to 1; coarse makes ties common.
func randomProbabilities(random *rand.Rand, rows, classes int, coarse bool) []float64 {
	values := make([]float64, 0, rows*classes)
	for range rows {
		row := make([]float64, classes)
		for j := range row {
			row[j] = random.Float64() + 1e-3
			if coarse {
				row[j] = float64(1 + random.IntN(3))
			}
		}
		total := sum(row)
		for _, value := range row {
			values = append(values, value/total)
		}
	}
	return values
}

func randomValues(random *rand.Rand, n int) []float64 {
	values := make([]float64, n)
	for i := range values {
		values[i] = random.NormFloat64()
	}
	return values
}

// record makes a complete record from row-major values.
func record(name string, kind Kind, classes []string, targets int, values []float64) *Predictions {
	shape := Shape{Kind: kind, Classes: classes, Targets: targets, Rows: 1}
	shape.Rows = len(values) / shape.Outputs()
	p := must(NewPredictions(name, shape))
	rows := make([]int64, shape.Rows)
	for i := range rows {
		rows[i] = int64(i)
	}
	if err := p.Fill(Fold{Rows: rows, Values: values}); err != nil {
		panic(err)
	}
	return p
}

func probabilities(name string, classes int, values []float64) *Predictions {
	return record(name, KindProbabilities, classNames(classes), 0, values)
}
