package interp

import (
	"math"
	"math/big"

	"github.com/go-python/gpython/py"
)

// makeModules gives math and crossfold.policy. Left out are the functions of math whose last bit
// depends on the C library with no bound on the doubt: sin, log10, hypot and the like.
func (in *Interp) makeModules() map[string]*Module {
	m := map[string]py.Object{
		"pi": py.Float(math.Pi), "e": py.Float(math.E), "tau": py.Float(2 * math.Pi),
		"inf": py.Float(math.Inf(1)), "nan": py.Float(math.NaN()),
	}
	for name, f := range map[string]func(float64) (py.Object, error){
		"ceil":     func(x float64) (py.Object, error) { return floatToInt(math.Ceil(x)) },
		"floor":    func(x float64) (py.Object, error) { return floatToInt(math.Floor(x)) },
		"trunc":    func(x float64) (py.Object, error) { return floatToInt(math.Trunc(x)) },
		"fabs":     func(x float64) (py.Object, error) { return py.Float(math.Abs(x)), nil },
		"isnan":    func(x float64) (py.Object, error) { return py.NewBool(math.IsNaN(x)), nil },
		"isinf":    func(x float64) (py.Object, error) { return py.NewBool(math.IsInf(x, 0)), nil },
		"isfinite": func(x float64) (py.Object, error) { return py.NewBool(!math.IsInf(x, 0) && !math.IsNaN(x)), nil },
		"sqrt": func(x float64) (py.Object, error) {
			if x < 0 {
				return nil, raise(py.ValueError, "math domain error")
			}
			return py.Float(math.Sqrt(x)), nil
		},
		"exp": func(x float64) (py.Object, error) {
			f, err := in.exp(x)
			return py.Float(f), err
		},
	} {
		m[name] = in.unary(name, f)
	}
	for name, f := range map[string]builtinFunc{
		"copysign": in.copysign, "fsum": in.fsum, "gcd": in.gcd, "isclose": in.isclose, "log": in.mathLog,
		"pow": in.mathPow, "prod": in.prod,
	} {
		m[name] = &Builtin{name: name, call: f}
	}
	policy := in.randomMembers()
	top := map[string]py.Object{"policy": &Module{"crossfold.policy", policy}}
	for name, member := range policy {
		top[name] = member
	}
	return map[string]*Module{
		"math": {"math", m}, "crossfold": {"crossfold", top}, "crossfold.policy": {"crossfold.policy", policy},
	}
}

// floats wants exactly n numbers.
func (in *Interp) floats(name string, args []py.Object, named []argument, n int) ([]float64, error) {
	if len(named) > 0 {
		return nil, in.refuse("positional arguments", "%s() with named arguments", name)
	}
	if err := arity(name, args, n, n); err != nil {
		return nil, err
	}
	out := make([]float64, n)
	for i, arg := range args {
		f, ok, err := asFloat(arg)
		if err != nil {
			return nil, err
		}
		if !ok {
			return nil, raise(py.TypeError, "must be real number, not %s", arg.Type().Name)
		}
		out[i] = f
	}
	return out, nil
}

func (in *Interp) unary(name string, f func(float64) (py.Object, error)) *Builtin {
	return &Builtin{name: name, call: func(args []py.Object, named []argument) (py.Object, error) {
		if len(args) == 1 && len(named) == 0 && (name == "ceil" || name == "floor" || name == "trunc") {
			if n, ok := asInt(args[0]); ok {
				return intOf(n.wide()), nil
			}
		}
		x, err := in.floats(name, args, named, 1)
		if err != nil {
			return nil, err
		}
		return f(x[0])
	}}
}

func (in *Interp) copysign(args []py.Object, named []argument) (py.Object, error) {
	x, err := in.floats("copysign", args, named, 2)
	if err != nil {
		return nil, err
	}
	return py.Float(math.Copysign(x[0], x[1])), nil
}

// fsum is the exact sum, rounded once.
func (in *Interp) fsum(args []py.Object, named []argument) (py.Object, error) {
	if len(named) > 0 {
		return nil, in.refuse("positional arguments", "fsum() with named arguments")
	}
	if err := arity("fsum", args, 1, 1); err != nil {
		return nil, err
	}
	total, special := new(big.Float).SetPrec(2200), 0.0
	finite := true
	err := in.each(args[0], func(item py.Object) (bool, error) {
		x, err := in.floats("fsum", []py.Object{item}, nil, 1)
		if err != nil {
			return false, err
		}
		if math.IsInf(x[0], 0) || math.IsNaN(x[0]) {
			special += x[0]
			finite = false
			return true, nil
		}
		total.Add(total, new(big.Float).SetFloat64(x[0]))
		return true, in.tick(2)
	})
	if err != nil {
		return nil, err
	}
	if !finite {
		if math.IsNaN(special) {
			return nil, in.refuse("a check with math.isfinite", "fsum of NaN or of both infinities")
		}
		return py.Float(special), nil
	}
	f, _ := total.Float64()
	if math.IsInf(f, 0) || math.Abs(f) > math.MaxFloat64/4 {
		return nil, in.refuse("smaller values", "fsum near the largest float")
	}
	return py.Float(f), nil
}

