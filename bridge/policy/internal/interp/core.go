package interp

import (
	"errors"
	"math"

	"github.com/go-python/gpython/py"
)

// core gives the names that translated code calls (r_...), the builtins (u_...) and exceptions (x_...).
func (in *Interp) core() py.StringDict {
	names := py.NewStringDict()
	in.addOperators(names)
	in.addValues(names)
	in.addControl(names)
	for name, call := range in.builtins() {
		names["u_"+name] = &Builtin{name: name, call: call}
	}
	for name, class := range exceptionClasses {
		names["x_"+name] = class
	}
	in.modules = in.makeModules()
	names["r_inf"] = py.Float(math.Inf(1))
	return names
}

var exceptionClasses = map[string]*py.Type{
	"ArithmeticError": py.ArithmeticError, "AssertionError": py.AssertionError, "Exception": py.ExceptionType,
	"IndexError": py.IndexError, "KeyError": py.KeyError, "LookupError": py.LookupError,
	"NameError": py.NameError, "NotImplementedError": py.NotImplementedError, "OverflowError": py.OverflowError,
	"RuntimeError": py.RuntimeError, "TypeError": py.TypeError, "ValueError": py.ValueError,
	"ZeroDivisionError": py.ZeroDivisionError,
}

func define(names py.StringDict, name string, call func(args []py.Object) (py.Object, error)) {
	names["r_"+name] = &core{name: name, call: call}
}

func (in *Interp) addOperators(names py.StringDict) {
	for _, op := range []string{
		"add", "sub", "mul", "truediv", "floordiv", "mod", "pow", "lshift", "rshift", "and", "or", "xor",
	} {
		define(names, op, func(a []py.Object) (py.Object, error) { return in.binary(op, a[0], a[1]) })
	}
	for _, op := range []string{"add", "sub", "mul", "and", "or", "xor"} {
		define(names, "i"+op, func(a []py.Object) (py.Object, error) {
			if err := in.tick(1); err != nil {
				return nil, err
			}
			return in.inplace(op, a[0], a[1])
		})
	}
	for _, op := range []string{"eq", "ne", "lt", "le", "gt", "ge"} {
		define(names, op, func(a []py.Object) (py.Object, error) {
			if err := in.tick(1); err != nil {
				return nil, err
			}
			result, err := in.compare(op, a[0], a[1])
			return py.NewBool(result), err
		})
	}
	for op, call := range map[string]func(py.Object) (py.Object, error){
		"neg": in.negate, "pos": in.positive, "invert": in.invert,
	} {
		define(names, op, func(a []py.Object) (py.Object, error) {
			if err := in.tick(1); err != nil {
				return nil, err
			}
			return call(a[0])
		})
	}
	in.addTests(names)
}

func (in *Interp) addTests(names py.StringDict) {
	contains := func(a []py.Object) (bool, error) {
		if err := in.tick(1); err != nil {
			return false, err
		}
		if view, ok := a[1].(*View); ok {
			return in.viewContains(view, a[0])
		}
		return in.contains(a[1], a[0])
	}
	define(names, "in", func(a []py.Object) (py.Object, error) {
		found, err := contains(a)
		return py.NewBool(found), err
	})
	define(names, "notin", func(a []py.Object) (py.Object, error) {
		found, err := contains(a)
		return py.NewBool(!found), err
	})
	// One side is None, True or False: gpython's types for them compare by value.
	define(names, "is", func(a []py.Object) (py.Object, error) {
		return py.NewBool(identical(a[0], a[1])), in.tick(1)
	})
	define(names, "isnot", func(a []py.Object) (py.Object, error) {
		return py.NewBool(!identical(a[0], a[1])), in.tick(1)
	})
	define(names, "not", func(a []py.Object) (py.Object, error) { return py.NewBool(!truth(a[0])), in.tick(1) })
	define(names, "while", func(a []py.Object) (py.Object, error) { return py.NewBool(truth(a[0])), in.tick(1) })
	define(names, "operand", func(a []py.Object) (py.Object, error) { return &operand{in, a[0]}, in.tick(1) })
}

