package translate

import (
	"fmt"
	"strings"

	"github.com/go-python/gpython/ast"
)

// block writes the body of one function or of the module.
type block struct {
	t      *translator
	scope  *scope
	top    bool
	loops  int // loops around the statement being written
	indent int
	depth  int // of the expression being written
	at     int // the policy's line being written
	lines  []line
}

func (b *block) emit(format string, args ...any) {
	text := format
	if len(args) > 0 {
		text = fmt.Sprintf(format, args...)
	}
	b.lines = append(b.lines, line{strings.Repeat(" ", b.indent) + text, b.at})
}

func (b *block) refuse(at int, message, insteadOf string) {
	b.t.report(at, message, insteadOf)
}

// suite writes an indented list of statements.
func (b *block) suite(list []ast.Stmt) {
	b.stmts(list, 1)
}

func (b *block) stmts(list []ast.Stmt, indent int) {
	b.indent += indent
	before := len(b.lines)
	for _, stmt := range list {
		b.at = stmt.GetLineno()
		b.stmt(stmt)
	}
	if indent > 0 && len(b.lines) == before {
		b.emit("pass")
	}
	b.indent -= indent
}

func (b *block) stmt(stmt ast.Stmt) {
	switch n := stmt.(type) {
	case *ast.FunctionDef:
		b.def(n)
	case *ast.Return:
		b.ret(n)
	case *ast.Delete:
		b.del(n)
	case *ast.Assign:
		b.assignment(n)
	case *ast.AugAssign:
		b.augmented(n)
	case *ast.For:
		b.forLoop(n)
	case *ast.While:
		b.whileLoop(n)
	case *ast.If:
		b.ifElse(n)
	case *ast.Raise:
		b.raise(n)
	case *ast.Try:
		b.try(n)
	case *ast.Assert:
		b.assert(n)
	case *ast.Import:
		b.imports(n)
	case *ast.ImportFrom:
		b.importFrom(n)
	case *ast.ExprStmt:
		b.expression(n)
	case *ast.Pass:
		b.emit("pass")
	case *ast.Break:
		b.leave(n.Lineno, "break")
	case *ast.Continue:
		b.leave(n.Lineno, "continue")
	default:
		b.refuseStmt(stmt)
	}
}

func (b *block) refuseStmt(stmt ast.Stmt) {
	switch stmt.(type) {
	case *ast.ClassDef:
		b.refuse(b.at, "a class is not in the policy subset", "functions and dicts")
	case *ast.With:
		b.refuse(b.at, "'with' is not in the policy subset", "plain statements")
	case *ast.Global, *ast.Nonlocal:
		b.refuse(b.at, "'global' and 'nonlocal' are not in the policy subset", "return the value and assign it")
	default:
		b.refuse(b.at, fmt.Sprintf("%T is not in the policy subset", stmt), "a statement listed in docs/policies.md")
	}
}

func (b *block) leave(at int, word string) {
	if b.loops == 0 {
		b.refuse(at, fmt.Sprintf("%q outside a loop", word), "a loop around it")
	}
	b.emit("%s", word)
}

func (b *block) ret(n *ast.Return) {
	switch {
	case b.top:
		b.refuse(n.Lineno, "'return' outside a function", "a function around it")
	case n.Value == nil:
		b.emit("return None")
	case b.scope.generator:
		b.refuse(n.Lineno, "'return' with a value in a generator", "yield the value, then return")
	default:
		b.emit("return %s", b.expr(n.Value))
	}
}

func (b *block) del(n *ast.Delete) {
	for _, target := range n.Targets {
		sub, ok := target.(*ast.Subscript)
		if !ok {
			b.refuse(n.Lineno, "'del' of something other than an element", "del d[key]")
			return
		}
		b.emit("r_delitem(%s, %s)", b.expr(sub.Value), b.index(sub))
	}
}

func (b *block) assignment(n *ast.Assign) {
	value := b.expr(n.Value)
	if len(n.Targets) == 1 {
		b.assign(n.Targets[0], value)
		return
	}
	temp := b.t.temp()
	b.emit("%s = %s", temp, value)
	for _, target := range n.Targets {
		b.assign(target, temp)
	}
}

