package source

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/apache/arrow/go/v15/arrow"
	"github.com/apache/arrow/go/v15/arrow/array"

	"github.com/crossfold/crossfold/arrowipc/store"
)

func openStore(t *testing.T) *store.Store {
	t.Helper()
	st, err := store.Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	return st
}

func read(t *testing.T, st *store.Store, file string) Dataset {
	t.Helper()
	dataset, err := Read(context.Background(), st, file, Options{})
	if err != nil {
		t.Fatal(err)
	}
	return dataset
}

// writeFile writes a file of that name into a folder of its own.
func writeFile(t *testing.T, name, content string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// checkDescribe checks that Describe tells of a stored dataset what Read told.
func checkDescribe(t *testing.T, st *store.Store, want Dataset) {
	t.Helper()
	got, err := Describe(st, want.ID)
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("Describe = %+v, %v; want %+v", got, err, want)
	}
}

func TestReadCSVInfersTypes(t *testing.T) {
	st := openStore(t)
	csv := "\ufeffid,weight,ok,name,sparse,void,mixed,big,spaced\n" +
		"1,1.5,true,pear,,,1,9223372036854775808,  7\n" +
		"-2,,False,\"a, \"\"b\"\"\nc\",3,,x,1,8 \r\n" +
		"+3,1e3,,0x10,,,true,2,9\n"
	dataset := read(t, st, writeFile(t, "data.CSV", csv))
	want := []ColumnInfo{
		{"id", "int64", 0}, {"weight", "float64", 1}, {"ok", "bool", 1}, {"name", "string", 0}, {"sparse", "int64", 2},
		{"void", "float64", 3}, {"mixed", "string", 0}, {"big", "float64", 0}, {"spaced", "int64", 0},
	}
	if dataset.Rows != 3 || !reflect.DeepEqual(dataset.Columns, want) {
		t.Errorf("dataset %+v, want 3 rows of %+v", dataset, want)
	}
	checkDescribe(t, st, dataset)
	for name, values := range map[string]string{
		"id": "[1 -2 3]", "weight": "[1.5 (null) 1000]", "ok": "[true false (null)]",
		"name": `["pear" "a, \"b\"\nc" "0x10"]`, "sparse": "[(null) 3 (null)]", "spaced": "[7 8 9]",
	} {
		column, err := Column(st, dataset.ID, name)
		if err != nil {
			t.Fatal(err)
		}
		if got := column.Chunk(0).String(); got != values {
			t.Errorf("column %s is %s, want %s", name, got, values)
		}
		column.Release()
	}
}

func TestEqualDataHasAnEqualID(t *testing.T) {
	st := openStore(t)
	a := read(t, st, writeFile(t, "a.csv", "x,y\n1,a\n2,b\n"))
	b := read(t, st, writeFile(t, "b.csv", "\"x\",\"y\"\n1,a\n2,b"))
	c := read(t, st, writeFile(t, "c.csv", "x,y\n2,b\n1,a\n"))
	if a.ID != b.ID || a.ID == c.ID {
		t.Errorf("ids %s, %s, %s: want the first two equal", a.ID, b.ID, c.ID)
	}
}

