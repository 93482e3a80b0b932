package translate

import (
	"fmt"
	"math"
	"math/big"
	"strconv"
	"strings"

	"github.com/go-python/gpython/ast"
	"github.com/go-python/gpython/py"
)

var binaryOps = map[ast.OperatorNumber]string{
	ast.Add: "add", ast.Sub: "sub", ast.Mult: "mul", ast.Div: "truediv", ast.Modulo: "mod", ast.Pow: "pow",
	ast.LShift: "lshift", ast.RShift: "rshift", ast.BitOr: "or", ast.BitXor: "xor", ast.BitAnd: "and",
	ast.FloorDiv: "floordiv",
}

var compareOps = map[ast.CmpOp]string{
	ast.Eq: "eq", ast.NotEq: "ne", ast.Lt: "lt", ast.LtE: "le", ast.Gt: "gt", ast.GtE: "ge",
	ast.In: "in", ast.NotIn: "notin", ast.Is: "is", ast.IsNot: "isnot",
}

var compareSigns = map[ast.CmpOp]string{
	ast.Eq: "==", ast.NotEq: "!=", ast.Lt: "<", ast.LtE: "<=", ast.Gt: ">", ast.GtE: ">=",
}

// inplace names the function of an augmented assignment: += on a list changes the list.
func inplace(op ast.OperatorNumber) string {
	switch op {
	case ast.Add, ast.Mult, ast.BitOr, ast.BitAnd, ast.BitXor, ast.Sub:
		return "r_i" + binaryOps[op]
	}
	return "r_" + binaryOps[op]
}

// lineOf is the line where an expression starts; gpython leaves calls without a position.
func lineOf(expr ast.Expr) int {
	switch n := expr.(type) {
	case *ast.Call:
		return lineOf(n.Func)
	case *ast.Attribute:
		return lineOf(n.Value)
	case *ast.Subscript:
		return lineOf(n.Value)
	case *ast.BinOp:
		return lineOf(n.Left)
	}
	return expr.GetLineno()
}

func position(expr ast.Expr) (line, col int) {
	for {
		switch n := expr.(type) {
		case *ast.Call:
			expr = n.Func
		case *ast.Attribute:
			expr = n.Value
		case *ast.Subscript:
			expr = n.Value
		case *ast.BinOp:
			expr = n.Left
		default:
			return expr.GetLineno(), expr.GetColOffset()
		}
	}
}

func (b *block) exprs(list []ast.Expr) []string {
	texts := make([]string, len(list))
	for i, expr := range list {
		texts[i] = b.expr(expr)
	}
	return texts
}

// expr writes an expression of the core. Each operand stands in it once and in the policy's order.
func (b *block) expr(expr ast.Expr) string {
	if b.depth++; b.depth > maxExprDepth {
		b.depth--
		b.refuse(b.at, fmt.Sprintf("an expression nested more than %d deep", maxExprDepth), "names for its inner parts")
		return "None"
	}
	defer func() { b.depth-- }()
	switch n := expr.(type) {
	case *ast.Name:
		return b.name(n)
	case *ast.NameConstant:
		switch n.Value {
		case py.True:
			return "True"
		case py.False:
			return "False"
		}
		return "None"
	case *ast.Num:
		return b.number(n)
	case *ast.Str:
		return quote(string(n.S))
	case *ast.BoolOp:
		word := " and "
		if n.Op == ast.Or {
			word = " or "
		}
		return "(" + strings.Join(b.exprs(n.Values), word) + ")"
	case *ast.BinOp:
		return fmt.Sprintf("r_%s(%s, %s)", binaryOps[n.Op], b.expr(n.Left), b.expr(n.Right))
	case *ast.UnaryOp:
		name := map[ast.UnaryOpNumber]string{ast.Not: "not", ast.UAdd: "pos", ast.USub: "neg", ast.Invert: "invert"}[n.Op]
		return fmt.Sprintf("r_%s(%s)", name, b.expr(n.Operand))
	case *ast.IfExp:
		// The core evaluates test, then one branch, as Python does.
		body, test, orelse := b.expr(n.Body), b.expr(n.Test), b.expr(n.Orelse)
		return fmt.Sprintf("(%s if %s else %s)", body, test, orelse)
	case *ast.Compare:
		return b.compare(n)
	default:
		return b.compound(expr)
	}
}

