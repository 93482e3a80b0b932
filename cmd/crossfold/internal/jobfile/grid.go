package jobfile

import (
	"encoding/json"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	pb "github.com/crossfold/crossfold/proto/crossfold/v1"
)

// A grid with more candidates, or longer ones, is more likely a slip than a search.
const (
	maxCandidates = 100_000
	maxGridBytes  = 32 << 20
)

// axis is one hyper-parameter and the JSON of its values.
type axis struct {
	name   string
	values []json.RawMessage
}

// candidates lists the grid in the order of scikit-learn's ParameterGrid: mapping by mapping, names
// sorted, the last name's values changing fastest. No grid is one candidate that changes nothing.
func (p *parser) candidates(grid *yaml.Node) ([]*pb.Candidate, error) {
	if grid == nil {
		return []*pb.Candidate{{Setting: &pb.Candidate_ParamsJson{ParamsJson: "{}"}}}, nil
	}
	mappings := []*yaml.Node{unalias(grid)}
	if mappings[0].Kind == yaml.SequenceNode {
		mappings = mappings[0].Content
	}
	if len(mappings) == 0 {
		return nil, p.errorf(grid, "param_grid has no candidate; list at least one value, or drop the key")
	}
	var all []*pb.Candidate
	bytes := 0
	for _, mapping := range mappings {
		axes, err := p.axes(mapping)
		if err != nil {
			return nil, err
		}
		size := combinations(axes)
		if size+len(all) > maxCandidates {
			return nil, p.errorf(mapping, "param_grid makes more than %d candidates; narrow it down", maxCandidates)
		}
		for i := range size {
			text := candidate(axes, i)
			if bytes += len(text); bytes > maxGridBytes {
				return nil, p.errorf(mapping, "param_grid is more than %d MiB long; narrow it down", maxGridBytes>>20)
			}
			all = append(all, &pb.Candidate{Setting: &pb.Candidate_ParamsJson{ParamsJson: text}})
		}
	}
	return all, nil
}

// combinations counts the candidates of one mapping; it stops counting above maxCandidates.
func combinations(axes []axis) int {
	size := 1
	for _, a := range axes {
		if size *= len(a.values); size > maxCandidates {
			break
		}
	}
	return size
}

// axes reads one mapping of the grid, sorted by name.
func (p *parser) axes(n *yaml.Node) ([]axis, error) {
	n = unalias(n)
	if n.Kind != yaml.MappingNode {
		return nil, p.errorf(n, "param_grid must be a mapping of parameters to lists of values, not %s", describe(n))
	}
	var axes []axis
	for i := 0; i < len(n.Content); i += 2 {
		a, err := p.axis(unalias(n.Content[i]), n.Content[i+1])
		if err != nil {
			return nil, err
		}
		axes = append(axes, a)
	}
	slices.SortFunc(axes, func(a, b axis) int { return strings.Compare(a.name, b.name) })
	for i := 1; i < len(axes); i++ {
		if axes[i-1].name == axes[i].name {
			return nil, p.errorf(n, "parameter %q is in the grid twice", axes[i].name)
		}
	}
	return axes, nil
}

func (p *parser) axis(key, value *yaml.Node) (axis, error) {
	a := axis{}
	if err := p.text(&a.name)(key); err != nil {
		return a, err
	}
	if _, seen := p.file.Line["param_grid."+a.name]; !seen {
		p.file.Line["param_grid."+a.name] = key.Line
	}
	list := unalias(value)
	switch {
	case list.Kind != yaml.SequenceNode:
		return a, p.errorf(value, "parameter %q needs a list of values, not %s; write [%s]",
			a.name, describe(value), list.Value)
	case len(list.Content) == 0:
		return a, p.errorf(value, "parameter %q has no value, so the grid has no candidate; list at least one", a.name)
	}
	for _, item := range list.Content {
		text, err := p.json(item)
		if err != nil {
			return a, err
		}
		a.values = append(a.values, text)
	}
	return a, nil
}

// candidate writes the i-th combination of the axes as a JSON object.
func candidate(axes []axis, i int) string {
	chosen := make([]json.RawMessage, len(axes))
	for at := len(axes) - 1; at >= 0; at-- {
		chosen[at] = axes[at].values[i%len(axes[at].values)]
		i /= len(axes[at].values)
	}
	var text strings.Builder
	text.WriteByte('{')
	for at, a := range axes {
		if at > 0 {
			text.WriteByte(',')
		}
		name, _ := json.Marshal(a.name)
		text.Write(name)
		text.WriteByte(':')
		text.Write(chosen[at])
	}
	text.WriteByte('}')
	return text.String()
}