func identical(a, b py.Object) bool {
	switch x := a.(type) {
	case py.NoneType:
		_, ok := b.(py.NoneType)
		return ok
	case py.Bool:
		y, ok := b.(py.Bool)
		return ok && x == y
	}
	return false
}

// viewContains is item in d.keys() and the like.
func (in *Interp) viewContains(v *View, item py.Object) (bool, error) {
	switch v.name {
	case "dict_keyiterator":
		return in.contains(v.dict, item)
	case "dict_valueiterator":
		return in.containsIter(v, item)
	}
	return false, in.refuse("key in d and d[key] == value", "in with d.items()")
}

func (in *Interp) addValues(names py.StringDict) {
	define(names, "list", func(a []py.Object) (py.Object, error) {
		return &List{items: a[0].(py.Tuple)}, in.tick(1)
	})
	define(names, "dict", func(a []py.Object) (py.Object, error) {
		d, items := &Dict{}, a[0].(py.Tuple)
		for i := 0; i < len(items); i += 2 {
			if err := firstError(in.tick(1), in.store(d, items[i], items[i+1])); err != nil {
				return nil, err
			}
		}
		return d, nil
	})
	define(names, "set_of", func(a []py.Object) (py.Object, error) { return in.setFrom(a[0]) })
	define(names, "list_from", func(a []py.Object) (py.Object, error) { return in.listFrom(a[0]) })
	define(names, "set_from", func(a []py.Object) (py.Object, error) { return in.setFrom(a[0]) })
	define(names, "dict_from", func(a []py.Object) (py.Object, error) {
		d := &Dict{}
		return d, in.merge(d, a[0])
	})
	define(names, "slice", func(a []py.Object) (py.Object, error) { return &slice{a[0], a[1], a[2]}, nil })
	define(names, "getitem", func(a []py.Object) (py.Object, error) {
		if err := in.tick(1); err != nil {
			return nil, err
		}
		return in.get(a[0], a[1])
	})
	define(names, "setitem", func(a []py.Object) (py.Object, error) {
		return py.None, firstError(in.tick(1), in.set(a[0], a[1], a[2]))
	})
	define(names, "delitem", func(a []py.Object) (py.Object, error) {
		return py.None, firstError(in.tick(1), in.remove(a[0], a[1]))
	})
	define(names, "unpack", func(a []py.Object) (py.Object, error) {
		return in.unpack(a[0], int(a[1].(py.Int)))
	})
	define(names, "attr", func(a []py.Object) (py.Object, error) {
		if err := in.tick(1); err != nil {
			return nil, err
		}
		return in.attr(a[0], string(a[1].(py.String)))
	})
	define(names, "import", func(a []py.Object) (py.Object, error) {
		return in.modules[string(a[0].(py.String))], in.tick(1)
	})
}

func (in *Interp) addControl(names py.StringDict) {
	define(names, "iter", func(a []py.Object) (py.Object, error) {
		if err := in.tick(1); err != nil {
			return nil, err
		}
		return in.iter(a[0])
	})
	define(names, "check", func([]py.Object) (py.Object, error) {
		if err := in.tick(1); err != nil {
			return nil, err
		}
		err := in.pending
		in.pending = nil
		return py.None, err
	})
	define(names, "call", func(a []py.Object) (py.Object, error) { return in.call(a[0], a[1:], nil) })
	define(names, "callk", func(a []py.Object) (py.Object, error) {
		keys := a[0].(py.Tuple)
		positional, values := a[2:len(a)-len(keys)], a[len(a)-len(keys):]
		named := make([]argument, len(keys))
		for i, key := range keys {
			named[i] = argument{string(key.(py.String)), values[i]}
		}
		return in.call(a[1], positional, named)
	})
	define(names, "func", func(a []py.Object) (py.Object, error) {
		index := int(a[1].(py.Int))
		return &Function{
			name: in.program.Functions[index].Name, code: a[0].(*py.Function), index: index,
			defaults: a[2].(py.Tuple), boxes: a[3].(py.Tuple),
		}, in.tick(1)
	})
	define(names, "generator", func(a []py.Object) (py.Object, error) {
		args := append(append(py.Tuple{}, a[1].(py.Tuple)...), a[2])
		g, err := py.Call(a[0], args, nil)
		if err != nil {
			return nil, err
		}
		return in.generator(g.(*py.Generator)), in.tick(1)
	})
	define(names, "exception", func(a []py.Object) (py.Object, error) {
		var text py.Tuple
		if len(a) > 1 {
			s, err := in.str(a[1])
			if err != nil {
				return nil, err
			}
			text = py.Tuple{py.String(s)}
		}
		return py.ExceptionNew(a[0].(*py.Type), text, nil)
	})
	in.addBoxes(names)
}

