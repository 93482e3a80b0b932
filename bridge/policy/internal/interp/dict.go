package interp

import (
	"math"
	"math/big"
	"strconv"
	"strings"

	"github.com/go-python/gpython/py"
)

// hash identifies a key: equal keys, 1 and 1.0 and True among them, have equal hashes.
type hash struct {
	kind byte
	num  int64
	text string
}

// hashOf is the hash of a value, TypeError for an unhashable one.
func (in *Interp) hashOf(value py.Object) (hash, error) {
	switch v := value.(type) {
	case py.NoneType:
		return hash{kind: 'n'}, nil
	case py.Bool:
		if v {
			return hash{kind: 'i', num: 1}, nil
		}
		return hash{kind: 'i'}, nil
	case py.Int:
		return hash{kind: 'i', num: int64(v)}, nil
	case *py.BigInt:
		return hash{kind: 'b', text: (*big.Int)(v).Text(62)}, nil
	case py.Float:
		return in.hashFloat(float64(v))
	case py.String:
		return hash{kind: 's', text: string(v)}, nil
	case py.Tuple:
		return in.hashTuple(v)
	case *List, *Dict, *Set:
		return hash{}, raise(py.TypeError, "unhashable type: '%s'", value.Type().Name)
	}
	return hash{}, in.refuse("a number, str, bool, None or tuple", "a %s as a key", value.Type().Name)
}

func (in *Interp) hashFloat(f float64) (hash, error) {
	if math.IsNaN(f) {
		return hash{}, in.refuse("a check with math.isnan first", "NaN as a key: equal only to itself")
	}
	if math.IsInf(f, 0) || f != math.Trunc(f) {
		return hash{kind: 'f', num: int64(math.Float64bits(f))}, nil
	}
	if math.Abs(f) < 1<<62 {
		return hash{kind: 'i', num: int64(f)}, nil
	}
	return in.hashOf(intOf(truncated(f)))
}

func (in *Interp) hashTuple(tuple py.Tuple) (hash, error) {
	if err := in.enter(); err != nil {
		return hash{}, err
	}
	defer in.leave()
	var text strings.Builder
	for _, item := range tuple {
		h, err := in.hashOf(item)
		if err != nil {
			return hash{}, err
		}
		text.WriteByte(h.kind)
		text.WriteString(strconv.FormatInt(h.num, 36))
		text.WriteByte(':')
		text.WriteString(strconv.Itoa(len(h.text)))
		text.WriteByte(':')
		text.WriteString(h.text)
	}
	if err := in.room(text.Len(), 1); err != nil {
		return hash{}, err
	}
	return hash{kind: 't', text: text.String()}, nil
}

type entry struct {
	key, value py.Object
	hash       hash
	dead       bool
}

// table is an insertion-ordered hash table; a deleted entry stays as a dead one until it is packed.
type table struct {
	entries []entry
	at      map[hash]int
	// changes counts insertions and deletions, which end an iteration.
	changes int
}

func (t *table) len() int { return len(t.at) }

func (t *table) get(h hash) (py.Object, bool) {
	i, ok := t.at[h]
	if !ok {
		return nil, false
	}
	return t.entries[i].value, true
}

func (t *table) set(h hash, key, value py.Object) {
	if i, ok := t.at[h]; ok {
		t.entries[i].value = value
		return
	}
	if t.at == nil {
		t.at = map[hash]int{}
	}
	t.changes++
	t.at[h] = len(t.entries)
	t.entries = append(t.entries, entry{key: key, value: value, hash: h})
}

func (t *table) delete(h hash) bool {
	i, ok := t.at[h]
	if !ok {
		return false
	}
	t.changes++
	delete(t.at, h)
	t.entries[i] = entry{dead: true}
	if len(t.entries) > 32 && len(t.entries) > 2*len(t.at) {
		t.pack()
	}
	return true
}

