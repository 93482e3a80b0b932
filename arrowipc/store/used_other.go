//go:build !linux

package store

import (
	"io/fs"
	"time"
)

// lastUsed is the modification time, which Put renews.
func lastUsed(info fs.FileInfo) time.Time { return info.ModTime() }
