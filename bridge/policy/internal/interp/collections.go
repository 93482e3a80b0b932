package interp

import (
	"sort"

	"github.com/go-python/gpython/py"
)

// collections are the builtins that make or walk collections.
func (in *Interp) collections(
	plain func(string, int, int, func([]py.Object) (py.Object, error)) builtinFunc,
) map[string]builtinFunc {
	return map[string]builtinFunc{
		"all":       plain("all", 1, 1, func(a []py.Object) (py.Object, error) { return in.quantify(a[0], false) }),
		"any":       plain("any", 1, 1, func(a []py.Object) (py.Object, error) { return in.quantify(a[0], true) }),
		"dict":      in.dict,
		"enumerate": in.enumerate,
		"filter":    plain("filter", 2, 2, in.filter),
		"list": plain("list", 0, 1, func(a []py.Object) (py.Object, error) {
			return in.listFrom(optional(a, 0, py.Tuple{}))
		}),
		"map":      plain("map", 2, 100, in.mapped),
		"next":     plain("next", 1, 2, in.next),
		"range":    plain("range", 1, 3, in.rangeOf),
		"reversed": plain("reversed", 1, 1, in.reversed),
		"set": plain("set", 0, 1, func(a []py.Object) (py.Object, error) {
			return in.setFrom(optional(a, 0, py.Tuple{}))
		}),
		"sorted": in.sorted,
		"tuple": plain("tuple", 0, 1, func(a []py.Object) (py.Object, error) {
			items, err := in.collect(optional(a, 0, py.Tuple{}))
			return py.Tuple(items), err
		}),
		"zip": plain("zip", 0, 100, in.zip),
	}
}

// quantify is any (found) and all (!found): it stops at the first element whose truth is found.
func (in *Interp) quantify(value py.Object, found bool) (py.Object, error) {
	result := !found
	err := in.each(value, func(item py.Object) (bool, error) {
		if truth(item) == found {
			result = found
			return false, nil
		}
		return true, nil
	})
	return py.NewBool(result), err
}

func (in *Interp) dict(args []py.Object, named []argument) (py.Object, error) {
	if err := arity("dict", args, 0, 1); err != nil {
		return nil, err
	}
	d := &Dict{}
	if len(args) == 1 {
		if err := in.merge(d, args[0]); err != nil {
			return nil, err
		}
	}
	for _, arg := range named {
		if err := in.store(d, py.String(arg.name), arg.value); err != nil {
			return nil, err
		}
	}
	return d, nil
}

func (in *Interp) setFrom(value py.Object) (py.Object, error) {
	if s, ok := value.(*Set); ok {
		return &Set{table: s.copy()}, in.room(s.len(), 64)
	}
	s := &Set{}
	err := in.each(value, func(item py.Object) (bool, error) { return true, in.add(s, item) })
	return s, err
}

func (in *Interp) enumerate(args []py.Object, named []argument) (py.Object, error) {
	a, err := in.named("enumerate", args, named, 2, "start")
	if err != nil {
		return nil, err
	}
	if a[0] == nil {
		return nil, raise(py.TypeError, "enumerate() missing required argument 'iterable'")
	}
	if a[1] == nil {
		a[1] = a[2]
	}
	start := integer{}
	if a[1] != nil {
		n, ok := asInt(a[1])
		if !ok {
			return nil, raise(py.TypeError, "'%s' object cannot be interpreted as an integer", a[1].Type().Name)
		}
		start = n
	}
	it, err := in.iter(a[0])
	if err != nil {
		return nil, err
	}
	i := int64(-1)
	return in.iterOf("enumerate", func() (py.Object, error) {
		item, err := it.step()
		if err != nil {
			return nil, err
		}
		i++
		index, err := in.intOp("add", start, integer{small: i})
		return py.Tuple{index, item}, err
	}), nil
}

func (in *Interp) filter(a []py.Object) (py.Object, error) {
	test := a[0]
	it, err := in.iter(a[1])
	if err != nil {
		return nil, err
	}
	return in.iterOf("filter", func() (py.Object, error) {
		for {
			item, err := it.step()
			if err != nil {
				return nil, err
			}
			verdict, err := in.keyOf(test, item)
			if err != nil {
				return nil, err
			}
			if truth(verdict) {
				return item, nil
			}
		}
	}), nil
}

// sources are the iterators of several values.
func (in *Interp) sources(values []py.Object) ([]*Iter, error) {
	its := make([]*Iter, len(values))
	for i, value := range values {
		it, err := in.iter(value)
		if err != nil {
			return nil, err
		}
		its[i] = it
	}
	return its, nil
}

func (in *Interp) together(its []*Iter) (py.Tuple, error) {
	if len(its) == 0 {
		return nil, errStop
	}
	row := make(py.Tuple, len(its))
	for i, it := range its {
		item, err := it.step()
		if err != nil {
			return nil, err
		}
		row[i] = item
	}
	return row, nil
}

func (in *Interp) zip(a []py.Object) (py.Object, error) {
	its, err := in.sources(a)
	if err != nil {
		return nil, err
	}
	return in.iterOf("zip", func() (py.Object, error) {
		row, err := in.together(its)
		if err != nil {
			return nil, err
		}
		return row, nil
	}), nil
}

