package process

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"google.golang.org/protobuf/proto"
)

// maxFrame is the longest frame in bytes that is read or written.
const maxFrame = 256 << 20

const headerSize = 4

// ErrFrameTooLong says that a frame's length is above the limit: the peers disagree.
var ErrFrameTooLong = errors.New("frame too long")

// appendFrame appends the frame of a message to buf.
func appendFrame(buf []byte, message proto.Message) ([]byte, error) {
	start := len(buf)
	buf = append(buf, 0, 0, 0, 0)
	buf, err := proto.MarshalOptions{}.MarshalAppend(buf, message)
	if err != nil {
		return nil, fmt.Errorf("process: encode frame: %w", err)
	}
	size := len(buf) - start - headerSize
	if size > maxFrame {
		return nil, fmt.Errorf("process: %w: %d bytes of at most %d", ErrFrameTooLong, size, maxFrame)
	}
	binary.LittleEndian.PutUint32(buf[start:], uint32(size))
	return buf, nil
}

// frameReader reads frames. Its buffer is reused: a body is valid until the next read.
type frameReader struct {
	r   io.Reader
	buf []byte
}

// read returns the body of the next frame. It returns io.EOF at the end of the stream and
// io.ErrUnexpectedEOF in mid-frame.
func (f *frameReader) read() ([]byte, error) {
	var header [headerSize]byte
	if _, err := io.ReadFull(f.r, header[:]); err != nil {
		return nil, err
	}
	size := int(binary.LittleEndian.Uint32(header[:]))
	if size > maxFrame {
		return nil, fmt.Errorf("process: %w: %d bytes of at most %d", ErrFrameTooLong, size, maxFrame)
	}
	// The buffer grows with what has arrived, not with what the header promises.
	for have := 0; have < size; {
		if have == cap(f.buf) {
			f.buf = append(f.buf[:have], make([]byte, min(size-have, max(have, 64<<10)))...)
		}
		f.buf = f.buf[:min(size, cap(f.buf))]
		n, err := io.ReadFull(f.r, f.buf[have:])
		have += n
		if err != nil {
			return nil, noEOF(err)
		}
	}
	return f.buf[:size], nil
}

// message reads the next frame into m.
func (f *frameReader) message(m proto.Message) error {
	body, err := f.read()
	if err != nil {
		return err
	}
	if err := proto.Unmarshal(body, m); err != nil {
		return fmt.Errorf("process: decode frame of %d bytes: %w", len(body), err)
	}
	return nil
}

func noEOF(err error) error {
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}
