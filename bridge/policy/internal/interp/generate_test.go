package interp

import (
	"fmt"
	"math/rand/v2"
	"strings"
)

// generator writes random programs that mostly run: expressions know the kind of value they make, and one
// in eighty is of a wrong kind, so that exceptions are compared too.
type generator struct {
	r     *rand.Rand
	names map[string][]string // kind → variables in scope
	count int
	funcs []string // helpers of one argument that return anything
	lines []string
	loops int
}

var kinds = []string{"int", "float", "str", "bool", "list", "dict", "tuple"}

func generate(seed uint64) string {
	g := &generator{r: rand.New(rand.NewPCG(seed, 1)), names: map[string][]string{}}
	g.emit(0, "import math")
	for range g.r.IntN(3) {
		g.helper()
	}
	g.emit(0, "def main():")
	g.body(1, 4+g.r.IntN(8), 0)
	var all []string
	for _, kind := range kinds {
		all = append(all, g.names[kind]...)
	}
	g.emit(1, "return [%s]", strings.Join(all, ", "))
	return strings.Join(g.lines, "\n") + "\n"
}

func (g *generator) emit(indent int, format string, args ...any) {
	g.lines = append(g.lines, strings.Repeat("    ", indent)+fmt.Sprintf(format, args...))
}

func (g *generator) pick(options ...string) string { return options[g.r.IntN(len(options))] }

func (g *generator) fresh() string {
	g.count++
	return fmt.Sprintf("v%d", g.count)
}

// helper defines a function of the module: plain, recursive, a generator or one that makes a closure.
func (g *generator) helper() {
	name := fmt.Sprintf("f%d", len(g.funcs))
	saved := g.names
	g.names = map[string][]string{"int": {"n"}}
	switch g.r.IntN(4) {
	case 0:
		g.emit(0, "def %s(n, k=%s):", name, g.int(0))
		g.names["int"] = []string{"n", "k"}
		g.body(1, 2, 1)
		g.emit(1, "return %s", g.expr(g.pick(kinds...), 2))
	case 1:
		g.emit(0, "def %s(n):", name)
		g.emit(1, "if not isinstance(n, int) or n <= 0 or n > 20:")
		g.emit(2, "return %s", g.expr("int", 1))
		g.emit(1, "return %s(n - 1) %s n", name, g.pick("+", "*", "-"))
	case 2:
		g.emit(0, "def %s(n):", name)
		g.emit(1, "def make(k):")
		g.names["int"] = []string{"n", "k"}
		g.emit(2, "for i in range(3):")
		g.names["int"] = []string{"n", "k", "i"}
		g.emit(3, "yield %s", g.expr(g.pick(kinds...), 2))
		g.emit(1, "return list(make(n))")
	default:
		g.emit(0, "def %s(n):", name)
		g.names["int"] = []string{"n", "x"}
		g.emit(1, "fs = [lambda x, y=y: %s for y in range(2)]", g.expr("int", 2))
		g.emit(1, "return [f(n) for f in fs]")
	}
	g.names = saved
	g.funcs = append(g.funcs, name)
}

func (g *generator) body(indent, n, depth int) {
	for range n {
		g.stmt(indent, depth)
	}
}

// nested writes a body whose variables may be unbound afterwards, so they are forgotten.
func (g *generator) nested(indent, depth int, bound ...string) {
	saved := map[string][]string{}
	for kind, names := range g.names {
		saved[kind] = append([]string{}, names...)
	}
	for i := 0; i+1 < len(bound); i += 2 {
		g.names[bound[i]] = append(g.names[bound[i]], bound[i+1])
	}
	g.body(indent, 1+g.r.IntN(2), depth+1)
	g.names = saved
}

