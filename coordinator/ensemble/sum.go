package ensemble

// sum adds as numpy does: pairwise, eight accumulators at a time, so that it gives numpy's bits.
func sum(values []float64) float64 {
	n := len(values)
	if n < 8 {
		total := 0.0
		for _, value := range values {
			total += value
		}
		return total
	}
	if n > 128 {
		half := n / 2
		half -= half % 8
		return sum(values[:half]) + sum(values[half:])
	}
	var r [8]float64
	copy(r[:], values)
	i := 8
	for ; i < n-n%8; i += 8 {
		block := values[i : i+8 : i+8]
		for j := range r {
			r[j] += block[j]
		}
	}
	total := ((r[0] + r[1]) + (r[2] + r[3])) + ((r[4] + r[5]) + (r[6] + r[7]))
	for ; i < n; i++ {
		total += values[i]
	}
	return total
}

// columnSums adds the columns of a row-major matrix as numpy's sum(axis=0) does.
func columnSums(values []float64, width int) []float64 {
	if width == 1 {
		return []float64{sum(values)}
	}
	sums := make([]float64, width)
	for start := 0; start < len(values); start += width {
		for j, value := range values[start : start+width] {
			sums[j] += value
		}
	}
	return sums
}

// mean is numpy's mean.
func mean(values []float64) float64 { return sum(values) / float64(len(values)) }
