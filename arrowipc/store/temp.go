package store

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

const tempPrefix = ".tmp-"

const (
	// A writer in a container of its own is not visible by its pid, so a file that was written to
	// just now is left alone.
	staleAfter = time.Minute
	// A pid is given out again, so a living process does not keep a file for ever.
	staleAnyway = 24 * time.Hour
)

// tempFile is an object on its way into the store.
type tempFile struct {
	file    *os.File
	renamed bool
}

func newTempFile(dir string) (*tempFile, error) {
	file, err := os.CreateTemp(dir, tempPrefix+strconv.Itoa(os.Getpid())+"-*")
	if err != nil {
		return nil, fmt.Errorf("store: create a temporary file: %w", err)
	}
	return &tempFile{file: file}, nil
}

// rename makes the file durable and read-only, and gives it its final name.
func (t *tempFile) rename(path string) error {
	if err := t.file.Chmod(0o444); err != nil {
		return err
	}
	if err := t.file.Sync(); err != nil {
		return err
	}
	if err := os.Rename(t.file.Name(), path); err != nil {
		return err
	}
	t.renamed = true
	return syncDir(filepath.Dir(path))
}

// discard closes the file, and removes it unless it was renamed.
func (t *tempFile) discard() {
	_ = t.file.Close()
	if !t.renamed {
		_ = os.Remove(t.file.Name())
	}
}

// syncDir makes a rename in dir survive a power cut.
func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer func() { _ = d.Close() }()
	return d.Sync()
}

// removeStale removes temporary files in dir whose writer is gone.
func removeStale(dir string, now time.Time) error {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	for _, entry := range entries {
		pid, ok := tempWriter(entry.Name())
		if !ok {
			continue
		}
		info, err := entry.Info()
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return err
		}
		age := now.Sub(info.ModTime())
		if age < staleAfter || alive(pid) && age < staleAnyway {
			continue
		}
		if err := os.Remove(filepath.Join(dir, entry.Name())); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return nil
}

// tempWriter returns the pid in a temporary file's name.
func tempWriter(name string) (pid int, ok bool) {
	rest, found := strings.CutPrefix(name, tempPrefix)
	if !found {
		return 0, false
	}
	digits, _, found := strings.Cut(rest, "-")
	if !found {
		return 0, false
	}
	pid, err := strconv.Atoi(digits)
	return pid, err == nil && pid > 0
}

// alive says whether a process of that pid exists, whoever owns it.
func alive(pid int) bool {
	return !errors.Is(syscall.Kill(pid, 0), syscall.ESRCH)
}
