package jobfile

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"math/big"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"
)

// maxDepth bounds nesting: an alias can hold itself.
const maxDepth = 64

func (p *parser) errorf(n *yaml.Node, format string, args ...any) error {
	line := 0
	if n != nil {
		line = n.Line
	}
	return &Error{Path: p.file.Path, Line: line, Message: fmt.Sprintf(format, args...)}
}

// mapping reads each value of n with what known has for its key and records the keys' lines.
func (p *parser) mapping(n *yaml.Node, at string, known fields) error {
	n = unalias(n)
	if n.Kind != yaml.MappingNode {
		what := at
		if what == "" {
			what = "a job file"
		}
		return p.errorf(n, "%s must be a mapping of keys to values, not %s", what, describe(n))
	}
	prefix := ""
	if at != "" {
		prefix = at + "."
	}
	for i := 0; i < len(n.Content); i += 2 {
		key, value := n.Content[i], n.Content[i+1]
		read, ok := known[key.Value]
		if !ok {
			return p.unknownKey(key, at, slices.Sorted(maps.Keys(known)))
		}
		if first := p.file.Line[prefix+key.Value]; first > 0 {
			return p.errorf(key, "key %q is there twice, first in line %d", key.Value, first)
		}
		p.file.Line[prefix+key.Value] = key.Line
		if err := read(value); err != nil {
			return err
		}
	}
	return nil
}

func (p *parser) sequence(n *yaml.Node, what string) ([]*yaml.Node, error) {
	list := unalias(n)
	if list.Kind != yaml.SequenceNode {
		return nil, p.errorf(n, "%s must be a list, not %s", what, describe(n))
	}
	return list.Content, nil
}

func (p *parser) text(to *string) func(*yaml.Node) error {
	return func(n *yaml.Node) error {
		scalar := unalias(n)
		if scalar.Kind != yaml.ScalarNode || scalar.ShortTag() != "!!str" {
			return p.errorf(n, "a text is wanted here, not %s; put it in quotes if it is one", describe(n))
		}
		if strings.TrimSpace(scalar.Value) == "" {
			return p.errorf(n, "a text is wanted here, and it is empty")
		}
		*to = scalar.Value
		return nil
	}
}

// texts reads a list of texts: at least one, none twice.
func (p *parser) texts(to *[]string) func(*yaml.Node) error {
	return func(n *yaml.Node) error {
		items, err := p.sequence(n, "this")
		if err != nil {
			return err
		}
		if len(items) == 0 {
			return p.errorf(n, "the list is empty; name at least one, or drop the key")
		}
		texts := make([]string, len(items))
		for i, item := range items {
			if err := p.text(&texts[i])(item); err != nil {
				return err
			}
			if slices.Contains(texts[:i], texts[i]) {
				return p.errorf(item, "%q is in the list twice", texts[i])
			}
		}
		*to = texts
		return nil
	}
}

func (p *parser) boolean(to *bool) func(*yaml.Node) error {
	return func(n *yaml.Node) error {
		if unalias(n).ShortTag() != "!!bool" || unalias(n).Decode(to) != nil {
			return p.errorf(n, "true or false is wanted here, not %s", describe(n))
		}
		return nil
	}
}

func (p *parser) integer(to *int, least, most int) func(*yaml.Node) error {
	return func(n *yaml.Node) error {
		if unalias(n).ShortTag() != "!!int" || unalias(n).Decode(to) != nil || *to < least || *to > most {
			return p.errorf(n, "a whole number from %d to %d is wanted here, not %s", least, most, describe(n))
		}
		return nil
	}
}

// maxSeconds is thirty years: more than that is not a limit.
const maxSeconds = 1e9

func (p *parser) seconds(to *float64) func(*yaml.Node) error {
	return func(n *yaml.Node) error {
		if unalias(n).Decode(to) != nil || !(*to > 0 && *to <= maxSeconds) {
			return p.errorf(n, "a number of seconds above 0, at most %v, is wanted here, not %s", maxSeconds, describe(n))
		}
		return nil
	}
}

// json writes n as JSON with sorted keys. A number keeps its kind: 1 stays an integer, 1.0 a float.
func (p *parser) json(n *yaml.Node) (json.RawMessage, error) {
	return p.jsonAt(n, 0)
}

