package coordinator

import (
	"context"
	"fmt"

	"github.com/crossfold/crossfold/arrowipc/predictions"
	"github.com/crossfold/crossfold/coordinator/ensemble"
)

// combination is one ensemble in the making.
type combination struct {
	c       *Coordinator
	request *EnsembleRequest
	members []member
	library *library
	target  *ensemble.Target
	metric  ensemble.Metric
	answer  *Ensemble
}

func (k *combination) run(ctx context.Context, method string) (*Ensemble, error) {
	if err := k.singles(ctx); err != nil {
		return nil, err
	}
	weights, err := k.weights(ctx)
	if err != nil {
		return nil, err
	}
	combined, err := k.combine(ctx, weights)
	if err != nil {
		return nil, err
	}
	if k.answer.Score, err = k.metric.Score(k.target, combined); err != nil {
		return nil, fmt.Errorf("the ensemble: %w", err)
	}
	total := 0.0
	for _, weight := range weights {
		total += weight
	}
	for i, member := range k.members {
		k.answer.Candidates = append(k.answer.Candidates, member.candidate)
		k.answer.Weights = append(k.answer.Weights, weights[i]/total)
	}
	shape := combined.Shape()
	k.answer.PredictionsId, err = storeRecord(ctx, k.c.store, predictions.Header{
		Method: method, Kind: shape.Kind.String(), Classes: shape.Classes, AllClasses: shape.Classes,
		DatasetRows: shape.Rows,
	}, combined)
	return k.answer, err
}

// singles scores every member by itself.
func (k *combination) singles(ctx context.Context) error {
	best := 0
	for i := range k.members {
		record, err := k.library.Record(ctx, i)
		if err != nil {
			return err
		}
		score, err := k.metric.Score(k.target, record)
		if err != nil {
			return err
		}
		k.answer.Scores = append(k.answer.Scores, score)
		if score > k.answer.Scores[best] {
			best = i
		}
	}
	k.answer.BestSingle, k.answer.BestSingleScore = k.members[best].candidate, k.answer.Scores[best]
	return nil
}

// weights chooses or takes the members' weights.
func (k *combination) weights(ctx context.Context) ([]float64, error) {
	switch k.request.GetCombine() {
	case "", "greedy":
		options := k.request.GetGreedy()
		selection, err := ensemble.Greedy{
			Rounds: int(options.GetRounds()), Initial: int(options.GetInitial()), Bags: int(options.GetBags()),
			Fraction: options.GetFraction(), Seed: options.GetSeed(),
		}.Select(ctx, k.library, k.target, k.metric)
		if err != nil {
			return nil, err
		}
		return selection.Weights, nil
	case "blend":
		return ensemble.Blend(ctx, k.library, k.target, k.predictedRows(ctx))
	case "policy":
		return k.c.policyWeights(ctx, k.request.GetPolicy(), k.members, k.answer.Scores)
	}
	if weights := k.request.GetWeights(); len(weights) > 0 {
		return weights, nil
	}
	equal := make([]float64, len(k.members))
	for i := range equal {
		equal[i] = 1
	}
	return equal, nil
}

// predictedRows lists the rows that some fold predicted: no member was trained on them.
func (k *combination) predictedRows(ctx context.Context) []int64 {
	record, err := k.library.Record(ctx, 0)
	if err != nil {
		return nil // reading it again tells why
	}
	var rows []int64
	for row := range record.Shape().Rows {
		if record.Predicted(row) {
			rows = append(rows, int64(row))
		}
	}
	return rows
}

func (k *combination) combine(ctx context.Context, weights []float64) (*ensemble.Predictions, error) {
	switch k.request.GetCombine() {
	case "vote":
		return ensemble.HardVote(ctx, k.library, weights)
	case "rank":
		return ensemble.RankAverage(ctx, k.library, weights)
	}
	return ensemble.Mean(ctx, k.library, weights)
}
