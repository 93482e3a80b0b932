package interp

import (
	"errors"
	"math"
	"unicode/utf8"

	"github.com/go-python/gpython/py"
)

// iter is iter(value).
func (in *Interp) iter(value py.Object) (*Iter, error) {
	switch v := value.(type) {
	case *Iter:
		return v, nil
	case *List: // a list may grow or shrink while it is iterated
		i := 0
		return in.iterOf("list_iterator", func() (py.Object, error) {
			if i >= len(v.items) {
				return nil, errStop
			}
			i++
			return v.items[i-1], nil
		}), nil
	case py.Tuple:
		i := 0
		return in.iterOf("tuple_iterator", func() (py.Object, error) {
			if i >= len(v) {
				return nil, errStop
			}
			i++
			return v[i-1], nil
		}), nil
	case py.String:
		at := 0
		return in.iterOf("str_iterator", func() (py.Object, error) {
			if at >= len(v) {
				return nil, errStop
			}
			_, size := utf8.DecodeRuneInString(string(v[at:]))
			at += size
			return v[at-size : at], nil
		}), nil
	case *Range:
		i, n := int64(0), v.len()
		return in.iterOf("range_iterator", func() (py.Object, error) {
			if i >= n {
				return nil, errStop
			}
			i++
			return py.Int(v.start + (i-1)*v.step), nil
		}), nil
	case *Dict:
		return in.iterate(v, "dict_keyiterator", func(e entry) py.Object { return e.key }), nil
	case *View:
		return in.iterate(v.dict, v.name, v.pick), nil
	case *Set:
		return nil, in.refuse("sorted(values)", "the order of a set")
	}
	return nil, raise(py.TypeError, "'%s' object is not iterable", value.Type().Name)
}

// each calls f with the elements of value until f says no.
func (in *Interp) each(value py.Object, f func(py.Object) (more bool, err error)) error {
	it, err := in.iter(value)
	if err != nil {
		return err
	}
	for {
		item, err := it.step()
		if errors.Is(err, errStop) {
			return nil
		}
		if err != nil {
			return err
		}
		if more, err := f(item); err != nil || !more {
			return err
		}
	}
}

// collect reads value to its end into a slice of its own.
func (in *Interp) collect(value py.Object) ([]py.Object, error) {
	items := []py.Object{}
	err := in.each(value, func(item py.Object) (bool, error) {
		items = append(items, item)
		return true, in.fits(len(items), 16)
	})
	return items, err
}

func (in *Interp) listFrom(value py.Object) (py.Object, error) {
	items, err := in.collect(value)
	if err != nil {
		return nil, err
	}
	return &List{items: items}, nil
}

// unpack gives exactly n elements of value.
func (in *Interp) unpack(value py.Object, n int) (py.Object, error) {
	switch value.(type) {
	case *List, py.Tuple, py.String, *Range, *Dict, *Iter, *View:
	case *Set:
		return nil, in.refuse("sorted(values)", "the order of a set")
	default:
		return nil, raise(py.TypeError, "cannot unpack non-iterable %s object", value.Type().Name)
	}
	items := make(py.Tuple, 0, n)
	err := in.each(value, func(item py.Object) (bool, error) {
		if len(items) == n {
			return false, raise(py.ValueError, "too many values to unpack (expected %d)", n)
		}
		items = append(items, item)
		return true, nil
	})
	if err == nil && len(items) < n {
		err = raise(py.ValueError, "not enough values to unpack (expected %d, got %d)", n, len(items))
	}
	return items, err
}

// length is len(value).
func (in *Interp) length(value py.Object) (int, error) {
	switch v := value.(type) {
	case py.String:
		return utf8.RuneCountInString(string(v)), in.tick(len(v) / 64)
	case py.Tuple:
		return len(v), nil
	case *List:
		return len(v.items), nil
	case *Dict:
		return v.len(), nil
	case *View:
		return v.dict.len(), nil
	case *Set:
		return v.len(), nil
	case *Range:
		return int(v.len()), nil
	}
	return 0, raise(py.TypeError, "object of type '%s' has no len()", value.Type().Name)
}

// get is value[key].
func (in *Interp) get(value, key py.Object) (py.Object, error) {
	if s, ok := key.(*slice); ok {
		return in.getSlice(value, s)
	}
	switch v := value.(type) {
	case *Dict:
		h, err := in.hashOf(key)
		if err != nil {
			return nil, err
		}
		if found, ok := v.get(h); ok {
			return found, nil
		}
		text, err := in.repr(key)
		if err != nil {
			return nil, err
		}
		return nil, raise(py.KeyError, "%s", text)
	case *List:
		i, err := in.position(key, len(v.items), "list")
		if err != nil {
			return nil, err
		}
		return v.items[i], nil
	case py.Tuple:
		i, err := in.position(key, len(v), "tuple")
		if err != nil {
			return nil, err
		}
		return v[i], nil
	case py.String:
		runes := []rune(string(v))
		i, err := in.position(key, len(runes), "string")
		if err != nil {
			return nil, err
		}
		return py.String(string(runes[i])), in.tick(len(v) / 64)
	case *Range:
		i, err := in.position(key, int(v.len()), "range object")
		if err != nil {
			return nil, err
		}
		return py.Int(v.start + int64(i)*v.step), nil
	case *Builtin:
		return nil, in.refuse("the type alone", "a type with parameters")
	}
	return nil, raise(py.TypeError, "'%s' object is not subscriptable", value.Type().Name)
}

