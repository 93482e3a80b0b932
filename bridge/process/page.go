package process

import (
	"encoding/binary"
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

const (
	// pageSize holds the results of short units until they are sent together.
	pageSize = 64 << 10
	// Where things are in a page: little-endian uint64s, then bytes.
	runningAt, positionAt, keptAt, bytesAt = 0, 8, 16, 24
)

// page is memory shared with one child: the index of the unit that runs plus one, 0 for none, and the
// end of the child's stream that was not sent yet, with its position. What it says is right whatever way
// the child dies, and costs the child no system call. It is written by whatever runs in the child: nothing
// in it is to be trusted.
type page []byte

// newPage returns the page and the descriptor to hand to the child.
func newPage() (page, *os.File, error) {
	fd, err := unix.MemfdCreate("crossfold-page", unix.MFD_CLOEXEC)
	if err != nil {
		return nil, nil, fmt.Errorf("create shared page: %w", err)
	}
	file := os.NewFile(uintptr(fd), "crossfold-page")
	if err := file.Truncate(pageSize); err != nil {
		file.Close()
		return nil, nil, fmt.Errorf("size shared page: %w", err)
	}
	memory, err := unix.Mmap(fd, 0, pageSize, unix.PROT_READ, unix.MAP_SHARED)
	if err != nil {
		file.Close()
		return nil, nil, fmt.Errorf("map shared page: %w", err)
	}
	return memory, file, nil
}

// running returns the index of the unit that a dead child was running, or nil.
func (p page) running() *uint32 {
	number := binary.LittleEndian.Uint64(p[runningAt:])
	if number == 0 {
		return nil
	}
	index := uint32(number - 1)
	return &index
}

// unsent returns a copy of what follows the first received bytes of a dead child's stream.
func (p page) unsent(received uint64) []byte {
	position, kept := binary.LittleEndian.Uint64(p[positionAt:]), binary.LittleEndian.Uint64(p[keptAt:])
	kept = min(kept, uint64(len(p)-bytesAt))
	if received < position || received-position > kept {
		return nil
	}
	return append([]byte(nil), p[bytesAt+received-position:bytesAt+kept]...)
}

func (p page) close() { _ = unix.Munmap(p) }
