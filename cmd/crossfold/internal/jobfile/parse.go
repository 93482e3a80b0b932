package jobfile

import (
	"errors"
	"fmt"
	"io"
	"math"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/crossfold/crossfold/cmd/crossfold/internal/near"
	pb "github.com/crossfold/crossfold/proto/crossfold/v1"
)

// maxNodes bounds what aliases may expand a small file to.
const maxNodes = 200_000

// Parse reads the text of a job file. path is used for messages and to resolve the data's path.
// Every error is an *Error.
func Parse(path string, text []byte) (*File, error) {
	p := &parser{nodes: maxNodes, file: &File{Path: path, Line: map[string]int{}}}
	root, err := p.document(text)
	if err != nil {
		return nil, err
	}
	if err := p.job(root); err != nil {
		return nil, err
	}
	return p.file, nil
}

type parser struct {
	file  *File
	nodes int
	// grid is kept for last: its order does not depend on where it stands in the file.
	grid *yaml.Node
}

// fields maps the keys of a mapping to what reads their values.
type fields map[string]func(*yaml.Node) error

func (p *parser) document(text []byte) (*yaml.Node, error) {
	decoder := yaml.NewDecoder(strings.NewReader(string(text)))
	var document yaml.Node
	switch err := decoder.Decode(&document); {
	case errors.Is(err, io.EOF):
		return nil, p.errorf(nil, "is empty; a job file needs at least data, target and estimator")
	case err != nil:
		return nil, p.syntax(err)
	}
	if err := decoder.Decode(&yaml.Node{}); !errors.Is(err, io.EOF) {
		return nil, p.errorf(nil, "holds more than one YAML document; write one job per file")
	}
	return document.Content[0], nil
}

var yamlError = regexp.MustCompile(`^yaml: (?:line (\d+): )?(.*)$`)

// syntax turns the YAML library's message into ours; it carries the line only as text.
func (p *parser) syntax(err error) error {
	line, message := 0, err.Error()
	if m := yamlError.FindStringSubmatch(strings.ReplaceAll(message, "\n", " ")); m != nil {
		line, _ = strconv.Atoi(m[1])
		message = m[2]
	}
	return &Error{Path: p.file.Path, Line: line, Message: "is not YAML: " + message}
}

func (p *parser) job(root *yaml.Node) error {
	f := p.file
	base := filepath.Base(f.Path)
	f.Name = strings.TrimSuffix(base, filepath.Ext(base))
	f.Recipe = &pb.Recipe{ImportPaths: []string{absolute(filepath.Dir(f.Path))}}
	f.Splits = &pb.SplitSpec{Kind: pb.SplitSpec_KIND_STRATIFIED_KFOLD, NSplits: 5}
	err := p.mapping(root, "", fields{
		"name":               p.text(&f.Name),
		"data":               p.data,
		"target":             p.text(&f.Recipe.Target),
		"features":           p.texts(&f.Recipe.Features),
		"estimator":          p.estimator,
		"pipeline":           p.pipeline,
		"param_grid":         func(n *yaml.Node) error { p.grid = n; return nil },
		"cv":                 p.cv,
		"scoring":            p.scoring,
		"error_score":        p.errorScore,
		"return_train_score": p.boolean(&f.Recipe.ReturnTrainScore),
		"slots":              p.integer(&f.Slots, 1, 1<<16),
		"limits":             p.limits,
		"predictions":        p.predictions,
		"ensemble":           p.ensemble,
		"prune":              p.prune,
		"policy":             p.policy,
	})
	if err != nil {
		return err
	}
	if err := p.complete(root); err != nil {
		return err
	}
	if err := p.completeEnsemble(); err != nil {
		return err
	}
	f.Candidates, err = p.candidates(p.grid)
	return err
}

