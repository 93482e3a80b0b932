package ensemble

import (
	"math"
	"math/rand/v2"
	"slices"
)

// bags draws the candidates of each bag. A bag depends on the seed and its position only, so more
// bags leave the first ones as they were.
func (g Greedy) bags(candidates int) [][]int {
	if g.Bags == 0 {
		return [][]int{consecutive(candidates)}
	}
	size := max(1, int(math.Round(g.Fraction*float64(candidates))))
	bags := make([][]int, g.Bags)
	for i := range bags {
		random := rand.New(rand.NewPCG(g.Seed, uint64(i)))
		bags[i] = random.Perm(candidates)[:size]
		slices.Sort(bags[i])
	}
	return bags
}
