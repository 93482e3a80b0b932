package coordinator

import (
	"encoding/json"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"google.golang.org/grpc/codes"

	"github.com/crossfold/crossfold/arrowipc/source"
	pb "github.com/crossfold/crossfold/proto/crossfold/v1"
)

var entryPoint = regexp.MustCompile(`^[A-Za-z_]\w*(\.[A-Za-z_]\w*)*:[A-Za-z_]\w*(\.[A-Za-z_]\w*)*$`)

// maxSeconds is the longest limit a fit can have: thirty years.
const maxSeconds = 1e9

// checkSpec checks what every job must keep to, whole or attached.
func (c *Coordinator) checkSpec(spec *pb.JobSpec) error {
	if spec == nil {
		return invalid("the request has no job: set job")
	}
	if seconds := spec.GetLimits().GetFitSeconds(); !(seconds >= 0 && seconds <= maxSeconds) {
		return invalid("limits.fit_seconds is %v: use a number above 0, at most %v, or leave it out", seconds, maxSeconds)
	}
	if spec.GetDatasetId() == "" {
		if len(spec.GetSplits())+len(spec.GetCandidates())+len(spec.GetFits()) > 0 || spec.GetSplitSpec() != nil {
			return invalid("the job has fits but no dataset: set dataset_id")
		}
		return nil // opaque calls, which carry their own code
	}
	if err := c.checkObject("ds", spec.GetDatasetId()); err != nil {
		return err
	}
	if spec.GetSplitSpec() != nil && len(spec.GetSplits()) > 0 {
		return invalid("the job has both split_spec and %d splits: set one", len(spec.GetSplits()))
	}
	if err := checkPredictions(spec.GetPredictions()); err != nil {
		return err
	}
	if err := c.checkPruning(spec); err != nil {
		return err
	}
	return c.checkCode(spec)
}

// predictionMethods are what fits may be asked for.
var predictionMethods = []string{"predict", "predict_proba", "decision_function"}

func checkPredictions(methods []string) error {
	for i, method := range methods {
		if !slices.Contains(predictionMethods, method) || slices.Contains(methods[:i], method) {
			return invalid("predictions %q is not known, or is listed twice: use %s",
				method, strings.Join(predictionMethods, ", "))
		}
	}
	return nil
}

func (c *Coordinator) checkCode(spec *pb.JobSpec) error {
	switch code := spec.GetCode().GetSource().(type) {
	case *pb.Code_BlobId:
		return c.checkObject("bl", code.BlobId)
	case *pb.Code_Recipe:
		if err := checkRecipe(code.Recipe); err != nil {
			return err
		}
		return c.checkColumns(spec.GetDatasetId(), code.Recipe)
	}
	return invalid("the job has no code: set code.recipe or code.blob_id")
}

func (c *Coordinator) checkObject(kind, id string) error {
	if !strings.HasPrefix(id, kind+"-") {
		return invalid("%q is no %s-… object: put the object into the store and use its id", id, kind)
	}
	if _, err := c.store.Path(id); err != nil {
		return coded(codes.InvalidArgument, err)
	}
	if !c.store.Has(id) {
		return notFound("%s is not in the store %s: put it there first", id, c.store.Dir())
	}
	return nil
}

func checkRecipe(recipe *pb.Recipe) error {
	if len(recipe.GetSteps()) == 0 {
		return invalid("the recipe has no steps: give at least one estimator")
	}
	var names []string
	for i, step := range recipe.GetSteps() {
		name := step.GetName()
		if len(recipe.GetSteps()) > 1 && name == "" || strings.Contains(name, "__") {
			return invalid("step %d is named %q: give it a name without \"__\"", i, name)
		}
		if slices.Contains(names, name) {
			return invalid("two steps are named %q: give each a name of its own", name)
		}
		names = append(names, name)
		if !entryPoint.MatchString(step.GetEntryPoint()) {
			return invalid("entry point %q of step %d is not module:qualname: write it like sklearn.svm:SVC",
				step.GetEntryPoint(), i)
		}
		if text := step.GetParamsJson(); text != "" {
			if err := checkObjectJSON(text); err != nil {
				return invalid("params_json %q of step %d: %s: write a JSON object", text, i, err)
			}
		}
	}
	return checkErrorScore(recipe.GetErrorScore())
}

