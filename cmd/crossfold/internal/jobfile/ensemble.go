package jobfile

import (
	"cmp"
	"encoding/json"
	"os"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/crossfold/crossfold/coordinator"
	"github.com/crossfold/crossfold/coordinator/ensemble"
	"github.com/crossfold/crossfold/coordinator/rules"
	pb "github.com/crossfold/crossfold/proto/crossfold/v1"
)

// maxPolicyBytes is how large the file of a policy may be; the policy's own limit is lower.
const maxPolicyBytes = 1 << 20

// Policy is the policy of a job file.
type Policy struct {
	Path   string
	Source string
	// Space is what its `space(ctx)` is told.
	Space rules.Space
}

// kinds are what the methods of estimators predict.
var kinds = map[string][]ensemble.Kind{
	"predict_proba":     {ensemble.KindProbabilities},
	"decision_function": {ensemble.KindDecisions},
	"predict":           {ensemble.KindLabels, ensemble.KindValues},
}

// predictions reads the name of a method, or a list of them.
func (p *parser) predictions(n *yaml.Node) error {
	methods := make([]string, 1)
	read := p.text(&methods[0])
	if unalias(n).Kind != yaml.ScalarNode {
		read = p.texts(&methods)
	}
	if err := read(n); err != nil {
		return err
	}
	for _, method := range methods {
		if kinds[method] == nil {
			return p.errorf(n, "fits can't predict by %q; use predict, predict_proba or decision_function", method)
		}
	}
	p.file.Predictions = methods
	return nil
}

func (p *parser) ensemble(n *yaml.Node) error {
	var rounds, initial, bags, seed int
	request := &pb.EnsembleRequest{}
	p.file.Ensemble = request
	err := p.mapping(n, "ensemble", fields{
		"method":      p.text(&request.Combine),
		"metric":      p.text(&request.Metric),
		"predictions": p.text(&request.Predictions),
		"rounds":      p.integer(&rounds, 1, 1<<20),
		"initial":     p.integer(&initial, 0, 1<<20),
		"bags":        p.integer(&bags, 0, 1<<20),
		"seed":        p.integer(&seed, 0, 1<<62),
		"final_estimator": func(n *yaml.Node) error {
			p.file.FinalEstimator = &pb.Step{Name: "estimator", ParamsJson: "{}"}
			return p.single(n, "ensemble.final_estimator", p.file.FinalEstimator)
		},
	})
	request.Greedy = &pb.GreedyOptions{
		Rounds: uint32(rounds), Initial: uint32(initial), Bags: uint32(bags), Seed: uint64(seed),
	}
	return err
}

// completeEnsemble fills in what the rest of the file says, and refuses what could only fail after the fits.
func (p *parser) completeEnsemble() error {
	f := p.file
	if f.Ensemble == nil {
		return nil
	}
	if err := p.checkMembers(); err != nil {
		return err
	}
	key := "ensemble.metric"
	if f.Ensemble.Metric == "" {
		if len(f.Recipe.Scoring) != 1 {
			return f.At("ensemble", `"metric" is missing; name a scorer, such as neg_log_loss`)
		}
		f.Ensemble.Metric, key = f.Recipe.Scoring[0], "scoring"
	}
	metric, err := ensemble.ParseMetric(f.Ensemble.Metric)
	if err != nil {
		return f.At(key, "%s", strings.TrimPrefix(err.Error(), ensemble.ErrInput.Error()+": "))
	}
	if methods := coordinator.Combines(); f.Ensemble.Combine != "" && f.Ensemble.Combine != Stack && !slices.Contains(methods, f.Ensemble.Combine) {
		return f.At("ensemble.method", "method %q is not known; use one of %s, %s", f.Ensemble.Combine,
			strings.Join(methods, ", "), Stack)
	}
	if err := p.completeStack(metric); err != nil {
		return err
	}
	if of := f.unscored(metric); of != "" {
		return f.At(key, "%s can't score what %s gives; choose another metric or other predictions", metric.Name(), of)
	}
	if rounds := cmp.Or(f.Ensemble.Greedy.Rounds, 50); f.Ensemble.Greedy.Initial > rounds {
		return f.At("ensemble.initial", "initial is %d; start with at most as many candidates as there are rounds, %d",
			f.Ensemble.Greedy.Initial, rounds)
	}
	if f.Ensemble.Combine == "policy" {
		if f.Policy == nil {
			return f.At("ensemble.method", `method "policy" needs a "policy" with weights(results)`)
		}
		f.Ensemble.Policy = f.Policy.Source
	}
	return nil
}

// Stack is the method that has a final estimator; the coordinator does not combine by it.
const Stack = "stack"

