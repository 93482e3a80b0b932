package search

import (
	"strings"

	"google.golang.org/protobuf/proto"

	"github.com/crossfold/crossfold/arrowipc/partition"
	"github.com/crossfold/crossfold/arrowipc/source"
	"github.com/crossfold/crossfold/cmd/crossfold/internal/client"
	"github.com/crossfold/crossfold/cmd/crossfold/internal/jobfile"
	"github.com/crossfold/crossfold/cmd/crossfold/internal/near"
	pb "github.com/crossfold/crossfold/proto/crossfold/v1"
)

// checkColumns says which column of the job file the data lack.
func checkColumns(file *jobfile.File, table *client.Table) error {
	names := make([]string, len(table.Columns))
	for i, column := range table.Columns {
		names[i] = column.Name
	}
	for _, feature := range file.Recipe.GetFeatures() {
		if err := known(file, "features", feature, names); err != nil {
			return err
		}
	}
	target := file.Recipe.GetTarget()
	if err := known(file, "target", target, names); err != nil {
		return err
	}
	if len(names) == 1 {
		return file.At("target", "%s holds only the target %q; add columns to learn from", file.Data, target)
	}
	return nil
}

// checkRows says whether every row has a target and whether the rows can be split as asked for. The
// warnings are scikit-learn's.
func checkRows(file *jobfile.File, table *client.Table) (warnings []string, err error) {
	target := file.Recipe.GetTarget()
	y, err := table.Column(target)
	if err != nil {
		return nil, err
	}
	defer y.Release()
	if row := source.FirstMissing(y); row >= 0 {
		return nil, file.At("target",
			"target %q has no value in row %d (rows count from 0); drop such rows or fill them in", target, row)
	}
	spec := proto.CloneOf(file.Splits)
	if spec.GetShuffle() && spec.RandomState == nil {
		// The coordinator draws one; which one makes no difference here.
		spec.RandomState = proto.Uint32(0)
	}
	_, warnings, err = partition.Splits(spec, table.Rows, func() (partition.Labels, error) {
		return partition.LabelsOf(y)
	})
	if err != nil {
		return nil, file.At("cv", "%s", splitAdvice(spec, err))
	}
	return warnings, nil
}

// splitAdvice words an error of package partition for job files.
func splitAdvice(spec *pb.SplitSpec, err error) string {
	message := strings.TrimPrefix(err.Error(), "partition: "+partition.ErrSpec.Error()+": ")
	if spec.GetKind() == pb.SplitSpec_KIND_STRATIFIED_KFOLD {
		message += "; cv: {kind: kfold} splits without regard to the target"
	}
	return message
}

// known reports a name that is no column.
func known(file *jobfile.File, key, name string, columns []string) error {
	for _, column := range columns {
		if column == name {
			return nil
		}
	}
	if close, ok := near.Closest(name, columns); ok {
		return file.At(key, "%s has no column %q; did you mean %q?", file.Data, name, close)
	}
	const most = 20
	list := strings.Join(columns[:min(most, len(columns))], ", ")
	if len(columns) > most {
		list += ", …"
	}
	return file.At(key, "%s has no column %q; it has %s", file.Data, name, list)
}
