package main

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func writePolicy(t *testing.T, source string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "rules.py")
	if err := os.WriteFile(file, []byte(source), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

func TestPolicyCommandsHaveTheirExitStatus(t *testing.T) {
	good := writePolicy(t, "X = 1.0\ndef f():\n    return 1 / 0\ndef g():\n    while True:\n        pass\n")
	bad := writePolicy(t, "x = 1\nimport os\n")
	for _, c := range []struct {
		args []string
		code int
		want string
	}{
		{[]string{"check", good}, exitOK, ""},
		{[]string{"check", bad}, exitBadInput, bad + ":2: "},
		{[]string{"check", bad + "x"}, exitBadInput, bad + "x"},
		{[]string{"call", good, "X"}, exitOK, "1.0\n"},
		{[]string{"call", good, "f"}, exitException, good + ":3: ZeroDivisionError"},
		// Its steps or its time, whichever the machine comes to first.
		{[]string{"call", good, "g"}, exitLimit, good + ":"},
		{[]string{"call", good, "h"}, exitBadInput, `"h"`},
		{[]string{"call", bad, "f"}, exitBadInput, bad + ":2: "},
	} {
		code, stdout, stderr := command(t, append([]string{"policy"}, c.args...)...)
		if code != c.code || !strings.Contains(stdout+stderr, c.want) {
			t.Errorf("%v: exit %d, %q, %q; want exit %d and %q", c.args, code, stdout, stderr, c.code, c.want)
		}
	}
}

func TestPolicyCallReadsItsArguments(t *testing.T) {
	var out bytes.Buffer
	call := newPolicy()
	call.SetIn(strings.NewReader(`[1, 2.0]`))
	call.SetOut(&out)
	call.SetArgs([]string{"call", writePolicy(t, "def add(a, b):\n    return [a, b, a + b]\n"), "add"})
	if err := call.ExecuteContext(t.Context()); err != nil || out.String() != "[1,2.0,3.0]\n" {
		t.Errorf("got %q, %v", out.String(), err)
	}
	var coded exitStatus
	call.SetIn(strings.NewReader(`{"a": 1}`))
	if err := call.ExecuteContext(t.Context()); !errors.As(err, &coded) || coded.status != exitBadInput {
		t.Errorf("arguments that are no list: %v", err)
	}
}