// completeStack checks that method and final estimator go together. Of a stack's members, too, the coordinator
// tells how they score and which is best: those of the method "mean", or of labels, which have no mean, of "vote".
func (p *parser) completeStack(metric ensemble.Metric) error {
	f := p.file
	if (f.Ensemble.Combine == Stack) != (f.FinalEstimator != nil) {
		return f.At("ensemble", `"method: stack" and "final_estimator" go together; add the other, `+
			`such as "final_estimator: sklearn.linear_model:LogisticRegression"`)
	}
	if f.FinalEstimator == nil {
		return nil
	}
	f.Ensemble.Combine = "mean"
	if f.combined() == "predict" && metric.Takes(ensemble.KindLabels) {
		f.Ensemble.Combine = "vote"
	}
	return nil
}

// unscored names what the metric has to score and can't: what the fits predict, or what is made of that.
func (f *File) unscored(metric ensemble.Metric) string {
	method := f.combined()
	if !slices.ContainsFunc(kinds[method], metric.Takes) {
		return method
	}
	made := map[string]ensemble.Kind{"rank": ensemble.KindDecisions, "vote": ensemble.KindLabels}
	if kind, ok := made[f.Ensemble.Combine]; ok && !metric.Takes(kind) {
		return f.Ensemble.Combine
	}
	return ""
}

// Final is the job of a stack's final estimator on what the candidates predicted.
func (f *File) Final() *File {
	const at = "ensemble.final_estimator"
	lines := map[string]int{}
	for key, line := range f.Line {
		if rest, of := strings.CutPrefix(key, at); of {
			lines["estimator"+rest] = line
		}
	}
	return &File{
		Path: f.Path, Name: f.Name + ", final estimator", Slots: f.Slots, Limits: f.Limits, Splits: f.Splits,
		Recipe: &pb.Recipe{
			Steps: []*pb.Step{f.FinalEstimator}, Target: f.Recipe.GetTarget(), ImportPaths: f.Recipe.GetImportPaths(),
			Scoring: []string{f.Ensemble.Metric},
		},
		Candidates:  []*pb.Candidate{{Setting: &pb.Candidate_ParamsJson{ParamsJson: "{}"}}},
		Predictions: []string{f.combined()},
		Line:        lines,
	}
}

// combined is the method whose predictions are combined.
func (f *File) combined() string { return cmp.Or(f.Ensemble.Predictions, f.Predictions[0]) }

// checkMembers says whether the fits predict what is to be combined.
func (p *parser) checkMembers() error {
	f := p.file
	asked := f.Ensemble.Predictions
	switch {
	case len(f.Predictions) == 0:
		return f.At("ensemble", `an ensemble needs predictions of the fits; add "predictions: predict_proba" `+
			`for a classifier, "predictions: predict" for a regressor`)
	case asked == "" && len(f.Predictions) > 1:
		return f.At("ensemble", `the fits predict %s; say which to combine with "predictions"`, strings.Join(f.Predictions, ", "))
	case asked != "" && !slices.Contains(f.Predictions, asked):
		return f.At("ensemble.predictions", "the fits do not predict %q but %s", asked, strings.Join(f.Predictions, ", "))
	}
	return nil
}

// prune reads the name of a rule, or a mapping of it and its settings.
func (p *parser) prune(n *yaml.Node) error {
	p.file.Pruning = &pb.Pruning{}
	if unalias(n).Kind == yaml.ScalarNode {
		return p.text(&p.file.Pruning.Rule)(n)
	}
	text, err := p.json(n)
	if err != nil {
		return err
	}
	var settings map[string]json.RawMessage
	if json.Unmarshal(text, &settings) != nil || json.Unmarshal(settings["rule"], &p.file.Pruning.Rule) != nil {
		return p.errorf(n, `prune must be a rule, such as median, or a mapping with "rule" and its settings`)
	}
	delete(settings, "rule")
	text, err = marshal(settings)
	p.file.Pruning.ParamsJson = string(text)
	return err
}

// policy reads the path of a policy, or a mapping of it and what its space is told.
func (p *parser) policy(n *yaml.Node) error {
	var path string
	var count, seed int
	if unalias(n).Kind == yaml.ScalarNode {
		if err := p.text(&path)(n); err != nil {
			return err
		}
		p.file.Line["policy.file"] = n.Line
	} else if err := p.mapping(n, "policy", fields{
		"file": p.text(&path),
		"n":    p.integer(&count, 1, 100_000),
		"seed": p.integer(&seed, 0, 1<<62),
	}); err != nil {
		return err
	}
	if path == "" {
		return p.errorf(n, `policy lacks "file"`)
	}
	if count == 0 {
		count = 10
	}
	path = resolve(p.file.Path, path)
	info, err := os.Stat(path)
	if err != nil || info.Size() > maxPolicyBytes {
		return p.errorf(n, "policy %s can't be read, or is larger than %d bytes; correct its path", path, maxPolicyBytes)
	}
	source, err := os.ReadFile(path)
	if err != nil {
		return p.errorf(n, "policy %s: %s", path, err)
	}
	p.file.Policy = &Policy{Path: path, Source: string(source), Space: rules.Space{Seed: int64(seed), N: count}}
	return nil
}
