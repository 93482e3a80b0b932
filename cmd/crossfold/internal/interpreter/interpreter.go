// Package interpreter finds the Python that runs a person's code when no flag names one.
package interpreter

import (
	"os"
	"path/filepath"
)

// Default is the first of: CROSSFOLD_PYTHON, the active virtual environment, the environment that
// the running program belongs to (a checkout's .venv, or the one its wheel is in), python3.
func Default() string {
	program, err := os.Executable()
	if err != nil {
		return find(os.Getenv, "")
	}
	if resolved, err := filepath.EvalSymlinks(program); err == nil {
		program = resolved
	}
	return find(os.Getenv, program)
}

func find(getenv func(string) string, program string) string {
	if named := getenv("CROSSFOLD_PYTHON"); named != "" {
		return named
	}
	if environment := getenv("VIRTUAL_ENV"); environment != "" {
		return filepath.Join(environment, "bin", "python")
	}
	if python := beside(program); python != "" {
		return python
	}
	return "python3"
}

// beside is the Python of the environment that program belongs to, or "".
func beside(program string) string {
	folder := filepath.Dir(program)
	var python string
	switch filepath.Base(folder) {
	case "bin": // CHECKOUT/bin/crossfold
		python = filepath.Join(folder, "../.venv/bin/python")
	case "_bin": // PREFIX/lib/python3.x/site-packages/crossfold/_bin/crossfold
		python = filepath.Join(folder, "../../../../../bin/python3")
	default:
		return ""
	}
	if _, err := os.Stat(python); err != nil {
		return ""
	}
	return python
}