func (g *generator) stmt(indent, depth int) {
	choice := g.r.IntN(14)
	if depth > 2 && choice >= 6 && choice <= 10 {
		choice = 0
	}
	switch choice {
	case 6:
		g.emit(indent, "if %s:", g.expr("bool", 2))
		g.nested(indent+1, depth)
		if g.r.IntN(2) == 0 {
			g.emit(indent, "elif %s:", g.expr(g.pick(kinds...), 1))
			g.nested(indent+1, depth)
		}
		if g.r.IntN(2) == 0 {
			g.emit(indent, "else:")
			g.nested(indent+1, depth)
		}
	case 7, 8:
		g.loop(indent, depth)
	case 9:
		counter := g.fresh()
		g.emit(indent, "%s = 0", counter)
		g.emit(indent, "while %s < %d:", counter, 1+g.r.IntN(4))
		g.emit(indent+1, "%s += 1", counter)
		g.loops++
		g.nested(indent+1, depth, "int", counter+" + 0")
		g.loops--
	case 10:
		g.emit(indent, "try:")
		g.nested(indent+1, depth)
		g.emit(indent, "except %s:", g.pick("ZeroDivisionError", "(KeyError, IndexError)", "TypeError", "ValueError",
			"ArithmeticError", "LookupError", "Exception", "(TypeError, ValueError, OverflowError)"))
		g.nested(indent+1, depth)
		if g.r.IntN(3) == 0 {
			g.emit(indent, "else:")
			g.nested(indent+1, depth)
		}
	case 11:
		g.change(indent)
	case 12:
		if g.loops > 0 && g.r.IntN(2) == 0 {
			g.emit(indent, "if %s:", g.expr("bool", 1))
			g.emit(indent+1, "%s", g.pick("break", "continue"))
			return
		}
		a, b := g.fresh(), g.fresh()
		kind := g.pick(kinds...)
		g.emit(indent, "%s, %s = %s, %s", a, b, g.expr(kind, 2), g.expr("int", 1))
		g.names[kind] = append(g.names[kind], a)
		g.names["int"] = append(g.names["int"], b)
	default:
		name, kind := g.fresh(), g.pick(kinds...)
		g.emit(indent, "%s = %s", name, g.expr(kind, 3))
		g.names[kind] = append(g.names[kind], name)
	}
}

func (g *generator) loop(indent, depth int) {
	name, second := g.fresh(), g.fresh()
	g.loops++
	defer func() { g.loops-- }()
	switch g.r.IntN(5) {
	case 0:
		g.emit(indent, "for %s in range(%d):", name, g.r.IntN(5))
		g.nested(indent+1, depth, "int", name)
	case 1:
		g.emit(indent, "for %s, %s in enumerate(%s):", name, second, g.expr("str", 1))
		g.nested(indent+1, depth, "int", name, "str", second)
	case 2:
		g.emit(indent, "for %s, %s in %s.items():", name, second, g.dict(1))
		g.nested(indent+1, depth, "str", name, "int", second)
	case 3:
		g.emit(indent, "for %s in %s:", name, g.expr("list", 2))
		g.nested(indent+1, depth, "int", name)
	default:
		g.emit(indent, "for %s, %s in zip(%s, %s):", name, second, g.expr("list", 1), g.expr("str", 1))
		g.nested(indent+1, depth, "int", name, "str", second)
		g.emit(indent, "else:")
		g.emit(indent+1, "pass")
	}
}

// change alters a variable in place.
func (g *generator) change(indent int) {
	kind := g.pick("list", "dict", "int", "float", "str")
	names := g.names[kind]
	if len(names) == 0 {
		g.emit(indent, "pass")
		return
	}
	name := names[g.r.IntN(len(names))]
	if strings.Contains(name, " ") {
		g.emit(indent, "pass")
		return
	}
	switch kind {
	case "list":
		g.emit(indent, "%s", fmt.Sprintf(g.pick("%s.append(%s)", "%s.insert(0, %s)", "%s += [%s]", "%s.extend([%s])"), name,
			g.expr("int", 2)))
	case "dict":
		g.emit(indent, "%s[%s] = %s", name, g.expr("str", 1), g.expr("int", 2))
	case "str":
		g.emit(indent, "%s += %s", name, g.expr("str", 1))
	default:
		g.emit(indent, "%s %s= %s", name, g.pick("+", "-", "*", "//", "%", "/"), g.expr("int", 1))
	}
}

