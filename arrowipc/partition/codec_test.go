package partition

import (
	"errors"
	"slices"
	"testing"
	"testing/quick"

	"github.com/crossfold/crossfold/arrowipc/internal/untrusted"
)

func TestDecodeReadsWhatEncodeWrote(t *testing.T) {
	roundTrip := func(train, test []uint16) bool {
		split := Split{Train: widenRows(train), Test: widenRows(test)}
		data, err := Encode(split)
		if err != nil {
			t.Log(err)
			return false
		}
		got, err := Decode(data)
		return err == nil && slices.Equal(got.Train, split.Train) && slices.Equal(got.Test, split.Test)
	}
	if err := quick.Check(roundTrip, nil); err != nil {
		t.Error(err)
	}
	for _, split := range [][2][]uint16{{}, {{1}, nil}, {nil, {1}}} {
		if !roundTrip(split[0], split[1]) {
			t.Errorf("%v does not survive", split)
		}
	}
}

func widenRows(rows []uint16) []int64 {
	wide := make([]int64, len(rows))
	for i, row := range rows {
		wide[i] = int64(row)
	}
	return wide
}

func TestDecodeRefusesNegativeRows(t *testing.T) {
	data, err := Encode(Split{Train: []int64{0, -1}, Test: []int64{1}})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Decode(data); !errors.Is(err, untrusted.ErrDamaged) {
		t.Errorf("Decode = %v, want ErrDamaged", err)
	}
}

func TestDecodeOfEveryCutIsAnError(t *testing.T) {
	data := encoded(t)
	for n := range data {
		if _, err := Decode(data[:n]); !errors.Is(err, untrusted.ErrDamaged) {
			t.Fatalf("the first %d of %d bytes: %v, want ErrDamaged", n, len(data), err)
		}
	}
}

func TestDecodeOfEveryFlippedByte(t *testing.T) {
	data := encoded(t)
	for i := range data {
		for _, flip := range []byte{0x01, 0x80, 0xff} {
			mutant := slices.Clone(data)
			mutant[i] ^= flip
			split, err := Decode(mutant)
			if err == nil && len(split.Train)+len(split.Test) > len(data)/8 {
				t.Fatalf("byte %d flipped by %#x gives more rows than the file has", i, flip)
			}
		}
	}
}

func encoded(t testing.TB) []byte {
	t.Helper()
	data, err := Encode(Split{Train: []int64{0, 2, 4}, Test: []int64{1, 3}})
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func FuzzDecode(f *testing.F) {
	f.Add(encoded(f))
	empty, err := Encode(Split{})
	if err != nil {
		f.Fatal(err)
	}
	f.Add(empty)
	f.Add([]byte("ARROW1\x00\x00"))
	f.Fuzz(func(t *testing.T, data []byte) {
		split, err := Decode(data)
		if err != nil {
			return
		}
		if 8*(len(split.Train)+len(split.Test)) > len(data) {
			t.Fatalf("%d bytes gave %d rows", len(data), len(split.Train)+len(split.Test))
		}
		again, err := Encode(split)
		if err != nil {
			t.Fatal(err)
		}
		back, err := Decode(again)
		if err != nil || !slices.Equal(back.Train, split.Train) || !slices.Equal(back.Test, split.Test) {
			t.Fatalf("a decoded split does not survive: %v", err)
		}
	})
}
