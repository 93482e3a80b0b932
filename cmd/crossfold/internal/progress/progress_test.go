package progress

import (
	"strings"
	"testing"
	"time"

	pb "github.com/crossfold/crossfold/proto/crossfold/v1"
)

func TestText(t *testing.T) {
	for _, c := range []struct {
		state   *pb.JobState
		elapsed time.Duration
		want    string
	}{
		{&pb.JobState{Total: 320}, 0, "[························] 0/320 fits, 0:00"},
		{&pb.JobState{Total: 320, Finished: 80}, 10 * time.Second, "[██████··················] 80/320 fits, 0:10, ETA 0:30"},
		{&pb.JobState{Total: 4, Finished: 1, Failed: 1}, time.Hour, "[██████··················] 1/4 fits, 1 failed, 1:00:00, ETA 3:00:00"},
		{&pb.JobState{Total: 2, Finished: 2}, 65 * time.Second, "[████████████████████████] 2/2 fits, 1:05"},
		{&pb.JobState{}, 0, "[························] 0/0 fits, 0:00"},
	} {
		if got := Text(c.state, c.elapsed); got != c.want {
			t.Errorf("got  %s\nwant %s", got, c.want)
		}
	}
}

func TestLineIsDrawnNowAndThenAndTakenAway(t *testing.T) {
	var screen strings.Builder
	now := time.Unix(0, 0)
	line := New(&screen, func() time.Time { return now })
	for i := range uint32(100) {
		now = now.Add(10 * time.Millisecond)
		line.Update(&pb.JobState{Total: 100, Finished: i + 1})
	}
	if drawings := strings.Count(screen.String(), "["); drawings < 8 || drawings > 12 {
		t.Errorf("drawn %d times in a second, want about 10", drawings)
	}
	if !strings.Contains(screen.String(), "100/100") {
		t.Error("the last state was not drawn")
	}
	line.Close()
	line.Close()
	if !strings.HasSuffix(screen.String(), " \r") || strings.Contains(screen.String(), "\n") {
		t.Errorf("the line was not taken away: %q", screen.String())
	}
}