// expr is an expression that mostly makes a value of kind.
func (g *generator) expr(kind string, depth int) string {
	if g.r.IntN(80) == 0 {
		kind = g.pick(kinds...)
	}
	if names := g.names[kind]; len(names) > 0 && g.r.IntN(3) == 0 {
		return names[g.r.IntN(len(names))]
	}
	if depth > 0 && g.r.IntN(12) == 0 {
		return fmt.Sprintf("(%s if %s else %s)", g.expr(kind, depth-1), g.expr("bool", depth-1), g.expr(kind, depth-1))
	}
	if depth > 0 && len(g.funcs) > 0 && g.r.IntN(12) == 0 {
		return fmt.Sprintf("%s(%s)", g.pick(g.funcs...), g.expr("int", depth-1))
	}
	switch kind {
	case "int":
		return g.int(depth)
	case "float":
		return g.float(depth)
	case "str":
		return g.str(depth)
	case "bool":
		return g.bool(depth)
	case "list":
		return g.list(depth)
	case "dict":
		return g.dict(depth)
	}
	return g.tuple(depth)
}

func (g *generator) int(depth int) string {
	if depth <= 0 {
		return g.pick("0", "1", "2", "3", "-1", "7", "10", "True", "100", "2147483648", "9223372036854775807", "-5")
	}
	a, b := func() string { return g.expr("int", depth-1) }, func() string { return g.expr("int", depth-1) }
	switch g.r.IntN(17) {
	case 0, 1, 2, 3:
		return fmt.Sprintf("(%s %s %s)", a(), g.pick("+", "-", "*", "+", "-", "&", "|", "^"), b())
	case 15:
		return fmt.Sprintf("(%s %s %s)", a(), g.pick("//", "%"), g.pick("3", "-4", "7", b()))
	case 4:
		return fmt.Sprintf("len(%s)", g.expr(g.pick("str", "list", "dict", "tuple"), depth-1))
	case 5:
		return fmt.Sprintf("int(%s)", g.expr(g.pick("float", "int", "int", "bool"), depth-1))
	case 6:
		return fmt.Sprintf("%s(%s, %s)", g.pick("max", "min"), a(), b())
	case 7:
		return fmt.Sprintf("sum(%s)", g.expr("list", depth-1))
	case 8:
		return fmt.Sprintf("round(%s%s)", g.expr("float", depth-1), g.pick("", "", ", 2", ", -1", ", None"))
	case 9:
		return fmt.Sprintf("-%s", a())
	case 10:
		return fmt.Sprintf("abs(%s)", a())
	case 11:
		return fmt.Sprintf("(%s + [1, 2])[%s]", g.expr("list", depth-1), g.pick("0", "-1", "1", "1", "5"))
	case 12:
		return fmt.Sprintf("%s.get(%s, %s)", g.dict(depth-1), g.expr("str", 0), a())
	case 13:
		return fmt.Sprintf("%s ** %s", g.pick("2", "3", "10", "-2"), g.pick("0", "1", "2", "5", "10", "70"))
	case 14:
		return fmt.Sprintf("math.%s(%s)", g.pick("floor", "ceil", "trunc"), g.expr("float", depth-1))
	default:
		return fmt.Sprintf("(%s %s %d)", a(), g.pick("<<", ">>"), g.r.IntN(5))
	}
}

func (g *generator) float(depth int) string {
	if depth <= 0 {
		return g.pick("0.0", "-0.0", "1.0", "0.5", "2.5", "1e-5", "1e16", "0.1", "-3.75", "123.456", "1e300", "7.5", "-0.25", "math.inf")
	}
	switch g.r.IntN(9) {
	case 0, 1, 2, 3:
		return fmt.Sprintf("(%s %s %s)", g.expr("float", depth-1), g.pick("+", "-", "*", "+", "-", "/", "//", "%"),
			g.expr(g.pick("float", "int"), depth-1))
	case 4:
		return fmt.Sprintf("float(%s)", g.expr(g.pick("int", "float"), depth-1))
	case 5:
		return fmt.Sprintf("round(%s, %d)", g.expr("float", depth-1), g.r.IntN(4))
	case 6:
		return fmt.Sprintf("(%s / %s)", g.expr("int", depth-1), g.pick("3", "-7", "0.1", g.expr("int", depth-1)))
	case 7:
		return fmt.Sprintf("math.%s(%s)", g.pick("sqrt", "exp", "log", "fabs"), g.pick("0.5", "2", "1.25", "10", g.expr("float", depth-1)))
	default:
		return fmt.Sprintf("(%s ** %s)", g.pick("2.0", "0.5", "10", "1.5"), g.expr("int", 0))
	}
}

