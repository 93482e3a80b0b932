package ensemble

import (
	"context"
	"fmt"
)

// HardVote gives each row the class with the most votes, the first such class on a tie, as
// VotingClassifier does. Members vote with their labels, or with their likeliest class.
func HardVote(ctx context.Context, library Library, weights []float64) (*Predictions, error) {
	m, err := openWeighted(ctx, library, weights)
	if err != nil {
		return nil, err
	}
	if m.shape.Kind == KindValues {
		return nil, fmt.Errorf("%w: values of candidate %s can't vote: use Mean", ErrInput, m.name)
	}
	classes := len(m.shape.Classes)
	votes := make([]float64, m.shape.Rows*classes)
	err = m.each(ctx, weights, func(record *Predictions, weight float64) {
		for row, predicted := range record.predicted {
			if predicted {
				votes[row*classes+classOf(m.shape.Kind, record.Row(row))] += weight
			}
		}
	})
	if err != nil {
		return nil, err
	}
	shape := m.shape
	shape.Kind = KindLabels
	result := m.result("hard vote", shape)
	for row := range result.values {
		result.values[row] = float64(classOf(KindProbabilities, votes[row*classes:(row+1)*classes]))
	}
	return result, nil
}

// SoftVote gives each row the class with the highest mean probability, the first such class on a tie,
// as VotingClassifier(voting="soft") does.
func SoftVote(ctx context.Context, library Library, weights []float64) (*Predictions, error) {
	average, err := Mean(ctx, library, weights)
	if err != nil {
		return nil, err
	}
	average.name = "soft vote"
	return average.Labels()
}
