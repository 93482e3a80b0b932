package process

import "io"

// stream reads what a child has sent and, once that has come to its end, what it had not sent yet.
type stream struct {
	sent io.Reader
	// unsent waits until the child is dead and returns what follows the bytes received; cause is how sent ended.
	unsent func(received uint64, cause error) []byte

	received uint64
	rest     []byte
	end      error
}

// Read ends as sent did.
func (s *stream) Read(p []byte) (int, error) {
	if s.end == nil {
		n, err := s.sent.Read(p)
		s.received += uint64(n)
		if n > 0 || err == nil {
			return n, nil
		}
		s.end, s.rest = err, s.unsent(s.received, err)
	}
	if len(s.rest) == 0 {
		return 0, s.end
	}
	n := copy(p, s.rest)
	s.rest = s.rest[n:]
	return n, nil
}
