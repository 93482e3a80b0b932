package interp

import (
	"errors"
	"math"

	"github.com/go-python/gpython/py"
)

type builtinFunc = func(args []py.Object, named []argument) (py.Object, error)

// builtins are the functions and types that need no import.
func (in *Interp) builtins() map[string]builtinFunc {
	plain := func(name string, low, high int, f func([]py.Object) (py.Object, error)) builtinFunc {
		return func(args []py.Object, named []argument) (py.Object, error) {
			if len(named) > 0 {
				return nil, in.refuse("positional arguments", "%s() with named arguments", name)
			}
			if err := arity(name, args, low, high); err != nil {
				return nil, err
			}
			return f(args)
		}
	}
	all := map[string]builtinFunc{
		"abs": plain("abs", 1, 1, in.abs),
		"bool": plain("bool", 0, 1, func(a []py.Object) (py.Object, error) {
			return py.NewBool(truth(optional(a, 0, py.None))), nil
		}),
		"divmod": plain("divmod", 2, 2, in.divmod),
		"float":  plain("float", 0, 1, in.float),
		"int":    plain("int", 0, 2, in.int),
		"len": plain("len", 1, 1, func(a []py.Object) (py.Object, error) {
			n, err := in.length(a[0])
			return py.Int(n), err
		}),
		"pow":        plain("pow", 2, 3, in.pow),
		"repr":       plain("repr", 1, 1, func(a []py.Object) (py.Object, error) { return asStr(in.repr(a[0])) }),
		"isinstance": plain("isinstance", 2, 2, in.isinstance),
		"round":      in.round,
		"sum":        in.sum,
		"str": plain("str", 0, 3, func(a []py.Object) (py.Object, error) {
			if len(a) > 1 {
				return nil, in.refuse("str(value)", "str() with an encoding")
			}
			return asStr(in.str(optional(a, 0, py.String(""))))
		}),
		"max": func(args []py.Object, named []argument) (py.Object, error) { return in.extreme("gt", args, named) },
		"min": func(args []py.Object, named []argument) (py.Object, error) { return in.extreme("lt", args, named) },
	}
	for name, f := range in.collections(plain) {
		all[name] = f
	}
	return all
}

func asStr(text string, err error) (py.Object, error) { return py.String(text), err }

func (in *Interp) abs(a []py.Object) (py.Object, error) {
	if f, ok := a[0].(py.Float); ok {
		return py.Float(math.Abs(float64(f))), nil
	}
	n, ok := asInt(a[0])
	if !ok {
		return nil, raise(py.TypeError, "bad operand type for abs(): '%s'", a[0].Type().Name)
	}
	if n.sign() < 0 {
		return in.negate(a[0])
	}
	return in.positive(a[0])
}

func (in *Interp) divmod(a []py.Object) (py.Object, error) {
	quotient, ok, err := in.arithmetic("floordiv", a[0], a[1])
	if err != nil {
		return nil, err
	}
	if !ok {
		return nil, raise(py.TypeError, "unsupported operand type(s) for divmod()")
	}
	remainder, _, err := in.arithmetic("mod", a[0], a[1])
	return py.Tuple{quotient, remainder}, err
}

func (in *Interp) float(a []py.Object) (py.Object, error) {
	if len(a) == 0 {
		return py.Float(0), nil
	}
	if text, ok := a[0].(py.String); ok {
		return in.parseFloat(string(text))
	}
	f, ok, err := asFloat(a[0])
	if err == nil && !ok {
		err = raise(py.TypeError, "float() argument must be a string or a real number, not '%s'", a[0].Type().Name)
	}
	return py.Float(f), err
}

func (in *Interp) int(a []py.Object) (py.Object, error) {
	switch len(a) {
	case 0:
		return py.Int(0), nil
	case 2:
		return nil, in.refuse("int(text)", "int() with a base")
	}
	switch v := a[0].(type) {
	case py.String:
		return in.parseInt(string(v))
	case py.Float:
		return floatToInt(math.Trunc(float64(v)))
	}
	n, ok := asInt(a[0])
	if !ok {
		return nil, raise(py.TypeError, "int() argument must be a string or a real number, not '%s'", a[0].Type().Name)
	}
	return intOf(n.wide()), nil
}

func (in *Interp) pow(a []py.Object) (py.Object, error) {
	if len(a) == 3 {
		return nil, in.refuse("x ** y % z", "pow() with a modulus")
	}
	return in.binary("pow", a[0], a[1])
}

// kinds are the types isinstance knows. A bool is an int too.
func isKind(value py.Object, kind string) (is, known bool) {
	name := value.Type().Name
	switch kind {
	case "int":
		_, ok := asInt(value)
		return ok, true
	case "float", "str", "bool", "list", "dict", "tuple", "set", "range":
		return name == kind, true
	}
	return false, false
}

