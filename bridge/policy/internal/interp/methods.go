package interp

import (
	"github.com/go-python/gpython/py"
)

// View is what dict.keys, values and items give: it follows the dict.
type View struct {
	dict *Dict
	name string
	pick func(entry) py.Object
}

func (*View) Type() *py.Type { return iterType }

func (v *View) M__bool__() (py.Object, error) { return py.NewBool(v.dict.len() > 0), nil }

// The methods of each type that the subset has.
var methodsOf = map[string][]string{
	"str": {"upper", "lower", "strip", "lstrip", "rstrip", "split", "join", "startswith", "endswith", "replace",
		"find", "index", "count"},
	"list":  {"append", "extend", "insert", "pop", "remove", "reverse", "sort", "index", "count", "copy", "clear"},
	"dict":  {"get", "keys", "values", "items", "pop", "setdefault", "update", "copy", "clear"},
	"set":   {"add", "discard", "remove", "copy", "clear"},
	"tuple": {"index", "count"},
}

// attr is value.name: a member of a module or a bound method.
func (in *Interp) attr(value py.Object, name string) (py.Object, error) {
	if module, ok := value.(*Module); ok {
		if member, ok := module.members[name]; ok {
			return member, nil
		}
		return nil, in.refuse("a function that docs/policies.md lists", "%s.%s", module.name, name)
	}
	kind := value.Type().Name
	for _, known := range methodsOf[kind] {
		if known == name {
			return &Builtin{name: name, self: value, call: in.method(value, name)}, nil
		}
	}
	return nil, in.refuse("a method that docs/policies.md lists", "the attribute %q of a %s", name, kind)
}

func (in *Interp) method(self py.Object, name string) func([]py.Object, []argument) (py.Object, error) {
	return func(args []py.Object, named []argument) (py.Object, error) {
		if l, ok := self.(*List); ok && name == "sort" {
			return py.None, in.sortInPlace(l, args, named)
		}
		if len(named) > 0 {
			return nil, in.refuse("positional arguments", "%s() with named arguments", name)
		}
		switch v := self.(type) {
		case py.String:
			return in.strMethod(string(v), name, args)
		case *List:
			return in.listMethod(v, name, args)
		case *Dict:
			return in.dictMethod(v, name, args)
		case *Set:
			return in.setMethod(v, name, args)
		default:
			return in.search(self.(py.Tuple), name, args)
		}
	}
}

func arity(name string, args []py.Object, low, high int) error {
	if len(args) < low || len(args) > high {
		return raise(py.TypeError, "%s() takes %d to %d arguments (%d given)", name, low, high, len(args))
	}
	return nil
}

// search is index and count of a sequence.
func (in *Interp) search(items []py.Object, name string, args []py.Object) (py.Object, error) {
	if name == "index" && (len(args) == 2 || len(args) == 3) {
		return nil, in.refuse("values[start:].index(x)", "index with bounds")
	}
	if err := arity(name, args, 1, 1); err != nil {
		return nil, err
	}
	count := 0
	for i, item := range items {
		if err := in.tick(1); err != nil {
			return nil, err
		}
		same, err := in.same(item, args[0])
		if err != nil {
			return nil, err
		}
		if same && name != "count" {
			return py.Int(i), nil
		}
		if same {
			count++
		}
	}
	if name != "count" {
		return nil, raise(py.ValueError, "value is not in the sequence")
	}
	return py.Int(count), nil
}

func (in *Interp) listMethod(l *List, name string, args []py.Object) (py.Object, error) {
	switch name {
	case "index", "count":
		return in.search(l.items, name, args)
	case "copy":
		err := firstError(arity(name, args, 0, 0), in.room(len(l.items), 16))
		return &List{items: append([]py.Object{}, l.items...)}, err
	}
	counts := map[string][2]int{
		"append": {1, 1}, "extend": {1, 1}, "insert": {2, 2}, "pop": {0, 1}, "remove": {1, 1},
	}[name]
	if err := firstError(arity(name, args, counts[0], counts[1]), in.writable(l.frozen, "list")); err != nil {
		return nil, err
	}
	switch name {
	case "append":
		l.items = append(l.items, args[0])
		return py.None, in.fits(len(l.items), 16)
	case "extend":
		return py.None, in.extend(l, args[0])
	case "insert":
		return py.None, in.listInsert(l, args[0], args[1])
	case "pop":
		return in.listPop(l, args)
	case "remove":
		at, err := in.search(l.items, "remove", args)
		if err != nil {
			return nil, err
		}
		return py.None, in.remove(l, at)
	case "reverse":
		for i, j := 0, len(l.items)-1; i < j; i, j = i+1, j-1 {
			l.items[i], l.items[j] = l.items[j], l.items[i]
		}
		return py.None, in.tick(len(l.items) / 16)
	default: // clear
		l.items = []py.Object{}
		return py.None, nil
	}
}