// position turns an index of a sequence of n elements into 0..n-1.
func (in *Interp) position(key py.Object, n int, kind string) (int, error) {
	i, ok := asInt(key)
	if !ok {
		return 0, raise(py.TypeError, "%s indices must be integers, not '%s'", kind, key.Type().Name)
	}
	if i.big != nil {
		return 0, raise(py.IndexError, "cannot fit 'int' into an index-sized integer")
	}
	at := i.small
	if at < 0 {
		at += int64(n)
	}
	if at < 0 || at >= int64(n) {
		return 0, raise(py.IndexError, "%s index out of range", kind)
	}
	return int(at), nil
}

func (in *Interp) getSlice(value py.Object, s *slice) (py.Object, error) {
	switch v := value.(type) {
	case *List:
		items, err := in.sliceItems(v.items, s)
		return &List{items: items}, err
	case py.Tuple:
		items, err := in.sliceItems(v, s)
		return py.Tuple(items), err
	case py.String:
		runes := []rune(string(v))
		if err := in.tick(len(v) / 16); err != nil {
			return nil, err
		}
		indices, err := in.indices(s, len(runes))
		out := make([]rune, 0, len(indices))
		for _, i := range indices {
			out = append(out, runes[i])
		}
		return py.String(string(out)), err
	case *Range:
		return nil, in.refuse("list(values)[a:b]", "a slice of a range")
	case *Dict:
		return nil, raise(py.TypeError, "unhashable type: 'slice'")
	}
	return nil, raise(py.TypeError, "'%s' object is not subscriptable", value.Type().Name)
}

func (in *Interp) sliceItems(items []py.Object, s *slice) ([]py.Object, error) {
	indices, err := in.indices(s, len(items))
	if err != nil {
		return nil, err
	}
	out := make([]py.Object, len(indices))
	for at, i := range indices {
		out[at] = items[i]
	}
	return out, nil
}

// indices are the places that a slice of n elements picks (CPython's PySlice_AdjustIndices).
func (in *Interp) indices(s *slice, n int) ([]int, error) {
	step, err := in.bound(s.step, 1)
	if err != nil {
		return nil, err
	}
	if step == 0 {
		return nil, raise(py.ValueError, "slice step cannot be zero")
	}
	low, high := int64(0), int64(n)
	start, stop := low, high
	if step < 0 {
		low, high = -1, int64(n)-1
		start, stop = high, low
	}
	if start, err = in.clip(s.start, start, low, high, n); err != nil {
		return nil, err
	}
	if stop, err = in.clip(s.stop, stop, low, high, n); err != nil {
		return nil, err
	}
	count := (&Range{start, stop, step}).len()
	if err := in.room(int(count), 16); err != nil {
		return nil, err
	}
	out := make([]int, count)
	for i := range out {
		out[i] = int(start + int64(i)*step)
	}
	return out, nil
}

func (in *Interp) clip(bound py.Object, missing, low, high int64, n int) (int64, error) {
	if bound == py.None {
		return missing, nil
	}
	i, err := in.bound(bound, 0)
	if i < 0 {
		i += int64(n)
	}
	return max(low, min(i, high)), err
}

// bound is a slice bound as an int; one beyond 62 bits is cut, since no sequence reaches it.
func (in *Interp) bound(value py.Object, missing int64) (int64, error) {
	if value == py.None {
		return missing, nil
	}
	n, ok := asInt(value)
	if !ok {
		return 0, raise(py.TypeError, "slice indices must be integers or None")
	}
	const far = math.MaxInt64 / 2
	if n.big != nil {
		return far * int64(n.sign()), nil
	}
	return max(-far, min(n.small, far)), nil
}

// set is container[key] = value.
func (in *Interp) set(value, container, key py.Object) error {
	switch c := container.(type) {
	case *Dict:
		if _, ok := key.(*slice); ok {
			return raise(py.TypeError, "unhashable type: 'slice'")
		}
		return in.store(c, key, value)
	case *List:
		if _, ok := key.(*slice); ok {
			return in.refuse("a loop over the places", "an assignment to a slice")
		}
		i, err := in.position(key, len(c.items), "list assignment")
		if err == nil {
			err = in.writable(c.frozen, "list")
		}
		if err != nil {
			return err
		}
		c.items[i] = value
		return nil
	}
	return raise(py.TypeError, "'%s' object does not support item assignment", container.Type().Name)
}

// remove is del container[key].
func (in *Interp) remove(container, key py.Object) error {
	switch c := container.(type) {
	case *Dict:
		if _, ok := key.(*slice); ok {
			return raise(py.TypeError, "unhashable type: 'slice'")
		}
		if _, err := in.dictPop(c, []py.Object{key}); err != nil {
			return err
		}
		return nil
	case *List:
		if _, ok := key.(*slice); ok {
			return in.refuse("a list comprehension that keeps the rest", "del of a slice")
		}
		i, err := in.position(key, len(c.items), "list assignment")
		if err == nil {
			err = in.writable(c.frozen, "list")
		}
		if err != nil {
			return err
		}
		c.items = append(c.items[:i], c.items[i+1:]...)
		return in.tick(len(c.items) / 64)
	}
	return raise(py.TypeError, "'%s' object doesn't support item deletion", container.Type().Name)
}

// extend is list += value and list.extend(value).
func (in *Interp) extend(l *List, value py.Object) error {
	if _, isSelf := value.(*List); isSelf {
		items, err := in.collect(value)
		if err != nil {
			return err
		}
		value = py.Tuple(items)
	}
	if err := in.writable(l.frozen, "list"); err != nil {
		return err
	}
	return in.each(value, func(item py.Object) (bool, error) {
		l.items = append(l.items, item)
		return true, in.fits(len(l.items), 16)
	})
}
