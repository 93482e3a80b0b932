// Package rules calls the functions of a policy with what a search knows, and takes their answers only
// when they make sense: a wrong type, NaN or a position out of range is an error that names the value.
package rules

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"

	"github.com/crossfold/crossfold/bridge/policy"
)

var (
	// ErrAnswer means that a function of the policy returned what can't be used.
	ErrAnswer = errors.New("unusable answer of the policy")
	// ErrLimit means that a policy reached a limit of time, memory or steps.
	ErrLimit = policy.ErrLimit
)

// Config says which policy to run.
type Config struct {
	// Source is the policy's text.
	Source string
	// Name stands in messages. Default: policy.
	Name string
	// Binary is the crossfold binary, which runs the policy in a process of its own. Default: this
	// executable.
	Binary string
}

// Rules is a loaded policy.
type Rules struct {
	policy *policy.Policy
	name   string
}

// Open checks and loads a policy.
func Open(ctx context.Context, config Config) (*Rules, error) {
	if config.Name == "" {
		config.Name = "policy"
	}
	if found := policy.Check(config.Name, config.Source); len(found) > 0 {
		return nil, fmt.Errorf("%w: %s", policy.ErrRefused, found[0])
	}
	child := policy.Config{Source: config.Source, Name: config.Name}
	if config.Binary != "" {
		child.Command = []string{config.Binary, policy.ChildCommand}
	}
	opened, err := policy.Open(ctx, child)
	if err != nil {
		return nil, err
	}
	return &Rules{policy: opened, name: config.Name}, nil
}

// Close ends the policy's process. It is idempotent.
func (r *Rules) Close() error { return r.policy.Close() }

// Has says whether the policy has a function or value of that name.
func (r *Rules) Has(name string) bool { return r.policy.Has(name) }

// call calls a function with arguments that are marshalled to JSON.
func (r *Rules) call(ctx context.Context, function string, args ...any) (json.RawMessage, error) {
	if !r.Has(function) {
		return nil, fmt.Errorf("%w: %s has no %s: define it", ErrAnswer, r.name, function)
	}
	text, err := json.Marshal(append([]any{}, args...))
	if err != nil {
		return nil, fmt.Errorf("rules: encode the arguments of %s: %w", function, err)
	}
	return r.policy.Call(ctx, function, text)
}

// refuse says what a function returned and what it should have.
func (r *Rules) refuse(function string, answer json.RawMessage, want string) error {
	const most = 200
	text := string(answer)
	if len(text) > most {
		text = text[:most] + "…"
	}
	return fmt.Errorf("%w: %s of %s returned %s: want %s", ErrAnswer, function, r.name, text, want)
}

// Float is a number that is a float for the policy, also when it is whole.
type Float float64

// MarshalJSON writes 1.0 with its point, and NaN and the infinities as the policy's process reads them.
func (f Float) MarshalJSON() ([]byte, error) {
	value := float64(f)
	switch {
	case math.IsNaN(value):
		return []byte(`{"$float":"nan"}`), nil
	case math.IsInf(value, 0):
		return []byte(`{"$float":"` + strings.TrimPrefix(strings.ToLower(fmt.Sprint(value)), "+") + `"}`), nil
	}
	text := strconv.FormatFloat(value, 'g', -1, 64)
	if !strings.ContainsAny(text, ".e") {
		text += ".0"
	}
	return []byte(text), nil
}

// Floats makes numbers floats.
func Floats(values []float64) []Float {
	floats := make([]Float, len(values))
	for i, value := range values {
		floats[i] = Float(value)
	}
	return floats
}

// Trial is a candidate that has finished some folds and has more to run.
type Trial struct {
	Candidate int `json:"candidate"`
	// Fold is the position of the last one finished.
	Fold int `json:"fold"`
	// Score is the mean of Scores; greater is better.
	Score  Float   `json:"score"`
	Scores []Float `json:"scores"`
}

// Prune asks whether a candidate is not worth its remaining folds. history holds the other candidates
// that have finished the same folds.
func (r *Rules) Prune(ctx context.Context, trial Trial, history []Trial) (bool, error) {
	if history == nil {
		history = []Trial{}
	}
	answer, err := r.call(ctx, "prune", trial, history)
	if err != nil {
		return false, err
	}
	switch string(bytes.TrimSpace(answer)) {
	case "true":
		return true, nil
	case "false":
		return false, nil
	}
	return false, r.refuse("prune", answer, "True or False")
}

// Result is one candidate of a search that has ended.
type Result struct {
	Candidate int             `json:"candidate"`
	Params    json.RawMessage `json:"params"`
	// Mean, Std and Scores are of the test scores by fold; NaN where a fold has none.
	Mean   Float   `json:"mean"`
	Std    Float   `json:"std"`
	Scores []Float `json:"scores"`
	// FitSeconds is the mean time of a fit.
	FitSeconds Float `json:"fit_seconds"`
	// Score is the score of the candidate's out-of-fold predictions; only for weights.
	Score *Float `json:"score,omitempty"`
}

// Select asks for the position of the best candidate.
func (r *Rules) Select(ctx context.Context, results []Result) (int, error) {
	answer, err := r.call(ctx, "select", results)
	if err != nil {
		return 0, err
	}
	index, err := strconv.Atoi(string(bytes.TrimSpace(answer)))
	if err != nil || index < 0 || index >= len(results) {
		return 0, r.refuse("select", answer, fmt.Sprintf("the position of one of %d candidates, an int from 0 to %d",
			len(results), len(results)-1))
	}
	return index, nil
}

// Weights asks for one weight per candidate; they need not sum to 1.
func (r *Rules) Weights(ctx context.Context, results []Result) ([]float64, error) {
	answer, err := r.call(ctx, "weights", results)
	if err != nil {
		return nil, err
	}
	var given []*float64
	want := fmt.Sprintf("a list of %d finite numbers of at least 0, one of them above 0", len(results))
	if json.Unmarshal(answer, &given) != nil || len(given) != len(results) {
		return nil, r.refuse("weights", answer, want)
	}
	weights, total := make([]float64, len(given)), 0.0
	for i, weight := range given {
		if weight == nil || *weight < 0 {
			return nil, r.refuse("weights", answer, want)
		}
		weights[i] = *weight
		total += *weight
	}
	if total == 0 || math.IsInf(total, 0) {
		return nil, r.refuse("weights", answer, want)
	}
	return weights, nil
}
