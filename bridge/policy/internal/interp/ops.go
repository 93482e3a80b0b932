package interp

import (
	"strings"

	"github.com/go-python/gpython/py"
)

// binary is a op b; inplace is a op= b, which changes a list.
func (in *Interp) binary(op string, a, b py.Object) (py.Object, error) {
	if err := in.tick(1); err != nil {
		return nil, err
	}
	if result, ok, err := in.arithmetic(op, a, b); ok {
		return result, err
	}
	switch op {
	case "add":
		return in.concat(a, b)
	case "mul":
		if n, ok := asInt(b); ok {
			return in.repeat(a, n, b)
		}
		if n, ok := asInt(a); ok {
			return in.repeat(b, n, a)
		}
	case "mod":
		if text, ok := a.(py.String); ok {
			return in.format(string(text), b)
		}
	case "or", "and", "sub", "xor":
		x, xSet := a.(*Set)
		y, ySet := b.(*Set)
		if xSet && ySet {
			return in.setOp(op, x, y)
		}
		if _, xDict := a.(*Dict); xDict && op == "or" {
			return nil, in.refuse("dict(a) and update", "| on dicts")
		}
	}
	return nil, raise(py.TypeError, "unsupported operand type(s) for %s: '%s' and '%s'",
		op, a.Type().Name, b.Type().Name)
}

func (in *Interp) inplace(op string, a, b py.Object) (py.Object, error) {
	switch x := a.(type) {
	case *List:
		switch op {
		case "add":
			return x, in.extend(x, b)
		case "mul":
			return nil, in.refuse("values = values * n", "*= on a list")
		}
	case *Set:
		return nil, in.refuse("a = a | b", "an augmented assignment to a set")
	}
	return in.binary(op, a, b)
}

func (in *Interp) concat(a, b py.Object) (py.Object, error) {
	switch x := a.(type) {
	case py.String:
		if y, ok := b.(py.String); ok {
			return x + y, in.room(len(x)+len(y), 1)
		}
	case py.Tuple:
		if y, ok := b.(py.Tuple); ok {
			return append(append(make(py.Tuple, 0, len(x)+len(y)), x...), y...), in.room(len(x)+len(y), 16)
		}
	case *List:
		if y, ok := b.(*List); ok {
			if err := in.room(len(x.items)+len(y.items), 16); err != nil {
				return nil, err
			}
			return &List{items: append(append([]py.Object{}, x.items...), y.items...)}, nil
		}
	}
	return nil, raise(py.TypeError, "can't add '%s' and '%s'", a.Type().Name, b.Type().Name)
}

func (in *Interp) repeat(a py.Object, n integer, count py.Object) (py.Object, error) {
	times, size := 0, 0
	switch x := a.(type) {
	case py.String:
		size = len(x)
	case py.Tuple:
		size = len(x) * 16
	case *List:
		size = len(x.items) * 16
	default:
		return nil, raise(py.TypeError, "can't multiply '%s' and '%s'", a.Type().Name, count.Type().Name)
	}
	if n.sign() > 0 && size > 0 {
		if n.big != nil || n.small > in.limits.Bytes {
			return nil, in.limit("a value of more than %d bytes", in.limits.Bytes)
		}
		times = int(n.small)
	}
	if err := in.room(times, max(size, 1)); err != nil {
		return nil, err
	}
	switch x := a.(type) {
	case py.String:
		return py.String(strings.Repeat(string(x), times)), nil
	case py.Tuple:
		return py.Tuple(repeatItems(x, times)), nil
	default:
		return &List{items: repeatItems(a.(*List).items, times)}, nil
	}
}

func repeatItems(items []py.Object, times int) []py.Object {
	out := make([]py.Object, 0, len(items)*times)
	for range times {
		out = append(out, items...)
	}
	return out
}

func (in *Interp) setOp(op string, a, b *Set) (py.Object, error) {
	if err := in.room(a.len()+b.len(), 64); err != nil {
		return nil, err
	}
	result := &Set{table: a.copy()}
	for _, e := range a.entries {
		if _, shared := b.at[e.hash]; !e.dead && shared != (op == "and") && op != "or" {
			result.delete(e.hash)
		}
	}
	if op == "or" || op == "xor" {
		for _, e := range b.entries {
			if _, shared := a.at[e.hash]; !e.dead && !shared {
				result.set(e.hash, e.key, py.None)
			}
		}
	}
	return result, nil
}

func (in *Interp) negate(value py.Object) (py.Object, error) {
	if f, ok := value.(py.Float); ok {
		return -f, nil
	}
	if n, ok := asInt(value); ok {
		return in.intOp("sub", integer{}, n)
	}
	return nil, raise(py.TypeError, "bad operand type for unary -: '%s'", value.Type().Name)
}

func (in *Interp) positive(value py.Object) (py.Object, error) {
	if f, ok := value.(py.Float); ok {
		return f, nil
	}
	if n, ok := asInt(value); ok {
		return intOf(n.wide()), nil
	}
	return nil, raise(py.TypeError, "bad operand type for unary +: '%s'", value.Type().Name)
}

func (in *Interp) invert(value py.Object) (py.Object, error) {
	if n, ok := asInt(value); ok {
		return in.intOp("sub", integer{small: -1}, n)
	}
	return nil, raise(py.TypeError, "bad operand type for unary ~: '%s'", value.Type().Name)
}

// truth is bool(value).
func truth(value py.Object) bool {
	switch v := value.(type) {
	case py.Bool:
		return bool(v)
	case py.NoneType:
		return false
	case py.Float:
		return v != 0
	case py.String:
		return v != ""
	case py.Tuple:
		return len(v) > 0
	case *List:
		return len(v.items) > 0
	case *Dict:
		return v.len() > 0
	case *Set:
		return v.len() > 0
	case *Range:
		return v.len() > 0
	}
	if n, ok := asInt(value); ok {
		return n.sign() != 0
	}
	return true
}
