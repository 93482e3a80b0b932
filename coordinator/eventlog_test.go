package coordinator

import (
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"

	pb "github.com/crossfold/crossfold/proto/crossfold/v1"
)

// read returns everything behind a place, and the place after that.
func read(t *testing.T, l *eventLog, at place) ([]*pb.Event, place) {
	t.Helper()
	var all []*pb.Event
	for {
		data, next := l.behind(at)
		events, err := decodeEvents("job", data)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, events...)
		if next == at {
			return all, at
		}
		at = next
	}
}

func TestALogGivesBackWhatWasAddedInOrder(t *testing.T) {
	var added []*pb.Event
	var log eventLog
	var at place
	var found []*pb.Event
	for i := range uint32(2_000) {
		event := &pb.Event{JobId: "job", Kind: &pb.Event_Result{Result: &pb.Result{
			JobId: "job", Index: i, TestScores: map[string]float64{"score": 1 / float64(i+1)}, Worker: "w",
			Output: strings.Repeat("x", int(i%50)),
		}}}
		switch i % 100 {
		case 0:
			event.Kind = &pb.Event_State{State: &pb.JobState{Phase: pb.JobState_PHASE_RUNNING, Finished: i}}
		case 1:
			event.Kind = &pb.Event_Fault{Fault: &pb.Fault{JobId: "job", TaskId: "t", Reason: "killed"}}
		case 2:
			event.Kind = &pb.Event_Result{Result: &pb.Result{JobId: "another", Index: i}}
		}
		log.add(event)
		if i%100 == 2 {
			event = proto.CloneOf(event)
			event.GetResult().JobId = "job" // a job's results have its id, whatever a worker wrote
		}
		added = append(added, event)
		if i%333 == 0 {
			var more []*pb.Event
			more, at = read(t, &log, at)
			found = append(found, more...)
		}
	}
	more, _ := read(t, &log, at)
	if found = append(found, more...); len(found) != len(added) {
		t.Fatalf("%d events came back of %d", len(found), len(added))
	}
	for i, event := range added {
		if !proto.Equal(found[i], event) {
			t.Fatalf("event %d is %v, want %v", i, found[i], event)
		}
	}
}

func TestATornLogIsAnError(t *testing.T) {
	var log eventLog
	log.add(&pb.Event{JobId: "job", Kind: &pb.Event_Result{Result: &pb.Result{JobId: "job", Index: 7}}})
	data, _ := log.behind(place{})
	data.piece = data.piece[:len(data.piece)-1]
	if _, err := decodeEvents("job", data); err == nil {
		t.Error("half an event was read")
	}
}
