// Package ipcwrite lets arrow/go write an IPC file to a plain writer.
package ipcwrite

import (
	"fmt"
	"io"
)

// Forward returns w as what ipc.NewFileWriter asks for. The file writer seeks only to learn its
// position, which counting answers.
func Forward(w io.Writer) io.WriteSeeker { return &forward{w: w} }

type forward struct {
	w   io.Writer
	pos int64
}

func (f *forward) Write(p []byte) (int, error) {
	n, err := f.w.Write(p)
	f.pos += int64(n)
	return n, err
}

func (f *forward) Seek(offset int64, whence int) (int64, error) {
	if offset != 0 || whence != io.SeekCurrent {
		return 0, fmt.Errorf("ipcwrite: seek to %d (whence %d): only the position can be asked for", offset, whence)
	}
	return f.pos, nil
}
