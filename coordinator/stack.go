package coordinator

import (
	"context"

	"github.com/crossfold/crossfold/arrowipc/predictions"
	"github.com/crossfold/crossfold/arrowipc/source"
	"github.com/crossfold/crossfold/coordinator/ensemble"
)

// maxStackBytes bounds a stack, which is held as a whole.
const maxStackBytes = 256 << 20

// Stack makes a dataset of the out-of-fold predictions of a job's candidates, with the columns of
// scikit-learn's stackers. A job on it fits the meta model, on a worker like any other fit. The job that is
// stacked has a recipe, which names its target, and its splits test every row.
func (c *Coordinator) Stack(ctx context.Context, request *PredictionsRequest) (*Stack, error) {
	if err := c.alive(ctx); err != nil {
		return nil, err
	}
	method, members, marks, err := c.members(&EnsembleRequest{
		JobId: request.GetJobId(), Predictions: request.GetPredictions(), Candidates: request.GetCandidates(),
	})
	if err != nil {
		return nil, err
	}
	dataset, target := c.learned(request.GetJobId())
	if target == "" {
		return nil, invalid("job %s has no recipe that names its target: stack a job of a recipe", request.GetJobId())
	}
	lib, recordMarks, err := c.openLibrary(ctx, request.GetJobId(), method, members)
	if err != nil {
		return nil, err
	}
	if bytes := 8 * lib.Len() * lib.shape.Rows * lib.shape.Outputs(); bytes > maxStackBytes {
		return nil, invalid("a stack of %d candidates takes %d bytes, more than %d: name fewer candidates",
			lib.Len(), bytes, maxStackBytes)
	}
	columns, err := ensemble.Stack(ctx, lib)
	if err != nil {
		return nil, ensembleError(ctx, err)
	}
	stack := &Stack{Target: target, Marks: append(marks, recordMarks...)}
	features := make([]predictions.Feature, len(columns))
	for i, column := range columns {
		if column.Name == target { // candidates are numbers, and so may be the name of a column
			column.Name += "_out_of_fold"
		}
		features[i] = predictions.Feature(column)
		stack.Features = append(stack.Features, column.Name)
	}
	truth, err := source.Column(c.store, dataset, target)
	if err != nil {
		return nil, err
	}
	defer truth.Release()
	stack.DatasetId, err = predictions.WriteStack(ctx, c.store, features, target, truth)
	return stack, err
}

// learned is the dataset of a job, and the column that its recipe predicts.
func (c *Coordinator) learned(jobID string) (dataset, target string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if j := c.jobs[jobID]; j != nil {
		return j.spec.GetDatasetId(), j.spec.GetCode().GetRecipe().GetTarget()
	}
	return "", ""
}
