package jetstream

import (
	"fmt"
	"testing"

	"google.golang.org/protobuf/proto"

	"github.com/crossfold/crossfold/coordinator/queue"
	pb "github.com/crossfold/crossfold/proto/crossfold/v1"
)

func exampleManifest() *queue.Manifest {
	spec := &pb.JobSpec{Name: "search"}
	for i := range 1000 {
		spec.Candidates = append(spec.Candidates, &pb.Candidate{
			Setting: &pb.Candidate_ParamsJson{ParamsJson: fmt.Sprintf(`{"C": %d}`, i)},
		})
	}
	return &queue.Manifest{
		JobID: "job", SubmittedUnix: 42, Spec: spec, State: &pb.JobState{Phase: pb.JobState_PHASE_RUNNING},
	}
}

func TestManifestsKeepEverything(t *testing.T) {
	want := exampleManifest()
	data, err := encodeManifest(want)
	if err != nil {
		t.Fatal(err)
	}
	got, err := decodeManifest(data)
	if err != nil {
		t.Fatal(err)
	}
	if got.JobID != want.JobID || got.SubmittedUnix != want.SubmittedUnix ||
		!proto.Equal(got.Spec, want.Spec) || !proto.Equal(got.State, want.State) {
		t.Errorf("manifest %v, want %v", got, want)
	}
	if len(data) > proto.Size(want.Spec)/2 {
		t.Errorf("%d bytes for a spec of %d: similar candidates must not take their full size", len(data), proto.Size(want.Spec))
	}
}

func FuzzDecodeManifest(f *testing.F) {
	data, err := encodeManifest(exampleManifest())
	if err != nil {
		f.Fatal(err)
	}
	f.Add(data)
	f.Add(data[:len(data)/2])
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, data []byte) {
		manifest, err := decodeManifest(data)
		if err == nil && manifest.Spec == nil {
			t.Error("a manifest without a spec")
		}
	})
}

func FuzzDecodeResults(f *testing.F) {
	var data []byte
	for i := range uint32(3) {
		data, _ = appendDelimited(data, &pb.Result{JobId: "job", Index: i})
	}
	f.Add(data)
	f.Add(data[:len(data)-1])
	f.Add([]byte{0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1})
	f.Fuzz(func(t *testing.T, data []byte) {
		results, err := decodeResults(data)
		if err != nil {
			return
		}
		for i, result := range results {
			if result == nil {
				t.Errorf("result %d of %d is nil", i, len(results))
			}
		}
	})
}
