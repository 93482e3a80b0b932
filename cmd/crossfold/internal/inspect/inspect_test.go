package inspect

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/crossfold/crossfold/cmd/crossfold/internal/client"
)

func TestFile(t *testing.T) {
	dir := t.TempDir()
	csv, yaml := filepath.Join(dir, "d.csv"), filepath.Join(dir, "j.yaml")
	for path, text := range map[string]string{
		csv:  "width,kind\n1.5,a\n,b\n2.5,a\n",
		yaml: "data: d.csv\ntarget: kind\nestimator: sklearn.svm:SVC\nparam_grid: {C: [1, 2]}\ncv: {n_splits: 3}\n",
	} {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for path, wants := range map[string][]string{
		csv:  {"rows        3", "columns     2", "width   float64  1", "kind    string   0"},
		yaml: {"job         j", "estimator   sklearn.svm:SVC", "splits      3, stratified", "fits        6", "width   float64  1"},
	} {
		var out strings.Builder
		if err := File(t.Context(), &out, path); err != nil {
			t.Errorf("%s: %v", path, err)
		}
		for _, want := range wants {
			if !strings.Contains(out.String(), want) {
				t.Errorf("%s: %q is missing in\n%s", path, want, &out)
			}
		}
	}
	if err := File(t.Context(), &strings.Builder{}, filepath.Join(dir, "no.csv")); !errors.Is(err, client.ErrData) {
		t.Errorf("missing file: %v", err)
	}
}
