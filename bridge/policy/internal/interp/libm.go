package interp

import (
	"math"
	"math/big"

	"github.com/go-python/gpython/py"
)

// CPython's exp, log and pow are the C library's, which rounds to the nearest float except close to
// the middle between two. Here the value is computed to 160 bits and rounded; where it lies so close
// to a middle that glibc's last bit is not certain, the call is refused. The bounds, in units of the
// last place, are twice the worst seen in 180,000 calls of glibc 2.36 (0.003, 0.0007, 0.003).
const (
	precision = 160
	expDoubt  = 0.006
	logDoubt  = 0.0015 // for a logarithm of 1 to 2; twice that for each halving
	powDoubt  = 0.006  // and as much again for each e**140 of the result
)

const roundAdvice = "x * x for a square, math.sqrt(x), a literal like 1e-3, or loguniform"

// nearest rounds value, or refuses when its distance to a middle is within doubt.
func (in *Interp) nearest(name string, value *big.Float, doubt float64) (float64, error) {
	if err := in.tick(100); err != nil {
		return 0, err
	}
	f, _ := value.Float64()
	if math.IsInf(f, 0) || f == 0 || value.IsInt() && math.Abs(f) < 1<<53 {
		return f, nil
	}
	// The distance to f in units of its last place; a middle lies at one half.
	ulp := math.Nextafter(math.Abs(f), math.Inf(1)) - math.Abs(f)
	distance := new(big.Float).SetPrec(precision).Sub(value, new(big.Float).SetFloat64(f))
	units, _ := distance.Quo(distance, new(big.Float).SetFloat64(ulp)).Float64()
	if math.Abs(units) > 0.5-doubt {
		return 0, in.refuse(roundAdvice, "the last bit of %s depends on the C library", name)
	}
	// Below a power of two the spacing is half as wide, so the middle lies at one quarter.
	if fraction, _ := math.Frexp(math.Abs(f)); fraction == 0.5 && math.Abs(math.Abs(units)-0.25) < doubt {
		return 0, in.refuse(roundAdvice, "the last bit of %s depends on the C library", name)
	}
	return f, nil
}

func (in *Interp) exp(x float64) (float64, error) {
	switch {
	case math.IsNaN(x), math.IsInf(x, 1):
		return x, nil
	case math.IsInf(x, -1):
		return 0, nil
	case x > 709.7827128933841:
		return 0, raise(py.OverflowError, "math range error")
	case x < -708:
		return 0, in.refuse("a check that x > -708", "math.exp of %v", x)
	}
	return in.nearest("math.exp", bigExp(new(big.Float).SetPrec(precision).SetFloat64(x)), expDoubt)
}

// log is the natural logarithm of a positive number given as a wide float.
func (in *Interp) log(x *big.Float) (float64, error) {
	value := bigLog(x)
	doubt := math.Ldexp(logDoubt, 1-min(1, max(-3, value.MantExp(nil))))
	return in.nearest("math.log", value, doubt)
}

// floatPow is x ** y for floats.
func (in *Interp) floatPow(x, y float64) (float64, error) {
	switch {
	case y == 0 || x == 1:
		return 1, nil
	case math.IsNaN(x) || math.IsNaN(y) || math.IsInf(x, 0) || math.IsInf(y, 0):
		if x == -1 && math.IsInf(y, 0) {
			return 1, nil
		}
		return math.Pow(x, y), nil // exact for these
	case x == 0 && y < 0:
		return 0, raise(py.ZeroDivisionError, "0.0 cannot be raised to a negative power")
	case x == 0:
		return math.Pow(x, y), nil
	case x < 0 && y != math.Trunc(y):
		return 0, in.refuse("abs(x) ** y", "a negative number to a fractional power is complex")
	}
	if y == 1 {
		return x, nil
	}
	sign := 1.0
	if x < 0 && math.Mod(y, 2) != 0 {
		sign = -1
	}
	exponent := new(big.Float).SetPrec(precision).SetFloat64(math.Abs(x))
	exponent.Mul(bigLog(exponent), new(big.Float).SetFloat64(y))
	size, _ := exponent.Float64()
	switch {
	case size > 709.79:
		return 0, raise(py.OverflowError, "(34, 'Numerical result out of range')")
	case size > 709.78 || size < -708 && size > -746:
		return 0, in.refuse("a smaller exponent", "a power at the edge of the floats")
	case size < -746:
		return sign * 0, nil
	}
	result, err := in.nearest("**", bigExp(exponent), powDoubt*(1+math.Abs(size)/140))
	return sign * result, err
}

var ln2 = bigLn2()

func newWide() *big.Float { return new(big.Float).SetPrec(precision) }

// bigLn2 sums 2 * atanh(1/3).
func bigLn2() *big.Float {
	return newWide().Mul(big.NewFloat(2), atanh(newWide().Quo(big.NewFloat(1), newWide().SetInt64(3))))
}

// atanh sums z + z^3/3 + z^5/5 + ... for a small z.
func atanh(z *big.Float) *big.Float {
	sum, power := newWide().Set(z), newWide().Set(z)
	square := newWide().Mul(z, z)
	for k := int64(3); k < 400; k += 2 {
		power.Mul(power, square)
		term := newWide().Quo(power, newWide().SetInt64(k))
		if term.Sign() == 0 || term.MantExp(nil) < sum.MantExp(nil)-precision {
			break
		}
		sum.Add(sum, term)
	}
	return sum
}

// bigLog is exponent * ln 2 + 2 * atanh((m-1)/(m+1)) with m between sqrt(1/2) and sqrt(2).
func bigLog(x *big.Float) *big.Float {
	mantissa := newWide()
	exponent := newWide().Set(x).MantExp(mantissa)
	if mantissa.Cmp(big.NewFloat(math.Sqrt2/2)) < 0 {
		mantissa.Mul(mantissa, big.NewFloat(2))
		exponent--
	}
	one := big.NewFloat(1)
	z := newWide().Quo(newWide().Sub(mantissa, one), newWide().Add(mantissa, one))
	result := newWide()
	if z.Sign() != 0 {
		result.Mul(big.NewFloat(2), atanh(z))
	}
	return result.Add(result, newWide().Mul(ln2, newWide().SetInt64(int64(exponent))))
}

// bigExp reduces by ln 2 and by 2^8, sums the series and squares back.
func bigExp(x *big.Float) *big.Float {
	const halvings = 8
	ratio, _ := newWide().Quo(x, ln2).Float64()
	exponent := int(math.Round(ratio))
	r := newWide().Sub(x, newWide().Mul(ln2, newWide().SetInt64(int64(exponent))))
	r.SetMantExp(r, -halvings)
	sum, term := newWide().SetInt64(1), newWide().SetInt64(1)
	for k := int64(1); k < 60; k++ {
		term.Mul(term, r)
		term.Quo(term, newWide().SetInt64(k))
		if term.Sign() == 0 || term.MantExp(nil) < -precision {
			break
		}
		sum.Add(sum, term)
	}
	for range halvings {
		sum.Mul(sum, sum)
	}
	return sum.SetMantExp(sum, exponent)
}
