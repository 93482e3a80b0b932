package simulate

import "container/heap"

// clock is virtual time: what happens next happens at once.
type clock struct {
	now    float64
	order  int
	events eventHeap
}

type event struct {
	time float64
	// order keeps what happens at the same time in the order it was planned.
	order int
	do    func()
}

// at plans something; what is planned for the past happens now.
func (c *clock) at(time float64, do func()) {
	c.order++
	heap.Push(&c.events, event{max(time, c.now), c.order, do})
}

func (c *clock) in(seconds float64, do func()) { c.at(c.now+seconds, do) }

// next lets the next thing happen; false when nothing is planned.
func (c *clock) next() bool {
	if len(c.events) == 0 {
		return false
	}
	e := heap.Pop(&c.events).(event)
	c.now = e.time
	e.do()
	return true
}

type eventHeap []event

func (h eventHeap) Len() int { return len(h) }

func (h eventHeap) Less(i, j int) bool {
	return h[i].time < h[j].time || h[i].time == h[j].time && h[i].order < h[j].order
}

func (h eventHeap) Swap(i, j int) { h[i], h[j] = h[j], h[i] }
func (h *eventHeap) Push(e any)   { *h = append(*h, e.(event)) }

func (h *eventHeap) Pop() any {
	last := len(*h) - 1
	e := (*h)[last]
	*h = (*h)[:last]
	return e
}
