package store

import (
	"io/fs"
	"syscall"
	"time"
)

// lastUsed is the later of modification and access: mounts differ in how often they note a read.
func lastUsed(info fs.FileInfo) time.Time {
	used := info.ModTime()
	if stat, ok := info.Sys().(*syscall.Stat_t); ok {
		if read := time.Unix(stat.Atim.Unix()); read.After(used) {
			used = read
		}
	}
	return used
}
