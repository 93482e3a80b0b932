package coordinator

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math"

	"github.com/crossfold/crossfold/coordinator/ensemble"
	"github.com/crossfold/crossfold/coordinator/gather"
	"github.com/crossfold/crossfold/coordinator/rules"
	pb "github.com/crossfold/crossfold/proto/crossfold/v1"
)

// pruneSettings are Pruning.params_json.
type pruneSettings struct {
	Metric    string  `json:"metric"`
	Keep      float64 `json:"keep"`
	Factor    int     `json:"factor"`
	Alpha     float64 `json:"alpha"`
	MinFolds  int     `json:"min_folds"`
	MinOthers int     `json:"min_others"`
}

func readPruneSettings(text string) (pruneSettings, error) {
	settings := pruneSettings{Metric: "score"}
	if text == "" {
		return settings, nil
	}
	decoder := json.NewDecoder(bytes.NewReader([]byte(text)))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&settings); err != nil {
		return settings, invalid("pruning settings %s: %s: write a JSON object of metric, keep, factor, alpha, "+
			"min_folds and min_others", text, err)
	}
	return settings, nil
}

// ruleOf gives the built-in rule, nil for a policy.
func ruleOf(spec *pb.Pruning) (ensemble.Rule, error) {
	s, err := readPruneSettings(spec.GetParamsJson())
	if err != nil {
		return nil, err
	}
	var rule ensemble.Rule
	switch spec.GetRule() {
	case "":
		return nil, nil
	case "median":
		rule = ensemble.Percentile{Keep: 50, MinFolds: s.MinFolds, MinOthers: s.MinOthers}
	case "percentile":
		rule = ensemble.Percentile{Keep: s.Keep, MinFolds: s.MinFolds, MinOthers: s.MinOthers}
	case "halving":
		rule = ensemble.Halving{Factor: s.Factor, MinFolds: s.MinFolds}
	case "race":
		rule = ensemble.Race{Alpha: s.Alpha, MinFolds: s.MinFolds}
	default:
		return nil, invalid("pruning rule %q is not known: use median, percentile, halving or race", spec.GetRule())
	}
	// A rule checks its settings whatever it is asked.
	if _, err := rule.Stops([]ensemble.Trial{{Scores: []float64{0}, Finished: []bool{true}}}); err != nil {
		return nil, invalid("pruning rule %s: %s", spec.GetRule(), err)
	}
	return rule, nil
}

// checkPruning checks at the door what would else end in the middle of a job.
func (c *Coordinator) checkPruning(spec *pb.JobSpec) error {
	pruning := spec.GetPruning()
	if pruning == nil {
		return nil
	}
	switch {
	case spec.GetDatasetId() == "" || len(spec.GetFits()) > 0:
		return invalid("pruning needs a whole grid of candidates and splits: leave fits empty, or pruning out")
	case (pruning.GetRule() == "") == (pruning.GetPolicy() == ""):
		return invalid("pruning has rule %q and a policy of %d bytes: give one of them",
			pruning.GetRule(), len(pruning.GetPolicy()))
	}
	if scoring := spec.GetCode().GetRecipe().GetScoring(); len(scoring) > 1 {
		if settings, err := readPruneSettings(pruning.GetParamsJson()); err == nil && settings.Metric == "score" {
			return invalid("pruning with %d metrics needs one to go by: set metric in its settings to one of %q",
				len(scoring), scoring)
		}
	}
	rule, err := ruleOf(pruning)
	if err != nil || rule != nil {
		return err
	}
	loaded, err := c.openRules(c.ctx, pruning.GetPolicy())
	if err != nil {
		return err
	}
	defer func() { _ = loaded.Close() }()
	if !loaded.Has("prune") {
		return invalid("the policy has no prune(trial, history): define it, or leave pruning out")
	}
	return nil
}

// pruneMetric is the metric that a job's pruning goes by.
func pruneMetric(spec *pb.Pruning) string {
	settings, _ := readPruneSettings(spec.GetParamsJson()) // was checked at the door
	return settings.Metric
}