func (in *Interp) isinstance(a []py.Object) (py.Object, error) {
	kinds := []py.Object{a[1]}
	if tuple, ok := a[1].(py.Tuple); ok {
		kinds = tuple
	}
	for _, kind := range kinds {
		builtin, ok := kind.(*Builtin)
		if !ok || builtin.self != nil {
			return nil, in.refuse("one of int, float, str, bool, list, dict, tuple, set or a tuple of them",
				"isinstance with a %s", kind.Type().Name)
		}
		is, known := isKind(a[0], builtin.name)
		if !known {
			return nil, in.refuse("one of int, float, str, bool, list, dict, tuple, set or a tuple of them",
				"isinstance with %s", builtin.name)
		}
		if is {
			return py.True, nil
		}
	}
	return py.False, nil
}

// named moves the named arguments in allowed behind the positional ones; nil where none was given.
func (in *Interp) named(
	function string, args []py.Object, named []argument, positional int, allowed ...string,
) ([]py.Object, error) {
	out := make([]py.Object, positional+len(allowed))
	if len(args) > positional {
		return nil, raise(py.TypeError, "%s() takes at most %d positional arguments", function, positional)
	}
	copy(out, args)
	for _, arg := range named {
		at := -1
		for i, name := range allowed {
			if name == arg.name {
				at = positional + i
			}
		}
		if at < 0 {
			return nil, in.refuse("one that docs/policies.md lists", "the argument %s of %s()", arg.name, function)
		}
		out[at] = arg.value
	}
	return out, nil
}

func (in *Interp) round(args []py.Object, named []argument) (py.Object, error) {
	a, err := in.named("round", args, named, 2, "ndigits")
	if err != nil {
		return nil, err
	}
	if a[0] == nil {
		return nil, raise(py.TypeError, "round() missing required argument 'number'")
	}
	if a[1] == nil {
		a[1] = a[2]
	}
	n, isInt := asInt(a[0])
	f, isFloat := a[0].(py.Float)
	if !isInt && !isFloat {
		return nil, raise(py.TypeError, "type %s doesn't define __round__ method", a[0].Type().Name)
	}
	if a[1] == nil || a[1] == py.None {
		if isInt {
			return intOf(n.wide()), nil
		}
		return floatToInt(math.RoundToEven(float64(f)))
	}
	digits, ok := asInt(a[1])
	if !ok {
		return nil, raise(py.TypeError, "'%s' object cannot be interpreted as an integer", a[1].Type().Name)
	}
	if digits.big != nil {
		return nil, in.refuse("a smaller number of digits", "round() to that many digits")
	}
	if isInt {
		return in.roundInt(n, digits.small)
	}
	return in.roundFloat(float64(f), digits.small)
}

// sum adds from left to right, as CPython 3.11 does; 3.12 and later correct the rounding of floats.
func (in *Interp) sum(args []py.Object, named []argument) (py.Object, error) {
	a, err := in.named("sum", args, named, 2, "start")
	if err != nil {
		return nil, err
	}
	if a[0] == nil {
		return nil, raise(py.TypeError, "sum() takes at least 1 positional argument (0 given)")
	}
	var total py.Object = py.Int(0)
	if a[1] == nil {
		a[1] = a[2]
	}
	if a[1] != nil {
		total = a[1]
	}
	if _, isText := total.(py.String); isText {
		return nil, raise(py.TypeError, "sum() can't sum strings [use ''.join(seq) instead]")
	}
	err = in.each(a[0], func(item py.Object) (bool, error) {
		total, err = in.binary("add", total, item)
		return true, err
	})
	return total, err
}

// extreme is max (gt) and min (lt): the first of equal values wins.
func (in *Interp) extreme(op string, args []py.Object, named []argument) (py.Object, error) {
	name := map[string]string{"gt": "max", "lt": "min"}[op]
	options, err := in.named(name, nil, named, 0, "key", "default")
	if err != nil {
		return nil, err
	}
	key, missing := options[0], options[1]
	if len(args) == 0 {
		return nil, raise(py.TypeError, "%s expected at least 1 argument, got 0", name)
	}
	var values py.Object = py.Tuple(append([]py.Object{}, args...))
	if len(args) == 1 {
		values = args[0]
	} else if missing != nil {
		return nil, raise(py.TypeError, "Cannot specify a default for %s() with multiple positional arguments", name)
	}
	var best, bestKey py.Object
	err = in.each(values, func(item py.Object) (bool, error) {
		itemKey, err := in.keyOf(key, item)
		if err != nil || best == nil {
			best, bestKey = item, itemKey
			return true, err
		}
		better, err := in.compare(op, itemKey, bestKey)
		if better {
			best, bestKey = item, itemKey
		}
		return true, err
	})
	if err != nil {
		return nil, err
	}
	if best == nil && missing == nil {
		return nil, raise(py.ValueError, "%s() arg is an empty sequence", name)
	}
	if best == nil {
		best = missing
	}
	return best, nil
}

func (in *Interp) keyOf(key, item py.Object) (py.Object, error) {
	if key == nil || key == py.None {
		return item, nil
	}
	return in.call(key, []py.Object{item}, nil)
}

// next is next(iterator, default); without a default the end would be StopIteration.
func (in *Interp) next(a []py.Object) (py.Object, error) {
	it, ok := a[0].(*Iter)
	if !ok {
		return nil, raise(py.TypeError, "'%s' object is not an iterator", a[0].Type().Name)
	}
	value, err := it.step()
	if errors.Is(err, errStop) && len(a) == 2 {
		return a[1], nil
	}
	return value, err
}