func firstError(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

func (in *Interp) listInsert(l *List, index, value py.Object) error {
	n, ok := asInt(index)
	if !ok {
		return raise(py.TypeError, "'%s' object cannot be interpreted as an integer", index.Type().Name)
	}
	if n.big != nil {
		return raise(py.OverflowError, "Python int too large to convert to C ssize_t")
	}
	at := n.small
	if at < 0 {
		at = max(0, at+int64(len(l.items)))
	}
	at = min(at, int64(len(l.items)))
	l.items = append(l.items, nil)
	copy(l.items[at+1:], l.items[at:])
	l.items[at] = value
	return firstError(in.tick(len(l.items)/64), in.fits(len(l.items), 16))
}

func (in *Interp) listPop(l *List, args []py.Object) (py.Object, error) {
	if len(args) == 0 {
		args = []py.Object{py.Int(-1)}
	}
	if len(l.items) == 0 {
		if _, ok := asInt(args[0]); ok {
			return nil, raise(py.IndexError, "pop from empty list")
		}
	}
	at, err := in.position(args[0], len(l.items), "pop")
	if err != nil {
		return nil, err
	}
	value := l.items[at]
	return value, in.remove(l, py.Int(at))
}

func (in *Interp) dictMethod(d *Dict, name string, args []py.Object) (py.Object, error) {
	counts := map[string][2]int{"get": {1, 2}, "pop": {1, 2}, "setdefault": {1, 2}, "update": {0, 1}}[name]
	if err := arity(name, args, counts[0], counts[1]); err != nil {
		return nil, err
	}
	switch name {
	case "keys":
		return &View{d, "dict_keyiterator", func(e entry) py.Object { return e.key }}, nil
	case "values":
		return &View{d, "dict_valueiterator", func(e entry) py.Object { return e.value }}, nil
	case "items":
		return &View{d, "dict_itemiterator", func(e entry) py.Object { return py.Tuple{e.key, e.value} }}, nil
	case "copy":
		return &Dict{table: d.copy()}, in.room(d.len(), 64)
	case "get":
		h, err := in.hashOf(args[0])
		if err != nil {
			return nil, err
		}
		if value, ok := d.get(h); ok {
			return value, nil
		}
		return optional(args, 1, py.None), nil
	case "pop":
		return in.dictPop(d, args)
	case "setdefault":
		h, err := in.hashOf(args[0])
		if err != nil {
			return nil, err
		}
		if value, ok := d.get(h); ok {
			return value, nil
		}
		value := optional(args, 1, py.None)
		return value, in.store(d, args[0], value)
	case "update":
		if len(args) == 0 {
			return py.None, nil
		}
		return py.None, in.merge(d, args[0])
	default: // clear
		if err := in.writable(d.frozen, "dict"); err != nil {
			return nil, err
		}
		d.clear()
		return py.None, nil
	}
}

func optional(args []py.Object, at int, missing py.Object) py.Object {
	if at < len(args) {
		return args[at]
	}
	return missing
}

func (in *Interp) dictPop(d *Dict, args []py.Object) (py.Object, error) {
	if err := in.writable(d.frozen, "dict"); err != nil {
		return nil, err
	}
	h, err := in.hashOf(args[0])
	if err != nil {
		return nil, err
	}
	value, ok := d.get(h)
	if !ok {
		if len(args) == 2 {
			return args[1], nil
		}
		text, err := in.repr(args[0])
		if err != nil {
			return nil, err
		}
		return nil, raise(py.KeyError, "%s", text)
	}
	d.delete(h)
	return value, nil
}

// merge adds a dict, or pairs of key and value.
func (in *Interp) merge(d *Dict, value py.Object) error {
	if other, ok := value.(*Dict); ok {
		for _, e := range other.copy().entries {
			if err := firstError(in.tick(1), in.store(d, e.key, e.value)); err != nil {
				return err
			}
		}
		return in.writable(d.frozen, "dict")
	}
	return in.each(value, func(item py.Object) (bool, error) {
		if _, isText := item.(py.String); isText {
			return false, in.refuse("pairs of key and value", "a text as a pair")
		}
		pair, err := in.unpack(item, 2)
		if err != nil {
			return false, err
		}
		key := pair.(py.Tuple)
		return true, in.store(d, key[0], key[1])
	})
}

func (in *Interp) setMethod(s *Set, name string, args []py.Object) (py.Object, error) {
	want := map[string]int{"add": 1, "discard": 1, "remove": 1}[name]
	if err := arity(name, args, want, want); err != nil {
		return nil, err
	}
	switch name {
	case "copy":
		return &Set{table: s.copy()}, in.room(s.len(), 64)
	case "add":
		return py.None, in.add(s, args[0])
	}
	if err := in.writable(s.frozen, "set"); err != nil {
		return nil, err
	}
	if name == "clear" {
		s.clear()
		return py.None, nil
	}
	if _, isSet := args[0].(*Set); isSet {
		return nil, in.refuse("a tuple", "a set in a set")
	}
	h, err := in.hashOf(args[0])
	if err != nil {
		return nil, err
	}
	if !s.delete(h) && name == "remove" {
		return nil, raise(py.KeyError, "not in the set")
	}
	return py.None, nil
}