func checkErrorScore(score string) error {
	if score == "" || score == "raise" {
		return nil
	}
	if _, err := strconv.ParseFloat(score, 64); err != nil {
		return invalid("error_score %q is neither a number nor \"raise\": use one of them", score)
	}
	return nil
}

func checkObjectJSON(text string) error {
	var object map[string]json.RawMessage
	if err := json.Unmarshal([]byte(text), &object); err != nil {
		return err
	}
	if object == nil {
		return invalid("it is null")
	}
	return nil
}

// checkColumns checks that the dataset has the columns that a recipe names, and a y in every row.
func (c *Coordinator) checkColumns(datasetID string, recipe *pb.Recipe) error {
	dataset, err := source.Describe(c.store, datasetID)
	if err != nil {
		return coded(codes.InvalidArgument, err)
	}
	named := recipe.GetFeatures()
	if target := recipe.GetTarget(); target != "" {
		if slices.Contains(named, target) {
			return invalid("column %q is both target and feature: name it once", target)
		}
		named = append(slices.Clone(named), target)
	}
	for _, name := range named {
		if !slices.ContainsFunc(dataset.Columns, func(column source.ColumnInfo) bool { return column.Name == name }) {
			// Reading the column gives an error that lists the nearest names.
			column, err := source.Column(c.store, datasetID, name)
			if err == nil {
				column.Release()
			}
			return coded(codes.InvalidArgument, err)
		}
	}
	if recipe.GetTarget() == "" {
		return nil
	}
	return c.checkTarget(datasetID, recipe.GetTarget())
}

func (c *Coordinator) checkTarget(datasetID, name string) error {
	y, err := source.Column(c.store, datasetID, name)
	if err != nil {
		return coded(codes.InvalidArgument, err)
	}
	defer y.Release()
	if row := source.FirstMissing(y); row >= 0 {
		return invalid("target column %q has no value in row %d of %d (null or NaN; rows count from 0): "+
			"fill or remove such rows", name, row, y.Len())
	}
	return nil
}

// checkWhole checks that a submitted job has fits, once its splits are made.
func checkWhole(spec *pb.JobSpec) error {
	switch {
	case spec.GetDatasetId() == "":
		return invalid("the job has no dataset: set dataset_id")
	case len(spec.GetCandidates()) == 0:
		return invalid("the job has 0 candidates: give at least one setting, such as {}")
	case len(spec.GetSplits()) == 0:
		return invalid("the job has 0 splits: set split_spec or splits")
	}
	return nil
}

// checkAppend checks what is added to a job that has these many splits and candidates.
func (c *Coordinator) checkAppend(spec *pb.JobSpec, splits, candidates int, more *pb.Append) error {
	if spec.GetDatasetId() == "" && len(more.GetFits())+len(more.GetSplits())+len(more.GetCandidates()) > 0 {
		return invalid("fits were added to a job of calls: set dataset_id when opening it")
	}
	if spec.GetDatasetId() != "" && len(more.GetCalls()) > 0 {
		return invalid("calls were added to a job of fits: leave dataset_id empty when opening it")
	}
	for _, split := range more.GetSplits() {
		if err := c.checkObject("sp", split.GetId()); err != nil {
			return err
		}
	}
	recipe := spec.GetCode().GetRecipe() != nil
	for i, candidate := range more.GetCandidates() {
		if err := checkCandidate(candidate, recipe); err != nil {
			return invalid("candidate %d: %s", candidates+i, err)
		}
	}
	splits += len(more.GetSplits())
	candidates += len(more.GetCandidates())
	for i, fit := range more.GetFits() {
		if int(fit.GetCandidate()) >= candidates || int(fit.GetSplit()) >= splits {
			return invalid("fit %d names candidate %d and split %d: the job has %d candidates and %d splits",
				i, fit.GetCandidate(), fit.GetSplit(), candidates, splits)
		}
	}
	return nil
}

func checkCandidate(candidate *pb.Candidate, recipe bool) error {
	switch setting := candidate.GetSetting().(type) {
	case *pb.Candidate_Pickle:
		if recipe {
			return invalid("it is pickled, and the code is a recipe: use params_json")
		}
		return nil
	case *pb.Candidate_ParamsJson:
		if !recipe {
			return invalid("it is params_json, and the code is no recipe: use pickle")
		}
		if err := checkObjectJSON(setting.ParamsJson); err != nil {
			return invalid("params_json %q: %s: write a JSON object", setting.ParamsJson, err)
		}
		return nil
	}
	return invalid("it has no setting: use params_json {} for the defaults")
}