func TestReadErrorsNameTheFileAndTheNextStep(t *testing.T) {
	st := openStore(t)
	folder := t.TempDir()
	for name, c := range map[string]struct {
		file string
		want []string
	}{
		"missing":           {filepath.Join(folder, "none.csv"), []string{"does not exist", "check the path"}},
		"folder":            {folder + "/", []string{"extension"}},
		"folder.csv":        {mkdir(t, folder, "folder.csv"), []string{"is a folder", "one file in it"}},
		"empty":             {writeFile(t, "e.parquet", ""), []string{"empty", "write it again"}},
		"unknown extension": {writeFile(t, "d.xlsx", "x"), []string{`".xlsx"`, ".parquet", "format"}},
		"no extension":      {writeFile(t, "data", "x"), []string{`""`, ".csv"}},
		"not parquet":       {writeFile(t, "d.parquet", "a,b\n1,2\n"), []string{"Parquet", "write it again"}},
		"not arrow":         {writeFile(t, "d.arrow", strings.Repeat("a,b\n1,2\n", 9)), []string{"Arrow IPC", "write it again"}},
		"ragged":            {writeFile(t, "d.csv", "a,b\n1,2\n\"x\ny\",2\n1,2,3\n"), []string{"line 5", "3 cells", "header has 2"}},
		"stray quote":       {writeFile(t, "d.csv", "a,b\n1,2\n1,\"x\" y\n"), []string{"line 3", "quote"}},
		"twice a name":      {writeFile(t, "d.csv", "a,b,a\n1,2,3\n"), []string{"columns 1 and 3", `"a"`, "rename"}},
		"no name":           {writeFile(t, "d.csv", ",b\n1,2\n"), []string{"column 1", "no name", "without an index"}},
		"header only":       {writeFile(t, "d.csv", "a,b\n"), []string{"no rows", "at least one row"}},
		"blank":             {writeFile(t, "d.csv", "\n\n"), []string{"no header"}},
		"latin-1":           {writeFile(t, "d.csv", "a,b\n1,2\n1,M\xfcller\n"), []string{"line 3", `"b"`, "UTF-8"}},
		"latin-1 header":    {writeFile(t, "d.csv", "a,M\xfcller\n1,2\n"), []string{"column 2", "UTF-8"}},
	} {
		_, err := Read(context.Background(), st, c.file, Options{})
		if err == nil {
			t.Errorf("%s: no error", name)
			continue
		}
		for _, part := range append(c.want, c.file) {
			if !strings.Contains(err.Error(), part) {
				t.Errorf("%s: %q does not say %q", name, err, part)
			}
		}
	}
	_, err := Read(context.Background(), st, filepath.Join(folder, "none.csv"), Options{})
	if !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a missing file is %v, want fs.ErrNotExist", err)
	}
	if objects, _ := os.ReadDir(st.Dir()); len(objects) != 0 {
		t.Errorf("%d objects were stored of files that can't be read", len(objects))
	}
}

func mkdir(t *testing.T, parent, name string) string {
	t.Helper()
	path := filepath.Join(parent, name)
	if err := os.Mkdir(path, 0o700); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestReadWithFormat(t *testing.T) {
	st := openStore(t)
	file := writeFile(t, "data.txt", "x\n1\n")
	dataset, err := Read(context.Background(), st, file, Options{Format: "csv"})
	if err != nil || dataset.Rows != 1 {
		t.Errorf("Read = %+v, %v", dataset, err)
	}
	if _, err := Read(context.Background(), st, file, Options{Format: "excel"}); err == nil ||
		!strings.Contains(err.Error(), `"excel"`) {
		t.Errorf("unknown format: %v", err)
	}
}

func TestReadStopsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	for _, name := range []string{"d.csv", "d.parquet", "d.arrow"} {
		if _, err := Read(ctx, openStore(t), writeFile(t, name, "x\n1\n2\n3\n4\n5\n"), Options{}); !errors.Is(err, context.Canceled) {
			t.Errorf("%s: %v, want context.Canceled", name, err)
		}
	}
}

func TestColumn(t *testing.T) {
	st := openStore(t)
	dataset := read(t, st, writeFile(t, "d.csv", "height,digit,Colour\n1.5,3,red\n2.5,4,\n"))
	digits, err := Column(st, dataset.ID, "digit")
	if err != nil {
		t.Fatal(err)
	}
	defer digits.Release()
	if digits.Len() != 2 || digits.DataType().ID() != arrow.INT64 || digits.Chunk(0).(*array.Int64).Value(1) != 4 {
		t.Errorf("column digit is %v", digits)
	}
	_, err = Column(st, dataset.ID, "color")
	if !errors.Is(err, ErrUnknownColumn) || !strings.Contains(err.Error(), `"color"`) ||
		!strings.Contains(err.Error(), `has "Colour", "height", "digit"`) && !strings.Contains(err.Error(), `has "Colour"`) {
		t.Errorf("unknown column: %v", err)
	}
}

func TestDescribeOfWhatIsNoDataset(t *testing.T) {
	st := openStore(t)
	ctx := context.Background()
	junk, _, err := st.Put(ctx, store.Dataset, strings.NewReader("not an Arrow file, whatever its id says"))
	if err != nil {
		t.Fatal(err)
	}
	blob, _, err := st.Put(ctx, store.Blob, strings.NewReader("x"))
	if err != nil {
		t.Fatal(err)
	}
	missing := "ds-" + strings.Repeat("0", 64)
	for id, want := range map[string]string{junk: "Arrow IPC", blob: "no dataset", missing: "not found", "x": "no dataset"} {
		if _, err := Describe(st, id); err == nil || !strings.Contains(err.Error(), id) || !strings.Contains(err.Error(), want) {
			t.Errorf("Describe(%s) = %v, want an error that says %q", id, err, want)
		}
	}
	if _, err := Describe(st, missing); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("a missing dataset is %v", err)
	}
}
