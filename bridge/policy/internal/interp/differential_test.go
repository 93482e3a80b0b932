package interp

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/crossfold/crossfold/bridge/policy/internal/translate"
)

// outcome is how a program ended, under either interpreter.
type outcome struct {
	Repr    string `json:"repr"`
	Raised  string `json:"raised"`
	Line    int    `json:"line"`
	Stage   string `json:"stage"`
	Text    string `json:"text"`
	refusal string
}

// oracle is one CPython process that answers every program of a test.
type oracle struct {
	in  io.WriteCloser
	out *bufio.Scanner
}

func startOracle(t *testing.T) *oracle {
	t.Helper()
	python := os.Getenv("CROSSFOLD_PYTHON")
	if python == "" {
		python = "python3"
	}
	twin, err := filepath.Abs("../../../../python/crossfold")
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(python, "testdata/oracle.py", twin)
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatalf("the differential test needs CPython, set CROSSFOLD_PYTHON: %v", err)
	}
	watchdog := time.AfterFunc(4*time.Minute, func() { _ = cmd.Process.Kill() })
	t.Cleanup(func() {
		_ = in.Close()
		_ = cmd.Wait()
		watchdog.Stop()
	})
	scanner := bufio.NewScanner(out)
	scanner.Buffer(nil, 64<<20)
	return &oracle{in, scanner}
}

func (o *oracle) answer(t *testing.T, source string) outcome {
	t.Helper()
	line, err := json.Marshal(source)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := o.in.Write(append(line, '\n')); err != nil {
		t.Fatalf("CPython ended: %v", err)
	}
	if !o.out.Scan() {
		t.Fatalf("CPython ended on:\n%s", source)
	}
	var result outcome
	if err := json.Unmarshal(o.out.Bytes(), &result); err != nil {
		t.Fatal(err)
	}
	return result
}

// ours runs main() of source here.
func ours(source string) outcome {
	program, problems := translate.Translate(source)
	if len(problems) > 0 {
		return outcome{refusal: problems[0].Message, Line: problems[0].Line}
	}
	in, fault := Load(program, Limits{Steps: 200_000, Bytes: 16 << 20})
	if fault != nil {
		return faulted(fault)
	}
	value, fault := in.run("main", nil)
	if fault != nil {
		return faulted(fault)
	}
	text, err := in.repr(value)
	if fault := in.faultOf(err); fault != nil {
		return faulted(fault)
	}
	return outcome{Repr: text}
}

func faulted(fault *Fault) outcome {
	if fault.Kind != Exception {
		return outcome{refusal: fault.Message, Line: fault.Line}
	}
	return outcome{Raised: fault.Class, Line: fault.Line, Text: fault.Message}
}

// check compares one program and reports whether it was refused.
func check(t *testing.T, o *oracle, name, source string) (refused bool) {
	t.Helper()
	got := ours(source)
	if got.refusal != "" {
		return true
	}
	want := o.answer(t, source)
	switch {
	case want.Stage == "syntax":
		t.Errorf("%s: CPython refuses the syntax (%s), here it gave %+v\n%s", name, want.Text, got, source)
	case got.Repr != want.Repr || got.Raised != want.Raised:
		t.Errorf("%s: CPython gives %+v, here it gave %+v\n%s", name, want, got, source)
	case got.Line != want.Line && !continued(source, got.Line, want.Line):
		t.Errorf("%s: CPython raises at line %d, here at %d\n%s", name, want.Line, got.Line, source)
	}
	return false
}

// continued reports whether a statement that starts at line first goes on in brackets until line last: CPython
// names the line within a statement, a policy's error the line where the statement starts.
func continued(source string, first, last int) bool {
	lines := strings.Split(source, "\n")
	if first < 1 || first > last || last > len(lines) {
		return false
	}
	depth := 0
	for _, line := range lines[first-1 : last-1] {
		for _, c := range line {
			switch {
			case strings.ContainsRune("([{", c):
				depth++
			case strings.ContainsRune(")]}", c):
				depth--
			}
		}
		if depth <= 0 {
			return false
		}
	}
	return true
}

// snippets reads the programs of a file: expressions one a line, or programs parted by lines of dashes.
func snippets(t *testing.T, file string) []string {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("testdata", file))
	if err != nil {
		t.Fatal(err)
	}
	var list []string
	if strings.HasPrefix(file, "expressions") {
		for _, line := range strings.Split(string(data), "\n") {
			if line = strings.TrimSpace(line); line != "" && !strings.HasPrefix(line, "#") {
				list = append(list, "import math\ndef main():\n    return "+line+"\n")
			}
		}
		return list
	}
	for _, program := range strings.Split(string(data), "# ---\n") {
		if strings.TrimSpace(program) != "" {
			list = append(list, program)
		}
	}
	return list
}

func TestHandWrittenProgramsAnswerAsCPython(t *testing.T) {
	o := startOracle(t)
	total := 0
	for _, file := range []string{"expressions.txt", "programs.txt"} {
		refused := 0
		list := snippets(t, file)
		for _, source := range list {
			if check(t, o, file, source) {
				t.Logf("refused (%s):\n%s", ours(source).refusal, source)
				refused++
			}
		}
		total += len(list)
		if refused > len(list)/20 {
			t.Errorf("%s: %d of %d programs refused; they are all meant to run", file, refused, len(list))
		}
	}
	if total < 300 {
		t.Errorf("%d hand-written programs; want 300", total)
	}
}

// programs is how many random programs a test runs: CROSSFOLD_POLICY_PROGRAMS, or a slice that fits a test run.
func programs(t *testing.T, quick int) int {
	t.Helper()
	text := os.Getenv("CROSSFOLD_POLICY_PROGRAMS")
	if text == "" {
		return quick
	}
	n, err := strconv.Atoi(text)
	if err != nil {
		t.Fatalf("CROSSFOLD_POLICY_PROGRAMS=%q is not a number: %v", text, err)
	}
	return n
}

func TestRandomProgramsAnswerAsCPython(t *testing.T) {
	o := startOracle(t)
	n, refused := programs(t, 400), 0
	for seed := range n {
		if check(t, o, fmt.Sprintf("seed %d", seed), generate(uint64(seed))) {
			refused++
		}
	}
	t.Logf("%d programs, %d refused", n, refused)
	if refused > n/4 {
		t.Errorf("%d of %d programs refused; the test compares too little", refused, n)
	}
}

func TestBrokenProgramsAnswerAsCPythonOrAreRefused(t *testing.T) {
	o := startOracle(t)
	list := snippets(t, "programs.txt")
	n, refused := programs(t, 400), 0
	for seed := range n {
		source := list[seed%len(list)]
		if seed%3 == 0 {
			source = generate(uint64(seed / 10))
		}
		if check(t, o, fmt.Sprintf("mutant %d", seed), mutate(source, uint64(seed))) {
			refused++
		}
	}
	t.Logf("%d programs, %d refused", n, refused)
}