func (p *parser) jsonAt(n *yaml.Node, depth int) (json.RawMessage, error) {
	if p.nodes--; p.nodes < 0 || depth > maxDepth {
		return nil, p.errorf(n, "the file's aliases expand to too much; write the values out")
	}
	n = unalias(n)
	switch n.Kind {
	case yaml.MappingNode:
		return p.jsonObject(n, depth)
	case yaml.SequenceNode:
		items := make([]json.RawMessage, len(n.Content))
		for i, item := range n.Content {
			var err error
			if items[i], err = p.jsonAt(item, depth+1); err != nil {
				return nil, err
			}
		}
		return marshal(items)
	}
	return p.jsonScalar(n)
}

func (p *parser) jsonObject(n *yaml.Node, depth int) (json.RawMessage, error) {
	object := make(map[string]json.RawMessage, len(n.Content)/2)
	for i := 0; i < len(n.Content); i += 2 {
		key := unalias(n.Content[i])
		if key.Kind != yaml.ScalarNode || key.ShortTag() != "!!str" {
			return nil, p.errorf(key, "a name is wanted as key, not %s; put it in quotes if it is one", describe(key))
		}
		if _, twice := object[key.Value]; twice {
			return nil, p.errorf(key, "key %q is there twice", key.Value)
		}
		value, err := p.jsonAt(n.Content[i+1], depth+1)
		if err != nil {
			return nil, err
		}
		object[key.Value] = value
	}
	return marshal(object)
}

func (p *parser) jsonScalar(n *yaml.Node) (json.RawMessage, error) {
	switch n.ShortTag() {
	case "!!null":
		return json.RawMessage("null"), nil
	case "!!bool":
		var b bool
		if err := n.Decode(&b); err != nil {
			return nil, p.errorf(n, "%s is not a boolean", describe(n))
		}
		return marshal(b)
	case "!!int":
		whole, ok := new(big.Int).SetString(strings.ReplaceAll(n.Value, "_", ""), 0)
		if !ok {
			return nil, p.errorf(n, "%s is not a whole number", describe(n))
		}
		return json.RawMessage(whole.String()), nil
	case "!!float":
		return p.jsonFloat(n)
	case "!!str", "!!timestamp":
		return marshal(n.Value)
	}
	return nil, p.errorf(n, "a value of type %s can't be a parameter", n.ShortTag())
}

// jsonFloat keeps the digits as they were written, so that Python reads the very same float.
func (p *parser) jsonFloat(n *yaml.Node) (json.RawMessage, error) {
	// The YAML library takes a whole number of more than 64 bits for a float.
	if whole, ok := new(big.Int).SetString(n.Value, 10); ok {
		return json.RawMessage(whole.String()), nil
	}
	var f float64
	if err := n.Decode(&f); err != nil {
		return nil, p.errorf(n, "%s is not a number", describe(n))
	}
	switch {
	case math.IsNaN(f):
		return nil, p.errorf(n, "%s can't be a parameter", describe(n))
	// JSON has no infinity; Python reads a number too large for a float as one.
	case math.IsInf(f, 1):
		return json.RawMessage("1e999"), nil
	case math.IsInf(f, -1):
		return json.RawMessage("-1e999"), nil
	case json.Valid([]byte(n.Value)) && strings.ContainsAny(n.Value, ".eE"):
		return json.RawMessage(n.Value), nil
	}
	text := strconv.FormatFloat(f, 'g', -1, 64)
	if !strings.ContainsAny(text, ".e") {
		text += ".0"
	}
	return json.RawMessage(text), nil
}

// marshal encodes without the escapes meant for HTML.
func marshal(v any) (json.RawMessage, error) {
	var buffer bytes.Buffer
	encoder := json.NewEncoder(&buffer)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(v); err != nil {
		return nil, fmt.Errorf("encode %T as JSON: %w", v, err)
	}
	return bytes.TrimSuffix(buffer.Bytes(), []byte("\n")), nil
}

// unalias follows an alias to what it stands for.
func unalias(n *yaml.Node) *yaml.Node {
	if n.Kind == yaml.AliasNode {
		return n.Alias
	}
	return n
}

// describe names a value for people.
func describe(n *yaml.Node) string {
	n = unalias(n)
	switch n.Kind {
	case yaml.MappingNode:
		return "a mapping"
	case yaml.SequenceNode:
		return "a list"
	}
	if n.ShortTag() == "!!null" {
		return "nothing"
	}
	return strconv.Quote(n.Value)
}