func (in *Interp) gcd(args []py.Object, named []argument) (py.Object, error) {
	if len(named) > 0 {
		return nil, in.refuse("positional arguments", "gcd() with named arguments")
	}
	total := new(big.Int)
	for _, arg := range args {
		n, ok := asInt(arg)
		if !ok {
			return nil, raise(py.TypeError, "'%s' object cannot be interpreted as an integer", arg.Type().Name)
		}
		total.GCD(nil, nil, total, new(big.Int).Abs(n.wide()))
	}
	return intOf(total), nil
}

func (in *Interp) isclose(args []py.Object, named []argument) (py.Object, error) {
	options, err := in.named("isclose", nil, named, 0, "rel_tol", "abs_tol")
	if err != nil {
		return nil, err
	}
	x, err := in.floats("isclose", args, nil, 2)
	if err != nil {
		return nil, err
	}
	tolerance := []float64{1e-9, 0}
	for i, option := range options {
		if option == nil {
			continue
		}
		f, err := in.floats("isclose", []py.Object{option}, nil, 1)
		if err != nil {
			return nil, err
		}
		if tolerance[i] = f[0]; f[0] < 0 {
			return nil, raise(py.ValueError, "tolerances must be non-negative")
		}
	}
	a, b := x[0], x[1]
	if a == b {
		return py.True, nil
	}
	if math.IsInf(a, 0) || math.IsInf(b, 0) {
		return py.False, nil
	}
	difference := math.Abs(b - a)
	return py.NewBool(difference <= math.Abs(tolerance[0]*b) || difference <= math.Abs(tolerance[0]*a) ||
		difference <= tolerance[1]), nil
}

// mathLog is log(x) and log(x, base), CPython's quotient of two logarithms.
func (in *Interp) mathLog(args []py.Object, named []argument) (py.Object, error) {
	if len(named) > 0 {
		return nil, in.refuse("positional arguments", "log() with named arguments")
	}
	if err := arity("log", args, 1, 2); err != nil {
		return nil, err
	}
	logs := make([]float64, len(args))
	for i, arg := range args {
		f, err := in.logOf(arg)
		if err != nil {
			return nil, err
		}
		logs[i] = f
	}
	if len(logs) == 1 {
		return py.Float(logs[0]), nil
	}
	quotient, err := in.floatOp("truediv", logs[0], logs[1])
	return py.Float(quotient), err
}

func (in *Interp) logOf(value py.Object) (float64, error) {
	if n, ok := asInt(value); ok {
		if n.sign() <= 0 {
			return 0, raise(py.ValueError, "math domain error")
		}
		if n.bits() > 1000 {
			return 0, in.refuse("a smaller number", "math.log of an int beyond the floats")
		}
	}
	x, err := in.floats("log", []py.Object{value}, nil, 1)
	if err != nil {
		return 0, err
	}
	switch {
	case math.IsNaN(x[0]), math.IsInf(x[0], 1):
		return x[0], nil
	case x[0] <= 0:
		return 0, raise(py.ValueError, "math domain error")
	}
	return in.log(newWide().SetFloat64(x[0]))
}

func (in *Interp) mathPow(args []py.Object, named []argument) (py.Object, error) {
	x, err := in.floats("pow", args, named, 2)
	if err != nil {
		return nil, err
	}
	if x[0] == 0 && x[1] < 0 && !math.IsInf(x[1], 0) || x[0] < 0 && x[1] != math.Trunc(x[1]) {
		return nil, raise(py.ValueError, "math domain error")
	}
	f, err := in.floatPow(x[0], x[1])
	return py.Float(f), err
}

func (in *Interp) prod(args []py.Object, named []argument) (py.Object, error) {
	options, err := in.named("prod", args, named, 1, "start")
	if err != nil {
		return nil, err
	}
	if options[0] == nil {
		return nil, raise(py.TypeError, "prod() takes exactly 1 positional argument (0 given)")
	}
	var total py.Object = py.Int(1)
	if options[1] != nil {
		total = options[1]
	}
	err = in.each(options[0], func(item py.Object) (bool, error) {
		total, err = in.binary("mul", total, item)
		return true, err
	})
	return total, err
}
