package policy_test

import (
	"encoding/json"
	"testing"

	"github.com/crossfold/crossfold/bridge/policy"
)

const pruneRule = `
def prune(trial, history):
    if len(history) < 3:
        return False
    scores = sorted(h["score"] for h in history)
    return trial["score"] < scores[len(scores) // 2]
`

var pruneArgs = json.RawMessage(`[{"score":0.5},[{"score":0.1},{"score":0.9},{"score":0.7},{"score":0.4}]]`)

// BenchmarkFirstCall starts a child, loads the policy and calls it once.
func BenchmarkFirstCall(b *testing.B) {
	for b.Loop() {
		p, err := policy.Open(b.Context(), policy.Config{Source: pruneRule})
		if err != nil {
			b.Fatal(err)
		}
		if _, err := p.Call(b.Context(), "prune", pruneArgs); err != nil {
			b.Fatal(err)
		}
		if err := p.Close(); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkWarmCall calls a policy whose child runs.
func BenchmarkWarmCall(b *testing.B) {
	p, err := policy.Open(b.Context(), policy.Config{Source: pruneRule})
	if err != nil {
		b.Fatal(err)
	}
	defer func() { _ = p.Close() }()
	for b.Loop() {
		if _, err := p.Call(b.Context(), "prune", pruneArgs); err != nil {
			b.Fatal(err)
		}
	}
}