func (in *Interp) mapped(a []py.Object) (py.Object, error) {
	f := a[0]
	its, err := in.sources(a[1:])
	if err != nil {
		return nil, err
	}
	return in.iterOf("map", func() (py.Object, error) {
		row, err := in.together(its)
		if err != nil {
			return nil, err
		}
		return in.call(f, row, nil)
	}), nil
}

func (in *Interp) rangeOf(a []py.Object) (py.Object, error) {
	bounds := []int64{0, 0, 1}
	for i, value := range a {
		n, ok := asInt(value)
		if !ok {
			return nil, raise(py.TypeError, "'%s' object cannot be interpreted as an integer", value.Type().Name)
		}
		const far = 1 << 62
		if n.big != nil || n.small > far || n.small < -far {
			return nil, in.refuse("a while loop", "a range over such large ints")
		}
		bounds[i] = n.small
	}
	if len(a) == 1 {
		bounds[0], bounds[1] = 0, bounds[0]
	}
	if bounds[2] == 0 {
		return nil, raise(py.ValueError, "range() arg 3 must not be zero")
	}
	return &Range{bounds[0], bounds[1], bounds[2]}, nil
}

func (in *Interp) reversed(a []py.Object) (py.Object, error) {
	switch a[0].(type) {
	case *List, py.Tuple, py.String, *Range:
	case *Dict, *View:
		return nil, in.refuse("reversed(list(d))", "reversed() of a dict")
	default:
		return nil, raise(py.TypeError, "'%s' object is not reversible", a[0].Type().Name)
	}
	if l, ok := a[0].(*List); ok { // a list may change meanwhile
		i := len(l.items)
		return in.iterOf("list_reverseiterator", func() (py.Object, error) {
			if i--; i < 0 || i >= len(l.items) {
				return nil, errStop
			}
			return l.items[i], nil
		}), nil
	}
	items, err := in.collect(a[0])
	if err != nil {
		return nil, err
	}
	i := len(items)
	return in.iterOf("reversed", func() (py.Object, error) {
		if i--; i < 0 {
			return nil, errStop
		}
		return items[i], nil
	}), nil
}

func (in *Interp) sorted(args []py.Object, named []argument) (py.Object, error) {
	if len(args) != 1 {
		return nil, raise(py.TypeError, "sorted expected 1 argument, got %d", len(args))
	}
	var items []py.Object
	if s, ok := args[0].(*Set); ok {
		for _, e := range s.entries {
			if !e.dead {
				items = append(items, e.key)
			}
		}
		if len(named) > 0 {
			return nil, in.refuse("sorted(sorted(values), key=...)", "sorted() of a set with a key: ties show its order")
		}
	} else {
		collected, err := in.collect(args[0])
		if err != nil {
			return nil, err
		}
		items = collected
	}
	l := &List{items: items}
	return l, in.sortList(l, nil, named)
}

// sortInPlace is list.sort. Where it fails, CPython leaves the list partly sorted.
func (in *Interp) sortInPlace(l *List, args []py.Object, named []argument) error {
	err := in.sortList(l, args, named)
	if err != nil {
		return in.refuse("values = sorted(values)", "a sort that fails: %v", err)
	}
	return nil
}

// sortList sorts a list: stable, by < alone. CPython's answer for NaN depends on its algorithm.
func (in *Interp) sortList(l *List, args []py.Object, named []argument) error {
	options, err := in.named("sort", args, named, 0, "key", "reverse")
	if err != nil {
		return err
	}
	if err := in.writable(l.frozen, "list"); err != nil {
		return err
	}
	reverse, err := in.reverseOption(options[1])
	if err != nil {
		return err
	}
	type pair struct{ key, item py.Object }
	pairs := make([]pair, len(l.items))
	for i, item := range l.items {
		key, err := in.keyOf(options[0], item)
		if err != nil {
			return err
		}
		if isNaN(key) {
			return in.refuse("[x for x in values if not math.isnan(x)]", "NaN in a sort")
		}
		pairs[i] = pair{key, item}
	}
	if len(pairs) != len(l.items) {
		return in.refuse("sorted(values)", "a list that changes while it is sorted")
	}
	var failed error
	sort.SliceStable(pairs, func(i, j int) bool {
		if failed != nil {
			return false
		}
		if failed = in.tick(1); failed != nil {
			return false
		}
		if reverse {
			i, j = j, i
		}
		var less bool
		less, failed = in.sortLess(pairs[i].key, pairs[j].key)
		return less
	})
	if failed != nil {
		return failed
	}
	for i := range pairs {
		l.items[i] = pairs[i].item
	}
	return nil
}

// sortLess also refuses NaN inside tuples and lists.
func (in *Interp) sortLess(a, b py.Object) (bool, error) {
	less, err := in.compare("lt", a, b)
	if err == nil && !less {
		if more, moreErr := in.compare("lt", b, a); moreErr == nil && !more {
			if same, sameErr := in.same(a, b); sameErr == nil && !same {
				return false, in.refuse("a key without NaN", "values that have no order in a sort")
			}
		}
	}
	return less, err
}

func (in *Interp) reverseOption(value py.Object) (bool, error) {
	if value == nil {
		return false, nil
	}
	n, ok := asInt(value)
	if !ok {
		return false, raise(py.TypeError, "'%s' object cannot be interpreted as an integer", value.Type().Name)
	}
	return n.sign() != 0, nil
}