// complete checks what only the whole file tells.
func (p *parser) complete(root *yaml.Node) error {
	f := p.file
	switch {
	case f.Data == "":
		return p.errorf(root, `"data" is missing; name the Parquet, CSV or Arrow file`)
	case f.Recipe.Target == "":
		return p.errorf(root, `"target" is missing; name the column to predict`)
	case f.Line["estimator"] > 0 && f.Line["pipeline"] > 0:
		return f.At("pipeline", `has both "estimator" and "pipeline"; keep one`)
	case len(f.Recipe.Steps) == 0:
		return p.errorf(root, `"estimator" is missing; write one, such as "sklearn.svm:SVC", or a "pipeline"`)
	case slices.Contains(f.Recipe.Features, f.Recipe.Target):
		return f.At("features", "features hold the target %q; take it out", f.Recipe.Target)
	case f.Splits.RandomState != nil && !f.Splits.Shuffle:
		return f.At("cv.random_state", "random_state has no effect without shuffle; set shuffle: true or drop it")
	}
	return nil
}

func (p *parser) data(n *yaml.Node) error {
	if err := p.text(&p.file.Data)(n); err != nil {
		return err
	}
	p.file.Data = resolve(p.file.Path, p.file.Data)
	return nil
}

func (p *parser) estimator(n *yaml.Node) error {
	step := &pb.Step{Name: "estimator", ParamsJson: "{}"}
	p.file.Recipe.Steps = []*pb.Step{step}
	return p.single(n, "estimator", step)
}

// single reads an entry point, or a mapping of it and its parameters.
func (p *parser) single(n *yaml.Node, at string, step *pb.Step) error {
	if unalias(n).Kind == yaml.ScalarNode {
		return p.entryPoint(&step.EntryPoint)(n)
	}
	return p.step(n, at, fields{
		"entry_point": p.entryPoint(&step.EntryPoint),
		"params":      p.params(&step.ParamsJson),
	}, "entry_point")
}

func (p *parser) pipeline(n *yaml.Node) error {
	items, err := p.sequence(n, "pipeline")
	if err != nil {
		return err
	}
	if len(items) < 2 {
		return p.errorf(n, `pipeline has %d steps and needs two or more; write a single one as "estimator"`, len(items))
	}
	var names []string
	steps := make([]*pb.Step, len(items))
	for i, item := range items {
		step := &pb.Step{ParamsJson: "{}"}
		err := p.step(item, fmt.Sprintf("pipeline[%d]", i), fields{
			"name":        p.text(&step.Name),
			"entry_point": p.entryPoint(&step.EntryPoint),
			"params":      p.params(&step.ParamsJson),
		}, "name", "entry_point")
		switch {
		case err != nil:
			return err
		case strings.Contains(step.Name, "__"):
			return p.errorf(item, "step name %q must not hold two underscores: they set step and parameter apart", step.Name)
		case slices.Contains(names, step.Name):
			return p.errorf(item, "step name %q is used twice; rename one", step.Name)
		}
		names = append(names, step.Name)
		steps[i] = step
	}
	p.file.Recipe.Steps = steps
	return nil
}

// step reads a mapping whose required keys must be there.
func (p *parser) step(n *yaml.Node, at string, known fields, required ...string) error {
	if err := p.mapping(n, at, known); err != nil {
		return err
	}
	for _, key := range required {
		if p.file.Line[at+"."+key] == 0 {
			return p.errorf(n, "%s lacks %q", at, key)
		}
	}
	return nil
}

func (p *parser) cv(n *yaml.Node) error {
	var kind string
	var seed int
	splits, folds := p.file.Splits, int(p.file.Splits.NSplits)
	err := p.mapping(n, "cv", fields{
		"kind":         p.text(&kind),
		"n_splits":     p.integer(&folds, 2, 1<<31-1),
		"shuffle":      p.boolean(&splits.Shuffle),
		"random_state": p.integer(&seed, 0, 1<<32-1),
	})
	if err != nil {
		return err
	}
	switch kind {
	case "", "stratified":
	case "kfold":
		splits.Kind = pb.SplitSpec_KIND_KFOLD
	default:
		return p.file.At("cv.kind", `cv kind %q is not known; write "kfold" or "stratified"`, kind)
	}
	splits.NSplits = int32(folds)
	if p.file.Line["cv.random_state"] > 0 {
		state := uint32(seed)
		splits.RandomState = &state
	}
	return nil
}