func (in *Interp) addBoxes(names py.StringDict) {
	define(names, "box", func(a []py.Object) (py.Object, error) {
		if len(a) == 1 {
			return &box{value: a[0]}, nil
		}
		return &box{}, nil
	})
	define(names, "set", func(a []py.Object) (py.Object, error) {
		a[0].(*box).value = a[1]
		return py.None, in.tick(1)
	})
	define(names, "get", func(a []py.Object) (py.Object, error) {
		value := a[0].(*box).value
		if value == nil {
			return nil, raise(py.NameError, "a variable is used before it is assigned")
		}
		return value, nil
	})
}

// call calls what a policy may call. args may lie on gpython's stack.
func (in *Interp) call(target py.Object, args []py.Object, named []argument) (py.Object, error) {
	if err := in.tick(1); err != nil {
		return nil, err
	}
	switch f := target.(type) {
	case *Function:
		return in.callFunction(f, args, named)
	case *Builtin:
		result, err := f.call(args, named)
		if errors.Is(err, errStop) {
			return nil, in.refuse("next(generator, default)", "StopIteration")
		}
		return result, err
	}
	return nil, raise(py.TypeError, "'%s' object is not callable", target.Type().Name)
}

func (in *Interp) callFunction(f *Function, args []py.Object, named []argument) (py.Object, error) {
	info := in.program.Functions[f.index]
	full, err := bind(f, info.Params, args, named)
	if err != nil {
		return nil, err
	}
	if err := in.enter(); err != nil {
		in.leave()
		return nil, err
	}
	defer in.leave()
	result, err := py.Call(f.code, full, nil)
	if g, ok := result.(*py.Generator); ok && err == nil {
		return in.generator(g), nil
	}
	return result, err
}

// bind gives each parameter its argument or default, as CPython does; the boxes come first.
func bind(f *Function, params []string, args []py.Object, named []argument) (py.Tuple, error) {
	full := make(py.Tuple, len(f.boxes)+len(params))
	copy(full, f.boxes)
	values := full[len(f.boxes):]
	if len(args) > len(params) {
		return nil, raise(py.TypeError, "%s() takes %d positional arguments but %d were given",
			f.name, len(params), len(args))
	}
	copy(values, args)
	for _, arg := range named {
		at := -1
		for i, param := range params {
			if param == arg.name {
				at = i
			}
		}
		if at < 0 {
			return nil, raise(py.TypeError, "%s() got an unexpected keyword argument '%s'", f.name, arg.name)
		}
		if values[at] != nil {
			return nil, raise(py.TypeError, "%s() got multiple values for argument '%s'", f.name, arg.name)
		}
		values[at] = arg.value
	}
	first := len(params) - len(f.defaults)
	for i := range values {
		if values[i] == nil && i >= first {
			values[i] = f.defaults[i-first]
		}
		if values[i] == nil {
			return nil, raise(py.TypeError, "%s() missing the required argument '%s'", f.name, params[i])
		}
	}
	return full, nil
}