func (b *block) compound(expr ast.Expr) string {
	switch n := expr.(type) {
	case *ast.Call:
		return b.call(n)
	case *ast.Attribute:
		return b.attribute(n)
	case *ast.Subscript:
		return fmt.Sprintf("r_getitem(%s, %s)", b.expr(n.Value), b.index(n))
	case *ast.Tuple:
		return b.display("", n.Elts)
	case *ast.List:
		return b.display("r_list", n.Elts)
	case *ast.Set:
		return b.display("r_set_of", n.Elts)
	case *ast.Dict:
		pairs := make([]ast.Expr, 0, 2*len(n.Keys))
		for i, key := range n.Keys {
			pairs = append(pairs, key, n.Values[i])
		}
		return b.display("r_dict", pairs)
	case *ast.Lambda:
		return b.lambda(n)
	case *ast.ListComp:
		return b.comprehension("r_list_from", n, n.Generators, n.Elt)
	case *ast.SetComp:
		return b.comprehension("r_set_from", n, n.Generators, n.Elt)
	case *ast.DictComp:
		return b.comprehension("r_dict_from", n, n.Generators, n.Key, n.Value)
	case *ast.GeneratorExp:
		return b.comprehension("", n, n.Generators, n.Elt)
	case *ast.Yield, *ast.YieldFrom:
		b.refuse(b.at, "'yield' inside an expression", "yield as a statement of its own")
	case *ast.Starred:
		b.refuse(b.at, "a starred value is not in the policy subset", "list concatenation with +")
	default:
		b.refuse(b.at, fmt.Sprintf("%T is not in the policy subset", expr), "an expression listed in docs/policies.md")
	}
	return "None"
}

func (b *block) name(n *ast.Name) string {
	name := string(n.Id)
	if b.scope.captured[name] || b.scope.free[name] {
		return "r_get(b_" + name + ")"
	}
	return "u_" + name
}

func (b *block) number(n *ast.Num) string {
	switch v := n.N.(type) {
	case py.Int:
		return strconv.FormatInt(int64(v), 10)
	case *py.BigInt:
		return (*big.Int)(v).String()
	case py.Float:
		if math.IsInf(float64(v), 0) {
			return "r_inf"
		}
		text := strconv.FormatFloat(float64(v), 'e', -1, 64)
		return text
	}
	b.refuse(b.at, "a complex number is not in the policy subset", "a float")
	return "None"
}

// quote writes a string in ASCII with escapes that gpython reads right.
func quote(s string) string {
	var out strings.Builder
	out.WriteByte('"')
	for _, r := range s {
		switch {
		case r == '"' || r == '\\':
			out.WriteByte('\\')
			out.WriteRune(r)
		case r >= ' ' && r < 0x7f:
			out.WriteRune(r)
		case r < 0x10000:
			fmt.Fprintf(&out, `\u%04x`, r)
		default:
			fmt.Fprintf(&out, `\U%08x`, r)
		}
	}
	out.WriteByte('"')
	return out.String()
}

// display writes the elements as one tuple, since a call takes at most 255 arguments.
func (b *block) display(function string, elements []ast.Expr) string {
	if len(elements) > maxElements {
		b.refuse(b.at, fmt.Sprintf("%d elements in one display", len(elements)), "several shorter ones")
		return "None"
	}
	tuple := "(" + strings.Join(b.exprs(elements), ", ") + ")"
	if len(elements) == 1 {
		tuple = tuple[:len(tuple)-1] + ",)"
	}
	if function == "" {
		return tuple
	}
	return function + "(" + tuple + ")"
}

