// Package jobfile reads JOB.yaml: a cross validation or hyper-parameter search written down.
//
// docs/job-file.md describes the format. What a file says wrong is an *Error that names the file,
// the line, the value and the next step; nothing is guessed.
package jobfile

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"

	"google.golang.org/protobuf/proto"

	pb "github.com/crossfold/crossfold/proto/crossfold/v1"
)

// MaxBytes is how large a job file may be.
const MaxBytes = 4 << 20

// File is a job file that was understood.
type File struct {
	// Path is where it was read from.
	Path string
	// Name is the job's name: the file's own, without its extension, when it gives none.
	Name string
	// Data is the path of the data file.
	Data string
	// Slots is how many fits may run at a time; 0 means every slot.
	Slots int
	// Limits is what each fit may use; nil for no limits.
	Limits *pb.Limits
	// Recipe is what to fit.
	Recipe *pb.Recipe
	// Splits says how the rows are split.
	Splits *pb.SplitSpec
	// Candidates are the settings of the hyper-parameters, in ParameterGrid's order.
	Candidates []*pb.Candidate
	// Predictions are the methods by which each fit predicts its test rows.
	Predictions []string
	// Ensemble says how to combine the candidates; nil: not at all.
	Ensemble *pb.EnsembleRequest
	// FinalEstimator is what learns from the candidates' predictions with the method "stack"; else nil.
	FinalEstimator *pb.Step
	// Pruning ends candidates early; nil: not at all.
	Pruning *pb.Pruning
	// Policy is nil without one.
	Policy *Policy
	// Line gives the line of a key, addressed as "cv.n_splits", for messages; 0 when it is not there.
	Line map[string]int
}

// Error is a job file that can't be run.
type Error struct {
	Path string
	// Line counts from 1; 0 means the file as a whole.
	Line int
	// Message names the value and the next step.
	Message string
}

func (e *Error) Error() string {
	if e.Line == 0 {
		return fmt.Sprintf("%s: %s", e.Path, e.Message)
	}
	return fmt.Sprintf("%s:%d: %s", e.Path, e.Line, e.Message)
}

// Load reads the job file at path. Every error is an *Error.
func Load(path string) (*File, error) {
	text, err := readAll(path)
	if err != nil {
		return nil, &Error{Path: path, Message: err.Error()}
	}
	return Parse(path, text)
}

// JobSpec is the job of the file over a dataset in the cluster's store.
func (f *File) JobSpec(datasetID string) *pb.JobSpec {
	return &pb.JobSpec{
		Name:        f.Name,
		Code:        &pb.Code{Source: &pb.Code_Recipe{Recipe: proto.CloneOf(f.Recipe)}, Preload: f.preload()},
		DatasetId:   datasetID,
		SplitSpec:   proto.CloneOf(f.Splits),
		Candidates:  f.Candidates,
		MaxParallel: uint32(max(f.Slots, 0)),
		Limits:      f.Limits,
		Predictions: f.Predictions,
		Pruning:     f.Pruning,
	}
}

// At returns an error about the value of key.
func (f *File) At(key, format string, args ...any) error {
	return &Error{Path: f.Path, Line: f.Line[key], Message: fmt.Sprintf(format, args...)}
}

// preload names the modules of the entry points, so that they are imported once per worker.
func (f *File) preload() []string {
	var modules []string
	for _, step := range f.Recipe.GetSteps() {
		module, _, _ := splitEntryPoint(step.GetEntryPoint())
		modules = append(modules, module)
	}
	return modules
}

func readAll(path string) ([]byte, error) {
	file, err := os.Open(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, errors.New("there is no such file; check the path of the job file")
	case err != nil:
		return nil, fmt.Errorf("can't be opened: %w", err)
	}
	defer file.Close()
	text, err := io.ReadAll(io.LimitReader(file, MaxBytes+1))
	switch {
	case errors.Is(err, syscall.EISDIR):
		return nil, errors.New("is a folder; name the job file in it")
	case err != nil:
		return nil, fmt.Errorf("can't be read: %w", err)
	case len(text) > MaxBytes:
		return nil, fmt.Errorf("is larger than %d MiB; a job file names its data, it doesn't hold them", MaxBytes>>20)
	}
	return text, nil
}

// resolve makes a path in the job file relative to the folder the file is in.
func resolve(jobPath, path string) string {
	if filepath.IsAbs(path) {
		return path
	}
	return filepath.Join(filepath.Dir(jobPath), path)
}
