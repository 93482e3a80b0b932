package process

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"testing"
	"testing/quick"
)

// pageOf returns a page that says it keeps so many bytes from a position, whether it can or not.
func pageOf(position, kept uint64, content []byte) page {
	p := make(page, bytesAt+len(content))
	binary.LittleEndian.PutUint64(p[positionAt:], position)
	binary.LittleEndian.PutUint64(p[keptAt:], kept)
	copy(p[bytesAt:], content)
	return p
}

// A child may die at any point of sending what it keeps: the reader gets each byte once.
func TestWhatADeadChildHadNotSentFollowsWhatItHad(t *testing.T) {
	whole := func(content []byte, at, of uint16) bool {
		position := uint64(at) % uint64(len(content)+1)
		sent := position + uint64(of)%(uint64(len(content))-position+1)
		p := pageOf(position, uint64(len(content))-position, content[position:])
		got, err := io.ReadAll(&stream{
			sent:   bytes.NewReader(content[:sent]),
			unsent: func(received uint64, _ error) []byte { return p.unsent(received) },
		})
		return err == nil && bytes.Equal(got, content)
	}
	if err := quick.Check(whole, nil); err != nil {
		t.Error(err)
	}
}

func TestStreamEndsAsItsSocketDid(t *testing.T) {
	broken := errors.New("broken")
	s := &stream{
		sent:   io.MultiReader(bytes.NewReader([]byte("sent")), &failing{broken}),
		unsent: func(uint64, error) []byte { return []byte(" and kept") },
	}
	got, err := io.ReadAll(s)
	if string(got) != "sent and kept" || !errors.Is(err, broken) {
		t.Errorf("read %q, %v; want all of it and %v", got, err, broken)
	}
}

type failing struct{ err error }

func (f *failing) Read([]byte) (int, error) { return 0, f.err }

// A page is written by whatever a person's code does to it.
func FuzzPage(f *testing.F) {
	f.Add(uint64(0), uint64(3), uint64(0), []byte("abc"))
	f.Add(uint64(2), ^uint64(0), uint64(4), []byte("abc"))
	f.Add(^uint64(0), uint64(1), uint64(0), []byte{})
	f.Fuzz(func(t *testing.T, position, kept, received uint64, content []byte) {
		if got := pageOf(position, kept, content).unsent(received); !bytes.HasSuffix(content[:min(kept, uint64(len(content)))], got) {
			t.Errorf("unsent gave %q, which is no end of what is kept", got)
		}
	})
}
