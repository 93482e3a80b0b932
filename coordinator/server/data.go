package server

import (
	"bytes"
	"errors"
	"io"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/crossfold/crossfold/arrowipc/store"
	pb "github.com/crossfold/crossfold/proto/crossfold/v1"
)

// chunkBytes is the most that a chunk may hold.
const chunkBytes = 1 << 20

type dataService struct {
	pb.UnimplementedDataServer
	store *store.Store
}

func (d *dataService) Put(stream grpc.ClientStreamingServer[pb.PutRequest, pb.PutResponse]) error {
	first, err := stream.Recv()
	if errors.Is(err, io.EOF) || err == nil && first.GetId() == "" {
		return status.Error(codes.InvalidArgument, "the first chunk has no id: send the object's id in it")
	}
	if err != nil {
		return err
	}
	chunks := &chunkReader{stream: stream}
	if err := chunks.take(first); err != nil {
		return err
	}
	if err := d.store.PutExpect(stream.Context(), first.GetId(), chunks); err != nil {
		if chunks.broken != nil {
			return chunks.broken
		}
		return statusOf(err)
	}
	return stream.SendAndClose(&pb.PutResponse{Id: first.GetId(), SizeBytes: chunks.size})
}

// chunkReader reads the chunks of a stream as one byte string.
type chunkReader struct {
	stream grpc.ClientStreamingServer[pb.PutRequest, pb.PutResponse]
	chunk  bytes.Reader
	size   int64
	// broken is the error of the stream, with its status.
	broken error
}

func (r *chunkReader) take(request *pb.PutRequest) error {
	if n := len(request.GetChunk()); n > chunkBytes {
		r.broken = status.Errorf(codes.InvalidArgument, "a chunk has %d bytes: send at most %d", n, chunkBytes)
		return r.broken
	}
	r.chunk.Reset(request.GetChunk())
	r.size += int64(len(request.GetChunk()))
	return nil
}

func (r *chunkReader) Read(p []byte) (int, error) {
	for r.chunk.Len() == 0 {
		request, err := r.stream.Recv()
		if errors.Is(err, io.EOF) {
			return 0, io.EOF
		}
		if err != nil {
			r.broken = err
			return 0, err
		}
		if err := r.take(request); err != nil {
			return 0, err
		}
	}
	return r.chunk.Read(p)
}

func (d *dataService) Get(request *pb.GetRequest, stream grpc.ServerStreamingServer[pb.GetResponse]) error {
	reader, total, err := d.store.OpenRange(request.GetId(), request.GetOffset(), request.GetLength())
	if err != nil {
		return statusOf(err)
	}
	defer func() { _ = reader.Close() }()
	response := &pb.GetResponse{SizeBytes: total}
	buffer := make([]byte, chunkBytes)
	for sent := false; ; sent = true {
		n, err := io.ReadFull(reader, buffer)
		end := errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF)
		if err != nil && !end {
			return statusOf(err)
		}
		// An empty range has one response, too: it carries the size.
		if n > 0 || !sent {
			response.Chunk = buffer[:n]
			if err := stream.Send(response); err != nil {
				return err
			}
			response = &pb.GetResponse{}
		}
		if end {
			return nil
		}
	}
}
