package interp

import (
	"math"
	"math/big"

	"github.com/go-python/gpython/py"
)

// integer is the value of an int or bool: small when big is nil.
type integer struct {
	small int64
	big   *big.Int
}

func asInt(value py.Object) (integer, bool) {
	switch v := value.(type) {
	case py.Bool:
		if v {
			return integer{small: 1}, true
		}
		return integer{}, true
	case py.Int:
		return integer{small: int64(v)}, true
	case *py.BigInt:
		return integer{big: (*big.Int)(v)}, true
	}
	return integer{}, false
}

func (n integer) wide() *big.Int {
	if n.big != nil {
		return n.big
	}
	return big.NewInt(n.small)
}

func (n integer) sign() int {
	switch {
	case n.big != nil:
		return n.big.Sign()
	case n.small > 0:
		return 1
	case n.small < 0:
		return -1
	}
	return 0
}

func (n integer) bits() int { return n.wide().BitLen() }

// float is the nearest float, OverflowError when there is none.
func (n integer) float() (float64, error) {
	if n.big == nil {
		return float64(n.small), nil
	}
	f, _ := new(big.Float).SetInt(n.big).Float64()
	if math.IsInf(f, 0) {
		return 0, raise(py.OverflowError, "int too large to convert to float")
	}
	return f, nil
}

// intOf is the int object of n: gpython's small form whenever it fits.
func intOf(n *big.Int) py.Object {
	if n.IsInt64() {
		return py.Int(n.Int64())
	}
	return (*py.BigInt)(n)
}

func truncated(f float64) *big.Int {
	n, _ := new(big.Float).SetFloat64(f).Int(nil)
	return n
}

// asFloat is the value of any number as a float.
func asFloat(value py.Object) (float64, bool, error) {
	if f, ok := value.(py.Float); ok {
		return float64(f), true, nil
	}
	n, ok := asInt(value)
	if !ok {
		return 0, false, nil
	}
	f, err := n.float()
	return f, true, err
}

// arithmetic is a binary operation on two numbers; ok is false when one is no number.
func (in *Interp) arithmetic(op string, a, b py.Object) (result py.Object, ok bool, err error) {
	x, xInt := asInt(a)
	y, yInt := asInt(b)
	if xInt && yInt {
		result, err = in.intOp(op, x, y)
		if _, aBool := a.(py.Bool); aBool && err == nil && (op == "and" || op == "or" || op == "xor") {
			if _, bBool := b.(py.Bool); bBool {
				result = py.NewBool(result != py.Int(0))
			}
		}
		return result, true, err
	}
	_, xFloat := a.(py.Float)
	_, yFloat := b.(py.Float)
	if !xInt && !xFloat || !yInt && !yFloat {
		return nil, false, nil
	}
	f, _, err := asFloat(a)
	if err != nil {
		return nil, true, err
	}
	g, _, err := asFloat(b)
	if err != nil {
		return nil, true, err
	}
	value, err := in.floatOp(op, f, g)
	return py.Float(value), true, err
}

func (in *Interp) intOp(op string, x, y integer) (py.Object, error) {
	if x.big == nil && y.big == nil {
		if result, ok := smallOp(op, x.small, y.small); ok {
			return result, nil
		}
	}
	switch op {
	case "truediv":
		return in.intTrueDiv(x, y)
	case "floordiv", "mod":
		if y.sign() == 0 {
			return nil, raise(py.ZeroDivisionError, "integer division or modulo by zero")
		}
		quotient, remainder := floorDiv(x.wide(), y.wide())
		if op == "mod" {
			return intOf(remainder), nil
		}
		return intOf(quotient), nil
	case "pow":
		return in.intPow(x, y)
	case "lshift", "rshift":
		return in.shift(op, x, y)
	}
	if err := in.room(max(x.bits(), y.bits())/8, 2); err != nil {
		return nil, err
	}
	n := new(big.Int)
	switch op {
	case "add":
		n.Add(x.wide(), y.wide())
	case "sub":
		n.Sub(x.wide(), y.wide())
	case "mul":
		if err := in.bigEnough(x.bits() + y.bits()); err != nil {
			return nil, err
		}
		n.Mul(x.wide(), y.wide())
	case "and":
		n.And(x.wide(), y.wide())
	case "or":
		n.Or(x.wide(), y.wide())
	case "xor":
		n.Xor(x.wide(), y.wide())
	}
	return intOf(n), in.bigEnough(n.BitLen())
}

// smallOp does what can't overflow without big ints.
func smallOp(op string, x, y int64) (py.Object, bool) {
	switch op {
	case "add":
		sum := x + y
		return py.Int(sum), (sum > x) == (y > 0)
	case "sub":
		difference := x - y
		return py.Int(difference), (difference < x) == (y > 0)
	case "mul":
		const half = 1 << 31
		return py.Int(x * y), -half < x && x < half && -half < y && y < half
	case "and":
		return py.Int(x & y), true
	case "or":
		return py.Int(x | y), true
	case "xor":
		return py.Int(x ^ y), true
	case "floordiv", "mod":
		if y <= 0 || x < 0 {
			return nil, false
		}
		if op == "mod" {
			return py.Int(x % y), true
		}
		return py.Int(x / y), true
	}
	return nil, false
}

