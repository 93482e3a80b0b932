package interp

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"math/big"
	"strconv"
	"strings"
	"unicode/utf16"
	"unicode/utf8"

	"github.com/go-python/gpython/py"
)

// Values travel as JSON with int and float kept apart: a number with '.', 'e' or 'E' is a float, any
// other an int of any size. NaN and the infinities are {"$float": "nan"}, "inf" and "-inf".
const floatTag = "$float"

func (in *Interp) decodeArgs(data json.RawMessage) ([]py.Object, error) {
	if len(data) == 0 {
		return nil, nil
	}
	if !utf8.Valid(data) || loneSurrogate(data) {
		return nil, errors.New("a text that is not Unicode")
	}
	decoder := json.NewDecoder(bytes.NewReader(data))
	decoder.UseNumber()
	if token, err := decoder.Token(); err != nil || token != json.Delim('[') {
		return nil, errors.New("not a JSON list")
	}
	items, err := decodeItems(decoder, 0)
	if err != nil {
		return nil, err
	}
	if _, err := decoder.Token(); !errors.Is(err, io.EOF) {
		return nil, errors.New("more than one JSON value")
	}
	return items, nil
}

// loneSurrogate finds half of a \ud83d\ude00 pair, which Go would replace without a word.
func loneSurrogate(data []byte) bool {
	for i := 0; i+1 < len(data); i++ {
		if data[i] != '\\' {
			continue
		}
		if i++; data[i] != 'u' {
			continue
		}
		first, ok := codeUnit(data[i+1:])
		if !utf16.IsSurrogate(first) {
			continue
		}
		second := rune(0)
		if ok && i+6 < len(data) && data[i+5] == '\\' && data[i+6] == 'u' {
			second, _ = codeUnit(data[i+7:])
		}
		if utf16.DecodeRune(first, second) == utf8.RuneError {
			return true
		}
		i += 10
	}
	return false
}

// codeUnit reads four hexadecimal digits.
func codeUnit(data []byte) (unit rune, ok bool) {
	if len(data) < 4 {
		return 0, false
	}
	n, err := strconv.ParseUint(string(data[:4]), 16, 16)
	return rune(n), err == nil
}

func decodeValue(decoder *json.Decoder, depth int) (py.Object, error) {
	token, err := decoder.Token()
	if err != nil {
		return nil, fmt.Errorf("not JSON: %w", err)
	}
	if depth > maxDepth {
		return nil, fmt.Errorf("values nested more than %d deep", maxDepth)
	}
	switch v := token.(type) {
	case nil:
		return py.None, nil
	case bool:
		return py.NewBool(v), nil
	case string:
		return py.String(v), nil
	case json.Number:
		return decodeNumber(string(v))
	case json.Delim:
		if v == '[' {
			items, err := decodeItems(decoder, depth+1)
			return &List{items: items}, err
		}
		return decodeObject(decoder, depth+1)
	}
	return nil, fmt.Errorf("unexpected JSON token %v", token)
}

func decodeItems(decoder *json.Decoder, depth int) ([]py.Object, error) {
	items := []py.Object{}
	for decoder.More() {
		item, err := decodeValue(decoder, depth)
		if err != nil {
			return nil, err
		}
		items = append(items, item)
	}
	_, err := decoder.Token()
	return items, err
}

// decodeObject keeps the order of the keys.
func decodeObject(decoder *json.Decoder, depth int) (py.Object, error) {
	d := &Dict{}
	for decoder.More() {
		token, err := decoder.Token()
		if err != nil {
			return nil, fmt.Errorf("not JSON: %w", err)
		}
		key, ok := token.(string)
		if !ok {
			return nil, fmt.Errorf("the key %v is not a string", token)
		}
		value, err := decodeValue(decoder, depth)
		if err != nil {
			return nil, err
		}
		d.set(hash{kind: 's', text: key}, py.String(key), value)
	}
	if _, err := decoder.Token(); err != nil {
		return nil, fmt.Errorf("not JSON: %w", err)
	}
	if d.len() == 1 && d.entries[0].key == py.String(floatTag) {
		return decodeSpecial(d.entries[0].value)
	}
	return d, nil
}

