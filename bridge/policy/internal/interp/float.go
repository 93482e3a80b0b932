package interp

import (
	"math"
	"math/big"
	"strconv"
	"strings"

	"github.com/go-python/gpython/py"
)

// floatRepr is CPython's repr: the shortest digits that read back, an exponent below 1e-4 and from 1e16.
func floatRepr(f float64) string {
	switch {
	case math.IsNaN(f):
		return "nan"
	case math.IsInf(f, 1):
		return "inf"
	case math.IsInf(f, -1):
		return "-inf"
	case f == 0:
		if math.Signbit(f) {
			return "-0.0"
		}
		return "0.0"
	}
	scientific := strconv.FormatFloat(f, 'e', -1, 64)
	exponent, _ := strconv.Atoi(scientific[strings.IndexByte(scientific, 'e')+1:])
	if exponent < -4 || exponent >= 16 {
		return scientific
	}
	text := strconv.FormatFloat(f, 'f', -1, 64)
	if !strings.Contains(text, ".") {
		text += ".0"
	}
	return text
}

// roundFloat is round(f, digits): the exact value rounded half to even at that digit.
func (in *Interp) roundFloat(f float64, digits int64) (py.Object, error) {
	switch {
	case math.IsNaN(f), math.IsInf(f, 0), f == 0, digits > 323:
		return py.Float(f), nil
	case digits < -308:
		return py.Float(math.Copysign(0, f)), nil
	case digits >= 0:
		rounded, err := strconv.ParseFloat(strconv.FormatFloat(f, 'f', int(digits), 64), 64)
		if err != nil {
			return nil, raise(py.OverflowError, "rounded value too large to represent")
		}
		return py.Float(rounded), nil
	}
	unit := new(big.Int).Exp(big.NewInt(10), big.NewInt(-digits), nil)
	exact := new(big.Rat).SetFloat64(math.Abs(f))
	n := halfEven(exact.Quo(exact, new(big.Rat).SetInt(unit)))
	rounded, _ := new(big.Float).SetInt(n.Mul(n, unit)).Float64()
	if math.IsInf(rounded, 0) {
		return nil, raise(py.OverflowError, "rounded value too large to represent")
	}
	return py.Float(math.Copysign(rounded, f)), nil
}

// halfEven rounds a fraction to the nearest int, a half to the even one.
func halfEven(r *big.Rat) *big.Int {
	quotient, remainder := floorDiv(r.Num(), r.Denom())
	switch new(big.Int).Lsh(remainder, 1).Cmp(r.Denom()) {
	case 1:
		quotient.Add(quotient, big.NewInt(1))
	case 0:
		if quotient.Bit(0) == 1 {
			quotient.Add(quotient, big.NewInt(1))
		}
	}
	return quotient
}

// roundInt is round(n, digits) for an int; only negative digits change it.
func (in *Interp) roundInt(n integer, digits int64) (py.Object, error) {
	if digits >= 0 {
		return intOf(n.wide()), nil
	}
	if digits < -maxIntBits/3 {
		return py.Int(0), nil
	}
	unit := new(big.Int).Exp(big.NewInt(10), big.NewInt(-digits), nil)
	rounded := halfEven(new(big.Rat).SetFrac(n.wide(), unit))
	return intOf(rounded.Mul(rounded, unit)), nil
}

// floatToInt is what int, math.floor, math.ceil and round make of a float.
func floatToInt(f float64) (py.Object, error) {
	switch {
	case math.IsNaN(f):
		return nil, raise(py.ValueError, "cannot convert float NaN to integer")
	case math.IsInf(f, 0):
		return nil, raise(py.OverflowError, "cannot convert float infinity to integer")
	case math.Abs(f) < 1<<62:
		return py.Int(int64(f)), nil
	}
	return intOf(truncated(f)), nil
}

// parseFloat is float(text).
func (in *Interp) parseFloat(text string) (py.Object, error) {
	body, err := in.numeral(text)
	if err != nil {
		return nil, err
	}
	fail := raise(py.ValueError, "could not convert string to float: '%s'", text)
	bare := strings.TrimLeft(strings.ToLower(body), "+-")
	if len(body)-len(bare) > 1 {
		return nil, fail
	}
	switch bare {
	case "inf", "infinity":
		return py.Float(math.Inf(1 - 2*strings.Count(body, "-"))), nil
	case "nan":
		return py.Float(math.NaN()), nil
	}
	if strings.Trim(bare, "0123456789.e+-") != "" {
		return nil, fail
	}
	f, parseErr := strconv.ParseFloat(body, 64)
	if parseErr != nil && !math.IsInf(f, 0) {
		return nil, fail
	}
	return py.Float(f), nil
}

// parseInt is int(text).
func (in *Interp) parseInt(text string) (py.Object, error) {
	body, err := in.numeral(text)
	if err != nil {
		return nil, err
	}
	digits := strings.TrimLeft(body, "+-")
	if len(body)-len(digits) > 1 || digits == "" || strings.Trim(digits, "0123456789") != "" {
		return nil, raise(py.ValueError, "invalid literal for int() with base 10: '%s'", text)
	}
	if err := in.bigEnough(len(digits) * 4); err != nil {
		return nil, err
	}
	n, _ := new(big.Int).SetString(body, 10)
	return intOf(n), nil
}

// numeral strips white space and the underscores that CPython allows between digits.
func (in *Interp) numeral(text string) (string, error) {
	if err := in.ascii(text, "a numeral"); err != nil {
		return "", err
	}
	body := strings.Trim(text, asciiSpace)
	var out strings.Builder
	for i := range len(body) {
		if body[i] == '_' && i > 0 && i+1 < len(body) && digit(body[i-1]) && digit(body[i+1]) {
			continue
		}
		out.WriteByte(body[i])
	}
	return out.String(), nil
}

func digit(c byte) bool { return '0' <= c && c <= '9' }
