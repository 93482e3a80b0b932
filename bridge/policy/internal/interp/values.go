package interp

import (
	"errors"

	"github.com/go-python/gpython/py"
)

// None, bool, int, float, str and tuple are gpython's types; the rest are these, since gpython's
// own dict has no order and only string keys.
var (
	listType     = py.NewType("list", "")
	dictType     = py.NewType("dict", "")
	setType      = py.NewType("set", "")
	rangeType    = py.NewType("range", "")
	iterType     = py.NewType("iterator", "")
	functionType = py.NewType("function", "")
	builtinType  = py.NewType("builtin_function_or_method", "")
	moduleType   = py.NewType("module", "")
	coreType     = py.NewType("core", "")
)

// List is a Python list.
type List struct {
	items  []py.Object
	frozen bool
}

func (*List) Type() *py.Type { return listType }

// M__bool__ lets gpython's own branches ask a value for its truth.
func (l *List) M__bool__() (py.Object, error) { return py.NewBool(len(l.items) > 0), nil }

// Range is a Python range over 64-bit ints.
type Range struct{ start, stop, step int64 }

func (*Range) Type() *py.Type { return rangeType }

func (r *Range) M__bool__() (py.Object, error) { return py.NewBool(r.len() > 0), nil }

func (r *Range) len() int64 {
	switch {
	case r.step > 0 && r.start < r.stop:
		return int64((uint64(r.stop)-uint64(r.start)-1)/uint64(r.step)) + 1
	case r.step < 0 && r.start > r.stop:
		return int64((uint64(r.start)-uint64(r.stop)-1)/(-uint64(r.step))) + 1
	}
	return 0
}

// Function is a function of the policy: lifted code with its boxes, defaults and parameters.
type Function struct {
	name     string
	code     *py.Function
	index    int
	boxes    py.Tuple
	defaults py.Tuple
}

func (*Function) Type() *py.Type { return functionType }

// argument is a named argument of a call.
type argument struct {
	name  string
	value py.Object
}

// Builtin is a function or type of ours, or a method bound to its value.
type Builtin struct {
	name string
	self py.Object // what a method is bound to, else nil
	call func(args []py.Object, named []argument) (py.Object, error)
}

func (*Builtin) Type() *py.Type { return builtinType }

// Module is math or crossfold.policy.
type Module struct {
	name    string
	members map[string]py.Object
}

func (*Module) Type() *py.Type { return moduleType }

// core is a function that only translated code calls. Its arguments lie on gpython's stack: they
// must be copied to be kept.
type core struct {
	name string
	call func(args []py.Object) (py.Object, error)
}

func (*core) Type() *py.Type { return coreType }

func (c *core) M__call__(args py.Tuple, _ py.StringDict) (py.Object, error) { return c.call(args) }

// box holds a variable that an inner function uses; nil until it is bound.
type box struct{ value py.Object }

func (*box) Type() *py.Type { return coreType }

// slice is what stands between the brackets of values[a:b:c]; nil stands for None.
type slice struct{ start, stop, step py.Object }

func (*slice) Type() *py.Type { return coreType }

// errStop is the end of an iteration.
var errStop = errors.New("end of iteration")

// Iter is every iterator, generators included.
type Iter struct {
	in    *Interp
	name  string
	next  func() (py.Object, error)
	ended bool
}

func (*Iter) Type() *py.Type { return iterType }

func (it *Iter) M__iter__() (py.Object, error) { return it, nil }

// M__next__ serves gpython's for loop, which takes any error for the end: the error waits in
// pending until the loop's else clause asks for it.
func (it *Iter) M__next__() (py.Object, error) {
	value, err := it.step()
	if err == nil {
		return value, nil
	}
	if !errors.Is(err, errStop) {
		it.in.pending = err
	}
	return nil, py.StopIteration
}

// step gives the next value, errStop at the end, or the error of the iteration.
func (it *Iter) step() (py.Object, error) {
	if err := it.in.tick(1); err != nil {
		return nil, err
	}
	if it.ended {
		return nil, errStop
	}
	value, err := it.next()
	if err != nil {
		it.ended = true
	}
	return value, err
}

func (in *Interp) iterOf(name string, next func() (py.Object, error)) *Iter {
	return &Iter{in: in, name: name, next: next}
}

// generator wraps gpython's generator, which resumes a frame that has already failed.
func (in *Interp) generator(g *py.Generator) *Iter {
	return in.iterOf("generator", func() (py.Object, error) {
		if g.Running {
			return nil, raise(py.ValueError, "generator already executing")
		}
		if err := in.enter(); err != nil {
			return nil, err
		}
		defer in.leave()
		value, err := g.Send(py.None)
		if err != nil && py.IsException(py.StopIteration, err) {
			return nil, errStop
		}
		return value, err
	})
}
