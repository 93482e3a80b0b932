package coordinator

import (
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

// eventLog keeps a job's events in their order, encoded: decoded, a result takes ten times the
// memory. What was added never changes, so it may be read while more is added.
type eventLog struct{ pieces [][]byte }

// place is a position in an eventLog; the zero place is its beginning.
type place struct{ piece, offset int }

// add appends events.
func (l *eventLog) add(events ...*pb.Event) {
	for _, event := range events {
		if n := len(l.pieces); n == 0 || len(l.pieces[n-1]) >= logPiece {
			l.pieces = append(l.pieces, nil)
		}
		last := &l.pieces[len(l.pieces)-1]
		*last = appendEvent(*last, event)
	}
}

// behind returns what a place's piece has behind it, and the place after that.
func (l *eventLog) behind(at place) ([]byte, place) {
	if at.piece < len(l.pieces) && at.offset == len(l.pieces[at.piece]) && at.offset >= logPiece {
		at = place{piece: at.piece + 1}
	}
	if at.piece == len(l.pieces) {
		return nil, at
	}
	piece := l.pieces[at.piece]
	return piece[at.offset:], place{at.piece, len(piece)}
}

// appendEvent encodes an event without the job's id, which is the same in all.
func appendEvent(data []byte, event *pb.Event) []byte {
	kind, message := byte(wholeEvent), proto.Message(&pb.Event{Kind: event.GetKind()})
	if result := event.GetResult(); result != nil {
		kind, message = bareResult, result
	}
	encoded, err := proto.Marshal(message)
	if err != nil {
		// Text that is not UTF-8 can't get here: it would not have been decoded.
		panic("coordinator: encoding an event: " + err.Error())
	}
	if kind == bareResult {
		encoded = withoutJob(encoded, event.GetResult().GetJobId())
	}
	data = append(data, kind)
	return protowire.AppendBytes(data, encoded)
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
func decodeEvents(job string, data []byte) ([]*pb.Event, error) {
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