func (t *table) pack() {
	live := make([]entry, 0, len(t.at))
	for _, e := range t.entries {
		if !e.dead {
			t.at[e.hash] = len(live)
			live = append(live, e)
		}
	}
	t.entries = live
}

func (t *table) clear() {
	t.changes++
	t.entries, t.at = nil, nil
}

func (t *table) copy() table {
	c := table{at: make(map[hash]int, len(t.at)), entries: make([]entry, 0, len(t.at))}
	for _, e := range t.entries {
		if !e.dead {
			c.at[e.hash] = len(c.entries)
			c.entries = append(c.entries, e)
		}
	}
	return c
}

// Dict is a Python dict; it keeps the order of insertion.
type Dict struct {
	table
	frozen bool
}

func (*Dict) Type() *py.Type { return dictType }

func (d *Dict) M__bool__() (py.Object, error) { return py.NewBool(d.len() > 0), nil }

func (in *Interp) store(d *Dict, key, value py.Object) error {
	if err := in.writable(d.frozen, "dict"); err != nil {
		return err
	}
	h, err := in.hashOf(key)
	if err != nil {
		return err
	}
	if err := in.fits(d.len()+1, 64); err != nil {
		return err
	}
	d.set(h, key, value)
	return nil
}

// Set is a Python set. CPython's order of a set of str changes from run to run, so it can't be iterated.
type Set struct {
	table
	frozen bool
}

func (*Set) Type() *py.Type { return setType }

func (s *Set) M__bool__() (py.Object, error) { return py.NewBool(s.len() > 0), nil }

func (in *Interp) add(s *Set, key py.Object) error {
	if err := in.writable(s.frozen, "set"); err != nil {
		return err
	}
	h, err := in.hashOf(key)
	if err != nil {
		return err
	}
	if err := in.fits(s.len()+1, 64); err != nil {
		return err
	}
	s.set(h, key, py.None)
	return nil
}

// iterate walks the live entries; CPython ends it when the dict changes size under it.
func (in *Interp) iterate(d *Dict, name string, pick func(entry) py.Object) *Iter {
	i, size, changes := 0, d.len(), d.changes
	return in.iterOf(name, func() (py.Object, error) {
		if d.len() != size {
			return nil, raise(py.RuntimeError, "dictionary changed size during iteration")
		}
		if d.changes != changes {
			return nil, in.refuse("for key in list(d)", "a dict whose keys change while it is iterated")
		}
		for i < len(d.entries) && d.entries[i].dead {
			i++
		}
		if i >= len(d.entries) {
			return nil, errStop
		}
		i++
		return pick(d.entries[i-1]), nil
	})
}

// writable refuses a change of what the module made: the next call must see the same policy.
func (in *Interp) writable(frozen bool, kind string) error {
	if frozen {
		return in.refuse("a copy: list(value) or dict(value)",
			"a %s made by the module is read-only in its functions", kind)
	}
	return nil
}

// freeze makes everything the module holds read-only.
func (in *Interp) freeze() {
	for _, value := range in.globals {
		in.freezeValue(value)
	}
}

func (in *Interp) freezeValue(value py.Object) {
	switch v := value.(type) {
	case *List:
		if v.frozen {
			return
		}
		v.frozen = true
		for _, item := range v.items {
			in.freezeValue(item)
		}
	case *Dict:
		if v.frozen {
			return
		}
		v.frozen = true
		for _, e := range v.entries {
			in.freezeValue(e.value)
		}
	case *Set:
		v.frozen = true
	case py.Tuple:
		for _, item := range v {
			in.freezeValue(item)
		}
	case *Iter:
		v.next = func() (py.Object, error) {
			return nil, in.refuse("a list, or a function that makes the iterator",
				"an iterator made by the module can be read once only")
		}
	case *Builtin:
		in.freezeValue(v.self)
	case *Function:
		for _, item := range v.boxes {
			in.freezeValue(item.(*box).value)
		}
		for _, item := range v.defaults {
			in.freezeValue(item)
		}
	}
}
