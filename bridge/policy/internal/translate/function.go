package translate

import (
	"fmt"
	"strings"

	"github.com/go-python/gpython/ast"
)

func (b *block) def(n *ast.FunctionDef) {
	if len(n.DecoratorList) > 0 {
		b.refuse(n.Lineno, "a decorator is not in the policy subset", "a plain function call")
	}
	b.annotation(n.Returns)
	value := b.function(n, string(n.Name), n.Args, func(inner *block) { inner.suite(n.Body) })
	b.bind(n.Name, n.Lineno, value)
}

func (b *block) lambda(n *ast.Lambda) string {
	return b.function(n, "<lambda>", n.Args, func(inner *block) {
		inner.indent++
		inner.emit("return %s", inner.expr(n.Body))
		inner.indent--
	})
}

// function lifts a function to the module and writes the expression that makes its closure.
func (b *block) function(node ast.Ast, name string, args *ast.Arguments, body func(*block)) string {
	s := b.scope.children[node]
	b.checkArguments(args)
	defaults := b.exprs(args.Defaults)
	if name == "<lambda>" && s.generator {
		b.refuse(b.at, "'yield' in a lambda", "a function")
	}
	index := len(b.t.functions)
	b.t.functions = append(b.t.functions, Function{
		Name: name, Params: s.params, Defaults: len(defaults), Generator: s.generator, Line: b.at,
	})
	inner := &block{t: b.t, scope: s, at: b.at, depth: b.depth}
	names := make([]string, 0, len(s.free)+len(s.params))
	for _, free := range s.boxes() {
		names = append(names, "b_"+free)
	}
	for _, param := range s.params {
		names = append(names, "u_"+param)
	}
	inner.emit("def f_%d(%s):", index, strings.Join(names, ", "))
	inner.openBoxes()
	body(inner)
	b.t.lifted = append(b.t.lifted, inner.lines...)
	return fmt.Sprintf("r_func(f_%d, %d, %s, %s)", index, index, tuple(defaults), b.boxTuple(s))
}

// openBoxes makes the boxes of the variables that functions further in use.
func (b *block) openBoxes() {
	b.indent++
	params := map[string]bool{}
	for _, param := range b.scope.params {
		params[param] = true
	}
	for _, name := range sorted(b.scope.captured) {
		if params[name] {
			b.emit("b_%s = r_box(u_%s)", name, name)
		} else {
			b.emit("b_%s = r_box()", name)
		}
	}
	b.indent--
}

// boxTuple hands the boxes that s needs from the scope of b.
func (b *block) boxTuple(s *scope) string {
	names := s.boxes()
	for i, name := range names {
		names[i] = "b_" + name
	}
	return tuple(names)
}

func tuple(parts []string) string {
	if len(parts) == 0 {
		return "()"
	}
	return "(" + strings.Join(parts, ", ") + ",)"
}

// checkArguments also refuses def f(a=1, b), which gpython's parser reads as def f(a, b=1).
func (b *block) checkArguments(args *ast.Arguments) {
	if args.Vararg != nil || args.Kwarg != nil || len(args.Kwonlyargs) > 0 {
		b.refuse(b.at, "*args, ** and keyword-only parameters are not in the policy subset", "named parameters")
		return
	}
	if len(args.Args) > maxArgs/2 {
		b.refuse(b.at, fmt.Sprintf("a function with more than %d parameters", maxArgs/2), "a dict")
	}
	seen := map[ast.Identifier]bool{}
	for _, arg := range args.Args {
		if seen[arg.Arg] {
			b.refuse(b.at, fmt.Sprintf("the parameter %q stands twice", arg.Arg), "another name")
		}
		seen[arg.Arg] = true
		b.refuseName(string(arg.Arg), b.at)
		b.annotation(arg.Annotation)
	}
	offset := len(args.Args) - len(args.Defaults)
	for i, value := range args.Defaults {
		line, col := position(value)
		arg := args.Args[offset+i]
		if line < arg.GetLineno() || line == arg.GetLineno() && col < arg.GetColOffset() {
			b.refuse(b.at, "a parameter without a default after one with a default", "parameters with defaults last")
			return
		}
	}
}

// annotation accepts the names of built-in types and texts, which CPython evaluates without effect.
func (b *block) annotation(expr ast.Expr) {
	switch n := expr.(type) {
	case nil, *ast.Str, *ast.NameConstant:
		return
	case *ast.Name:
		if annotations[string(n.Id)] {
			return
		}
	}
	b.refuse(b.at, "an annotation other than a built-in type", "int, float, str, bool, list, dict, tuple or 'text'")
}

// comprehension lifts a comprehension to a generator function and writes what collects it.
func (b *block) comprehension(
	collect string, node ast.Ast, generators []ast.Comprehension, results ...ast.Expr,
) string {
	s := b.scope.children[node]
	outer := b.expr(generators[0].Iter)
	index := len(b.t.functions)
	b.t.functions = append(b.t.functions, Function{Name: "<comprehension>", Generator: true, Line: b.at})
	inner := &block{t: b.t, scope: s, at: b.at, depth: b.depth}
	source := inner.t.temp()
	names := s.boxes()
	for i, name := range names {
		names[i] = "b_" + name
	}
	inner.emit("def f_%d(%s):", index, strings.Join(append(names, source), ", "))
	inner.openBoxes()
	inner.indent++
	inner.clauses(source, generators, results)
	inner.indent--
	b.t.lifted = append(b.t.lifted, inner.lines...)
	generator := fmt.Sprintf("r_generator(f_%d, %s, r_iter(%s))", index, b.boxTuple(s), outer)
	if collect == "" {
		return generator
	}
	return collect + "(" + generator + ")"
}

// clauses writes the loops and conditions of a comprehension around its yield.
func (b *block) clauses(source string, generators []ast.Comprehension, results []ast.Expr) {
	if len(generators) == 0 {
		if len(results) == 1 {
			b.emit("yield %s", b.expr(results[0]))
		} else {
			b.emit("yield (%s, %s)", b.expr(results[0]), b.expr(results[1]))
		}
		return
	}
	g := generators[0]
	element := b.t.temp()
	b.emit("for %s in %s:", element, source)
	b.indent++
	b.assign(g.Target, element)
	opened := 1
	for _, test := range g.Ifs {
		if _, isLambda := test.(*ast.Lambda); isLambda {
			b.refuse(b.at, "a lambda as a condition", "a call of it")
		}
		b.emit("if %s:", b.expr(test))
		b.indent++
		opened++
	}
	next := ""
	if len(generators) > 1 {
		next = "r_iter(" + b.expr(generators[1].Iter) + ")"
	}
	b.clauses(next, generators[1:], results)
	b.indent -= opened
	b.emit("else:")
	b.emit(" r_check()")
}
