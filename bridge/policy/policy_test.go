package policy_test

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/crossfold/crossfold/bridge/policy"
)

// TestMain makes the test binary its own policy child.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == "policy-child" {
		os.Exit(policy.Child())
	}
	os.Exit(m.Run())
}

func open(t *testing.T, source string, change ...func(*policy.Config)) *policy.Policy {
	t.Helper()
	config := policy.Config{Source: source, Name: "rules.py", Deadline: 10 * time.Second}
	for _, c := range change {
		c(&config)
	}
	p, err := policy.Open(t.Context(), config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := p.Close(); err != nil {
			t.Error(err)
		}
	})
	return p
}

func call(t *testing.T, p *policy.Policy, function, args string) string {
	t.Helper()
	value, err := p.Call(t.Context(), function, json.RawMessage(args))
	if err != nil {
		t.Fatalf("%s%s: %v", function, args, err)
	}
	return string(value)
}

func failure(t *testing.T, p *policy.Policy, function, args string) *policy.Error {
	t.Helper()
	value, err := p.Call(t.Context(), function, json.RawMessage(args))
	var failed *policy.Error
	if !errors.As(err, &failed) {
		t.Fatalf("%s%s gave %s, %v; want a *policy.Error", function, args, value, err)
	}
	return failed
}

func TestValuesKeepTheirTypesInBothDirections(t *testing.T) {
	p := open(t, "def same(x):\n    return x\n")
	for _, value := range []string{
		"1", "1.0", "-0.0", "1e+16", "1e-05", "0.1", "123456789012345678901234567890", "-9223372036854775808",
		"true", "null", `"text <&> é"`, `"\u0000"`, `[1,1.0,[],{}]`, `{"b":1,"a":2.0,"c":{"z":[null]}}`,
		`{"$float":"nan"}`, `{"$float":"inf"}`, `{"$float":"-inf"}`, `"日本"`, `"\\ud800"`,
	} {
		if got := call(t, p, "same", "["+value+"]"); got != value {
			t.Errorf("%s came back as %s", value, got)
		}
	}
}

func TestWhatJSONCannotHoldIsRefused(t *testing.T) {
	p := open(t, `
def keys():
    return {1: 2}
def tag():
    return {"$float": "nan"}
def function():
    return keys
def elements():
    return {1, 2}
def loop():
    a = []
    a.append(a)
    return a
`)
	for _, name := range []string{"keys", "tag", "function", "elements"} {
		if err := failure(t, p, name, "[]"); !errors.Is(err, policy.ErrRefused) || err.Instead == "" {
			t.Errorf("%s: %v; want a refusal that says what to write instead", name, err)
		}
	}
	if err := failure(t, p, "loop", "[]"); !errors.Is(err, policy.ErrLimit) {
		t.Errorf("a list inside itself: %v; want a limit", err)
	}
	for _, args := range []string{"1", "{}", "[", "[1]]", `[{"$float":"x"}]`, "[1e999]", "[nan]", "[01]", `["\ud800"]`, "[\"\xff\"]"} {
		if _, err := p.Call(t.Context(), "keys", json.RawMessage(args)); err == nil {
			t.Errorf("the arguments %s were taken", args)
		}
	}
}

func TestGeneratorsAndModuleValuesAreResults(t *testing.T) {
	p := open(t, `
PARAM_GRID = {"C": [1, 1.0], "kernel": ["rbf"]}
def space(ctx):
    for c in PARAM_GRID["C"]:
        yield {"C": c, "n": ctx["n"]}
`)
	if got, want := call(t, p, "PARAM_GRID", "[]"), `{"C":[1,1.0],"kernel":["rbf"]}`; got != want {
		t.Errorf("PARAM_GRID is %s, want %s", got, want)
	}
	if got, want := call(t, p, "space", `[{"n":3}]`), `[{"C":1,"n":3},{"C":1.0,"n":3}]`; got != want {
		t.Errorf("space gave %s, want %s", got, want)
	}
	if !p.Has("space") || !p.Has("PARAM_GRID") || p.Has("prune") || p.Has("len") {
		t.Error("Has must name what the policy binds and nothing else")
	}
	if err := failure(t, p, "prune", "[]"); !errors.Is(err, policy.ErrRefused) || !strings.Contains(err.Error(), `"prune"`) {
		t.Errorf("a missing function: %v", err)
	}
}

func TestErrorsSayWhere(t *testing.T) {
	p := open(t, "def f(x):\n    y = x\n    return 1 / y\n\ndef g():\n    return [v for v in\n            {1, 2}]\n")
	err := failure(t, p, "f", "[0]")
	if !errors.Is(err, policy.ErrException) || err.Class != "ZeroDivisionError" || err.Line != 3 || err.File != "rules.py" {
		t.Errorf("got %+v", err)
	}
	if got := err.Error(); !strings.HasPrefix(got, "rules.py:3: ZeroDivisionError: ") {
		t.Errorf("the message is %q", got)
	}
	err = failure(t, p, "g", "[]")
	if !errors.Is(err, policy.ErrRefused) || err.Line != 6 || !strings.Contains(err.Instead, "sorted") {
		t.Errorf("got %+v", err)
	}
}

