package store

import (
	"crypto/sha256"
	"encoding/hex"
	"runtime"
	"slices"
	"sync"
)

// leafBytes is the size of the pieces that are hashed side by side.
const leafBytes = 4 << 20

// What a hash is of: without it, a piece could be made that looks like a list of digests.
const (
	ofLeaf = 0
	ofRoot = 1
)

// digest is the content address of an object: SHA-256 over the SHA-256 digests of its pieces of 4 MiB,
// each with a first byte that says which of the two it is. So all cores can work on a large one.
type digest struct {
	leaf   []byte
	leaves []*[sha256.Size]byte
	busy   sync.WaitGroup
	// turns bounds the pieces that are in memory.
	turns chan struct{}
}

func newDigest() *digest {
	return &digest{leaf: []byte{ofLeaf}, turns: make(chan struct{}, runtime.GOMAXPROCS(0))}
}

// Write never fails.
func (d *digest) Write(data []byte) (int, error) {
	written := len(data)
	for len(data) > 0 {
		n := min(len(data), 1+leafBytes-len(d.leaf))
		d.leaf, data = append(d.leaf, data[:n]...), data[n:]
		if len(d.leaf) > leafBytes {
			d.seal()
			d.leaf = slices.Grow(d.leaf, leafBytes) // one that is large so far may have another
		}
	}
	return written, nil
}

func (d *digest) seal() {
	leaf, sum := d.leaf, new([sha256.Size]byte)
	d.leaf, d.leaves = []byte{ofLeaf}, append(d.leaves, sum)
	d.turns <- struct{}{}
	d.busy.Go(func() {
		*sum = sha256.Sum256(leaf)
		<-d.turns
	})
}

// hex ends the object and returns its address.
func (d *digest) hex() string {
	if len(d.leaf) > 1 || len(d.leaves) == 0 {
		d.seal()
	}
	d.busy.Wait()
	root := sha256.New()
	root.Write([]byte{ofRoot})
	for _, sum := range d.leaves {
		root.Write(sum[:])
	}
	return hex.EncodeToString(root.Sum(nil))
}