func decodeSpecial(value py.Object) (py.Object, error) {
	switch value {
	case py.String("nan"):
		return py.Float(math.NaN()), nil
	case py.String("inf"):
		return py.Float(math.Inf(1)), nil
	case py.String("-inf"):
		return py.Float(math.Inf(-1)), nil
	}
	return nil, fmt.Errorf(`%q must be "nan", "inf" or "-inf"`, floatTag)
}

func decodeNumber(text string) (py.Object, error) {
	if strings.ContainsAny(text, ".eE") {
		f, err := strconv.ParseFloat(text, 64)
		if err != nil {
			return nil, fmt.Errorf("the float %s is too large", text)
		}
		return py.Float(f), nil
	}
	if len(text) > maxIntBits/4 {
		return nil, fmt.Errorf("an int of %d digits", len(text))
	}
	n, ok := new(big.Int).SetString(text, 10)
	if !ok {
		return nil, fmt.Errorf("the number %s", text)
	}
	return intOf(n), nil
}

// encode writes a result. A tuple becomes a list; what JSON has no form for is refused.
func (in *Interp) encode(value py.Object) (json.RawMessage, error) {
	var out bytes.Buffer
	in.depth = 0
	err := in.encodeValue(&out, value)
	return out.Bytes(), err
}

func (in *Interp) encodeValue(out *bytes.Buffer, value py.Object) error {
	if err := in.tick(1); err != nil {
		return err
	}
	if err := in.fits(out.Len(), 1); err != nil {
		return err
	}
	switch v := value.(type) {
	case py.NoneType:
		out.WriteString("null")
	case py.Bool:
		out.WriteString(strconv.FormatBool(bool(v)))
	case py.String:
		return encodeText(out, string(v))
	case py.Float:
		text := floatRepr(float64(v))
		if math.IsNaN(float64(v)) || math.IsInf(float64(v), 0) {
			text = fmt.Sprintf(`{"%s":"%s"}`, floatTag, text)
		}
		out.WriteString(text)
	case py.Tuple:
		return in.encodeItems(out, v)
	case *List:
		return in.encodeItems(out, v.items)
	case *Dict:
		return in.encodeDict(out, v)
	case *Range, *View:
		return in.refuse("list(value)", "a %s in the result", value.Type().Name)
	default:
		n, ok := asInt(value)
		if !ok {
			return in.refuse("numbers, texts, None, lists and dicts", "a %s in the result", value.Type().Name)
		}
		out.WriteString(n.wide().String())
	}
	return nil
}

func encodeText(out *bytes.Buffer, text string) error {
	encoder := json.NewEncoder(out)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(text); err != nil {
		return err
	}
	out.Truncate(out.Len() - 1) // the encoder's newline
	return nil
}

func (in *Interp) encodeItems(out *bytes.Buffer, items []py.Object) error {
	defer in.leave()
	if err := in.enter(); err != nil {
		return err
	}
	out.WriteByte('[')
	for i, item := range items {
		if i > 0 {
			out.WriteByte(',')
		}
		if err := in.encodeValue(out, item); err != nil {
			return err
		}
	}
	out.WriteByte(']')
	return nil
}

func (in *Interp) encodeDict(out *bytes.Buffer, d *Dict) error {
	defer in.leave()
	if err := in.enter(); err != nil {
		return err
	}
	out.WriteByte('{')
	first := true
	for _, e := range d.entries {
		if e.dead {
			continue
		}
		key, ok := e.key.(py.String)
		if !ok {
			return in.refuse("str(key)", "a dict key that is a %s in the result", e.key.Type().Name)
		}
		if key == floatTag {
			return in.refuse("another key", "the dict key %q in the result", floatTag)
		}
		if !first {
			out.WriteByte(',')
		}
		first = false
		if err := encodeText(out, string(key)); err != nil {
			return err
		}
		out.WriteByte(':')
		if err := in.encodeValue(out, e.value); err != nil {
			return err
		}
	}
	out.WriteByte('}')
	return nil
}
