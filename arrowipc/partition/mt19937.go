package partition

import (
	"math"
	"math/bits"
)

// mt19937 is numpy's legacy generator, numpy.random.RandomState(seed), as far as shuffle needs it:
// the Mersenne Twister of Matsumoto and Nishimura (1998) under numpy's bounded integers.
type mt19937 struct {
	state [mtSize]uint32
	next  int
}

const (
	mtSize  = 624
	mtShift = 397
)

func newMT19937(seed uint32) *mt19937 {
	m := &mt19937{next: mtSize}
	for i := range m.state {
		m.state[i] = seed
		seed = 1812433253*(seed^seed>>30) + uint32(i) + 1
	}
	return m
}

func (m *mt19937) uint32() uint32 {
	if m.next == mtSize {
		m.refill()
	}
	y := m.state[m.next]
	m.next++
	y ^= y >> 11
	y ^= y << 7 & 0x9d2c5680
	y ^= y << 15 & 0xefc60000
	return y ^ y>>18
}

func (m *mt19937) refill() {
	for i := range m.state {
		y := m.state[i]&0x80000000 | m.state[(i+1)%mtSize]&0x7fffffff
		m.state[i] = m.state[(i+mtShift)%mtSize] ^ y>>1 ^ y&1*0x9908b0df
	}
	m.next = 0
}

func (m *mt19937) uint64() uint64 {
	high := uint64(m.uint32())
	return high<<32 | uint64(m.uint32())
}

// interval draws from [0, limit] by masked rejection, as numpy's random_interval does.
func (m *mt19937) interval(limit uint64) uint64 {
	if limit == 0 {
		return 0
	}
	mask := uint64(1)<<bits.Len64(limit) - 1
	draw := func() uint64 { return uint64(m.uint32()) & mask }
	if limit > math.MaxUint32 {
		draw = func() uint64 { return m.uint64() & mask }
	}
	for {
		if value := draw(); value <= limit {
			return value
		}
	}
}

// shuffle permutes values in place, as RandomState.shuffle does a one-dimensional array.
func shuffle[T any](m *mt19937, values []T) {
	for i := len(values) - 1; i > 0; i-- {
		j := m.interval(uint64(i))
		values[i], values[j] = values[j], values[i]
	}
}
