package rules

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// maxCandidates bounds a space: more is more likely a slip than a search.
const maxCandidates = 100_000

// Space is what `space(ctx)` is told.
type Space struct {
	// Seed for the policy's seed function.
	Seed int64 `json:"seed"`
	// N is how many candidates are wanted; the policy may give more or fewer.
	N int `json:"n"`
}

// Candidates lists the candidates of the policy, each a JSON object of parameters with sorted names: those
// that `space(ctx)` yields, else the combinations of PARAM_GRID in the order of scikit-learn's
// ParameterGrid. 1 and 1.0 stay apart.
func (r *Rules) Candidates(ctx context.Context, space Space) ([]string, error) {
	function := "space"
	var answer json.RawMessage
	var err error
	if r.Has(function) {
		answer, err = r.call(ctx, function, space)
	} else {
		function = "PARAM_GRID"
		answer, err = r.call(ctx, function)
	}
	if err != nil {
		return nil, err
	}
	var objects []map[string]json.RawMessage
	if json.Unmarshal(answer, &objects) != nil {
		var single map[string]json.RawMessage
		if function == "space" || json.Unmarshal(answer, &single) != nil || single == nil {
			return nil, r.refuse(function, answer, "dicts of parameters")
		}
		objects = append(objects, single)
	}
	if function == "PARAM_GRID" {
		if objects, err = r.expand(objects); err != nil {
			return nil, err
		}
	}
	if len(objects) == 0 || len(objects) > maxCandidates {
		return nil, fmt.Errorf("%w: %s of %s gives %d candidates: want 1 to %d",
			ErrAnswer, function, r.name, len(objects), maxCandidates)
	}
	candidates := make([]string, len(objects))
	for i, object := range objects {
		if candidates[i], err = r.candidate(function, i, object); err != nil {
			return nil, err
		}
	}
	return candidates, nil
}

// expand lists the combinations of grids: names sorted, the last name's values changing fastest.
func (r *Rules) expand(grids []map[string]json.RawMessage) ([]map[string]json.RawMessage, error) {
	var all []map[string]json.RawMessage
	for _, grid := range grids {
		names := slices.Sorted(maps.Keys(grid))
		values := make([][]json.RawMessage, len(names))
		size := 1
		for i, name := range names {
			if json.Unmarshal(grid[name], &values[i]) != nil || len(values[i]) == 0 {
				return nil, r.refuse("PARAM_GRID", grid[name], fmt.Sprintf("a list of one or more values for %q", name))
			}
			if size *= len(values[i]); size+len(all) > maxCandidates {
				return nil, fmt.Errorf("%w: PARAM_GRID of %s has more than %d combinations: narrow it down",
					ErrAnswer, r.name, maxCandidates)
			}
		}
		for n := range size {
			candidate := make(map[string]json.RawMessage, len(names))
			for i := len(names) - 1; i >= 0; i-- {
				candidate[names[i]] = values[i][n%len(values[i])]
				n /= len(values[i])
			}
			all = append(all, candidate)
		}
	}
	return all, nil
}

// candidate writes one candidate as Python's json reads it.
func (r *Rules) candidate(function string, position int, object map[string]json.RawMessage) (string, error) {
	if object == nil {
		return "", r.refuse(function, json.RawMessage("None"), fmt.Sprintf("a dict as candidate %d", position))
	}
	for name, value := range object {
		if bytes.Contains(value, []byte(`{"$float":"nan"}`)) {
			return "", r.refuse(function, value, fmt.Sprintf("a number that is not NaN for %q of candidate %d", name, position))
		}
	}
	text, err := json.Marshal(object)
	// JSON has no infinity; Python reads a number too large for a float as one.
	infinite := strings.NewReplacer(`{"$float":"inf"}`, "1e999", `{"$float":"-inf"}`, "-1e999")
	return infinite.Replace(string(text)), err
}
