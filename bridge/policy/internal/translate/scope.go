package translate

import (
	"sort"

	"github.com/go-python/gpython/ast"
)

// scope is one function, lambda or comprehension, or the module (parent nil).
//
// gpython mixes up variables captured over two levels, so functions are lifted to the module:
// a captured variable lives in a box that its owner makes and inner functions get as an argument.
type scope struct {
	parent    *scope
	bound     map[string]bool // assigned here, parameters included
	used      map[string]int  // name → first line
	captured  map[string]bool // bound here, used further in
	free      map[string]bool // boxes handed in from outside
	params    []string
	generator bool
	children  map[ast.Ast]*scope
}

func newScope(parent *scope) *scope {
	return &scope{
		parent: parent, bound: map[string]bool{}, used: map[string]int{}, captured: map[string]bool{},
		free: map[string]bool{}, children: map[ast.Ast]*scope{},
	}
}

// boxes are the free variables of s in a fixed order.
func (s *scope) boxes() []string { return sorted(s.free) }

func sorted(names map[string]bool) []string {
	list := make([]string, 0, len(names))
	for name := range names {
		list = append(list, name)
	}
	sort.Strings(list)
	return list
}

// resolve finds the owner of each used name and marks the boxes on the way.
func (s *scope) resolve() {
	for _, child := range s.children {
		child.resolve()
	}
	if s.parent == nil {
		return
	}
	for name := range s.used {
		if s.bound[name] {
			continue
		}
		owner := s.parent
		for owner.parent != nil && !owner.bound[name] {
			owner = owner.parent
		}
		if owner.parent == nil {
			continue
		}
		owner.captured[name] = true
		for inner := s; inner != owner; inner = inner.parent {
			inner.free[name] = true
		}
	}
}

func (s *scope) use(name ast.Identifier, line int) {
	if _, seen := s.used[string(name)]; !seen {
		s.used[string(name)] = line
	}
}

func (s *scope) stmts(list []ast.Stmt) {
	for _, stmt := range list {
		s.stmt(stmt)
	}
}

// stmt collects what a statement binds and uses. Statements that the translator refuses are left out.
func (s *scope) stmt(stmt ast.Stmt) {
	switch n := stmt.(type) {
	case *ast.FunctionDef:
		s.bound[string(n.Name)] = true
		s.function(n, n.Args).stmts(n.Body)
	case *ast.Return:
		s.expr(n.Value)
	case *ast.Delete:
		s.exprs(n.Targets)
	case *ast.Assign:
		s.expr(n.Value)
		s.exprs(n.Targets)
	case *ast.AugAssign:
		s.expr(n.Value)
		s.expr(n.Target)
	case *ast.For:
		s.expr(n.Iter)
		s.expr(n.Target)
		s.stmts(n.Body)
		s.stmts(n.Orelse)
	case *ast.While:
		s.expr(n.Test)
		s.stmts(n.Body)
		s.stmts(n.Orelse)
	case *ast.If:
		s.expr(n.Test)
		s.stmts(n.Body)
		s.stmts(n.Orelse)
	case *ast.Raise:
		if call, ok := n.Exc.(*ast.Call); ok {
			s.exprs(call.Args) // the class itself is checked where it is written
		}
	case *ast.Try:
		s.stmts(n.Body)
		for _, handler := range n.Handlers {
			s.stmts(handler.Body)
		}
		s.stmts(n.Orelse)
	case *ast.Assert:
		s.expr(n.Test)
		s.expr(n.Msg)
	case *ast.Import:
		s.imports(n.Names, true)
	case *ast.ImportFrom:
		s.imports(n.Names, false)
	case *ast.ExprStmt:
		s.expr(n.Value)
	}
}

func (s *scope) imports(names []*ast.Alias, dotted bool) {
	for _, alias := range names {
		name := alias.AsName
		if name == "" {
			name = alias.Name
		}
		if dotted && name == "crossfold.policy" {
			name = "crossfold"
		}
		s.bound[string(name)] = true
	}
}

func (s *scope) function(node ast.Ast, args *ast.Arguments) *scope {
	s.exprs(args.Defaults)
	inner := newScope(s)
	s.children[node] = inner
	for _, arg := range args.Args {
		inner.bound[string(arg.Arg)] = true
		inner.params = append(inner.params, string(arg.Arg))
	}
	return inner
}

func (s *scope) exprs(list []ast.Expr) {
	for _, expr := range list {
		s.expr(expr)
	}
}

func (s *scope) expr(expr ast.Expr) {
	switch n := expr.(type) {
	case *ast.Name:
		if n.Ctx == ast.Load {
			s.use(n.Id, n.Lineno)
		} else {
			s.bound[string(n.Id)] = true
		}
	case *ast.Lambda:
		s.function(n, n.Args).expr(n.Body)
	case *ast.ListComp:
		s.comprehension(n, n.Generators, n.Elt)
	case *ast.SetComp:
		s.comprehension(n, n.Generators, n.Elt)
	case *ast.GeneratorExp:
		s.comprehension(n, n.Generators, n.Elt)
	case *ast.DictComp:
		s.comprehension(n, n.Generators, n.Key, n.Value)
	case *ast.Yield:
		s.generator = true
		s.expr(n.Value)
	case *ast.YieldFrom:
		s.generator = true
		s.expr(n.Value)
	default:
		for _, part := range parts(expr) {
			s.expr(part)
		}
	}
}

func (s *scope) comprehension(node ast.Ast, generators []ast.Comprehension, results ...ast.Expr) {
	s.expr(generators[0].Iter)
	inner := newScope(s)
	s.children[node] = inner
	inner.generator = true
	for i, g := range generators {
		if i > 0 {
			inner.expr(g.Iter)
		}
		inner.expr(g.Target)
		inner.exprs(g.Ifs)
	}
	inner.exprs(results)
}

// parts are the expressions directly inside an expression that opens no scope.
func parts(expr ast.Expr) []ast.Expr {
	switch n := expr.(type) {
	case *ast.BoolOp:
		return n.Values
	case *ast.BinOp:
		return []ast.Expr{n.Left, n.Right}
	case *ast.UnaryOp:
		return []ast.Expr{n.Operand}
	case *ast.IfExp:
		return []ast.Expr{n.Test, n.Body, n.Orelse}
	case *ast.Dict:
		return append(append([]ast.Expr{}, n.Keys...), n.Values...)
	case *ast.Set:
		return n.Elts
	case *ast.List:
		return n.Elts
	case *ast.Tuple:
		return n.Elts
	case *ast.Compare:
		return append([]ast.Expr{n.Left}, n.Comparators...)
	case *ast.Call:
		list := append([]ast.Expr{n.Func}, n.Args...)
		for _, keyword := range n.Keywords {
			list = append(list, keyword.Value)
		}
		return list
	case *ast.Attribute:
		return []ast.Expr{n.Value}
	case *ast.Subscript:
		return append([]ast.Expr{n.Value}, slicerParts(n.Slice)...)
	}
	return nil
}

func slicerParts(slice ast.Slicer) []ast.Expr {
	switch n := slice.(type) {
	case *ast.Index:
		return []ast.Expr{n.Value}
	case *ast.Slice:
		return []ast.Expr{n.Lower, n.Upper, n.Step}
	}
	return nil
}
