package store

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"time"
)

// object is a file that Evict may remove.
type object struct {
	id   string
	size int64
	used time.Time
}

// Evict removes objects, least recently used first, until the store holds at most maxBytes, and
// returns how many bytes that freed. It never removes an object that keep says yes to, so the store
// can stay above maxBytes. A process that has a removed object mapped keeps reading it.
func (s *Store) Evict(maxBytes int64, keep func(id string) bool) (freed int64, err error) {
	objects, err := s.objects()
	if err != nil {
		return 0, fmt.Errorf("store: list %s: %w", s.dir, err)
	}
	var held int64
	for _, o := range objects {
		held += o.size
	}
	slices.SortFunc(objects, func(a, b object) int {
		return cmp.Or(a.used.Compare(b.used), cmp.Compare(a.id, b.id))
	})
	var failures []error
	for _, o := range objects {
		if held-freed <= maxBytes {
			break
		}
		if keep(o.id) {
			continue
		}
		if err := os.Remove(filepath.Join(s.dir, o.id)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			failures = append(failures, fmt.Errorf("store: evict %s: %w", o.id, err))
			continue
		}
		freed += o.size
	}
	return freed, errors.Join(failures...)
}

// objects lists what is in the store.
func (s *Store) objects() ([]object, error) {
	entries, err := os.ReadDir(s.dir)
	if err != nil {
		return nil, err
	}
	var objects []object
	for _, entry := range entries {
		if !idPattern.MatchString(entry.Name()) {
			continue
		}
		info, err := entry.Info()
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, err
		}
		objects = append(objects, object{entry.Name(), info.Size(), lastUsed(info)})
	}
	return objects, nil
}
