// Package recipecheck asks the Python that would run a job whether it knows the job's estimator,
// parameters and scorers, before anything is fitted.
package recipecheck

import (
	"bytes"
	"context"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"os/exec"
	"strings"
	"time"

	"github.com/crossfold/crossfold/cmd/crossfold/internal/jobfile"
)

//go:embed check.py
var script string

// limit is long enough for a first import of TensorFlow from a cold disk.
const limit = 2 * time.Minute

// request is what check.py reads.
type request struct {
	Steps       []step            `json:"steps"`
	Scoring     []string          `json:"scoring"`
	ImportPaths []string          `json:"import_paths"`
	Candidates  []json.RawMessage `json:"candidates"`
	Predictions []string          `json:"predictions"`
}

type step struct {
	Name       string `json:"name"`
	EntryPoint string `json:"entry_point"`
	Params     string `json:"params"`
}

// Check runs python on the job. What the job file has wrong is a *jobfile.Error; any other error
// means that python itself can't be used.
func Check(ctx context.Context, python string, file *jobfile.File) error {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	input, err := json.Marshal(newRequest(file))
	if err != nil {
		return fmt.Errorf("encode the recipe of %s: %w", file.Path, err)
	}
	// -P keeps a module of the current folder from standing in for an installed one.
	command := exec.CommandContext(ctx, python, "-P", "-c", script)
	command.Stdin = bytes.NewReader(input)
	command.WaitDelay = time.Second
	var stdout, stderr bytes.Buffer
	command.Stdout, command.Stderr = &stdout, &stderr
	if err := command.Run(); err != nil {
		return pythonError(ctx, python, stderr.String(), err)
	}
	var problem struct{ Key, Message string }
	if err := json.Unmarshal(stdout.Bytes(), &problem); err != nil {
		return fmt.Errorf("%s: the check of the recipe answered %q: %w", python, stdout.String(), err)
	}
	if problem.Message != "" {
		return file.At(problem.Key, "%s", problem.Message)
	}
	return nil
}

func newRequest(file *jobfile.File) request {
	r := request{
		Scoring:     append([]string{}, file.Recipe.GetScoring()...),
		ImportPaths: append([]string{}, file.Recipe.GetImportPaths()...),
		Predictions: append([]string{}, file.Predictions...),
	}
	for _, s := range file.Recipe.GetSteps() {
		r.Steps = append(r.Steps, step{Name: s.GetName(), EntryPoint: s.GetEntryPoint(), Params: s.GetParamsJson()})
	}
	for _, c := range file.Candidates {
		r.Candidates = append(r.Candidates, json.RawMessage(c.GetParamsJson()))
	}
	return r
}

// pythonError says why python did not answer.
func pythonError(ctx context.Context, python, stderr string, err error) error {
	switch {
	case errors.Is(err, exec.ErrNotFound):
		return fmt.Errorf("there is no %s; name a Python that has crossfold with --python: %w", python, err)
	case errors.Is(ctx.Err(), context.DeadlineExceeded):
		return fmt.Errorf("%s did not check the recipe within %s: %w", python, limit, err)
	case ctx.Err() != nil:
		return ctx.Err()
	}
	lines := strings.Split(strings.TrimSpace(stderr), "\n")
	return fmt.Errorf("%s can't check the recipe: %s: %w", python, lines[len(lines)-1], err)
}