// assign stores value, an expression of the core that is used once.
func (b *block) assign(target ast.Expr, value string) {
	switch n := target.(type) {
	case *ast.Name:
		b.bind(n.Id, n.Lineno, value)
	case *ast.Subscript:
		b.emit("r_setitem(%s, %s, %s)", value, b.expr(n.Value), b.index(n))
	case *ast.Tuple:
		b.unpack(n.Elts, value)
	case *ast.List:
		b.unpack(n.Elts, value)
	case *ast.Starred:
		b.refuse(b.at, "a starred target is not in the policy subset", "first, rest = values[0], values[1:]")
	default:
		b.refuse(b.at, "an assignment to something other than a name or an element", "d[key] = value")
	}
}

func (b *block) unpack(targets []ast.Expr, value string) {
	if len(targets) == 0 || len(targets) > maxArgs {
		b.refuse(b.at, fmt.Sprintf("an assignment to %d names at once", len(targets)), "1 to 200 names")
		return
	}
	temps := make([]string, len(targets))
	for i := range targets {
		temps[i] = b.t.temp()
	}
	b.emit("%s, = r_unpack(%s, %d)", strings.Join(temps, ", "), value, len(targets))
	for i, target := range targets {
		b.assign(target, temps[i])
	}
}

func (b *block) bind(id ast.Identifier, at int, value string) {
	name := string(id)
	if b.refuseName(name, at); b.scope.captured[name] {
		b.emit("r_set(b_%s, %s)", name, value)
		return
	}
	b.emit("u_%s = %s", name, value)
}

func (b *block) refuseName(name string, at int) {
	switch {
	case exceptions[name]:
		b.refuse(at, fmt.Sprintf("%q is the name of an exception", name), "another name")
	case strings.HasPrefix(name, "__"):
		b.refuse(at, fmt.Sprintf("the name %q starts with two underscores", name), "another name")
	}
}

func (b *block) augmented(n *ast.AugAssign) {
	op := inplace(n.Op)
	switch target := n.Target.(type) {
	case *ast.Name:
		current := b.name(target)
		b.bind(target.Id, target.Lineno, fmt.Sprintf("%s(%s, %s)", op, current, b.expr(n.Value)))
	case *ast.Subscript:
		container, key := b.t.temp(), b.t.temp()
		b.emit("%s = %s", container, b.expr(target.Value))
		b.emit("%s = %s", key, b.index(target))
		b.emit("r_setitem(%s(r_getitem(%s, %s), %s), %s, %s)", op, container, key, b.expr(n.Value), container, key)
	default:
		b.refuse(n.Lineno, "an augmented assignment to something other than a name or an element", "a plain assignment")
	}
}

func (b *block) forLoop(n *ast.For) {
	element, name := b.t.temp(), ""
	if target, ok := n.Target.(*ast.Name); ok && !b.scope.captured[string(target.Id)] {
		b.refuseName(string(target.Id), n.Lineno)
		name = "u_" + string(target.Id)
		element = name
	}
	b.emit("for %s in r_iter(%s):", element, b.expr(n.Iter))
	b.indent++
	if name == "" {
		b.assign(n.Target, element)
	}
	b.indent--
	b.loops++
	b.suite(n.Body)
	b.loops--
	b.at = n.Lineno
	b.emit("else:")
	b.indent++
	b.emit("r_check()")
	b.indent--
	b.suite(n.Orelse)
}

func (b *block) whileLoop(n *ast.While) {
	b.emit("while r_while(%s):", b.expr(n.Test))
	b.loops++
	b.suite(n.Body)
	b.loops--
	b.orelse(n.Orelse)
}

func (b *block) orelse(list []ast.Stmt) {
	if len(list) > 0 {
		b.emit("else:")
		b.suite(list)
	}
}

func (b *block) ifElse(n *ast.If) {
	b.at = max(b.at, lineOf(n.Test)) // gpython places an elif at its if
	b.emit("if %s:", b.expr(n.Test))
	b.suite(n.Body)
	b.orelse(n.Orelse)
}

func (b *block) raise(n *ast.Raise) {
	const form = `raise ValueError("text")`
	if n.Cause != nil {
		b.refuse(n.Lineno, "'raise ... from' is not in the policy subset", form)
		return
	}
	class, args := n.Exc, []ast.Expr(nil)
	if call, ok := n.Exc.(*ast.Call); ok && len(call.Keywords) == 0 && call.Starargs == nil && call.Kwargs == nil {
		class, args = call.Func, call.Args
	}
	name, ok := class.(*ast.Name)
	if !ok || !exceptions[string(name.Id)] || len(args) > 1 {
		b.refuse(n.Lineno, "'raise' of something other than a built-in exception with one text", form)
		return
	}
	b.emit("raise r_exception(%s)", strings.Join(append([]string{"x_" + string(name.Id)}, b.exprs(args)...), ", "))
}

