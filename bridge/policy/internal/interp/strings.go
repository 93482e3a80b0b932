package interp

import (
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/go-python/gpython/py"
)

// asciiSpace is what str.strip takes away, of ASCII.
const asciiSpace = " \t\n\r\v\f\x1c\x1d\x1e\x1f"

// ascii refuses a text whose letters Unicode tables decide: they differ between versions.
func (in *Interp) ascii(text, what string) error {
	for i := range len(text) {
		if text[i] >= utf8.RuneSelf {
			return in.refuse("ASCII text", "%s with letters beyond ASCII", what)
		}
	}
	return in.tick(len(text) / 64)
}

// strMethod is text.name(args...).
func (in *Interp) strMethod(text, name string, args []py.Object) (py.Object, error) {
	if err := in.tick(len(text) / 64); err != nil {
		return nil, err
	}
	switch name {
	case "upper", "lower", "strip", "lstrip", "rstrip":
		return in.strCase(text, name, args)
	case "split":
		return in.strSplit(text, args)
	case "join":
		return in.strJoin(text, args)
	case "startswith", "endswith":
		return in.strEnds(text, name, args)
	case "replace":
		return in.strReplace(text, args)
	}
	parts, err := in.strs(name, args, 1)
	if err != nil {
		return nil, err
	}
	switch name {
	case "find", "index":
		at := strings.Index(text, parts[0])
		if at < 0 && name == "index" {
			return nil, raise(py.ValueError, "substring not found")
		}
		if at > 0 {
			at = utf8.RuneCountInString(text[:at])
		}
		return py.Int(at), nil
	default: // count
		return py.Int(strings.Count(text, parts[0])), nil
	}
}

// strs wants exactly n str arguments.
func (in *Interp) strs(name string, args []py.Object, n int) ([]string, error) {
	if len(args) > n {
		return nil, in.refuse(fmt.Sprintf("%s with %d argument(s)", name, n), "%s with %d arguments", name, len(args))
	}
	if len(args) < n {
		return nil, raise(py.TypeError, "%s() takes %d argument(s)", name, n)
	}
	texts := make([]string, n)
	for i, arg := range args {
		text, ok := arg.(py.String)
		if !ok {
			return nil, raise(py.TypeError, "%s() argument must be str, not %s", name, arg.Type().Name)
		}
		texts[i] = string(text)
	}
	return texts, nil
}

func (in *Interp) strCase(text, name string, args []py.Object) (py.Object, error) {
	if err := in.ascii(text, "str."+name); err != nil {
		return nil, err
	}
	if name == "upper" || name == "lower" {
		if _, err := in.strs(name, args, 0); err != nil {
			return nil, err
		}
		if name == "upper" {
			return py.String(strings.ToUpper(text)), nil
		}
		return py.String(strings.ToLower(text)), nil
	}
	cut := asciiSpace
	if len(args) > 0 && args[0] != py.None {
		texts, err := in.strs(name, args, 1)
		if err != nil {
			return nil, err
		}
		cut = texts[0]
	}
	switch name {
	case "lstrip":
		return py.String(strings.TrimLeft(text, cut)), nil
	case "rstrip":
		return py.String(strings.TrimRight(text, cut)), nil
	}
	return py.String(strings.Trim(text, cut)), nil
}

func (in *Interp) strSplit(text string, args []py.Object) (py.Object, error) {
	var parts []string
	if len(args) == 0 || len(args) == 1 && args[0] == py.None {
		if err := in.ascii(text, "str.split()"); err != nil {
			return nil, err
		}
		parts = strings.FieldsFunc(text, func(r rune) bool { return strings.ContainsRune(asciiSpace, r) })
	} else {
		seps, err := in.strs("split", args, 1)
		if err != nil {
			return nil, err
		}
		if seps[0] == "" {
			return nil, raise(py.ValueError, "empty separator")
		}
		parts = strings.Split(text, seps[0])
	}
	items := make([]py.Object, len(parts))
	for i, part := range parts {
		items[i] = py.String(part)
	}
	return &List{items: items}, in.room(len(items), 16)
}

func (in *Interp) strJoin(text string, args []py.Object) (py.Object, error) {
	if len(args) != 1 {
		return nil, raise(py.TypeError, "str.join() takes exactly one argument (%d given)", len(args))
	}
	items, err := in.collect(args[0])
	if err != nil {
		return nil, err
	}
	parts, size := make([]string, len(items)), 0
	for i, item := range items {
		part, ok := item.(py.String)
		if !ok {
			return nil, raise(py.TypeError, "sequence item %d: expected str instance, %s found", i, item.Type().Name)
		}
		parts[i] = string(part)
		if size += len(part) + len(text); in.fits(size, 1) != nil {
			return nil, in.stopped()
		}
	}
	return py.String(strings.Join(parts, text)), in.room(size, 1)
}

func (in *Interp) strEnds(text, name string, args []py.Object) (py.Object, error) {
	if len(args) == 1 {
		if options, ok := args[0].(py.Tuple); ok {
			for _, option := range options {
				found, err := in.strEnds(text, name, []py.Object{option})
				if err != nil || found == py.True {
					return found, err
				}
			}
			return py.False, nil
		}
	}
	parts, err := in.strs(name, args, 1)
	if err != nil {
		return nil, err
	}
	if name == "startswith" {
		return py.NewBool(strings.HasPrefix(text, parts[0])), nil
	}
	return py.NewBool(strings.HasSuffix(text, parts[0])), nil
}

func (in *Interp) strReplace(text string, args []py.Object) (py.Object, error) {
	parts, err := in.strs("replace", args, 2)
	if err != nil {
		return nil, err
	}
	size := len(text) + strings.Count(text, parts[0])*len(parts[1])
	if err := in.room(size, 1); err != nil {
		return nil, err
	}
	return py.String(strings.ReplaceAll(text, parts[0], parts[1])), nil
}
