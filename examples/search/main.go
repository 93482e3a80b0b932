// Command search cross-validates three support vector machines from Go.
package main

import (
	"context"
	"fmt"
	"log"

	"github.com/crossfold/crossfold/arrowipc/source"
	"github.com/crossfold/crossfold/coordinator"
	pb "github.com/crossfold/crossfold/proto/crossfold/v1"
)

func main() {
	if err := search(context.Background()); err != nil {
		log.Fatal(err)
	}
}

func search(ctx context.Context) error {
	c, err := coordinator.Open(ctx, coordinator.Config{})
	if err != nil {
		return err
	}
	defer c.Close()
	data, err := source.Read(ctx, c.Store(), "examples/wine.csv", source.Options{})
	if err != nil {
		return err
	}
	job := &coordinator.JobSpec{
		DatasetId: data.ID,
		SplitSpec: &pb.SplitSpec{Kind: pb.SplitSpec_KIND_STRATIFIED_KFOLD, NSplits: 5},
		Code: &pb.Code{Source: &pb.Code_Recipe{Recipe: &pb.Recipe{
			Steps:  []*pb.Step{{Name: "svc", EntryPoint: "sklearn.svm:SVC"}},
			Target: "cultivar",
		}}},
	}
	for _, params := range []string{`{"C": 1.0}`, `{"C": 10.0}`, `{"C": 100.0}`} {
		job.Candidates = append(job.Candidates, &pb.Candidate{
			Setting: &pb.Candidate_ParamsJson{ParamsJson: params},
		})
	}
	id, err := c.Submit(ctx, job)
	if err != nil {
		return err
	}
	results, err := c.Wait(ctx, id)
	if err != nil {
		return err
	}
	for i, params := range results.Table.Params {
		fmt.Printf("%s: %.3f\n", params, results.Table.Metrics[0].Test.Mean[i])
	}
	return nil
}