func (g *generator) str(depth int) string {
	if depth <= 0 {
		return g.pick(`"a"`, `"b"`, `""`, `"abc"`, `"12"`, `"x y"`, `"1.5"`, `"A"`, `"it's"`)
	}
	switch g.r.IntN(9) {
	case 0:
		return fmt.Sprintf("(%s + %s)", g.expr("str", depth-1), g.expr("str", depth-1))
	case 1:
		return fmt.Sprintf("%s(%s)", g.pick("str", "repr"), g.expr(g.pick(kinds...), depth-1))
	case 2:
		return fmt.Sprintf("(%s * %d)", g.expr("str", depth-1), g.r.IntN(4))
	case 3:
		return fmt.Sprintf("%s%s", g.expr("str", depth-1), g.pick("[:1]", "[1:]", "[::-1]", "[-2:]", "[:2]", "[0]"))
	case 4:
		return fmt.Sprintf("%s.%s()", g.str(0), g.pick("upper", "lower", "strip"))
	case 5:
		return fmt.Sprintf(`("%s" %% %s)`, g.pick("%s", "%r", "%5s|"), g.tuple1(depth-1))
	case 6:
		return fmt.Sprintf(`("%s" %% (%s,))`, g.pick("%d", "%.3f", "%g", "%e", "%05d", "%8.2f", "%-6.1f|", "%+d"),
			g.expr(g.pick("int", "float"), depth-1))
	case 7:
		return fmt.Sprintf("%s.join(str(c) for c in %s)", g.str(0), g.expr("list", depth-1))
	default:
		return fmt.Sprintf("%s.replace(%s, %s)", g.str(0), g.str(0), g.str(0))
	}
}

func (g *generator) tuple1(depth int) string {
	return "(" + g.expr(g.pick(kinds...), depth) + ",)"
}

func (g *generator) bool(depth int) string {
	if depth <= 0 {
		return g.pick("True", "False")
	}
	kind := g.pick("int", "float", "str", "list", "tuple")
	switch g.r.IntN(8) {
	case 0, 1:
		return fmt.Sprintf("(%s %s %s)", g.expr(kind, depth-1), g.pick("<", "<=", ">", ">=", "==", "!="), g.expr(kind, depth-1))
	case 2:
		return fmt.Sprintf("(%s %s %s %s %s)", g.expr("int", depth-1), g.pick("<", "<=", ">"), g.expr("float", depth-1),
			g.pick("<", "!=", ">="), g.expr("int", depth-1))
	case 3:
		return fmt.Sprintf("(%s %s %s)", g.expr("bool", depth-1), g.pick("and", "or"), g.expr(g.pick(kinds...), depth-1))
	case 4:
		return fmt.Sprintf("(not %s)", g.expr(g.pick(kinds...), depth-1))
	case 5:
		return fmt.Sprintf("(%s %s %s)", g.expr("int", depth-1), g.pick("in", "not in"), g.expr("list", depth-1))
	case 6:
		return fmt.Sprintf("isinstance(%s, %s)", g.expr(g.pick(kinds...), depth-1), g.pick("int", "float", "(str, bool)", "list"))
	default:
		return fmt.Sprintf("%s(%s > 1 for e in %s)", g.pick("any", "all"), "e", g.expr("list", depth-1))
	}
}

