package workers

import (
	"log/slog"
	"os"
	"path/filepath"
	"testing"
	"time"
)

func TestPartsGoWithTheirSession(t *testing.T) {
	dir := t.TempDir()
	makeParts := func(session string) string {
		folder := filepath.Join(dir, partsFolder, session)
		if err := os.MkdirAll(folder, 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(folder, "a.part"), []byte("x"), 0o600); err != nil {
			t.Fatal(err)
		}
		return folder
	}
	kept, ended, old := makeParts("kept"), makeParts("ended"), makeParts("old")
	before := time.Now().Add(-2 * partsLast)
	if err := os.Chtimes(old, before, before); err != nil {
		t.Fatal(err)
	}
	removeParts(dir, "ended", slog.Default())
	removeParts(dir, "..", slog.Default())
	removeOldParts(dir, time.Now(), slog.Default())
	for folder, want := range map[string]bool{kept: true, ended: false, old: false} {
		if _, err := os.Stat(folder); (err == nil) != want {
			t.Errorf("%s is there: %v, want %v", folder, err == nil, want)
		}
	}
}