// decide answers a round beside the jobs' lock: a policy runs in another process. The caller holds c.mu.
func (c *Coordinator) decide(j *job, round *gather.Round) {
	c.running.Go(func() {
		stops, err := c.stops(j, round)
		if err != nil && c.ctx.Err() == nil {
			c.logger.Warn("coordinator: pruning: candidates were kept", "job", j.id, "fold", round.Fold, "error", err)
		}
		c.mu.Lock()
		defer c.mu.Unlock()
		if c.ctx.Err() == nil {
			c.apply(j, j.machine.Prune(round.Fold, stops))
		}
	})
}

// stops asks the job's rule or policy. Whatever goes wrong keeps candidates.
func (c *Coordinator) stops(j *job, round *gather.Round) ([]gather.Stop, error) {
	trials := make([]ensemble.Trial, len(round.Trials))
	for i, trial := range round.Trials {
		scores, finished := make([]float64, round.Folds), make([]bool, round.Folds)
		for fold := range scores {
			scores[fold] = math.NaN()
			if fold < len(trial.Scores) {
				scores[fold], finished[fold] = trial.Scores[fold], true
			}
		}
		trials[i] = ensemble.Trial{
			Candidate: int(trial.Candidate), Scores: scores, Finished: finished, Stopped: trial.Stopped,
		}
	}
	rule, err := ruleOf(j.spec.GetPruning())
	if err != nil {
		return nil, err
	}
	if rule == nil {
		return c.policyStops(j, round)
	}
	named, err := rule.Stops(trials)
	stops := make([]gather.Stop, len(named))
	for i, stop := range named {
		stops[i] = gather.Stop{Candidate: uint32(stop.Candidate), Reason: stop.Reason}
	}
	return stops, err
}

// policyStops asks `prune` about each candidate. A failed answer keeps its candidate; a limit that was
// reached keeps the rest of them, so that a slow policy can't hold up the job.
func (c *Coordinator) policyStops(j *job, round *gather.Round) (stops []gather.Stop, err error) {
	loaded, err := c.openRules(c.ctx, j.spec.GetPruning().GetPolicy())
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, loaded.Close()) }()
	var sound []rules.Trial
	for _, trial := range round.Trials {
		switch {
		case trial.Stopped:
		case unsound(trial.Scores) >= 0:
			fold := unsound(trial.Scores)
			stops = append(stops, gather.Stop{Candidate: trial.Candidate, Reason: fmt.Sprintf(
				"fold %d scored %v: the candidate can't win any more", fold, trial.Scores[fold])})
		default:
			sound = append(sound, policyTrial(trial, round.Fold))
		}
	}
	var failures []error
	for i, trial := range sound {
		others := append(append([]rules.Trial{}, sound[:i]...), sound[i+1:]...)
		pruned, err := loaded.Prune(c.ctx, trial, others)
		if err != nil {
			failures = append(failures, fmt.Errorf("candidate %d: %w", trial.Candidate, err))
			if errors.Is(err, rules.ErrLimit) || c.ctx.Err() != nil {
				break
			}
			continue
		}
		if pruned {
			stops = append(stops, gather.Stop{Candidate: uint32(trial.Candidate), Reason: fmt.Sprintf(
				"the policy's prune ended it: mean %.6g (%d of %d folds)", float64(trial.Score), round.Fold+1, round.Folds)})
		}
	}
	return stops, errors.Join(failures...)
}

func policyTrial(trial gather.Trial, fold int) rules.Trial {
	mean := 0.0
	for _, score := range trial.Scores {
		mean += score
	}
	return rules.Trial{
		Candidate: int(trial.Candidate), Fold: fold, Score: rules.Float(mean / float64(len(trial.Scores))),
		Scores: rules.Floats(trial.Scores),
	}
}

// unsound is the first fold without a finite score; -1 when there is none.
func unsound(scores []float64) int {
	for fold, score := range scores {
		if math.IsNaN(score) || math.IsInf(score, 0) {
			return fold
		}
	}
	return -1
}
