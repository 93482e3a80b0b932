// Package progress draws one line that says how far a job is and when it will be done.
package progress

import (
	"fmt"
	"io"
	"strings"
	"time"

	pb "github.com/crossfold/crossfold/proto/crossfold/v1"
)

const (
	barWidth = 24
	// pause is the least time between two drawings: a terminal gains nothing from more.
	pause = 100 * time.Millisecond
)

// Line is a progress line on a terminal. It is not safe for concurrent use.
type Line struct {
	to    io.Writer
	now   func() time.Time
	start time.Time
	drawn time.Time
	width int
}

// New begins a line on to; now is the clock.
func New(to io.Writer, now func() time.Time) *Line {
	return &Line{to: to, now: now, start: now()}
}

// Update draws a job's counts, at most every 100 ms.
func (l *Line) Update(state *pb.JobState) {
	now := l.now()
	if now.Sub(l.drawn) < pause && state.GetFinished() < state.GetTotal() {
		return
	}
	l.drawn = now
	text := Text(state, now.Sub(l.start))
	// What is left of a longer line before this one is overwritten with spaces.
	fmt.Fprintf(l.to, "\r%s%s", text, strings.Repeat(" ", max(0, l.width-len([]rune(text)))))
	l.width = len([]rune(text))
}

// Close takes the line away.
func (l *Line) Close() {
	if l.width > 0 {
		fmt.Fprintf(l.to, "\r%s\r", strings.Repeat(" ", l.width))
		l.width = 0
	}
}

// Text is the line after elapsed.
func Text(state *pb.JobState, elapsed time.Duration) string {
	finished, total := state.GetFinished(), max(state.GetTotal(), 1)
	filled := int(uint64(finished) * barWidth / uint64(total))
	text := fmt.Sprintf("[%s%s] %d/%d fits", strings.Repeat("█", filled), strings.Repeat("·", barWidth-filled),
		finished, state.GetTotal())
	if state.GetFailed() > 0 {
		text += fmt.Sprintf(", %d failed", state.GetFailed())
	}
	text += ", " + clock(elapsed)
	if finished > 0 && finished < total {
		left := time.Duration(float64(elapsed) * float64(total-finished) / float64(finished))
		text += ", ETA " + clock(left)
	}
	return text
}

// clock writes a duration as 1:02:03 or 2:03, as clocks do.
func clock(d time.Duration) string {
	s := int(d.Round(time.Second) / time.Second)
	if s >= 3600 {
		return fmt.Sprintf("%d:%02d:%02d", s/3600, s/60%60, s%60)
	}
	return fmt.Sprintf("%d:%02d", s/60, s%60)
}
