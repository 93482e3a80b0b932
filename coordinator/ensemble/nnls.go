package ensemble

import "math"

// nonNegative solves min ½x'Gx - b'x with x ≥ 0 by the active set method of Lawson and Hanson (1974)
// on the normal equations. A column that depends on those in use stays 0.
func nonNegative(gram [][]float64, moment []float64) []float64 {
	n := len(moment)
	x := make([]float64, n)
	used := make([]bool, n)
	barred := make([]bool, n)
	tolerance := 0.0
	for _, value := range moment {
		tolerance = max(tolerance, 1e-12*math.Abs(value))
	}
	// Each step lowers the error, so it ends by itself; the bound is for rounding.
	for range 10 * n {
		next := steepest(gram, moment, x, used, barred, tolerance)
		if next < 0 {
			break
		}
		used[next] = true
		if !settle(gram, moment, x, used) || x[next] <= 0 {
			used[next], x[next] = false, 0
			barred[next] = true
			continue
		}
		clear(barred)
	}
	return x
}

// steepest is the unused column that lowers the error fastest; -1 when none lowers it.
func steepest(gram [][]float64, moment, x []float64, used, barred []bool, tolerance float64) int {
	best, slope := -1, tolerance
	for i := range x {
		if used[i] || barred[i] {
			continue
		}
		if descent := moment[i] - dot(gram[i], x); descent > slope {
			best, slope = i, descent
		}
	}
	return best
}

// settle moves x to the least squares solution over the used columns, dropping those that would turn
// negative on the way. It reports false, with x as it was, when the columns depend on each other.
func settle(gram [][]float64, moment, x []float64, used []bool) bool {
	for {
		columns := make([]int, 0, len(x))
		for i := range x {
			if used[i] {
				columns = append(columns, i)
			}
		}
		solution, ok := solve(gram, moment, columns)
		if !ok {
			return false
		}
		step, blocking := 1.0, -1
		for k, i := range columns {
			if solution[k] < 0 {
				if limit := x[i] / (x[i] - solution[k]); limit < step {
					step, blocking = limit, i
				}
			}
		}
		for k, i := range columns {
			x[i] = max(0, x[i]+step*(solution[k]-x[i]))
		}
		if blocking < 0 {
			return true
		}
		x[blocking], used[blocking] = 0, false
	}
}

// solve is Cholesky's method on the chosen rows and columns; false when they are singular.
func solve(gram [][]float64, moment []float64, columns []int) ([]float64, bool) {
	n := len(columns)
	lower := make([][]float64, n)
	solution := make([]float64, n)
	for i := range n {
		lower[i] = make([]float64, i+1)
		for j := range i + 1 {
			value := gram[columns[i]][columns[j]] - dot(lower[i][:j], lower[j][:j])
			if i > j {
				lower[i][j] = value / lower[j][j]
				continue
			}
			if value <= 1e-12*gram[columns[i]][columns[i]] {
				return nil, false
			}
			lower[i][i] = math.Sqrt(value)
		}
		solution[i] = (moment[columns[i]] - dot(lower[i][:i], solution[:i])) / lower[i][i]
	}
	for i := n - 1; i >= 0; i-- {
		for j := i + 1; j < n; j++ {
			solution[i] -= lower[j][i] * solution[j]
		}
		solution[i] /= lower[i][i]
	}
	return solution, true
}
