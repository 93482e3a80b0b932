package interpreter

import (
	"os"
	"path/filepath"
	"testing"
)

func TestFind(t *testing.T) {
	root := t.TempDir()
	inVenv := filepath.Join(root, ".venv/bin/python")
	inPrefix := filepath.Join(root, "bin/python3")
	for _, path := range []string{inVenv, inPrefix} {
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, nil, 0o700); err != nil {
			t.Fatal(err)
		}
	}
	checkout := filepath.Join(root, "bin/crossfold")
	wheel := filepath.Join(root, "lib/python3.11/site-packages/crossfold/_bin/crossfold")
	for _, c := range []struct{ named, environment, program, want string }{
		{"/opt/python", "/env", checkout, "/opt/python"},
		{"", "/env", checkout, "/env/bin/python"},
		{"", "", checkout, inVenv},
		{"", "", wheel, inPrefix},
		{"", "", "/usr/local/sbin/crossfold", "python3"},
		{"", "", "/nowhere/bin/crossfold", "python3"},
		{"", "", "", "python3"},
	} {
		env := map[string]string{"CROSSFOLD_PYTHON": c.named, "VIRTUAL_ENV": c.environment}
		if got := find(func(key string) string { return env[key] }, c.program); got != c.want {
			t.Errorf("%+v: got %s", c, got)
		}
	}
}
