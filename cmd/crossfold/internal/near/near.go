// Package near finds the name a person probably meant.
package near

import "strings"

// Closest returns the name with the fewest edits to word. It reports false when none is close:
// at most a third of the word's letters, and at least one, may differ.
func Closest(word string, names []string) (string, bool) {
	best, limit := "", max(1, len([]rune(word))/3)
	for _, name := range names {
		d := distance(strings.ToLower(word), strings.ToLower(name))
		if d <= limit && name != word {
			best, limit = name, d-1
		}
	}
	return best, best != ""
}

// distance is the Levenshtein distance of a and b, in code points.
func distance(a, b string) int {
	x, y := []rune(a), []rune(b)
	row := make([]int, len(y)+1)
	for j := range row {
		row[j] = j
	}
	for i := range x {
		diagonal := row[0]
		row[0] = i + 1
		for j := range y {
			substitute := diagonal
			if x[i] != y[j] {
				substitute++
			}
			diagonal = row[j+1]
			row[j+1] = min(substitute, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(y)]
}
