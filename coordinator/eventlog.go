package coordinator

import (
	"bytes"

	"github.com/klauspost/compress/s2"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"

	pb "github.com/crossfold/crossfold/proto/crossfold/v1"
)

// logPiece is about the size of a log's pieces, which a follower decodes one at a time.
const logPiece = 32 << 10

// What an entry of the log holds.
const (
	wholeEvent = iota
	bareResult
)

// eventLog keeps a job's events in their order, encoded and compressed: decoded, a result takes twenty
// times the memory. What was added never changes, so it may be read while more is added.
type eventLog struct {
	// full holds the compressed pieces, last the one that grows.
	full [][]byte
	last []byte
	// scratch is where an event is encoded.
	scratch []byte
}

// place is a position in an eventLog; the zero place is its beginning.
type place struct{ piece, offset int }

// logBytes is what a log has behind a place: of a piece, of which the first bytes are skipped.
type logBytes struct {
	piece      []byte
	compressed bool
	skip       int
}

// add appends events.
func (l *eventLog) add(events ...*pb.Event) {
	for _, event := range events {
		l.append(event)
		if len(l.last) >= logPiece {
			l.full = append(l.full, bytes.Clone(s2.Encode(nil, l.last)))
			l.last = make([]byte, 0, cap(l.last)) // somebody may read the old one
		}
	}
}

// behind returns what a place's piece has behind it, and the place after that.
func (l *eventLog) behind(at place) (logBytes, place) {
	if at.piece == len(l.full) {
		return logBytes{piece: l.last, skip: at.offset}, place{at.piece, len(l.last)}
	}
	return logBytes{piece: l.full[at.piece], compressed: true, skip: at.offset}, place{piece: at.piece + 1}
}

// raw is the encoded events.
func (b logBytes) raw() ([]byte, error) {
	piece := b.piece
	if b.compressed {
		var err error
		if piece, err = s2.Decode(nil, b.piece); err != nil {
			return nil, err
		}
	}
	return piece[b.skip:], nil
}

// append encodes an event without the job's id, which is the same in all.
func (l *eventLog) append(event *pb.Event) {
	result := event.GetResult()
	kind, message := byte(bareResult), proto.Message(result)
	if result == nil {
		kind, message = wholeEvent, &pb.Event{Kind: event.GetKind()}
	}
	encoded, err := proto.MarshalOptions{}.MarshalAppend(l.scratch[:0], message)
	if err != nil {
		// Text that is not UTF-8 can't get here: it would not have been decoded.
		panic("coordinator: encoding an event: " + err.Error())
	}
	l.scratch = encoded
	if kind == bareResult {
		encoded = withoutJob(encoded, result.GetJobId())
	}
	l.last = append(l.last, kind)
	l.last = protowire.AppendBytes(l.last, encoded)
}

// withoutJob cuts the id off the front of an encoded result.
func withoutJob(encoded []byte, job string) []byte {
	const field = 1 // Result.job_id
	prefix := protowire.SizeTag(field) + protowire.SizeBytes(len(job))
	if number, kind, n := protowire.ConsumeTag(encoded); number == field && kind == protowire.BytesType {
		if value, _ := protowire.ConsumeBytes(encoded[n:]); string(value) == job {
			return encoded[prefix:]
		}
	}
	return encoded
}

// decodeEvents is the inverse of add for bytes that behind returned.
func decodeEvents(job string, behind logBytes) ([]*pb.Event, error) {
	data, err := behind.raw()
	if err != nil {
		return nil, err
	}
	var events []*pb.Event
	for len(data) > 0 {
		kind := data[0]
		encoded, n := protowire.ConsumeBytes(data[1:])
		if n < 0 {
			return nil, protowire.ParseError(n)
		}
		data = data[1+n:]
		event := &pb.Event{}
		if kind == bareResult {
			result := &pb.Result{}
			if err := proto.Unmarshal(encoded, result); err != nil {
				return nil, err
			}
			result.JobId = job
			event.Kind = &pb.Event_Result{Result: result}
		} else if err := proto.Unmarshal(encoded, event); err != nil {
			return nil, err
		}
		event.JobId = job
		events = append(events, event)
	}
	return events, nil
}