func (b *block) assert(n *ast.Assert) {
	b.emit("if r_not(%s):", b.expr(n.Test))
	b.indent++
	if n.Msg == nil {
		b.emit("raise r_exception(x_AssertionError)")
	} else {
		b.emit("raise r_exception(x_AssertionError, %s)", b.expr(n.Msg))
	}
	b.indent--
}

func (b *block) try(n *ast.Try) {
	if len(n.Finalbody) > 0 {
		b.refuse(n.Lineno, "'finally' is not in the policy subset", "the statements after the try statement")
		return
	}
	if len(n.Handlers) == 0 {
		b.refuse(n.Lineno, "'try' without 'except'", "an except clause")
		return
	}
	b.emit("try:")
	b.suite(n.Body)
	for i, handler := range n.Handlers {
		if b.at = handler.Lineno; handler.ExprType != nil {
			b.at = lineOf(handler.ExprType) // gpython places a clause at its try
		}
		b.handler(handler, i == len(n.Handlers)-1)
	}
	b.orelse(n.Orelse)
}

func (b *block) handler(h *ast.ExceptHandler, last bool) {
	switch {
	case h.Name != "":
		b.refuse(b.at, "'except ... as name' is not in the policy subset",
			"except without 'as': texts of exceptions differ between interpreters")
	case h.ExprType == nil && !last:
		b.refuse(b.at, "'except:' before another clause", "the bare except last")
	case h.ExprType == nil:
		b.emit("except:")
	default:
		b.emit("except (%s,):", strings.Join(b.exceptionNames(h), ", "))
	}
	b.suite(h.Body)
}

func (b *block) exceptionNames(h *ast.ExceptHandler) []string {
	list := []ast.Expr{h.ExprType}
	if tuple, ok := h.ExprType.(*ast.Tuple); ok {
		list = tuple.Elts
	}
	var names []string
	for _, expr := range list {
		name, ok := expr.(*ast.Name)
		if !ok || !exceptions[string(name.Id)] {
			b.refuse(b.at, "'except' with something other than a built-in exception",
				"one of "+strings.Join(sorted(exceptions), ", "))
			return nil
		}
		names = append(names, "x_"+string(name.Id))
	}
	return names
}

func (b *block) imports(n *ast.Import) {
	for _, alias := range n.Names {
		module, name := string(alias.Name), alias.AsName
		if modules[module] == nil {
			b.refuseImport(n.Lineno, module)
			return
		}
		if name == "" && module == "crossfold.policy" {
			module, name = "crossfold", "crossfold"
		}
		if name == "" {
			name = alias.Name
		}
		b.bind(name, n.Lineno, fmt.Sprintf("r_import(%q)", module))
	}
}

func (b *block) importFrom(n *ast.ImportFrom) {
	members := modules[string(n.Module)]
	if members == nil || n.Level > 0 {
		b.refuseImport(n.Lineno, string(n.Module))
		return
	}
	for _, alias := range n.Names {
		name := alias.AsName
		if name == "" {
			name = alias.Name
		}
		if !members[string(alias.Name)] {
			b.refuse(n.Lineno, fmt.Sprintf("%s.%s is not in the policy subset", n.Module, alias.Name),
				"one of "+strings.Join(sorted(members), ", "))
			return
		}
		b.bind(name, n.Lineno, fmt.Sprintf("r_attr(r_import(%q), %q)", n.Module, alias.Name))
	}
}

func (b *block) refuseImport(at int, module string) {
	b.refuse(at, fmt.Sprintf("the module %q is not in the policy subset", module),
		"import math or from crossfold.policy import uniform, loguniform, randint, choice, seed")
}

// expression writes a statement that is only an expression; generators yield here and nowhere else.
func (b *block) expression(n *ast.ExprStmt) {
	switch value := n.Value.(type) {
	case *ast.Str: // a docstring or a comment
	case *ast.Yield:
		switch {
		case b.top:
			b.refuse(n.Lineno, "'yield' outside a function", "a function around it")
		case value.Value == nil:
			b.emit("yield None")
		default:
			b.emit("yield %s", b.expr(value.Value))
		}
	case *ast.YieldFrom:
		if b.top {
			b.refuse(n.Lineno, "'yield' outside a function", "a function around it")
			return
		}
		element := b.t.temp()
		b.emit("for %s in r_iter(%s):", element, b.expr(value.Value))
		b.emit(" yield %s", element)
		b.emit("else:")
		b.emit(" r_check()")
	default:
		b.emit("%s", b.expr(n.Value))
	}
}
