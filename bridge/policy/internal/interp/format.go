package interp

import (
	"fmt"
	"math"
	"math/big"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/go-python/gpython/py"
)

// writer builds a repr; its size is bounded and a container inside itself is written as [...].
type writer struct {
	in   *Interp
	text strings.Builder
	open []py.Object
}

func (in *Interp) repr(value py.Object) (string, error) {
	w := &writer{in: in}
	err := w.write(value)
	return w.text.String(), err
}

func (in *Interp) str(value py.Object) (string, error) {
	if s, ok := value.(py.String); ok {
		return string(s), nil
	}
	return in.repr(value)
}

func (w *writer) write(value py.Object) error {
	if err := w.in.tick(1); err != nil {
		return err
	}
	if err := w.in.fits(w.text.Len(), 1); err != nil {
		return err
	}
	switch v := value.(type) {
	case py.NoneType:
		w.text.WriteString("None")
	case py.Bool:
		w.text.WriteString(map[py.Bool]string{true: "True", false: "False"}[v])
	case py.Float:
		w.text.WriteString(floatRepr(float64(v)))
	case py.String:
		return w.quote(string(v))
	case py.Tuple:
		end := ")"
		if len(v) == 1 {
			end = ",)"
		}
		return w.sequence(v, nil, "(", end)
	case *List:
		return w.sequence(v.items, v, "[", "]")
	case *Dict:
		return w.dict(v)
	case *Range:
		fmt.Fprintf(&w.text, "range(%d, %d", v.start, v.stop)
		if v.step != 1 {
			fmt.Fprintf(&w.text, ", %d", v.step)
		}
		w.text.WriteByte(')')
	case *Set:
		if v.len() > 1 {
			return w.in.refuse("sorted(values)", "the order of a set")
		}
		return w.set(v)
	default:
		n, ok := asInt(value)
		if !ok {
			return w.in.refuse("the value it gives", "the text of a %s", value.Type().Name)
		}
		if err := w.in.tick(n.bits() / 8); err != nil {
			return err
		}
		w.text.WriteString(n.wide().String())
	}
	return nil
}

func (w *writer) set(s *Set) error {
	if s.len() == 0 {
		w.text.WriteString("set()")
		return nil
	}
	for _, e := range s.entries {
		if !e.dead {
			return w.sequence([]py.Object{e.key}, nil, "{", "}")
		}
	}
	return nil
}

// enter reports whether container is already open.
func (w *writer) enter(container py.Object) (inside bool, err error) {
	for _, open := range w.open {
		if open == container {
			return true, nil
		}
	}
	w.open = append(w.open, container)
	return false, w.in.enter()
}

func (w *writer) leave() {
	w.open = w.open[:len(w.open)-1]
	w.in.leave()
}

func (w *writer) sequence(items []py.Object, container *List, start, end string) error {
	if container != nil {
		inside, err := w.enter(container)
		if inside {
			w.text.WriteString("[...]")
			return nil
		}
		defer w.leave()
		if err != nil {
			return err
		}
	} else {
		if err := w.in.enter(); err != nil {
			w.in.leave()
			return err
		}
		defer w.in.leave()
	}
	w.text.WriteString(start)
	for i, item := range items {
		if i > 0 {
			w.text.WriteString(", ")
		}
		if err := w.write(item); err != nil {
			return err
		}
	}
	w.text.WriteString(end)
	return nil
}

func (w *writer) dict(d *Dict) error {
	inside, err := w.enter(d)
	if inside {
		w.text.WriteString("{...}")
		return nil
	}
	defer w.leave()
	if err != nil {
		return err
	}
	w.text.WriteByte('{')
	first := true
	for _, e := range d.entries {
		if e.dead {
			continue
		}
		if !first {
			w.text.WriteString(", ")
		}
		first = false
		if err := w.write(e.key); err != nil {
			return err
		}
		w.text.WriteString(": ")
		if err := w.write(e.value); err != nil {
			return err
		}
	}
	w.text.WriteByte('}')
	return nil
}

// quote is repr of a str. Which letters beyond Latin count as printable depends on Python's version.
func (w *writer) quote(s string) error {
	mark := '\''
	if strings.Contains(s, "'") && !strings.Contains(s, `"`) {
		mark = '"'
	}
	w.text.WriteRune(mark)
	for _, r := range s {
		switch {
		case r == mark || r == '\\':
			w.text.WriteByte('\\')
			w.text.WriteRune(r)
		case r == '\n':
			w.text.WriteString(`\n`)
		case r == '\r':
			w.text.WriteString(`\r`)
		case r == '\t':
			w.text.WriteString(`\t`)
		case r < ' ' || r >= 0x7f && r <= 0xa0 || r == 0xad:
			fmt.Fprintf(&w.text, `\x%02x`, r)
		case r < 0x250:
			w.text.WriteRune(r)
		default:
			return w.in.refuse("the text itself", "repr of a text beyond Latin letters")
		}
	}
	w.text.WriteRune(mark)
	return w.in.tick(len(s) / 64)
}

// verb is one %-conversion.
type verb struct {
	flags     string
	width     int
	precision int // -1 when not given
	kind      byte
}

