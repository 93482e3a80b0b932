package policy

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"github.com/crossfold/crossfold/bridge/policy/internal/interp"
)

// A frame is four bytes of length, most significant first, and that many bytes of JSON. The parent sends
// requests on the child's standard input, a load first; each gets one response on its standard output.
const maxFrame = 64 << 20

var errTooLarge = fmt.Errorf("a message of more than %d bytes", maxFrame)

type load struct {
	Source      string `json:"source"`
	Steps       int64  `json:"steps"`
	MemoryBytes int64  `json:"memory_bytes"`
}

type request struct {
	Load *load           `json:"load,omitempty"`
	Call string          `json:"call,omitempty"`
	Args json.RawMessage `json:"args,omitempty"`
}

type response struct {
	Names []string        `json:"names,omitempty"` // what the policy binds, sorted
	Value json.RawMessage `json:"value,omitempty"`
	Fault *interp.Fault   `json:"fault,omitempty"`
}

func writeFrame(w io.Writer, message any) error {
	frame := bytes.NewBuffer(make([]byte, 4, 512))
	encoder := json.NewEncoder(frame)
	encoder.SetEscapeHTML(false) // a text in a value comes back as it was
	if err := encoder.Encode(message); err != nil {
		return fmt.Errorf("encode a message: %w", err)
	}
	size := frame.Len() - 4
	if size > maxFrame {
		return errTooLarge
	}
	binary.BigEndian.PutUint32(frame.Bytes(), uint32(size))
	_, err := w.Write(frame.Bytes())
	return err
}

// readFrame decodes one frame. It reads no more than the frame announces, and trusts no length over maxFrame.
func readFrame(r io.Reader, message any) error {
	var head [4]byte
	if _, err := io.ReadFull(r, head[:]); err != nil {
		return err
	}
	size := binary.BigEndian.Uint32(head[:])
	if size > maxFrame {
		return errTooLarge
	}
	body, err := io.ReadAll(io.LimitReader(r, int64(size)))
	if err != nil {
		return err
	}
	if len(body) < int(size) {
		return io.ErrUnexpectedEOF
	}
	if err := json.Unmarshal(body, message); err != nil {
		return errors.Join(errors.New("decode a message"), err)
	}
	return nil
}
