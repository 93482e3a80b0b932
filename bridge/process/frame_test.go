package process

import (
	"bytes"
	"errors"
	"io"
	"testing"
	"testing/iotest"

	pb "github.com/crossfold/crossfold/proto/crossfold/v1"
)

func started(index uint32) *pb.FromChild {
	return &pb.FromChild{Kind: &pb.FromChild_Started{Started: &pb.Started{Index: index}}}
}

func mustFrame(t testing.TB, index uint32) []byte {
	t.Helper()
	frame, err := appendFrame(nil, started(index))
	if err != nil {
		t.Fatal(err)
	}
	return frame
}

func TestFramesComeBackHoweverTheyAreCut(t *testing.T) {
	stream := append(mustFrame(t, 7), mustFrame(t, 8)...)
	for name, cut := range map[string]func(io.Reader) io.Reader{
		"whole": func(r io.Reader) io.Reader { return r }, "bytes": iotest.OneByteReader, "halves": iotest.HalfReader,
	} {
		reader := &frameReader{r: cut(bytes.NewReader(stream))}
		for _, want := range []uint32{7, 8} {
			var got pb.FromChild
			if err := reader.message(&got); err != nil || got.GetStarted().GetIndex() != want {
				t.Errorf("%s: frame = %v, %v; want index %d", name, &got, err, want)
			}
		}
		if _, err := reader.read(); !errors.Is(err, io.EOF) {
			t.Errorf("%s: at the end: %v, want EOF", name, err)
		}
	}
}

func TestTruncatedFrameIsNotAnEnd(t *testing.T) {
	frame := mustFrame(t, 7)
	for size := 1; size < len(frame); size++ {
		reader := &frameReader{r: bytes.NewReader(frame[:size])}
		if _, err := reader.read(); !errors.Is(err, io.ErrUnexpectedEOF) {
			t.Errorf("first %d bytes: %v, want %v", size, err, io.ErrUnexpectedEOF)
		}
	}
}

func TestFrameLengthIsCapped(t *testing.T) {
	reader := &frameReader{r: bytes.NewReader([]byte{0xff, 0xff, 0xff, 0xff})}
	if _, err := reader.read(); !errors.Is(err, ErrFrameTooLong) {
		t.Errorf("read = %v, want %v", err, ErrFrameTooLong)
	}
}

func TestMemoryFollowsWhatArrivedNotWhatWasPromised(t *testing.T) {
	stream := append([]byte{0, 0, 0, 0x10}, make([]byte, 100)...) // promises 256 MiB
	reader := &frameReader{r: bytes.NewReader(stream)}
	if _, err := reader.read(); !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Fatalf("read = %v, want %v", err, io.ErrUnexpectedEOF)
	}
	if cap(reader.buf) > 1<<20 {
		t.Errorf("100 bytes made a buffer of %d", cap(reader.buf))
	}
}

func FuzzFrameReader(f *testing.F) {
	f.Add([]byte{})
	f.Add([]byte{1, 0, 0, 0})
	f.Add([]byte{0xff, 0xff, 0xff, 0x0f, 1, 2, 3})
	f.Add(append(mustFrame(f, 1), mustFrame(f, 2)...))
	f.Fuzz(func(t *testing.T, stream []byte) {
		reader := &frameReader{r: bytes.NewReader(stream)}
		consumed := 0
		for {
			body, err := reader.read()
			if err != nil {
				break
			}
			consumed += headerSize + len(body)
			if !bytes.HasSuffix(stream[:consumed], body) {
				t.Fatalf("body %x is not what stands before byte %d", body, consumed)
			}
		}
		if consumed > len(stream) {
			t.Fatalf("read %d bytes of %d", consumed, len(stream))
		}
	})
}