func (p *parser) limits(n *yaml.Node) error {
	var bytes int
	p.file.Limits = &pb.Limits{}
	err := p.mapping(n, "limits", fields{
		"fit_seconds": p.seconds(&p.file.Limits.FitSeconds),
		"fit_bytes":   p.integer(&bytes, 1, math.MaxInt),
	})
	p.file.Limits.FitBytes = uint64(bytes)
	return err
}

func (p *parser) scoring(n *yaml.Node) error {
	if unalias(n).Kind != yaml.ScalarNode {
		return p.texts(&p.file.Recipe.Scoring)(n)
	}
	var name string
	if err := p.text(&name)(n); err != nil {
		return err
	}
	p.file.Recipe.Scoring = []string{name}
	return nil
}

func (p *parser) errorScore(n *yaml.Node) error {
	scalar := unalias(n)
	switch {
	case scalar.Value == "raise" && scalar.ShortTag() == "!!str":
		p.file.Recipe.ErrorScore = "raise"
	case strings.EqualFold(scalar.Value, ".nan") || strings.EqualFold(scalar.Value, "nan"):
		p.file.Recipe.ErrorScore = "" // JSON has no NaN; nothing stands for it.
	case scalar.ShortTag() == "!!int" || scalar.ShortTag() == "!!float":
		number, err := p.json(scalar)
		if err != nil {
			return err
		}
		p.file.Recipe.ErrorScore = string(number)
	default:
		return p.errorf(n, `error_score must be a number, nan or "raise", not %s`, describe(scalar))
	}
	return nil
}

func (p *parser) entryPoint(to *string) func(*yaml.Node) error {
	return func(n *yaml.Node) error {
		if err := p.text(to)(n); err != nil {
			return err
		}
		if _, _, ok := splitEntryPoint(*to); ok {
			return nil
		}
		advice := `write it as "module:name", such as "sklearn.svm:SVC"`
		if dot := strings.LastIndex(*to, "."); dot > 0 && !strings.Contains(*to, ":") {
			advice = fmt.Sprintf("did you mean %q?", (*to)[:dot]+":"+(*to)[dot+1:])
		}
		return p.errorf(n, "%q is not an entry point; %s", *to, advice)
	}
}

var dotted = regexp.MustCompile(`^[\pL_][\pL\pN_]*(\.[\pL_][\pL\pN_]*)*$`)

// splitEntryPoint cuts "module:qualname"; ok is false when it is not one.
func splitEntryPoint(entryPoint string) (module, name string, ok bool) {
	module, name, ok = strings.Cut(entryPoint, ":")
	return module, name, ok && dotted.MatchString(module) && dotted.MatchString(name)
}

func (p *parser) params(to *string) func(*yaml.Node) error {
	return func(n *yaml.Node) error {
		if unalias(n).Kind != yaml.MappingNode {
			return p.errorf(n, "params must be a mapping of names to values, not %s", describe(n))
		}
		text, err := p.json(n)
		*to = string(text)
		return err
	}
}

// unknownKey names the key and the nearest known one.
func (p *parser) unknownKey(key *yaml.Node, at string, known []string) error {
	where := ""
	if at != "" {
		where = " in " + at
	}
	if name, ok := near.Closest(key.Value, known); ok {
		return p.errorf(key, "unknown key %q%s; did you mean %q?", key.Value, where, name)
	}
	return p.errorf(key, "unknown key %q%s; known are %s", key.Value, where, strings.Join(known, ", "))
}

func absolute(path string) string {
	if abs, err := filepath.Abs(path); err == nil {
		return abs
	}
	return path
}