// maxIntBits keeps an int's arithmetic and its decimal digits cheap; CPython prints 4,300 digits.
const maxIntBits = 14000

func (in *Interp) bigEnough(bits int) error {
	if bits > maxIntBits {
		return in.limit("an int of more than %d bits", maxIntBits)
	}
	return nil
}

func floorDiv(x, y *big.Int) (quotient, remainder *big.Int) {
	quotient, remainder = new(big.Int).QuoRem(x, y, new(big.Int))
	if remainder.Sign() != 0 && remainder.Sign() != y.Sign() {
		quotient.Sub(quotient, big.NewInt(1))
		remainder.Add(remainder, y)
	}
	return quotient, remainder
}

func (in *Interp) intTrueDiv(x, y integer) (py.Object, error) {
	if y.sign() == 0 {
		return nil, raise(py.ZeroDivisionError, "division by zero")
	}
	const exact = 1 << 53
	if x.big == nil && y.big == nil && -exact <= x.small && x.small <= exact && -exact <= y.small && y.small <= exact {
		return py.Float(float64(x.small) / float64(y.small)), nil
	}
	f, _ := new(big.Rat).SetFrac(x.wide(), y.wide()).Float64()
	if math.IsInf(f, 0) {
		return nil, raise(py.OverflowError, "integer division result too large for a float")
	}
	if f == 0 && (x.sign() < 0) != (y.sign() < 0) {
		f = math.Copysign(0, -1)
	}
	return py.Float(f), nil
}

func (in *Interp) intPow(x, y integer) (py.Object, error) {
	if y.sign() < 0 {
		f, err := x.float()
		if err != nil {
			return nil, err
		}
		g, err := y.float()
		if err != nil {
			return nil, err
		}
		result, err := in.floatPow(f, g)
		return py.Float(result), err
	}
	if x.big == nil && x.small >= -1 && x.small <= 1 {
		odd := y.wide().Bit(0) == 1
		switch {
		case y.sign() == 0 || x.small == 1 || x.small == -1 && !odd:
			return py.Int(1), nil
		default:
			return py.Int(x.small), nil
		}
	}
	if y.big != nil || y.small > maxIntBits {
		return nil, in.bigEnough(maxIntBits + 1)
	}
	if err := in.bigEnough((x.bits() - 1) * int(y.small)); err != nil {
		return nil, err
	}
	return intOf(new(big.Int).Exp(x.wide(), y.wide(), nil)), nil
}

func (in *Interp) shift(op string, x, y integer) (py.Object, error) {
	switch {
	case y.sign() < 0:
		return nil, raise(py.ValueError, "negative shift count")
	case x.sign() == 0:
		return py.Int(0), nil
	case op == "rshift" && (y.big != nil || y.small > int64(x.bits())):
		if x.sign() < 0 {
			return py.Int(-1), nil
		}
		return py.Int(0), nil
	case op == "rshift":
		return intOf(new(big.Int).Rsh(x.wide(), uint(y.small))), nil
	case y.big != nil || y.small > maxIntBits:
		return nil, in.bigEnough(maxIntBits + 1)
	}
	if err := in.bigEnough(x.bits() + int(y.small)); err != nil {
		return nil, err
	}
	return intOf(new(big.Int).Lsh(x.wide(), uint(y.small))), nil
}

func (in *Interp) floatOp(op string, x, y float64) (float64, error) {
	switch op {
	case "add":
		return x + y, nil
	case "sub":
		return x - y, nil
	case "mul":
		return x * y, nil
	case "truediv":
		if y == 0 {
			return 0, raise(py.ZeroDivisionError, "float division by zero")
		}
		return x / y, nil
	case "floordiv", "mod":
		if y == 0 {
			return 0, raise(py.ZeroDivisionError, "float floor division or modulo by zero")
		}
		quotient, remainder := floatDivMod(x, y)
		if op == "mod" {
			return remainder, nil
		}
		return quotient, nil
	case "pow":
		return in.floatPow(x, y)
	}
	return 0, raise(py.TypeError, "unsupported operand type(s) for float: %s", op)
}

// floatDivMod follows CPython's _float_div_mod step by step: its roundings show.
func floatDivMod(x, y float64) (quotient, remainder float64) {
	remainder = math.Mod(x, y)
	quotient = (x - remainder) / y
	if remainder != 0 {
		if (y < 0) != (remainder < 0) {
			remainder += y
			quotient--
		}
	} else {
		remainder = math.Copysign(0, y)
	}
	if quotient == 0 {
		return math.Copysign(0, x/y), remainder
	}
	floor := math.Floor(quotient)
	if quotient-floor > 0.5 {
		floor++
	}
	return floor, remainder
}
