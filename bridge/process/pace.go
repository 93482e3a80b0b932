package process

import (
	"time"

	"google.golang.org/protobuf/proto"

	pb "github.com/crossfold/crossfold/proto/crossfold/v1"
)

const (
	// shortFit is the time of a fit below which the results of several are taken together.
	shortFit = 5 * time.Millisecond
	// longestRest is how long a result may wait for those of the fits that follow.
	longestRest = 50 * time.Millisecond
	// roomyBytes is what surely fits into a socket, so that the child never waits to write.
	roomyBytes = 64 << 10
)

// pace says how long the results of short fits may gather in the child's socket. A child that ends a fit
// every millisecond would else be put aside after each, for the sake of a reader that wakes. What is in
// the socket is safe: it can be read when the child is dead.
type pace struct {
	began              time.Time
	taken, left, bytes int
}

// newPace begins a run. Calls set their own pace, and limits count from the messages.
func newPace(task *pb.Task) *pace {
	p := &pace{began: time.Now()}
	if task.GetLimits() == nil {
		p.left = len(task.GetFits())
	}
	return p
}

func (p *pace) take(message *pb.FromChild) {
	if result := message.GetFinished().GetResult(); result != nil && p.left > 0 {
		p.taken, p.left, p.bytes = p.taken+1, p.left-1, p.bytes+proto.Size(result)
	}
}

// rest is for half of the fits that are left, so that the last result is taken at once.
func (p *pace) rest() time.Duration {
	if p.taken == 0 || p.left < 2 {
		return 0
	}
	each := time.Since(p.began) / time.Duration(p.taken)
	if each >= shortFit {
		return 0
	}
	fits := min(p.left/2, roomyBytes*p.taken/max(p.bytes, 1))
	return min(each*time.Duration(fits), longestRest)
}
