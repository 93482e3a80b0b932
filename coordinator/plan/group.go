package plan

import (
	"cmp"
	"container/heap"
	"slices"
)

// groupKey names what the units of a group share.
type groupKey struct {
	split          uint32
	prefix, family string
}

// shared names what one unit of the group fits for all: the prefix, the largest of the family, or both.
func (k groupKey) shared() string { return k.prefix + k.family }

// stage is how far the shared prefix of a group is.
type stage uint8

const (
	// cold: nobody has begun to fit the prefix.
	cold stage = iota
	// warming: somebody fits it; another one would wait for that.
	warming
	// warm: it is fitted, or there is none.
	warm
	stages
)

// group is the waiting units of one split that share a prefix, or are of one family. A family's largest is
// fitted like a prefix: by the first of its units, for all.
type group struct {
	key groupKey
	// units wait, those before head are gone; once something was observed the longest is first.
	units []Unit
	head  int
	stage stage
	// added counts the units there ever were.
	added uint32
	// largest is the greatest size of a unit, total the sum of all.
	largest, total uint64
	// turn is when the group comes, whatever time its units take.
	turn uint32
	// longest is the time expected of the longest waiting unit, with the prefix while it is cold.
	longest float64
	// unsorted says that a unit came that may not be in its place, listed that Planner.bySplit has it.
	unsorted, listed bool
	// open says that it counts among Planner.open.
	open bool
	// place is where the group is in the heap of its stage; -1 when no unit waits.
	place int
}

func (g *group) waiting() []Unit { return g.units[g.head:] }

// isShared says whether units share work here.
func (g *group) isShared() bool { return g.key.shared() != "" && g.added > 1 }

// order puts the longest units first; equal ones stay in the order of the job. While nobody has begun,
// the largest is first.
func (g *group) order(seconds func(Unit) float64) {
	g.units = slices.Delete(g.units, 0, g.head)
	g.head = 0
	slices.SortStableFunc(g.units, func(a, b Unit) int {
		if g.stage == cold && a.Size != b.Size {
			return -cmp.Compare(a.Size, b.Size)
		}
		return cmp.Or(-cmp.Compare(seconds(a), seconds(b)), cmp.Compare(a.Index, b.Index))
	})
	g.unsorted = false
}

// pool is the groups of one stage that have waiting units: a heap, the longest first.
type pool []*group

func (h pool) Len() int { return len(h) }

func (h pool) Less(i, j int) bool { return before(h[i], h[j]) }

// before says which of two groups goes first: that whose turn it is, then that with the longest unit,
// else that with the oldest.
func before(a, b *group) bool {
	if a.turn != b.turn {
		return a.turn < b.turn
	}
	if a.longest != b.longest {
		return a.longest > b.longest
	}
	return a.units[a.head].Index < b.units[b.head].Index
}

func (h pool) Swap(i, j int) {
	h[i], h[j] = h[j], h[i]
	h[i].place, h[j].place = i, j
}

func (h *pool) Push(g any) {
	g.(*group).place = len(*h)
	*h = append(*h, g.(*group))
}

func (h *pool) Pop() any {
	last := len(*h) - 1
	g := (*h)[last]
	(*h)[last] = nil
	*h = (*h)[:last]
	g.place = -1
	return g
}

func (h pool) first() *group {
	if len(h) == 0 {
		return nil
	}
	return h[0]
}

func (h *pool) remove(g *group) {
	if g.place >= 0 {
		heap.Remove(h, g.place)
	}
}