func (g *generator) list(depth int) string {
	if depth <= 0 {
		return g.pick("[]", "[1, 2, 3]", "[3, 1, 2]", "[1, 1.0, True]", "[0.5, 0.25]", "list(range(4))", "[0]")
	}
	switch g.r.IntN(9) {
	case 0:
		return fmt.Sprintf("[%s, %s]", g.expr("int", depth-1), g.expr("int", depth-1))
	case 1:
		return fmt.Sprintf("[%s for e in %s if %s]", g.with("e", func() string { return g.expr("int", depth-1) }),
			g.expr("list", depth-1), g.with("e", func() string { return g.expr("bool", depth-1) }))
	case 2:
		return fmt.Sprintf("sorted(%s%s)", g.expr("list", depth-1), g.pick("", ", reverse=True", ", key=lambda k: -k",
			", key=lambda k: k % 2", ", key=str"))
	case 3:
		return fmt.Sprintf("(%s + %s)", g.expr("list", depth-1), g.expr("list", depth-1))
	case 4:
		return fmt.Sprintf("%s%s", g.list(depth-1), g.pick("[1:]", "[::-1]", "[:2]", "[::2]", "[-2:]"))
	case 5:
		return fmt.Sprintf("[x + y for x in %s for y in %s if x != y]", g.list(0), g.list(0))
	case 6:
		return fmt.Sprintf("list(%s(%s, %s))", g.pick("map", "filter"), g.pick("lambda m: m", "lambda m: m % 2", "bool"),
			g.expr("list", depth-1))
	case 7:
		return fmt.Sprintf("list(%s.%s())", g.dict(depth-1), g.pick("values", "values", "values", "items"))
	default:
		return fmt.Sprintf("[[i * j + %s for j in range(2)] for i in range(2)][%d]", g.expr("int", 0), g.r.IntN(2))
	}
}

// with makes a variable known to what f writes.
func (g *generator) with(name string, f func() string) string {
	saved := g.names["int"]
	g.names["int"] = append(append([]string{}, saved...), name)
	defer func() { g.names["int"] = saved }()
	return f()
}

func (g *generator) dict(depth int) string {
	if depth <= 0 {
		return g.pick("{}", `{"a": 1}`, `{"b": 2, "a": 1}`, `{"x": 0.5}`)
	}
	switch g.r.IntN(3) {
	case 0:
		return fmt.Sprintf("{%s: %s, %s: %s}", g.expr("str", depth-1), g.expr("int", depth-1), g.expr("str", depth-1),
			g.expr("int", depth-1))
	case 1:
		return fmt.Sprintf("{str(k): %s for k in %s}", g.with("k", func() string { return g.expr("int", depth-1) }),
			g.expr("list", depth-1))
	default:
		return fmt.Sprintf("dict(zip(%s, %s))", g.expr("str", depth-1), g.expr("list", depth-1))
	}
}

func (g *generator) tuple(depth int) string {
	if depth <= 0 {
		return g.pick("()", "(1,)", `(1, "a")`, "(2.0, 1)")
	}
	return fmt.Sprintf("(%s, %s)", g.expr(g.pick(kinds...), depth-1), g.expr(g.pick(kinds...), depth-1))
}

// mutate deletes, doubles, swaps or replaces a few tokens of a program: what gpython's lenient parser
// accepts and CPython does not shows here.
func mutate(source string, seed uint64) string {
	r := rand.New(rand.NewPCG(seed, 2))
	tokens := tokenize(source)
	for range 1 + r.IntN(2) {
		i, j := r.IntN(len(tokens)), r.IntN(len(tokens))
		switch r.IntN(5) {
		case 0:
			tokens[i] = ""
		case 1:
			tokens[i] += tokens[i]
		case 2:
			tokens[i], tokens[j] = tokens[j], tokens[i]
		case 3:
			tokens[i] = tokens[j]
		default:
			extra := []string{",", "*", "not ", "=", "lambda", ":", "in ", "[", "]", "(", ")", "1", "'s'", "else ", "for ", "\n",
				"    ", "return ", "yield ", "is ", "if ", "0", "~", "**", "def ", ";", "None", "-", ".", "{", "}", "==", "x"}
			tokens[i] += extra[r.IntN(len(extra))]
		}
	}
	return strings.Join(tokens, "")
}

func tokenize(source string) []string {
	var tokens []string
	word := func(c byte) bool {
		return c == '_' || 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9'
	}
	for i := 0; i < len(source); {
		j := i + 1
		for word(source[i]) && j < len(source) && word(source[j]) {
			j++
		}
		for source[i] == ' ' && j < len(source) && source[j] == ' ' {
			j++
		}
		tokens = append(tokens, source[i:j])
		i = j
	}
	return tokens
}
