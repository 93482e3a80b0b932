package simulate

import (
	"bytes"
	_ "embed"
	"encoding/json"
	"fmt"
	"math"
	"os"
)

// Inputs are measured. The file is JSON with these keys; `make bench CASE=plain` writes one.
type Inputs struct {
	// Source says what was measured, where and when.
	Source string `json:"source"`
	// Fits holds the fits of a job in its order.
	Fits []Fit `json:"fits"`
	// Candidates holds the numeric parameters of each candidate, as a client tells them to the planner.
	Candidates []map[string]float64 `json:"candidates"`
	// TaskSeconds is from a slot's getting free to its next task's first fit.
	TaskSeconds float64 `json:"task_seconds"`
	// ResultSeconds is from a fit's end to the stored result's arrival at the coordinator.
	ResultSeconds float64 `json:"result_seconds"`
	// CoordinatorSeconds is the coordinator's processor time per fit, one fit after the other.
	CoordinatorSeconds float64 `json:"coordinator_seconds"`
}

// Fit is a measured fit: whose it is, its split, and its seconds on one core.
type Fit struct {
	Candidate uint32  `json:"candidate"`
	Split     uint32  `json:"split"`
	Seconds   float64 `json:"seconds"`
}

//go:embed testdata/plain.json
var sample []byte

// Read reads measured inputs from a file; with no name, those recorded with the program.
func Read(file string) (Inputs, error) {
	data := sample
	if file != "" {
		read, err := os.ReadFile(file)
		if err != nil {
			return Inputs{}, fmt.Errorf("simulate: %w", err)
		}
		data = read
	}
	return parse(data)
}

func parse(data []byte) (Inputs, error) {
	var inputs Inputs
	decoder := json.NewDecoder(bytes.NewReader(data))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&inputs); err != nil {
		return inputs, fmt.Errorf("simulate: measured inputs: %w; `make bench CASE=plain` writes such a file", err)
	}
	if inputs.Source == "" || len(inputs.Fits) == 0 {
		return inputs, fmt.Errorf("simulate: measured inputs with source %q and %d fits: name the source "+
			"and give at least one fit", inputs.Source, len(inputs.Fits))
	}
	for i, fit := range inputs.Fits {
		if !(fit.Seconds > 0) || math.IsInf(fit.Seconds, 1) {
			return inputs, fmt.Errorf("simulate: fit %d took %g s: give a positive number", i, fit.Seconds)
		}
		if int(fit.Candidate) >= len(inputs.Candidates) {
			return inputs, fmt.Errorf("simulate: fit %d is of candidate %d, but there are %d candidates",
				i, fit.Candidate, len(inputs.Candidates))
		}
	}
	for name, seconds := range map[string]float64{
		"task_seconds": inputs.TaskSeconds, "result_seconds": inputs.ResultSeconds,
		"coordinator_seconds": inputs.CoordinatorSeconds,
	} {
		if !(seconds >= 0) || math.IsInf(seconds, 1) {
			return inputs, fmt.Errorf("simulate: %s is %g: give 0 or more", name, seconds)
		}
	}
	return inputs, nil
}

// Repeated returns so many fits: the measured ones again and again, scaled to a mean of seconds, or
// as they are with 0. Repetitions use the same splits: they are more candidates.
func (i Inputs) Repeated(fits int, mean float64) []Fit {
	scale := 1.0
	if mean > 0 {
		total := 0.0
		for _, fit := range i.Fits {
			total += fit.Seconds
		}
		scale = mean * float64(len(i.Fits)) / total
	}
	all := make([]Fit, fits)
	for n := range all {
		fit := i.Fits[n%len(i.Fits)]
		fit.Candidate += uint32(n / len(i.Fits) * len(i.Candidates))
		fit.Seconds *= scale
		all[n] = fit
	}
	return all
}

// features are what the planner is told of a candidate. Of repetitions it is told nothing: they would
// only be known too well.
func (i Inputs) features(candidate uint32) map[string]float64 {
	if int(candidate) >= len(i.Candidates) {
		return nil
	}
	return i.Candidates[candidate]
}
