package gather

import (
	"math"
	"slices"
)

// sum adds as numpy's pairwise summation does, so that means equal scikit-learn's to the bit.
func sum(values []float64) float64 {
	const block = 128
	n := len(values)
	switch {
	case n < 8:
		total := math.Copysign(0, -1)
		for _, v := range values {
			total += v
		}
		return total
	case n <= block:
		var r [8]float64
		copy(r[:], values)
		whole := n - n%8
		for i := 8; i < whole; i += 8 {
			for k := range r {
				r[k] += values[i+k]
			}
		}
		total := ((r[0] + r[1]) + (r[2] + r[3])) + ((r[4] + r[5]) + (r[6] + r[7]))
		for _, v := range values[whole:] {
			total += v
		}
		return total
	default:
		half := n / 2
		half -= half % 8
		return sum(values[:half]) + sum(values[half:])
	}
}

func mean(values []float64) float64 { return (0 + sum(values)) / float64(len(values)) }

// std is the population standard deviation, as numpy's default.
func std(values []float64, mean float64) float64 {
	squares := make([]float64, len(values))
	for i, v := range values {
		d := v - mean
		squares[i] = float64(d * d) // the conversion forbids fusing on other architectures
	}
	return math.Sqrt((0 + sum(squares)) / float64(len(squares)))
}

// ranks gives 1 to the highest score; ties share the lowest of their ranks and NaN comes last.
func ranks(scores []float64) []int32 {
	keys := rankKeys(scores)
	order := make([]int, len(keys))
	for i := range order {
		order[i] = i
	}
	slices.SortFunc(order, func(a, b int) int {
		switch {
		case keys[a] > keys[b]:
			return -1
		case keys[a] < keys[b]:
			return 1
		}
		return 0
	})
	out := make([]int32, len(keys))
	for place, row := range order {
		out[row] = int32(place) + 1
		if place > 0 && keys[row] == keys[order[place-1]] {
			out[row] = out[order[place-1]]
		}
	}
	return out
}

// rankKeys replaces what does not compare the way scikit-learn does: NaN by one less than the
// lowest score, infinities by the largest numbers.
func rankKeys(scores []float64) []float64 {
	lowest := math.NaN()
	for _, s := range scores {
		if !math.IsNaN(s) && !(lowest <= s) {
			lowest = s
		}
	}
	if math.IsNaN(lowest) {
		return make([]float64, len(scores)) // all failed: all tie
	}
	keys := make([]float64, len(scores))
	for i, s := range scores {
		switch {
		case math.IsNaN(s):
			keys[i] = lowest - 1
		default:
			keys[i] = max(-math.MaxFloat64, min(math.MaxFloat64, s))
		}
	}
	return keys
}