// format is text % value.
func (in *Interp) format(text string, value py.Object) (py.Object, error) {
	args, isTuple := value.(py.Tuple)
	if !isTuple {
		args = py.Tuple{value}
	}
	var out strings.Builder
	used := 0
	for i := 0; i < len(text); i++ {
		if text[i] != '%' {
			out.WriteByte(text[i])
			continue
		}
		v, next, err := in.parseVerb(text, i+1)
		if err != nil {
			return nil, err
		}
		if i = next; v.kind == '%' {
			out.WriteByte('%')
			continue
		}
		if used >= len(args) {
			return nil, raise(py.TypeError, "not enough arguments for format string")
		}
		part, err := in.convert(v, args[used])
		if err != nil {
			return nil, err
		}
		used++
		out.WriteString(part)
		if err := in.room(out.Len(), 1); err != nil {
			return nil, err
		}
	}
	if used < len(args) {
		switch value.(type) {
		case *Dict, *List, *Range: // CPython takes what can be indexed for named values, and lets it be
			return nil, in.refuse("a tuple of values", "%% with a %s that is not used", value.Type().Name)
		}
		return nil, raise(py.TypeError, "not all arguments converted during string formatting")
	}
	return py.String(out.String()), nil
}

func (in *Interp) parseVerb(text string, at int) (v verb, last int, err error) {
	start := at
	for at < len(text) && strings.IndexByte("-+ 0", text[at]) >= 0 {
		at++
	}
	v = verb{flags: text[start:at], precision: -1}
	v.width, at = decimal(text, at)
	if at < len(text) && text[at] == '.' {
		v.precision, at = decimal(text, at+1)
	}
	if at >= len(text) {
		return v, at, raise(py.ValueError, "incomplete format")
	}
	if v.width > 1000 || v.precision > 100 {
		return v, at, in.refuse("a width below 1000 and a precision below 100", "a wide format")
	}
	v.kind = text[at]
	if strings.IndexByte("srdifeEgG%", v.kind) < 0 || v.kind == '%' && at != start {
		return v, at, in.refuse("one of %s %r %d %i %f %e %g %%", "the format %q", text[start-1:at+1])
	}
	return v, at, nil
}

func decimal(text string, at int) (n, next int) {
	for at < len(text) && digit(text[at]) {
		if n < 1e6 {
			n = n*10 + int(text[at]-'0')
		}
		at++
	}
	return n, at
}

func (in *Interp) convert(v verb, value py.Object) (string, error) {
	switch v.kind {
	case 's', 'r':
		text, err := in.str(value)
		if v.kind == 'r' && err == nil {
			text, err = in.repr(value)
		}
		if runes := []rune(text); v.precision >= 0 && len(runes) > v.precision {
			text = string(runes[:v.precision])
		}
		return pad(text, v, false), err
	case 'd', 'i':
		return in.convertInt(v, value)
	}
	f, ok, err := asFloat(value)
	if err != nil {
		return "", err
	}
	if !ok {
		return "", raise(py.TypeError, "must be real number, not %s", value.Type().Name)
	}
	if v.precision < 0 {
		v.precision = 6
	}
	return pad(signed(formatFloat(math.Abs(f), v), math.Signbit(f) && !math.IsNaN(f), v), v, true), nil
}

func (in *Interp) convertInt(v verb, value py.Object) (string, error) {
	n, ok := asInt(value)
	if f, isFloat := value.(py.Float); isFloat {
		whole, err := floatToInt(math.Trunc(float64(f)))
		if err != nil {
			return "", err
		}
		n, ok = asInt(whole)
	}
	if !ok {
		return "", raise(py.TypeError, "%%d format: a real number is required, not %s", value.Type().Name)
	}
	digits := new(big.Int).Abs(n.wide()).String()
	if len(digits) < v.precision {
		digits = strings.Repeat("0", v.precision-len(digits)) + digits
	}
	return pad(signed(digits, n.sign() < 0, v), v, true), in.tick(len(digits))
}

func signed(digits string, negative bool, v verb) string {
	switch {
	case negative:
		return "-" + digits
	case strings.Contains(v.flags, "+"):
		return "+" + digits
	case strings.Contains(v.flags, " "):
		return " " + digits
	}
	return digits
}

func formatFloat(f float64, v verb) string {
	switch {
	case math.IsNaN(f), math.IsInf(f, 0):
		text := floatRepr(f)
		if v.kind == 'E' || v.kind == 'G' {
			text = strings.ToUpper(text)
		}
		return text
	case v.kind != 'g' && v.kind != 'G':
		return strconv.FormatFloat(f, v.kind, v.precision, 64)
	}
	return general(f, max(v.precision, 1), v.kind)
}

// general is C's %g: Go's has another bound for the exponent form.
func general(f float64, precision int, kind byte) string {
	scientific := strconv.FormatFloat(f, 'e', precision-1, 64)
	mantissa, tail, _ := strings.Cut(scientific, "e")
	exponent, _ := strconv.Atoi(tail)
	text := ""
	if exponent >= -4 && exponent < precision {
		text = trimZeros(strconv.FormatFloat(f, 'f', precision-1-exponent, 64))
	} else {
		text = trimZeros(mantissa) + "e" + tail
	}
	if kind == 'G' {
		return strings.ToUpper(text)
	}
	return text
}

func trimZeros(text string) string {
	if strings.Contains(text, ".") {
		text = strings.TrimRight(strings.TrimRight(text, "0"), ".")
	}
	return text
}

// pad fills up to the width: zeros go between the sign and the digits.
func pad(text string, v verb, number bool) string {
	missing := v.width - utf8.RuneCountInString(text)
	switch {
	case missing <= 0:
		return text
	case strings.Contains(v.flags, "-"):
		return text + strings.Repeat(" ", missing)
	case number && strings.Contains(v.flags, "0"):
		sign := ""
		if strings.IndexByte("+- ", text[0]) >= 0 {
			sign, text = text[:1], text[1:]
		}
		return sign + strings.Repeat("0", missing) + text
	}
	return strings.Repeat(" ", missing) + text
}
