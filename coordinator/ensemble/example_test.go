package ensemble_test

import (
	"context"
	"fmt"
	"log"

	"github.com/crossfold/crossfold/coordinator/ensemble"
)

// Two folds of two classifiers, combined by forward selection.
func Example() {
	shape := ensemble.Shape{Kind: ensemble.KindProbabilities, Rows: 4, Classes: []string{"ham", "spam"}}
	fits := map[string][]float64{
		"forest": {0.9, 0.1, 0.4, 0.6, 0.7, 0.3, 0.6, 0.4},
		"logit":  {0.6, 0.4, 0.1, 0.9, 0.4, 0.6, 0.2, 0.8},
	}
	var library ensemble.Records
	for _, name := range []string{"forest", "logit"} {
		record, err := ensemble.NewPredictions(name, shape)
		if err != nil {
			log.Fatal(err)
		}
		for number, rows := range [][]int64{{0, 1}, {2, 3}} {
			values := fits[name][4*number : 4*number+4]
			if err := record.Fill(ensemble.Fold{Number: number, Rows: rows, Values: values}); err != nil {
				log.Fatal(err)
			}
		}
		library = append(library, record)
	}
	target, err := ensemble.ClassTarget(shape.Classes, []int{0, 1, 0, 1}, nil)
	if err != nil {
		log.Fatal(err)
	}
	accuracy, err := ensemble.ParseMetric("accuracy")
	if err != nil {
		log.Fatal(err)
	}
	selection, err := ensemble.Greedy{Rounds: 4}.Select(context.Background(), library, target, accuracy)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("alone:", selection.Singles)
	fmt.Println("together:", selection.Score, selection.Weights)
	// Output:
	// alone: [0.75 0.75]
	// together: 1 [0.5 0.5]
}
