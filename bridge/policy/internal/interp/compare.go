package interp

import (
	"math"
	"math/big"
	"strings"

	"github.com/go-python/gpython/py"
)

// compareNumbers orders two numbers exactly, as CPython orders an int and a float; ok is false when
// one is no number, unordered when one is NaN.
func compareNumbers(a, b py.Object) (order int, unordered, ok bool) {
	x, xInt := asInt(a)
	y, yInt := asInt(b)
	f, xFloat := a.(py.Float)
	g, yFloat := b.(py.Float)
	switch {
	case !xInt && !xFloat || !yInt && !yFloat:
		return 0, false, false
	case isNaN(a), isNaN(b):
		return 0, true, true
	case xInt && yInt && x.big == nil && y.big == nil:
		return order3(x.small > y.small, x.small < y.small), false, true
	case xInt && yInt:
		return x.wide().Cmp(y.wide()), false, true
	case xFloat && yFloat:
		return order3(f > g, f < g), false, true
	case xFloat:
		return compareFloatInt(float64(f), y), false, true
	default:
		return -compareFloatInt(float64(g), x), false, true
	}
}

func order3(greater, less bool) int {
	switch {
	case greater:
		return 1
	case less:
		return -1
	}
	return 0
}

func compareFloatInt(f float64, n integer) int {
	if math.IsInf(f, 0) {
		return order3(f > 0, f < 0)
	}
	return new(big.Float).SetFloat64(f).Cmp(new(big.Float).SetInt(n.wide()))
}

func isNaN(value py.Object) bool {
	f, ok := value.(py.Float)
	return ok && math.IsNaN(float64(f))
}

// equal is a == b.
func (in *Interp) equal(a, b py.Object) (bool, error) {
	if order, unordered, ok := compareNumbers(a, b); ok {
		return order == 0 && !unordered, nil
	}
	switch x := a.(type) {
	case py.String:
		y, ok := b.(py.String)
		return ok && x == y, nil
	case py.Tuple:
		if y, ok := b.(py.Tuple); ok {
			return in.equalItems(x, y)
		}
		return false, nil
	case *List:
		if y, ok := b.(*List); ok {
			return in.equalItems(x.items, y.items)
		}
		return false, nil
	case *Dict:
		if y, ok := b.(*Dict); ok {
			return in.equalDicts(x, y)
		}
		return false, nil
	case *Set:
		if _, isView := b.(*View); isView {
			return false, in.refuse("a comparison of lists", "== on a view of a dict")
		}
		y, ok := b.(*Set)
		return ok && subset(x, y) && subset(y, x), in.tick(x.len())
	case py.NoneType:
		_, ok := b.(py.NoneType)
		return ok, nil
	case *Range, *Builtin, *View:
		switch b.(type) {
		case *Range, *Builtin, *View, *Set:
			return false, in.refuse("a comparison of lists", "== on a %s", a.Type().Name)
		}
		return false, nil
	}
	return a == b, nil
}

// same is how CPython compares inside containers: the same object first, then ==. Whether two NaN are
// one object can't be known here.
func (in *Interp) same(a, b py.Object) (bool, error) {
	if isNaN(a) && isNaN(b) {
		return false, in.refuse("math.isnan", "NaN compared inside a list, tuple or dict")
	}
	switch x := a.(type) {
	case *List:
		if y, ok := b.(*List); ok && x == y {
			return true, nil
		}
	case *Dict:
		if y, ok := b.(*Dict); ok && x == y {
			return true, nil
		}
	}
	return in.equal(a, b)
}

func (in *Interp) equalItems(a, b []py.Object) (bool, error) {
	if err := in.enter(); err != nil {
		return false, err
	}
	defer in.leave()
	if len(a) != len(b) {
		return false, nil
	}
	if err := in.tick(len(a)); err != nil {
		return false, err
	}
	for i := range a {
		if same, err := in.same(a[i], b[i]); err != nil || !same {
			return false, err
		}
	}
	return true, nil
}

func (in *Interp) equalDicts(a, b *Dict) (bool, error) {
	if err := in.enter(); err != nil {
		return false, err
	}
	defer in.leave()
	if a.len() != b.len() {
		return false, nil
	}
	if err := in.tick(a.len()); err != nil {
		return false, err
	}
	for _, e := range a.entries {
		if e.dead {
			continue
		}
		other, ok := b.get(e.hash)
		if !ok {
			return false, nil
		}
		if same, err := in.same(e.value, other); err != nil || !same {
			return false, err
		}
	}
	return true, nil
}

