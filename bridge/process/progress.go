package process

import (
	"encoding/binary"
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// progressSize is one little-endian uint64: the index of the unit that runs plus one, 0 for none.
const progressSize = 8

// progress is a page of memory shared with one child. What it says is right whatever way the child
// dies, and costs the child no system call.
type progress struct {
	page []byte
}

// newProgress returns the page and the descriptor to hand to the child.
func newProgress() (*progress, *os.File, error) {
	fd, err := unix.MemfdCreate("crossfold-progress", unix.MFD_CLOEXEC)
	if err != nil {
		return nil, nil, fmt.Errorf("create shared page: %w", err)
	}
	file := os.NewFile(uintptr(fd), "crossfold-progress")
	if err := file.Truncate(progressSize); err != nil {
		file.Close()
		return nil, nil, fmt.Errorf("size shared page: %w", err)
	}
	page, err := unix.Mmap(fd, 0, progressSize, unix.PROT_READ, unix.MAP_SHARED)
	if err != nil {
		file.Close()
		return nil, nil, fmt.Errorf("map shared page: %w", err)
	}
	return &progress{page}, file, nil
}

// running returns the index of the unit that a dead child was running, or nil.
func (p *progress) running() *uint32 {
	number := binary.LittleEndian.Uint64(p.page)
	if number == 0 {
		return nil
	}
	index := uint32(number - 1)
	return &index
}

func (p *progress) close() { _ = unix.Munmap(p.page) }
