package workers

import (
	"errors"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"time"

	"github.com/crossfold/crossfold/coordinator/queue"
)

// partsFolder is where Python keeps what fits of a session take over from each other, inside the
// store folder: one folder a session. See python/crossfold/_runtime/_parts.py.
const partsFolder = ".parts"

// partsLast is how long the parts of a session are kept whose end no worker heard of.
const partsLast = 24 * time.Hour

// removeParts removes what a session's fits left for each other.
func removeParts(storeDir, session string, logger *slog.Logger) {
	if queue.CheckID("session", session) != nil {
		return
	}
	if err := os.RemoveAll(filepath.Join(storeDir, partsFolder, session)); err != nil {
		logger.Warn("remove the shared parts of a session", "session", session, "error", err)
	}
}

// removeOldParts removes what sessions left that ended while no worker ran.
func removeOldParts(storeDir string, now time.Time, logger *slog.Logger) {
	entries, err := os.ReadDir(filepath.Join(storeDir, partsFolder))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		logger.Warn("look for old shared parts", "error", err)
	}
	for _, entry := range entries {
		if info, err := entry.Info(); err == nil && now.Sub(info.ModTime()) > partsLast {
			removeParts(storeDir, entry.Name(), logger)
		}
	}
}