func subset(a, b *Set) bool {
	if a.len() > b.len() {
		return false
	}
	for h := range a.at {
		if _, ok := b.at[h]; !ok {
			return false
		}
	}
	return true
}

// compare is one of == != < <= > >=.
func (in *Interp) compare(op string, a, b py.Object) (bool, error) {
	switch op {
	case "eq":
		return in.equal(a, b)
	case "ne":
		equal, err := in.equal(a, b)
		return !equal, err
	}
	if order, unordered, ok := compareNumbers(a, b); ok {
		return !unordered && holds(op, order), nil
	}
	switch x := a.(type) {
	case py.String:
		if y, ok := b.(py.String); ok {
			return holds(op, strings.Compare(string(x), string(y))), nil
		}
	case py.Tuple:
		if y, ok := b.(py.Tuple); ok {
			return in.compareItems(op, x, y)
		}
	case *List:
		if y, ok := b.(*List); ok {
			return in.compareItems(op, x.items, y.items)
		}
	case *Set:
		if _, ok := b.(*Set); ok {
			return false, in.refuse("a loop with 'in'", "%s on sets", op)
		}
	}
	return false, raise(py.TypeError, "'%s' not supported between instances of '%s' and '%s'",
		op, a.Type().Name, b.Type().Name)
}

func holds(op string, order int) bool {
	switch op {
	case "lt":
		return order < 0
	case "le":
		return order <= 0
	case "gt":
		return order > 0
	}
	return order >= 0
}

// compareItems looks for the first pair that differs, then compares that pair.
func (in *Interp) compareItems(op string, a, b []py.Object) (bool, error) {
	if err := in.enter(); err != nil {
		return false, err
	}
	defer in.leave()
	for i := range min(len(a), len(b)) {
		if err := in.tick(1); err != nil {
			return false, err
		}
		same, err := in.same(a[i], b[i])
		if err != nil {
			return false, err
		}
		if !same {
			return in.compare(op, a[i], b[i])
		}
	}
	return holds(op, order3(len(a) > len(b), len(a) < len(b))), nil
}

// operand stands in a chain a < b < c, which gpython itself evaluates.
type operand struct {
	in    *Interp
	value py.Object
}

func (*operand) Type() *py.Type { return coreType }

func (o *operand) to(op string, other py.Object) (py.Object, error) {
	result, err := o.in.compare(op, o.value, other.(*operand).value)
	return py.NewBool(result), err
}

func (o *operand) M__eq__(other py.Object) (py.Object, error) { return o.to("eq", other) }
func (o *operand) M__ne__(other py.Object) (py.Object, error) { return o.to("ne", other) }
func (o *operand) M__lt__(other py.Object) (py.Object, error) { return o.to("lt", other) }
func (o *operand) M__le__(other py.Object) (py.Object, error) { return o.to("le", other) }
func (o *operand) M__gt__(other py.Object) (py.Object, error) { return o.to("gt", other) }
func (o *operand) M__ge__(other py.Object) (py.Object, error) { return o.to("ge", other) }

// contains is item in container.
func (in *Interp) contains(container, item py.Object) (bool, error) {
	switch c := container.(type) {
	case py.String:
		part, ok := item.(py.String)
		if !ok {
			return false, raise(py.TypeError, "'in <string>' requires string, not %s", item.Type().Name)
		}
		return strings.Contains(string(c), string(part)), in.tick(len(c) / 64)
	case *List:
		return in.containsItem(c.items, item)
	case py.Tuple:
		return in.containsItem(c, item)
	case *Dict:
		h, err := in.hashOf(item)
		if err != nil {
			return false, err
		}
		_, ok := c.get(h)
		return ok, nil
	case *Set:
		if _, isSet := item.(*Set); isSet {
			return false, in.refuse("a tuple", "a set in a set")
		}
		h, err := in.hashOf(item)
		if err != nil {
			return false, err
		}
		_, ok := c.get(h)
		return ok, nil
	case *Range, *Iter:
		return in.containsIter(container, item)
	}
	return false, raise(py.TypeError, "argument of type '%s' is not iterable", container.Type().Name)
}

func (in *Interp) containsItem(items []py.Object, item py.Object) (bool, error) {
	for _, candidate := range items {
		if err := in.tick(1); err != nil {
			return false, err
		}
		if same, err := in.same(candidate, item); err != nil || same {
			return same, err
		}
	}
	return false, nil
}

func (in *Interp) containsIter(container, item py.Object) (bool, error) {
	found := false
	err := in.each(container, func(candidate py.Object) (bool, error) {
		var err error
		found, err = in.same(candidate, item)
		return !found, err
	})
	return found, err
}
