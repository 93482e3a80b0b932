// Package plan decides which units of a job travel together in one task.
//
// A unit is a fit or an opaque call. Units of one task share a split. Nothing here reads a clock or
// does I/O: what fits took so far is told by Observe.
package plan

import (
	"container/heap"
	"math"
)

const (
	// TargetSeconds is the work a task aims at: between 50 ms, where messages begin to cost, and
	// 200 ms, where slots begin to wait for each other.
	TargetSeconds = 0.100
	// MaxUnits bounds a task, so that a lost one costs little.
	MaxUnits = 256
	// MaxBytes bounds the payload of a task, so that its message stays below NATS' 1 MiB.
	MaxBytes = 512 << 10

	// trust is how many units a task may have per unit observed: a first quick fit must not put
	// hundreds of slow ones behind each other.
	trust = 4
	// memory is the number of observations that the mean reaches back.
	memory = 64
)

// Calls is the split of units that have none.
const Calls = math.MaxUint32

// Unit is one fit or call that waits.
type Unit struct {
	// Index is its position in the job; units are added in this order.
	Index uint32
	// Split is what units of one task share; Calls for opaque calls.
	Split uint32
	// Bytes is what it adds to a task's message.
	Bytes int
}

// Planner holds a job's waiting units. Its methods take amortised O(log splits) per unit. It is
// not safe for concurrent use.
type Planner struct {
	bySplit map[uint32]*group
	// groups is a heap: the group with the oldest unit is first.
	groups   groupHeap
	waiting  int
	observed int
	mean     float64
}

// New returns a planner with nothing to do.
func New() *Planner { return &Planner{bySplit: map[uint32]*group{}} }

// Len is the number of waiting units.
func (p *Planner) Len() int { return p.waiting }

// Add appends a unit.
func (p *Planner) Add(unit Unit) {
	p.waiting++
	g := p.bySplit[unit.Split]
	if g == nil {
		g = &group{split: unit.Split, units: []Unit{unit}}
		p.bySplit[unit.Split] = g
		heap.Push(&p.groups, g)
		return
	}
	g.units = append(g.units, unit)
}

// Observe tells how long one unit kept its slot, in seconds.
func (p *Planner) Observe(seconds float64) {
	if !(seconds >= 0) || math.IsInf(seconds, 1) {
		return
	}
	p.observed++
	p.mean += (seconds - p.mean) / float64(min(p.observed, memory))
}

// Next takes the units of the next task, oldest first; nil when none wait.
func (p *Planner) Next(slots int) []uint32 {
	if p.waiting == 0 {
		return nil
	}
	g := p.groups[0]
	most := min(p.size(slots), len(g.units)-g.head)
	taken := make([]uint32, 0, most)
	bytes := 0
	for _, unit := range g.units[g.head : g.head+most] {
		bytes += unit.Bytes
		if len(taken) > 0 && bytes > MaxBytes {
			break
		}
		taken = append(taken, unit.Index)
	}
	p.waiting -= len(taken)
	g.head += len(taken)
	if g.head == len(g.units) {
		heap.Pop(&p.groups)
		delete(p.bySplit, g.split)
	} else {
		heap.Fix(&p.groups, 0)
	}
	return taken
}

// size is the number of units a task may have now, at least one.
func (p *Planner) size(slots int) int {
	if p.observed == 0 {
		return 1
	}
	size := MaxUnits
	if p.mean > 0 {
		size = int(min(TargetSeconds/p.mean, MaxUnits))
	}
	// In the tail every slot gets at least two more tasks, so that none waits for a long one.
	share := 2 * max(slots, 1)
	tail := (p.waiting + share - 1) / share
	return max(1, min(size, trust*p.observed, tail))
}

// group is the waiting units of one split; those before head are gone.
type group struct {
	split uint32
	units []Unit
	head  int
}

type groupHeap []*group

func (h groupHeap) Len() int { return len(h) }

func (h groupHeap) Less(i, j int) bool {
	return h[i].units[h[i].head].Index < h[j].units[h[j].head].Index
}

func (h groupHeap) Swap(i, j int) { h[i], h[j] = h[j], h[i] }
func (h *groupHeap) Push(g any)   { *h = append(*h, g.(*group)) }

func (h *groupHeap) Pop() any {
	last := len(*h) - 1
	g := (*h)[last]
	(*h)[last] = nil
	*h = (*h)[:last]
	return g
}
