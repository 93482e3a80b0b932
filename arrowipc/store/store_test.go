package store

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/iotest"
	"time"

	"lukechampine.com/blake3"
)

func open(t *testing.T) *Store {
	t.Helper()
	s, err := Open(filepath.Join(t.TempDir(), "store"))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func idOf(kind Kind, data []byte) string {
	return fmt.Sprintf("%s-%x", kind, blake3.Sum256(data))
}

func TestAnAddressIsWhatThePythonSideComputes(t *testing.T) {
	s := open(t)
	data := make([]byte, 3<<20|5)
	for i := range data {
		data[i] = byte(i % 251)
	}
	for size, want := range map[int]string{
		0:         "bl-af1349b9f5f9a1a6a0404dea36dcc9499bcb25c9adc112b7cc9a93cae41f3262",
		1:         "bl-2d3adedff11b61f14c886e35afa036736dcd87a74d27b5c1510225d0f592e213",
		len(data): "bl-a7bb55bed0c04f58879d1fc1cafb27e14e931f4411fe63baf5b2d5a60357bffb",
	} {
		got, _, err := s.Put(t.Context(), Blob, bytes.NewReader(data[:size]))
		if err != nil || got != want {
			t.Errorf("%d bytes: %s, %v; want %s", size, got, err, want)
		}
	}
}

// names lists every file of the store's folder, temporary ones too.
func names(t *testing.T, s *Store) []string {
	t.Helper()
	entries, err := os.ReadDir(s.Dir())
	if err != nil {
		t.Fatal(err)
	}
	var all []string
	for _, e := range entries {
		all = append(all, e.Name())
	}
	return all
}

func put(t *testing.T, s *Store, data string) string {
	t.Helper()
	id, size, err := s.Put(context.Background(), Blob, strings.NewReader(data))
	if err != nil || size != int64(len(data)) {
		t.Fatalf("Put(%q) = %d bytes, %v", data, size, err)
	}
	return id
}

func TestPutNamesTheFileByItsHash(t *testing.T) {
	s := open(t)
	for _, kind := range []Kind{Dataset, Split, Blob} {
		data := []byte("rows of " + string(kind))
		id, size, err := s.Put(context.Background(), kind, bytes.NewReader(data))
		if err != nil {
			t.Fatal(err)
		}
		if id != idOf(kind, data) || size != int64(len(data)) {
			t.Errorf("Put = %s, %d; want %s, %d", id, size, idOf(kind, data), len(data))
		}
		path, err := s.Path(id)
		if err != nil {
			t.Fatal(err)
		}
		info, err := os.Stat(path)
		if err != nil {
			t.Fatal(err)
		}
		if info.Mode().Perm() != 0o444 {
			t.Errorf("%s has mode %v, want read-only", id, info.Mode())
		}
		if got, _ := os.ReadFile(path); !bytes.Equal(got, data) || !s.Has(id) {
			t.Errorf("%s holds %q", id, got)
		}
	}
	if info, _ := os.Stat(s.Dir()); info.Mode().Perm() != 0o700 {
		t.Errorf("folder has mode %v, want 0700", info.Mode())
	}
	if got := names(t, s); len(got) != 3 {
		t.Errorf("store holds %v, want three objects", got)
	}
}

func TestPutAgainKeepsTheFirstFile(t *testing.T) {
	s := open(t)
	id := put(t, s, "same")
	path, _ := s.Path(id)
	before, _ := os.Stat(path)
	past := time.Now().Add(-time.Hour)
	if err := os.Chtimes(path, past, past); err != nil {
		t.Fatal(err)
	}
	put(t, s, "same")
	after, _ := os.Stat(path)
	if !os.SameFile(before, after) {
		t.Error("the file was replaced")
	}
	if !after.ModTime().After(past.Add(time.Minute)) {
		t.Error("the object was not marked as used")
	}
}

func TestPutThatFailsLeavesNothing(t *testing.T) {
	s := open(t)
	broken := errors.New("cable cut")
	_, _, err := s.Put(context.Background(), Blob, io.MultiReader(strings.NewReader("half"), iotest.ErrReader(broken)))
	if !errors.Is(err, broken) {
		t.Errorf("Put = %v, want the reader's error", err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, _, err := s.Put(ctx, Blob, strings.NewReader("x")); !errors.Is(err, context.Canceled) {
		t.Errorf("Put after cancel = %v", err)
	}
	if _, _, err := s.Put(context.Background(), "xx", strings.NewReader("x")); err == nil {
		t.Error("an unknown kind was stored")
	}
	if got := names(t, s); len(got) != 0 {
		t.Errorf("store holds %v, want nothing", got)
	}
}

func TestPutExpectStoresOnlyTheRightBytes(t *testing.T) {
	s := open(t)
	id := idOf(Dataset, []byte("right"))
	ctx := context.Background()
	for _, when := range []string{"before it is there", "when it is there"} {
		err := s.PutExpect(ctx, id, strings.NewReader("wrong"))
		if !errors.Is(err, ErrHashMismatch) || !strings.Contains(err.Error(), id) {
			t.Errorf("wrong bytes %s: %v", when, err)
		}
		if err := s.PutExpect(ctx, id, strings.NewReader("right")); err != nil {
			t.Errorf("right bytes %s: %v", when, err)
		}
	}
	if got := names(t, s); len(got) != 1 || got[0] != id {
		t.Errorf("store holds %v, want only %s", got, id)
	}
}

func TestIDsThatAreNotIDs(t *testing.T) {
	s := open(t)
	good := idOf(Blob, nil)
	for _, id := range []string{"", "bl-", good[1:], good + "0", good + "\n", strings.ToUpper(good),
		"../" + good, "xx" + good[2:], "bl-" + strings.Repeat("g", 64)} {
		_, pathErr := s.Path(id)
		_, _, openErr := s.OpenRange(id, 0, 0)
		putErr := s.PutExpect(context.Background(), id, strings.NewReader(""))
		for _, err := range []error{pathErr, openErr, putErr} {
			if !errors.Is(err, ErrInvalidID) || !strings.Contains(err.Error(), fmt.Sprintf("%q", id)) {
				t.Errorf("%q: %v, want ErrInvalidID that names it", id, err)
			}
		}
		if s.Has(id) {
			t.Errorf("Has(%q)", id)
		}
	}
}

func TestOpenRange(t *testing.T) {
	s := open(t)
	id := put(t, s, "0123456789")
	for _, c := range []struct {
		offset, length int64
		want           string
	}{{0, 0, "0123456789"}, {3, 0, "3456789"}, {3, 4, "3456"}, {8, 100, "89"}, {10, 0, ""}, {9, 1 << 62, "9"}} {
		r, total, err := s.OpenRange(id, c.offset, c.length)
		if err != nil {
			t.Fatal(err)
		}
		got, err := io.ReadAll(r)
		if string(got) != c.want || total != 10 || err != nil {
			t.Errorf("OpenRange(%d, %d) = %q of %d, %v; want %q of 10", c.offset, c.length, got, total, err, c.want)
		}
		if err := r.Close(); err != nil {
			t.Error(err)
		}
	}
	for _, c := range [][2]int64{{-1, 0}, {0, -1}, {11, 0}} {
		if _, _, err := s.OpenRange(id, c[0], c[1]); !errors.Is(err, ErrInvalidRange) {
			t.Errorf("OpenRange(%d, %d) = %v", c[0], c[1], err)
		}
	}
	missing := idOf(Blob, []byte("never put"))
	if _, _, err := s.OpenRange(missing, 0, 0); !errors.Is(err, ErrNotFound) || !strings.Contains(err.Error(), missing) {
		t.Errorf("missing object: %v", err)
	}
}

func TestEvictTakesTheLeastRecentlyUsed(t *testing.T) {
	s := open(t)
	now := time.Now()
	var ids []string
	for i, data := range []string{"aaaa", "bbbb", "cccc", "dddd"} {
		id := put(t, s, data)
		path, _ := s.Path(id)
		used := now.Add(time.Duration(i-10) * time.Hour)
		if err := os.Chtimes(path, used, used); err != nil {
			t.Fatal(err)
		}
		ids = append(ids, id)
	}
	put(t, s, "bbbb") // used again: now the newest
	stranger := filepath.Join(s.Dir(), "README")
	if err := os.WriteFile(stranger, []byte("not an object"), 0o600); err != nil {
		t.Fatal(err)
	}
	freed, err := s.Evict(8, func(id string) bool { return id == ids[0] })
	if err != nil || freed != 8 {
		t.Fatalf("Evict freed %d, %v; want 8", freed, err)
	}
	for i, want := range []bool{true, true, false, false} {
		if s.Has(ids[i]) != want {
			t.Errorf("object %d is there: %v, want %v", i, !want, want)
		}
	}
	if _, err := os.Stat(stranger); err != nil {
		t.Errorf("a file that is no object was touched: %v", err)
	}
	freed, err = s.Evict(0, func(string) bool { return true })
	if freed != 0 || err != nil {
		t.Errorf("Evict with everything kept freed %d, %v", freed, err)
	}
}

func TestOpenRemovesFilesOfDeadWriters(t *testing.T) {
	dir := t.TempDir()
	dead := exec.Command("true")
	if err := dead.Run(); err != nil {
		t.Fatal(err)
	}
	write := func(pid int, age time.Duration) string {
		path := filepath.Join(dir, fmt.Sprintf(".tmp-%d-%s", pid, age))
		if err := os.WriteFile(path, []byte("half"), 0o600); err != nil {
			t.Fatal(err)
		}
		when := time.Now().Add(-age)
		if err := os.Chtimes(path, when, when); err != nil {
			t.Fatal(err)
		}
		return path
	}
	gone := []string{write(dead.Process.Pid, time.Hour), write(os.Getpid(), 25*time.Hour)}
	kept := []string{write(os.Getpid(), time.Hour), write(dead.Process.Pid, 0), filepath.Join(dir, ".tmp-x")}
	if err := os.WriteFile(kept[2], nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(dir); err != nil {
		t.Fatal(err)
	}
	for _, path := range gone {
		if _, err := os.Stat(path); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%s is still there", path)
		}
	}
	for _, path := range kept {
		if _, err := os.Stat(path); err != nil {
			t.Errorf("%s of a living writer was removed", path)
		}
	}
}

func TestConcurrentPutsOfOneObject(t *testing.T) {
	s := open(t)
	data := bytes.Repeat([]byte("crossfold"), 1<<14)
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			id, _, err := s.Put(context.Background(), Dataset, bytes.NewReader(data))
			if err != nil || id != idOf(Dataset, data) {
				t.Errorf("Put = %s, %v", id, err)
			}
		})
	}
	wg.Wait()
	if got := names(t, s); len(got) != 1 {
		t.Errorf("store holds %v, want one object", got)
	}
}

func TestOpenSaysWhereItFailed(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(file); err == nil || !strings.Contains(err.Error(), file) {
		t.Errorf("Open on a file = %v, want an error that names it", err)
	}
}
