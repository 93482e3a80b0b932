// Package untrusted reads Arrow data that nobody vouches for: a person's file, or an object that
// came over the wire.
//
// arrow/go trusts every length and offset in a file: a wrong one can ask for any allocation, which
// can't be recovered from, or panic. So the metadata is checked against the file's size before
// arrow/go sees it, memory has a limit, panics become errors, and arrays are validated before
// anybody reads a value.
package untrusted

import (
	"errors"
	"fmt"

	"github.com/apache/arrow/go/v15/arrow/memory"
)

// ErrDamaged says that bytes are not what they claim to be.
var ErrDamaged = errors.New("damaged data")

// Do calls f and turns a panic into ErrDamaged. It protects only f's own goroutine.
func Do(f func() error) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("%w: %v", ErrDamaged, p)
		}
	}()
	return f()
}

func damaged(format string, args ...any) error {
	return fmt.Errorf("%w: "+format, append([]any{ErrDamaged}, args...)...)
}

// limited panics where an allocation would pass its budget; Do makes that an error.
type limited struct {
	memory.Allocator
	budget int64
}

func (l *limited) Allocate(size int) []byte {
	l.spend(int64(size))
	return l.Allocator.Allocate(size)
}

func (l *limited) Reallocate(size int, b []byte) []byte {
	l.spend(int64(size) - int64(cap(b)))
	return l.Allocator.Reallocate(size, b)
}

func (l *limited) Free(b []byte) {
	l.budget += int64(cap(b))
	l.Allocator.Free(b)
}

func (l *limited) spend(size int64) {
	if l.budget -= size; l.budget < 0 {
		panic("it asks for far more memory than its size explains")
	}
}
