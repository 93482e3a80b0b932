package joblist

import (
	"strings"
	"testing"
	"time"

	pb "github.com/crossfold/crossfold/proto/crossfold/v1"
)

func TestPrint(t *testing.T) {
	var out strings.Builder
	at := time.Date(2026, 3, 1, 12, 30, 0, 0, time.Local)
	if err := Print(&out, []*pb.JobInfo{{
		JobId: "5f", Name: "digits", SubmittedUnix: at.Unix(),
		State: &pb.JobState{Phase: pb.JobState_PHASE_CANCELLED, Total: 24, Finished: 20, Failed: 1},
	}}); err != nil {
		t.Fatal(err)
	}
	want := "job  name    state      finished  failed  submitted\n5f   digits  cancelled  20/24     1       2026-03-01 12:30:00\n"
	if out.String() != want {
		t.Errorf("got\n%swant\n%s", &out, want)
	}
	out.Reset()
	if err := Print(&out, nil); err != nil || out.String() != "no jobs\n" {
		t.Errorf("no jobs: %q, %v", &out, err)
	}
}
