package policy

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"testing"
)

func TestFramesComeBackWhole(t *testing.T) {
	var wire bytes.Buffer
	want := request{Call: "f", Args: json.RawMessage(`["<&>",1.0]`)}
	if err := writeFrame(&wire, want); err != nil {
		t.Fatal(err)
	}
	cut := append([]byte{}, wire.Bytes()...)
	var got request
	if err := readFrame(&wire, &got); err != nil || got.Call != want.Call || string(got.Args) != string(want.Args) {
		t.Fatalf("got %+v, %v", got, err)
	}
	if err := readFrame(&wire, &got); !errors.Is(err, io.EOF) {
		t.Errorf("at the end: %v, want io.EOF", err)
	}
	if err := readFrame(bytes.NewReader(cut[:len(cut)-1]), &got); !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("a cut frame: %v", err)
	}
	if err := readFrame(bytes.NewReader([]byte{255, 255, 255, 255}), &got); !errors.Is(err, errTooLarge) {
		t.Errorf("a huge frame: %v", err)
	}
}

func FuzzReadFrame(f *testing.F) {
	f.Add([]byte{0, 0, 0, 2, '{', '}'})
	f.Add([]byte{0, 0, 0, 9, '{', '"', 'c', 'a', 'l', 'l', '"', ':', '1'})
	f.Add([]byte{255, 255, 255, 255, 0})
	f.Add([]byte{0, 0})
	f.Fuzz(func(t *testing.T, data []byte) {
		var r request
		if err := readFrame(bytes.NewReader(data), &r); err != nil {
			return
		}
		var wire bytes.Buffer
		if err := writeFrame(&wire, r); err != nil {
			t.Fatalf("what was read can't be written: %v", err)
		}
	})
}
