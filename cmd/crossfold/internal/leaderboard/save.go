package leaderboard

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/crossfold/crossfold/coordinator/gather"
)

// Save writes results.json and results.parquet into dir, which it makes. Each file appears whole or
// not at all.
func Save(dir string, table *gather.Table) (err error) {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return fmt.Errorf("folder for the results: %w", err)
	}
	if err := saveFile(filepath.Join(dir, "results.json"), table, WriteJSON); err != nil {
		return err
	}
	return saveFile(filepath.Join(dir, "results.parquet"), table, WriteParquet)
}

func saveFile(path string, table *gather.Table, write func(io.Writer, *gather.Table) error) (err error) {
	file, err := os.CreateTemp(filepath.Dir(path), ".tmp-*")
	if err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	defer func() {
		if err != nil {
			err = fmt.Errorf("write %s: %w", path, errors.Join(err, os.Remove(file.Name())))
		}
	}()
	// The Parquet writer closes what it writes to if it can.
	if err := write(struct{ io.Writer }{file}, table); err != nil {
		return errors.Join(err, file.Close())
	}
	if err := errors.Join(file.Chmod(0o644), file.Close()); err != nil {
		return err
	}
	return os.Rename(file.Name(), path)
}
