package interp

import (
	"math"
	"math/big"
	"math/bits"

	"github.com/go-python/gpython/py"
)

// random is splitmix64 (Steele, Lea, Flood 2014), the generator of python/crossfold/policy.py: both
// give the same numbers bit for bit. Its zero value is seed(0).
type random struct{ state uint64 }

func (r *random) next() uint64 {
	r.state += 0x9e3779b97f4a7c15
	z := r.state
	z = (z ^ z>>30) * 0xbf58476d1ce4e5b9
	z = (z ^ z>>27) * 0x94d049bb133111eb
	return z ^ z>>31
}

// unit is a float in [0, 1) with 53 random bits.
func (r *random) unit() float64 { return float64(r.next()>>11) * 0x1p-53 }

// below is an int in [0, n), each equally likely.
func (r *random) below(n uint64) uint64 {
	_, reject := bits.Div64(1, 0, n) // 2**64 mod n
	for {
		if x := r.next(); reject == 0 || x < -reject {
			return x % n
		}
	}
}

func (in *Interp) randomMembers() map[string]py.Object {
	members := map[string]py.Object{}
	for name, f := range map[string]builtinFunc{
		"seed": in.seed, "uniform": in.uniform, "loguniform": in.loguniform, "randint": in.randint, "choice": in.choice,
	} {
		members[name] = &Builtin{name: name, call: func(args []py.Object, named []argument) (py.Object, error) {
			if len(named) > 0 {
				return nil, in.refuse("positional arguments", "%s() with named arguments", name)
			}
			if in.loading {
				return nil, in.refuse("a draw inside space(ctx)", "%s() while the module loads", name)
			}
			return f(args, named)
		}}
	}
	return members
}

func (in *Interp) seed(args []py.Object, _ []argument) (py.Object, error) {
	if err := arity("seed", args, 1, 1); err != nil {
		return nil, err
	}
	n, ok := asInt(args[0])
	if !ok {
		return nil, raise(py.TypeError, "seed must be an int, not %s", args[0].Type().Name)
	}
	low := new(big.Int).And(n.wide(), new(big.Int).SetUint64(math.MaxUint64))
	in.random.state = low.Uint64()
	return py.None, nil
}

// interval wants two finite numbers, the first not above the second.
func (in *Interp) interval(name string, args []py.Object) (low, high float64, err error) {
	x, err := in.floats(name, args, nil, 2)
	if err != nil {
		return 0, 0, err
	}
	if !(x[0] <= x[1]) || math.IsInf(x[1]-x[0], 0) {
		return 0, 0, raise(py.ValueError, "%s needs finite bounds with low <= high", name)
	}
	return x[0], x[1], nil
}

// uniform draws low + (high - low) * u. The conversions keep Go from fusing the product and the sum.
func (in *Interp) uniform(args []py.Object, _ []argument) (py.Object, error) {
	low, high, err := in.interval("uniform", args)
	if err != nil {
		return nil, err
	}
	return py.Float(min(high, low+float64((high-low)*in.random.unit()))), nil
}

func (in *Interp) loguniform(args []py.Object, _ []argument) (py.Object, error) {
	low, high, err := in.interval("loguniform", args)
	if err != nil {
		return nil, err
	}
	if low <= 0 {
		return nil, raise(py.ValueError, "loguniform needs 0 < low <= high")
	}
	start := portableLog(low)
	width := portableLog(high) - start
	x := portableExp(start + float64(width*in.random.unit()))
	return py.Float(max(low, min(high, x))), nil
}

func (in *Interp) randint(args []py.Object, _ []argument) (py.Object, error) {
	if err := arity("randint", args, 2, 2); err != nil {
		return nil, err
	}
	low, lowOK := asInt(args[0])
	high, highOK := asInt(args[1])
	if !lowOK || !highOK {
		return nil, raise(py.TypeError, "randint needs two ints")
	}
	span := new(big.Int).Sub(high.wide(), low.wide())
	if span.Sign() < 0 || span.BitLen() > 63 {
		return nil, raise(py.ValueError, "randint needs low <= high, less than 2**63 apart")
	}
	offset := new(big.Int).SetUint64(in.random.below(span.Uint64() + 1))
	return intOf(offset.Add(offset, low.wide())), nil
}

func (in *Interp) choice(args []py.Object, _ []argument) (py.Object, error) {
	if err := arity("choice", args, 1, 1); err != nil {
		return nil, err
	}
	switch args[0].(type) {
	case *List, py.Tuple, py.String, *Range:
	default:
		return nil, raise(py.TypeError, "choice needs a list, tuple, str or range")
	}
	n, err := in.length(args[0])
	if err != nil {
		return nil, err
	}
	if n == 0 {
		return nil, raise(py.ValueError, "choice from an empty sequence")
	}
	return in.get(args[0], py.Int(int64(in.random.below(uint64(n)))))
}

// The constants are ln 2 in two parts: the first has 32 trailing zero bits, so that k times it is exact.
const (
	ln2High = 0.693147180369123816490
	ln2Low  = 1.90821492927058770002e-10
)

// portableLog is the natural logarithm by + - * / alone, the same on every machine; within 2 ulp.
func portableLog(x float64) float64 {
	m, exponent := math.Frexp(x)
	if m < 0.7071067811865476 {
		m *= 2
		exponent--
	}
	z := (m - 1) / (m + 1)
	square := float64(z * z)
	sum := 0.0
	for k := 41; k >= 1; k -= 2 {
		sum = float64(sum*square) + 1/float64(k)
	}
	k := float64(exponent)
	return float64(k*ln2High) + (float64(2*z*sum) + float64(k*ln2Low))
}

// portableExp is the exponential by + - * / alone, the same on every machine; within 2 ulp.
func portableExp(x float64) float64 {
	k := math.Floor(x/0.6931471805599453 + 0.5)
	r := (x - float64(k*ln2High)) - float64(k*ln2Low)
	sum := 1.0
	for n := 18; n >= 1; n-- {
		sum = 1 + float64(r*sum)/float64(n)
	}
	return math.Ldexp(sum, int(k))
}
