package translate

import (
	"strings"
	"testing"
)

func TestRefusalsNameTheLineAndTheRemedy(t *testing.T) {
	for _, c := range []struct {
		source string
		line   int
		want   string // in the message
	}{
		{"x = 1\nx = f'{x}'\n", 2, "f-string"},
		{"class A:\n    pass\n", 1, "class"},
		{"import numpy as np\n", 1, "numpy"},
		{"from math import sin\n", 1, "math.sin"},
		{"from math import *\n", 1, "math.*"},
		{"x = 1\n\ndef f():\n    print(x)\n", 4, `"print"`},
		{"def f():\n    return undefined\n", 2, `"undefined"`},
		{"def f():\n    global x\n", 2, "global"},
		{"def f():\n    x = 0\n    def g():\n        nonlocal x\n", 4, "nonlocal"},
		{"def f(*args):\n    return args\n", 1, "*args"},
		{"def f(a=1, b):\n    return a\n", 1, "default"},
		{"def f(a, a):\n    return a\n", 1, "twice"},
		{"x = [1]\ny = x is x\n", 2, "'is'"},
		{"x = (y := 1)\n", 1, ":="},
		{"with x:\n    pass\n", 1, "with"},
		{"try:\n    x = 1\nfinally:\n    x = 2\n", 1, "finally"},
		{"try:\n    x = 1\nexcept ValueError as e:\n    x = 2\n", 3, "as name"},
		{"try:\n    x = 1\nexcept OSError:\n    x = 2\n", 3, "except"},
		{"try:\n    x = 1\nelse:\n    x = 2\n", 1, "without 'except'"},
		{"raise SystemExit\n", 1, "raise"},
		{"def f():\n    x = yield 1\n", 2, "yield"},
		{"def f():\n    yield 1\n    return 2\n", 3, "generator"},
		{"return 1\n", 1, "return"},
		{"break\n", 1, "break"},
		{"x = [].format()\n", 1, "format"},
		{"x = (1).real\n", 1, "real"},
		{"first, *rest = [1, 2]\n", 1, "starred"},
		{"x = max(*[1, 2])\n", 1, "*"},
		{"x = max(key=len, 1)\n", 1, "positional"},
		{"x = sorted([], key=len, key=len)\n", 1, "twice"},
		{"x = sum(y for y in [], 1)\n", 1, "comprehension"},
		{"for x, in [[1]]:\n    pass\n", 1, "comma"},
		{"x = 0777\n", 1, "0777"},
		{"x = 1_000\n", 1, "_"},
		{"x = 1j\n", 1, "complex"},
		{"x = b'a'\n", 1, "bytes"},
		{"x = '\\d'\n", 1, "escape"},
		{"x = 1 + \\\n    2\n", 1, "backslash"},
		{"if 1:\n\tx = 1\n", 2, "tab"},
		{"x = 1 @ 2\n", 1, "@"},
		{"@f\ndef g():\n    pass\n", 1, "@"},
		{"async def f():\n    pass\n", 1, "async"},
		{"x: int = 1\n", 1, "syntax"},
		{"x = {**{}}\n", 1, "starred"},
		{"def f(*): pass\n", 1, "starred"},
		{"f = lambda *: 1\n", 1, "starred"},
		{"x = 'open\n", 1, "closing quote"},
		{"__import__('os')\n", 1, "__import__"},
		{"def f(x: open): pass\n", 1, "annotation"},
		{"ValueError = 1\n", 1, "exception"},
		{"\u00e9 = 1\n", 1, "character"},
		{"x = 1 if 1 else\n", 1, "syntax"},
		{"x[1:2, 3] = 1\n", 1, "dimensions"},
		{"del x\n", 1, "del"},
		{"x = 1 in [1] in [2]\n", 1, "chain"},
	} {
		_, problems := Translate(c.source)
		if len(problems) == 0 {
			t.Errorf("accepted:\n%s", c.source)
			continue
		}
		found := false
		for _, p := range problems {
			found = found || p.Line == c.line && strings.Contains(p.Message, c.want)
			if p.Instead == "" {
				t.Errorf("%q says nothing to write instead", p.Message)
			}
		}
		if !found {
			t.Errorf("want %q at line %d, got %+v:\n%s", c.want, c.line, problems, c.source)
		}
	}
}

func TestEveryProblemIsListedInOrder(t *testing.T) {
	_, problems := Translate("import os\nx = undefined\nclass A:\n    pass\n")
	if len(problems) != 3 {
		t.Fatalf("got %+v, want three problems", problems)
	}
	for i, p := range problems {
		if p.Line != i+1 {
			t.Errorf("problem %d stands at line %d", i, p.Line)
		}
	}
}

// The refusal of one construct must not hide that the rest of the file is fine.
func TestAcceptedProgramsCarryTheirNames(t *testing.T) {
	program, problems := Translate("import math as m\r\nX = 1\r\ndef space(ctx):\r\n    yield m.pi\r\n")
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	if got := strings.Join(program.Names, " "); got != "X m space" {
		t.Errorf("the names are %q", got)
	}
}

func FuzzTranslate(f *testing.F) {
	for _, seed := range []string{
		"", "x = 1\n", "def f(a, b=1):\n    return [x for x in a if x > b]\n", "try:\n    x = 1\nexcept:\n    pass\n",
		"def g():\n    yield from [1, 2]\n", "x = 'a' \"b\"\n", "if 1:\n  x = 1\nelif 2: pass\nelse:\n  y = 2\n",
		"f = lambda a, b=2: (a, b)\n", "x = {1: 2, 3: 4}[1:2]\n", "x = 0x1f + 1e5 + .5\n", "a = b = c[0] = {}\n", "\x00(", "f(",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, source string) {
		program, problems := Translate(source)
		if (program == nil) == (len(problems) == 0) {
			t.Fatalf("a program and problems, or neither: %+v", problems)
		}
		for _, p := range problems {
			if p.Line < 1 || p.Message == "" || p.Instead == "" {
				t.Fatalf("an incomplete problem: %+v", p)
			}
		}
		if program != nil && strings.Count(program.Source, "\n") != len(program.Lines) {
			t.Fatal("a line of the core without its origin")
		}
	})
}
