// Package translate turns a policy into the small core of Python that gpython runs right.
//
// gpython v0.2.0 answers many programs wrongly without saying so. A policy is therefore parsed by
// gpython's parser, checked against a subset, and written anew: every operation becomes a call of a
// Go function (r_add, r_call, ...; package interp), every inner function is lifted to the module, every
// loop asks for its pending error. What gpython itself then executes is names, branches, loops,
// functions, generators and try/except.
package translate

import (
	"bytes"
	"fmt"
	"sort"
	"strings"

	"github.com/go-python/gpython/ast"
	"github.com/go-python/gpython/parser"
	"github.com/go-python/gpython/py"
)

const (
	maxExprDepth  = 60  // CPython's parser gives up near 100
	maxBlockDepth = 15  // CPython allows 20 nested blocks
	maxArgs       = 200 // gpython's call instruction counts to 255
	maxElements   = 20000
)

// Problem is one place where a policy leaves the subset.
type Problem struct {
	Line             int
	Message, Instead string
}

// Function describes a lifted function: its boxes come first, then its parameters.
type Function struct {
	Name      string
	Params    []string
	Defaults  int
	Generator bool
	Line      int
}

// Program is what gpython runs for a policy.
type Program struct {
	Source    string     // core Python
	Lines     []int      // the policy's line of each line of Source
	Functions []Function // by the index that r_func is called with
	Names     []string   // names bound by the module, sorted
}

// Line is the policy's line of a line of the core.
func (p *Program) Line(core int) int {
	if core < 1 || core > len(p.Lines) {
		return 0
	}
	return p.Lines[core-1]
}

// Translate checks source and writes it as core Python. The problems come sorted by line; with any, the
// program is nil.
func Translate(source string) (*Program, []Problem) {
	source = strings.ReplaceAll(source, "\r\n", "\n")
	t := &translator{}
	scan(source, t.report)
	if len(t.problems) > 0 {
		return nil, t.problems
	}
	module, err := parse(source)
	if err != nil {
		t.syntaxError(source, err)
		return nil, t.problems
	}
	if depth := nesting(module.Body, 1); depth > maxBlockDepth {
		t.report(1, fmt.Sprintf("blocks nested %d deep; at most %d", depth, maxBlockDepth), "functions of their own")
		return nil, t.problems
	}
	top := newScope(nil)
	top.stmts(module.Body)
	top.resolve()
	t.module(module, top)
	if len(t.problems) > 0 {
		sort.SliceStable(t.problems, func(i, j int) bool { return t.problems[i].Line < t.problems[j].Line })
		return nil, t.problems
	}
	return t.program(top), nil
}

func parse(source string) (module *ast.Module, err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("gpython's parser: %v", r)
		}
	}()
	mod, err := parser.Parse(bytes.NewBufferString(source), "policy", py.ExecMode)
	if err != nil {
		return nil, err
	}
	module, ok := mod.(*ast.Module)
	if !ok {
		return nil, fmt.Errorf("gpython's parser gave %T", mod)
	}
	return module, nil
}

// translator writes the core and collects problems; it is used once.
type translator struct {
	problems  []Problem
	functions []Function
	lifted    []line // bodies of lifted functions, outermost last
	temps     int
}

// line is one line of core Python and the policy's line it came from.
type line struct {
	text string
	from int
}

func (t *translator) report(line int, message, insteadOf string) {
	if len(t.problems) < 20 {
		t.problems = append(t.problems, Problem{Line: line, Message: message, Instead: insteadOf})
	}
}

func (t *translator) syntaxError(source string, err error) {
	at, message := 1, "invalid syntax"
	if exc, ok := err.(*py.Exception); ok {
		if n, ok := exc.Dict["lineno"].(py.Int); ok {
			at = int(n)
		}
		if args, ok := exc.Args.(py.Tuple); ok && len(args) > 0 {
			if text, ok := args[0].(py.String); ok {
				message = string(text)
			}
		}
	}
	if last := strings.Count(strings.TrimRight(source, "\n"), "\n") + 1; at > last {
		at = last
	}
	t.report(at, message, "plain Python 3.4: no annotated variables, no 'match', no values with * or **")
}

func (t *translator) module(module *ast.Module, top *scope) {
	b := &block{t: t, scope: top, top: true}
	b.stmts(module.Body, 0)
	t.unknownNames(top, top)
	t.lifted = append(t.lifted, b.lines...)
}

// unknownNames reports names that neither the policy nor the subset knows.
func (t *translator) unknownNames(s, top *scope) {
	for name, at := range s.used {
		if s.bound[name] || s.free[name] || top.bound[name] || builtins[name] {
			continue
		}
		advice, known := instead[name]
		switch {
		case exceptions[name]:
			t.report(at, fmt.Sprintf("the exception %s used as a value", name), "raise "+name+`("text") or except `+name)
		case known:
			t.report(at, fmt.Sprintf("%q is not in the policy subset", name), advice)
		default:
			t.report(at, fmt.Sprintf("the name %q is not defined in the policy", name),
				"a name that the policy binds, or one of "+strings.Join(sorted(builtins), ", "))
		}
	}
	for _, child := range s.children {
		t.unknownNames(child, top)
	}
}

func (t *translator) program(top *scope) *Program {
	p := &Program{Functions: t.functions, Names: sorted(top.bound)}
	var text strings.Builder
	for _, l := range t.lifted {
		text.WriteString(l.text)
		text.WriteByte('\n')
		p.Lines = append(p.Lines, l.from)
	}
	p.Source = text.String()
	return p
}

func (t *translator) temp() string {
	t.temps++
	return fmt.Sprintf("t_%d", t.temps)
}

// nesting is the depth of the deepest block.
func nesting(stmts []ast.Stmt, depth int) int {
	deepest := depth
	inner := func(lists ...[]ast.Stmt) {
		for _, list := range lists {
			if len(list) > 0 {
				deepest = max(deepest, nesting(list, depth+1))
			}
		}
	}
	for _, stmt := range stmts {
		switch n := stmt.(type) {
		case *ast.FunctionDef:
			inner(n.Body)
		case *ast.For:
			inner(n.Body, n.Orelse)
		case *ast.While:
			inner(n.Body, n.Orelse)
		case *ast.If:
			inner(n.Body, n.Orelse)
		case *ast.Try:
			inner(n.Body, n.Orelse)
			for _, handler := range n.Handlers {
				inner(handler.Body)
			}
		}
	}
	return deepest
}