func (b *block) compare(n *ast.Compare) string {
	operands := append([]ast.Expr{n.Left}, n.Comparators...)
	if len(n.Ops) == 1 {
		if n.Ops[0] == ast.Is || n.Ops[0] == ast.IsNot {
			if !singleton(n.Left) && !singleton(n.Comparators[0]) {
				b.refuse(b.at, "'is' with something other than None, True or False", "==")
			}
		}
		return fmt.Sprintf("r_%s(%s, %s)", compareOps[n.Ops[0]], b.expr(operands[0]), b.expr(operands[1]))
	}
	// r_operand makes gpython's own chain, which evaluates each operand once, compare by our rules.
	var text strings.Builder
	text.WriteString("(r_operand(" + b.expr(operands[0]) + ")")
	for i, op := range n.Ops {
		sign, ok := compareSigns[op]
		if !ok {
			b.refuse(b.at, "'in' or 'is' in a chain of comparisons", "two comparisons joined with 'and'")
		}
		fmt.Fprintf(&text, " %s r_operand(%s)", sign, b.expr(operands[i+1]))
	}
	text.WriteString(")")
	return text.String()
}

func singleton(expr ast.Expr) bool {
	_, ok := expr.(*ast.NameConstant)
	return ok
}

func (b *block) attribute(n *ast.Attribute) string {
	name := string(n.Attr)
	if !methods[name] && !modules["math"][name] && !modules["crossfold"][name] {
		advice := "d[key] for a value in a dict"
		if name == "format" {
			advice = "'%s scored %.3f' % (name, score)"
		}
		b.refuse(b.at, fmt.Sprintf("the attribute %q is not in the policy subset", name), advice)
	}
	return fmt.Sprintf("r_attr(%s, %q)", b.expr(n.Value), name)
}

// index writes what stands between the brackets of a subscript.
func (b *block) index(n *ast.Subscript) string {
	switch slice := n.Slice.(type) {
	case *ast.Index:
		return b.expr(slice.Value)
	case *ast.Slice:
		bounds := make([]string, 3)
		for i, bound := range []ast.Expr{slice.Lower, slice.Upper, slice.Step} {
			if bounds[i] = "None"; bound != nil {
				bounds[i] = b.expr(bound)
			}
		}
		return "r_slice(" + strings.Join(bounds, ", ") + ")"
	}
	b.refuse(b.at, "a slice with several dimensions is not in the policy subset", "one slice after the other")
	return "None"
}

func (b *block) call(n *ast.Call) string {
	if n.Starargs != nil || n.Kwargs != nil {
		b.refuse(b.at, "* or ** in a call is not in the policy subset", "the arguments themselves")
		return "None"
	}
	if len(n.Args)+len(n.Keywords) > maxArgs {
		b.refuse(b.at, fmt.Sprintf("a call with more than %d arguments", maxArgs), "a list")
		return "None"
	}
	parts := append([]string{b.expr(n.Func)}, b.exprs(n.Args)...)
	if len(n.Keywords) == 0 {
		return "r_call(" + strings.Join(parts, ", ") + ")"
	}
	b.checkKeywords(n)
	names := make([]string, len(n.Keywords))
	for i, keyword := range n.Keywords {
		names[i] = strconv.Quote(string(keyword.Arg))
		parts = append(parts, b.expr(keyword.Value))
	}
	return fmt.Sprintf("r_callk((%s,), %s)", strings.Join(names, ", "), strings.Join(parts, ", "))
}

// checkKeywords refuses what gpython's parser lets through: f(a=1, 2) and f(a=1, a=2).
func (b *block) checkKeywords(n *ast.Call) {
	seen := map[ast.Identifier]bool{}
	for _, keyword := range n.Keywords {
		if seen[keyword.Arg] {
			b.refuse(b.at, fmt.Sprintf("the argument %q is given twice", keyword.Arg), "each argument once")
		}
		seen[keyword.Arg] = true
	}
	first := n.Keywords[0]
	for _, arg := range n.Args {
		line, col := position(arg)
		if line > first.GetLineno() || line == first.GetLineno() && col > first.GetColOffset() {
			b.refuse(b.at, "a positional argument after a named one", "positional arguments first")
			return
		}
	}
}