func TestOpenRefusesWithLineAndAdvice(t *testing.T) {
	_, err := policy.Open(t.Context(), policy.Config{Source: "x = 1\nimport os\n", Name: "rules.py"})
	var failed *policy.Error
	if !errors.As(err, &failed) || !errors.Is(err, policy.ErrRefused) || failed.Line != 2 || failed.Instead == "" {
		t.Fatalf("got %v", err)
	}
	_, err = policy.Open(t.Context(), policy.Config{Source: "X = 1\nY = X / 0\n", Name: "rules.py"})
	if !errors.As(err, &failed) || !errors.Is(err, policy.ErrException) || failed.Line != 2 {
		t.Fatalf("got %v", err)
	}
}

func TestNoCallChangesWhatTheNextOneSees(t *testing.T) {
	p := open(t, `
from crossfold.policy import uniform
SEEN = []
def remember(x):
    SEEN.append(x)
    return SEEN
def default(x, seen=[]):
    seen.append(x)
    return seen
def draw():
    return uniform(0, 1)
def changed():
    copy = list(SEEN)
    copy.append(1)
    return copy
`)
	for _, name := range []string{"remember", "default"} {
		if err := failure(t, p, name, "[1]"); !errors.Is(err, policy.ErrRefused) {
			t.Errorf("%s: %v; want a refusal", name, err)
		}
	}
	if first, second := call(t, p, "draw", "[]"), call(t, p, "draw", "[]"); first != second {
		t.Errorf("two calls drew %s and %s; each starts from seed 0", first, second)
	}
	if got := call(t, p, "changed", "[]"); got != "[1]" {
		t.Errorf("a copy may change, got %s", got)
	}
}

func TestLimitsEndACallAndTheNextOneRuns(t *testing.T) {
	p := open(t, `
def steps():
    while True:
        pass
def depth(n):
    return depth(n + 1)
def memory():
    return len([0] * 10 ** 11)
def caught():
    try:
        return len([0] * 10 ** 11)
    except:
        return "caught"
def fine(x):
    return x + 1
`, func(c *policy.Config) { c.Steps = 100_000 })
	for _, name := range []string{"steps", "memory", "caught"} {
		if err := failure(t, p, name, "[]"); !errors.Is(err, policy.ErrLimit) {
			t.Errorf("%s: %v; want a limit", name, err)
		}
	}
	if err := failure(t, p, "depth", "[0]"); !errors.Is(err, policy.ErrLimit) {
		t.Errorf("depth: %v; want a limit", err)
	}
	if got := call(t, p, "fine", "[1]"); got != "2" {
		t.Errorf("after the limits fine(1) gave %s", got)
	}
}

func TestADeadlineKillsTheChildAndTheNextCallStartsAnother(t *testing.T) {
	p := open(t, "def f(n):\n    i = 0\n    while i < n:\n        i += 1\n    return i\n", func(c *policy.Config) {
		c.Deadline = 500 * time.Millisecond
		c.Steps = 1 << 60
	})
	begin := time.Now()
	if err := failure(t, p, "f", "[1000000000000]"); !errors.Is(err, policy.ErrLimit) {
		t.Fatalf("got %v, want a limit", err)
	}
	if took := time.Since(begin); took > 5*time.Second {
		t.Errorf("the deadline of 0.5 s took %v", took)
	}
	if got := call(t, p, "f", "[3]"); got != "3" {
		t.Errorf("after the deadline f(3) gave %s", got)
	}
}

func TestTheMemoryLimitEndsTheChildAlone(t *testing.T) {
	p := open(t, `
def grow():
    held = []
    while True:
        held.append("x" * 1000000)
def fine():
    return 1
`, func(c *policy.Config) { c.MemoryBytes = 160 << 20 })
	if err := failure(t, p, "grow", "[]"); !errors.Is(err, policy.ErrLimit) {
		t.Fatalf("got %v, want a limit", err)
	}
	if got := call(t, p, "fine", "[]"); got != "1" {
		t.Errorf("after the limit fine() gave %s", got)
	}
}

func TestCancelAndCloseEndWithoutALeak(t *testing.T) {
	p := open(t, "def f():\n    while True:\n        pass\n", func(c *policy.Config) { c.Steps = 1 << 60 })
	ctx, cancel := context.WithCancel(t.Context())
	time.AfterFunc(50*time.Millisecond, cancel)
	if _, err := p.Call(ctx, "f", nil); !errors.Is(err, context.Canceled) {
		t.Fatalf("got %v, want context.Canceled", err)
	}
	for range 2 {
		if err := p.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := p.Call(t.Context(), "f", nil); err == nil {
		t.Fatal("a call after Close succeeded")
	}
}
