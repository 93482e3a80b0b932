// Package store keeps content-addressed objects as files in one folder.
//
// An object's file name is exactly its id: a kind, a dash and the lower-case hex BLAKE3 of its
// bytes. Objects never change. A writer, Go or Python, writes
// `.tmp-<pid>-<random>` in the same folder, hashes what it writes, syncs it, makes it read-only (0444)
// and renames it into place, so a file that bears an id is whole. A rename never touches the bytes
// that other processes map.
package store

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"time"

	"lukechampine.com/blake3"
)

var (
	// ErrInvalidID says that a string is not an object's id.
	ErrInvalidID = errors.New("not an object id")
	// ErrNotFound says that the store has no object of that id.
	ErrNotFound = errors.New("object not found")
	// ErrHashMismatch says that the bytes given for an id hash to another one.
	ErrHashMismatch = errors.New("hash mismatch")
	// ErrInvalidRange says that a byte range starts outside its object.
	ErrInvalidRange = errors.New("invalid byte range")
)

// newHash is what addresses objects; the Python side uses the same.
func newHash() *blake3.Hasher { return blake3.New(32, nil) }

// Kind is what an object holds; its id starts with it.
type Kind string

const (
	// Dataset is an Arrow IPC file.
	Dataset Kind = "ds"
	// Split is an Arrow IPC file of train and test rows.
	Split Kind = "sp"
	// Blob is any other byte string.
	Blob Kind = "bl"
)

var idPattern = regexp.MustCompile(`^(ds|sp|bl)-[0-9a-f]{64}$`)

// Store is a folder of objects. Its methods are safe for concurrent use, also by several processes.
type Store struct {
	dir string
}

// Open returns the store in dir, creates the folder (0700) where it is missing, and removes
// temporary files that dead writers left.
func Open(dir string) (*Store, error) {
	abs, err := filepath.Abs(dir)
	if err != nil {
		return nil, fmt.Errorf("store: resolve %s: %w", dir, err)
	}
	if err := os.MkdirAll(abs, 0o700); err != nil {
		return nil, fmt.Errorf("store: create folder %s: %w; name a folder you may write to", abs, err)
	}
	if err := removeStale(abs, time.Now()); err != nil {
		return nil, fmt.Errorf("store: clean folder %s: %w", abs, err)
	}
	return &Store{dir: abs}, nil
}

// Dir returns the absolute path of the store's folder.
func (s *Store) Dir() string { return s.dir }

// Path returns the file of an object, whether it is in the store or not.
func (s *Store) Path(id string) (string, error) {
	if !idPattern.MatchString(id) {
		return "", fmt.Errorf("store: %w: %q; an id is ds-, sp- or bl- and 64 lower-case hex digits",
			ErrInvalidID, id)
	}
	return filepath.Join(s.dir, id), nil
}

// Has says whether the object is in the store.
func (s *Store) Has(id string) bool {
	path, err := s.Path(id)
	if err != nil {
		return false
	}
	info, err := os.Stat(path)
	return err == nil && info.Mode().IsRegular()
}

// Put stores what r holds and returns its id and size in bytes. Storing what is there already only
// marks the object as used. The context is looked at between reads.
func (s *Store) Put(ctx context.Context, kind Kind, r io.Reader) (id string, size int64, err error) {
	if kind != Dataset && kind != Split && kind != Blob {
		return "", 0, fmt.Errorf("store: unknown kind %q; use ds, sp or bl", kind)
	}
	tmp, err := newTempFile(s.dir)
	if err != nil {
		return "", 0, err
	}
	defer tmp.discard()
	hash := newHash()
	size, err = io.Copy(io.MultiWriter(tmp.file, hash), contextReader{ctx, r})
	if err != nil {
		return "", 0, fmt.Errorf("store: write %s object: %w", kind, err)
	}
	id = string(kind) + "-" + hex.EncodeToString(hash.Sum(nil))
	return id, size, s.commit(tmp, id)
}

// PutExpect stores what r holds under id. When the bytes hash to another id it stores nothing and
// returns ErrHashMismatch; it checks that also when the object is there already.
func (s *Store) PutExpect(ctx context.Context, id string, r io.Reader) error {
	if _, err := s.Path(id); err != nil {
		return err
	}
	var tmp *tempFile
	hash := newHash()
	sink := io.Writer(hash)
	if !s.Has(id) {
		var err error
		if tmp, err = newTempFile(s.dir); err != nil {
			return err
		}
		defer tmp.discard()
		sink = io.MultiWriter(tmp.file, hash)
	}
	if _, err := io.Copy(sink, contextReader{ctx, r}); err != nil {
		return fmt.Errorf("store: write %s: %w", id, err)
	}
	if got := id[:3] + hex.EncodeToString(hash.Sum(nil)); got != id {
		return fmt.Errorf("store: %w: the bytes sent as %s are %s; send the object again", ErrHashMismatch, id, got)
	}
	if tmp == nil {
		return s.touch(id)
	}
	return s.commit(tmp, id)
}

// commit gives a whole temporary file its id.
func (s *Store) commit(tmp *tempFile, id string) error {
	if s.Has(id) {
		return s.touch(id)
	}
	if err := tmp.rename(filepath.Join(s.dir, id)); err != nil {
		return fmt.Errorf("store: keep %s: %w", id, err)
	}
	return nil
}

// touch marks an object as just used, for Evict.
func (s *Store) touch(id string) error {
	now := time.Now()
	if err := os.Chtimes(filepath.Join(s.dir, id), now, now); err != nil {
		return fmt.Errorf("store: mark %s as used: %w", id, err)
	}
	return nil
}

// File opens an object's file and marks the object as used.
func (s *Store) File(id string) (*os.File, error) {
	path, err := s.Path(id)
	if err != nil {
		return nil, err
	}
	file, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("store: %w: %s is not in %s; put it again", ErrNotFound, id, s.dir)
	}
	if err != nil {
		return nil, fmt.Errorf("store: open %s: %w", id, err)
	}
	// A store that can only be read keeps no record of use, and nothing is evicted from it either.
	_ = s.touch(id)
	return file, nil
}

// OpenRange opens length bytes of an object from offset; length 0 means to the end, and a range
// that reaches past the end stops there. The second result is the size of the whole object.
func (s *Store) OpenRange(id string, offset, length int64) (io.ReadCloser, int64, error) {
	file, err := s.File(id)
	if err != nil {
		return nil, 0, err
	}
	info, err := file.Stat()
	if err != nil {
		_ = file.Close()
		return nil, 0, fmt.Errorf("store: size of %s: %w", id, err)
	}
	total := info.Size()
	if offset < 0 || length < 0 || offset > total {
		_ = file.Close()
		return nil, 0, fmt.Errorf("store: %w: offset %d, length %d of %s, which has %d bytes",
			ErrInvalidRange, offset, length, id, total)
	}
	if length == 0 || length > total-offset {
		length = total - offset
	}
	return &rangeReader{io.NewSectionReader(file, offset, length), file}, total, nil
}

// rangeReader reads a section of a file and closes the file.
type rangeReader struct {
	*io.SectionReader
	file *os.File
}

func (r *rangeReader) Close() error { return r.file.Close() }

// contextReader ends a copy when its context ends.
type contextReader struct {
	ctx context.Context
	r   io.Reader
}

func (c contextReader) Read(p []byte) (int, error) {
	if err := c.ctx.Err(); err != nil {
		return 0, err
	}
	return c.r.Read(p)
}
