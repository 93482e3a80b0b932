// Package inspect describes data files and job files.
package inspect

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"text/tabwriter"

	"github.com/crossfold/crossfold/arrowipc/source"
	"github.com/crossfold/crossfold/arrowipc/store"
	"github.com/crossfold/crossfold/cmd/crossfold/internal/client"
	"github.com/crossfold/crossfold/cmd/crossfold/internal/jobfile"
	pb "github.com/crossfold/crossfold/proto/crossfold/v1"
)

// File writes what the file at path holds; a .yaml or .yml file is a job file, any other holds data.
func File(ctx context.Context, to io.Writer, path string) error {
	switch strings.ToLower(filepath.Ext(path)) {
	case ".yaml", ".yml":
		return job(ctx, to, path)
	}
	return data(ctx, to, path)
}

func job(ctx context.Context, to io.Writer, path string) error {
	file, err := jobfile.Load(path)
	if err != nil {
		return err
	}
	kind := "k-fold"
	if file.Splits.GetKind() == pb.SplitSpec_KIND_STRATIFIED_KFOLD {
		kind = "stratified k-fold"
	}
	var steps []string
	for _, step := range file.Recipe.GetSteps() {
		steps = append(steps, step.GetEntryPoint())
	}
	splits, candidates := int(file.Splits.GetNSplits()), len(file.Candidates)
	fmt.Fprintf(to, "job         %s\nestimator   %s\ntarget      %s\nsplits      %d, %s\ncandidates  %d\nfits        %d\n\n",
		file.Name, strings.Join(steps, " | "), file.Recipe.GetTarget(), splits, kind, candidates, splits*candidates)
	return data(ctx, to, file.Data)
}

func data(ctx context.Context, to io.Writer, path string) (err error) {
	// Reading a file stores it; what it is stored in is thrown away.
	scratch, err := os.MkdirTemp("", "crossfold-inspect-")
	if err != nil {
		return fmt.Errorf("folder for the data: %w", err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(scratch)) }()
	st, err := store.Open(scratch)
	if err != nil {
		return err
	}
	dataset, err := source.Read(ctx, st, path, source.Options{})
	if err != nil {
		return fmt.Errorf("%w: %w", client.ErrData, err)
	}
	return describe(to, path, dataset)
}

func describe(to io.Writer, path string, dataset source.Dataset) error {
	fmt.Fprintf(to, "data        %s\nrows        %d\ncolumns     %d\n\n", path, dataset.Rows, len(dataset.Columns))
	table := tabwriter.NewWriter(to, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "column\ttype\tempty")
	for _, column := range dataset.Columns {
		fmt.Fprintf(table, "%s\t%s\t%d\n", column.Name, column.Type, column.Nulls)
	}
	return table.Flush()
}
