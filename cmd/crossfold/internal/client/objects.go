package client

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"google.golang.org/grpc"

	"github.com/crossfold/crossfold/arrowipc/store"
	pb "github.com/crossfold/crossfold/proto/crossfold/v1"
)

// chunkBytes is how much of an object one message carries.
const chunkBytes = 1 << 20

// Send brings an object of a store on this host into the coordinator's.
func (c *Client) Send(ctx context.Context, from *store.Store, id string) error {
	reader, _, err := from.OpenRange(id, 0, 0)
	if err != nil {
		return err
	}
	defer reader.Close()
	stream, err := c.data.Put(ctx)
	if err == nil {
		// A failed write ends in io.EOF; what the server says of it comes with the answer.
		_, err = io.CopyBuffer(&putWriter{stream: stream, id: id}, onlyReader{reader}, make([]byte, chunkBytes))
	}
	if err == nil || errors.Is(err, io.EOF) {
		_, err = stream.CloseAndRecv()
	}
	if err != nil {
		return fmt.Errorf("send %s: %w", id, err)
	}
	return nil
}

// putWriter sends each write as one chunk; the first names the object.
type putWriter struct {
	stream grpc.ClientStreamingClient[pb.PutRequest, pb.PutResponse]
	id     string
}

func (w *putWriter) Write(chunk []byte) (int, error) {
	if err := w.stream.Send(&pb.PutRequest{Id: w.id, Chunk: chunk}); err != nil {
		return 0, err
	}
	w.id = ""
	return len(chunk), nil
}

// onlyReader hides every other method, so that a copy uses the buffer it was given.
type onlyReader struct{ io.Reader }

// Fetch brings an object of the coordinator's store into one on this host.
func (c *Client) Fetch(ctx context.Context, into *store.Store, id string) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	stream, err := c.data.Get(ctx, &pb.GetRequest{Id: id})
	if err != nil {
		return fmt.Errorf("fetch %s: %w", id, err)
	}
	if err := into.PutExpect(ctx, id, &getReader{stream: stream}); err != nil {
		return fmt.Errorf("fetch %s: %w", id, err)
	}
	return nil
}

// Download writes an object of the coordinator's store to a file, which appears whole or not at all.
func (c *Client) Download(ctx context.Context, id, path string) (err error) {
	scratch, err := os.MkdirTemp(filepath.Dir(path), ".tmp-*")
	if err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(scratch)) }()
	into, err := store.Open(scratch)
	if err != nil {
		return err
	}
	if err := c.Fetch(ctx, into, id); err != nil {
		return err
	}
	from, err := into.Path(id)
	if err != nil {
		return err
	}
	if err := errors.Join(os.Chmod(from, 0o644), os.Rename(from, path)); err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	return nil
}

// getReader reads the chunks of an object one after the other.
type getReader struct {
	stream grpc.ServerStreamingClient[pb.GetResponse]
	left   []byte
}

func (r *getReader) Read(p []byte) (int, error) {
	for len(r.left) == 0 {
		response, err := r.stream.Recv()
		if err != nil {
			return 0, err
		}
		r.left = response.GetChunk()
	}
	n := copy(p, r.left)
	r.left = r.left[n:]
	return n, nil
}
