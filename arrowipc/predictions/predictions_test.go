package predictions_test

import (
	"bytes"
	"context"
	"errors"
	"os"
	"reflect"
	"strings"
	"testing"

	"github.com/crossfold/crossfold/arrowipc/predictions"
	"github.com/crossfold/crossfold/arrowipc/store"
)

func open(t *testing.T) *store.Store {
	t.Helper()
	st, err := store.Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	return st
}

func TestWhatIsWrittenIsRead(t *testing.T) {
	st := open(t)
	table := &predictions.Table{
		Header: predictions.Header{
			Method: "predict_proba", Kind: "probabilities", Classes: []string{"a", "b"},
			AllClasses: []string{"a", "b"}, DatasetRows: 5,
		},
		Rows: []int64{4, 0, 2}, Columns: 2, Values: []float64{0.25, 0.75, 1, 0, 0.5, 0.5},
	}
	id, err := predictions.Write(context.Background(), st, table)
	if err != nil {
		t.Fatal(err)
	}
	read, err := predictions.Read(st, id)
	if err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(read, table) {
		t.Errorf("read %+v, want %+v", read, table)
	}
	again, err := predictions.Write(context.Background(), st, read)
	if err != nil || again != id {
		t.Errorf("written again it is %s (%v), want %s", again, err, id)
	}
}

func TestABadTableIsNotWritten(t *testing.T) {
	table := &predictions.Table{Rows: []int64{1}, Columns: 2, Values: []float64{1}}
	if _, err := predictions.Write(context.Background(), open(t), table); err == nil || !strings.Contains(err.Error(), "1 numbers for 1 rows") {
		t.Errorf("error %v, want one that counts the numbers", err)
	}
}

func TestWhatIsNoTableIsAnError(t *testing.T) {
	st := open(t)
	garbage, _, err := st.Put(context.Background(), store.Dataset, strings.NewReader("no Arrow file"))
	if err != nil {
		t.Fatal(err)
	}
	for _, id := range []string{garbage, "ds-" + strings.Repeat("0", 64), "sp-" + strings.Repeat("0", 64), "digits"} {
		if _, err := predictions.Read(st, id); err == nil {
			t.Errorf("%s was read", id)
		}
	}
	if _, err := predictions.Read(st, "ds-"+strings.Repeat("0", 64)); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("error %v, want ErrNotFound", err)
	}
}

// Whatever bytes stand in the store, reading them ends with an error and not with a crash.
func TestDamagedTablesDoNotCrash(t *testing.T) {
	st := open(t)
	id, err := predictions.Write(context.Background(), st, &predictions.Table{
		Header: predictions.Header{Method: "predict", Kind: "values", DatasetRows: 2},
		Rows:   []int64{0, 1}, Columns: 1, Values: []float64{1, 2},
	})
	if err != nil {
		t.Fatal(err)
	}
	path, err := st.Path(id)
	if err != nil {
		t.Fatal(err)
	}
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for at := 0; at < len(whole); at += 3 {
		damaged := bytes.Clone(whole)
		damaged[at] ^= 0xff
		id, _, err := st.Put(context.Background(), store.Dataset, bytes.NewReader(damaged))
		if err != nil {
			t.Fatal(err)
		}
		if table, err := predictions.Read(st, id); err == nil && len(table.Values) != len(table.Rows)*table.Columns {
			t.Errorf("byte %d: %d numbers for %d rows × %d columns", at, len(table.Values), len(table.Rows), table.Columns)
		}
	}
}
