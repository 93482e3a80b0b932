package policy_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/crossfold/crossfold/bridge/policy"
)

// hostile reads and makes programs that try to escape, to hang or to take all memory.
func hostile(t *testing.T) []string {
	t.Helper()
	read := func(name string) string {
		data, err := os.ReadFile(filepath.Join("testdata", name))
		if err != nil {
			t.Fatal(err)
		}
		return string(data)
	}
	list := strings.Split(read("hostile.txt"), "# ---\n")
	for _, line := range strings.Split(strings.TrimSpace(read("hostile_expressions.txt")), "\n") {
		list = append(list, "import math\ndef main():\n    return "+line+"\n")
	}
	for _, module := range []string{"os", "sys", "subprocess", "socket", "ctypes", "glob", "time", "builtins", "os.path"} {
		list = append(list, "import "+module+"\ndef main():\n    return 1\n",
			"def main():\n    from "+module+" import path\n    return path\n")
	}
	deep := func(unit string) string { return strings.Repeat(unit, 30000/len(unit)) }
	for _, unit := range []string{"(", "[", "{", "-", "~", "not ", "1+", "1 if 1 else ", "lambda:", "x.x", "f(", "x[", "a<", "''"} {
		list = append(list, "def main():\n    return "+deep(unit)+"1\n")
	}
	list = append(list, strings.Repeat("if 1:\n", 1)+deep(" "), deep("x=1;"), deep("def f():\n"), deep("\n"), deep("#"),
		"x = '"+deep("a")+"'\ndef main():\n    return x\n", strings.Repeat("x = 1\n", 20000), "\x00", "\xff\xfe", "\ufeffx = 1",
		"def main():\n\treturn 1\n", "def main():\r    return 1\r", "x = 1\x0cy = 2", "def f(\u00e9): pass", "def main(): return 1\\\n")
	for depth := 1; depth <= 60; depth += 20 {
		var nested strings.Builder
		for i := range depth {
			nested.WriteString(strings.Repeat(" ", i) + "if 1:\n")
		}
		list = append(list, nested.String()+strings.Repeat(" ", depth)+"pass\ndef main():\n    return 1\n")
	}
	return list
}

// Each hostile program gets an answer or an *Error within the deadline, and the parent goes on.
func TestHostilePoliciesHurtNobody(t *testing.T) {
	list := hostile(t)
	if len(list) < 200 {
		t.Fatalf("%d hostile programs, want 200", len(list))
	}
	witness := open(t, "def main():\n    return 1\n")
	const deadline = 2 * time.Second
	for i, source := range list {
		begin := time.Now()
		p, err := policy.Open(t.Context(), policy.Config{Source: source, Name: "hostile.py", Deadline: deadline, Steps: 100_000})
		if err == nil {
			_, err = p.Call(t.Context(), "main", nil)
			if closeErr := p.Close(); closeErr != nil {
				t.Error(closeErr)
			}
		}
		var failed *policy.Error
		if err != nil && !errors.As(err, &failed) {
			t.Errorf("program %d: %v is no *policy.Error\n%.300s", i, err, source)
		}
		if took := time.Since(begin); took > 2*deadline+5*time.Second {
			t.Errorf("program %d took %v\n%.300s", i, took, source)
		}
		if i%40 == 0 && call(t, witness, "main", "[]") != "1" {
			t.Fatalf("after program %d another policy no longer answers", i)
		}
	}
}
