package jetstream

import (
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"

	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"

	"github.com/crossfold/crossfold/coordinator/queue"
	pb "github.com/crossfold/crossfold/proto/crossfold/v1"
)

// maxManifest bounds what a stored manifest may unpack to.
const maxManifest = 256 << 20

var errTruncated = errors.New("jetstream: a length prefix reaches past the end of its message")

// appendDelimited appends a message behind its length as a varint.
func appendDelimited(data []byte, message proto.Message) ([]byte, error) {
	data = protowire.AppendVarint(data, uint64(proto.Size(message)))
	return proto.MarshalOptions{UseCachedSize: true}.MarshalAppend(data, message)
}

// cutDelimited reads one message written by appendDelimited and returns the bytes behind it.
func cutDelimited(data []byte, message proto.Message) ([]byte, error) {
	size, n := protowire.ConsumeVarint(data)
	if n < 0 || size > uint64(len(data)-n) {
		return nil, errTruncated
	}
	return data[n+int(size):], proto.Unmarshal(data[n:n+int(size)], message)
}

func decodeResults(data []byte) ([]*pb.Result, error) {
	var results []*pb.Result
	for len(data) > 0 {
		result := &pb.Result{}
		rest, err := cutDelimited(data, result)
		if err != nil {
			return nil, err
		}
		results, data = append(results, result), rest
	}
	return results, nil
}

// encodeManifest writes id, state and time as a JobInfo, then the spec, compressed: specs list
// thousands of similar candidates.
func encodeManifest(manifest *queue.Manifest) ([]byte, error) {
	data, err := appendDelimited(nil, &pb.JobInfo{
		JobId: manifest.JobID, State: manifest.State, SubmittedUnix: manifest.SubmittedUnix,
	})
	if err != nil {
		return nil, err
	}
	spec := manifest.Spec
	if spec == nil {
		spec = &pb.JobSpec{}
	}
	if data, err = appendDelimited(data, spec); err != nil {
		return nil, err
	}
	if len(data) > maxManifest {
		return nil, fmt.Errorf("the manifest has %d bytes, the most is %d: split the job", len(data), maxManifest)
	}
	var packed bytes.Buffer
	writer, err := gzip.NewWriterLevel(&packed, gzip.BestSpeed)
	if err != nil {
		return nil, err
	}
	if _, err := writer.Write(data); err != nil {
		return nil, err
	}
	if err := writer.Close(); err != nil {
		return nil, err
	}
	return packed.Bytes(), nil
}

func decodeManifest(packed []byte) (*queue.Manifest, error) {
	reader, err := gzip.NewReader(bytes.NewReader(packed))
	if err != nil {
		return nil, err
	}
	data, err := io.ReadAll(io.LimitReader(reader, maxManifest+1))
	if err != nil {
		return nil, err
	}
	if len(data) > maxManifest {
		return nil, fmt.Errorf("a manifest unpacks to more than %d bytes", maxManifest)
	}
	info, spec := &pb.JobInfo{}, &pb.JobSpec{}
	if data, err = cutDelimited(data, info); err != nil {
		return nil, err
	}
	if _, err = cutDelimited(data, spec); err != nil {
		return nil, err
	}
	return &queue.Manifest{
		JobID: info.GetJobId(), SubmittedUnix: info.GetSubmittedUnix(), Spec: spec, State: info.GetState(),
	}, nil
}
