package workers

import (
	"context"
	"fmt"
	"math"
	"time"

	"github.com/crossfold/crossfold/bridge/process"
	pb "github.com/crossfold/crossfold/proto/crossfold/v1"
)

// memoryInterval is the pause between two looks at the memory of a fit: a loop that allocates fills
// some hundred megabytes in it at most.
const memoryInterval = 25 * time.Millisecond

// overLimit says that a fit or call went over one of its limits.
type overLimit struct {
	index   uint32
	begun   time.Time
	failure *pb.Failure
}

func (o *overLimit) Error() string { return o.failure.GetMessage() }

// result is made when the process is gone: until then the unit took the slot's time.
func (o *overLimit) result() *pb.Result {
	seconds := time.Since(o.begun).Seconds()
	return &pb.Result{
		Index: o.index, Outcome: pb.Outcome_OUTCOME_LIMIT, Failure: o.failure,
		FitSeconds: seconds, SlotSeconds: seconds,
	}
}

// guard ends a run whose fit or call goes over its limits. It looks from outside: Python may be
// stuck in native code.
type guard struct {
	limits *pb.Limits
	child  *process.Child
	ctx    context.Context
	// end kills what runs.
	end context.CancelCauseFunc
	// unwatch ends the watch over the unit that runs.
	unwatch context.CancelFunc
}

func newGuard(ctx context.Context, end context.CancelCauseFunc, limits *pb.Limits, child *process.Child) *guard {
	return &guard{limits: limits, child: child, ctx: ctx, end: end, unwatch: func() {}}
}

// take follows the messages of the child. Every watch ends with the run's context, too.
func (g *guard) take(message *pb.FromChild) {
	if g.limits == nil {
		return
	}
	switch kind := message.GetKind().(type) {
	case *pb.FromChild_Started:
		var ctx context.Context
		ctx, g.unwatch = context.WithCancel(g.ctx)
		go g.watch(ctx, kind.Started.GetIndex(), time.Now(), g.child.Memory(math.MaxUint64))
	case *pb.FromChild_Finished:
		g.unwatch()
	}
}

// watch ends the run when a unit, begun with that much memory, goes over a limit before ctx ends.
func (g *guard) watch(ctx context.Context, index uint32, begun time.Time, before uint64) {
	var late, look <-chan time.Time
	if seconds := g.limits.GetFitSeconds(); seconds > 0 {
		timer := time.NewTimer(time.Duration(seconds * float64(time.Second)))
		defer timer.Stop()
		late = timer.C
	}
	most := g.limits.GetFitBytes()
	if most > 0 {
		ticker := time.NewTicker(memoryInterval)
		defer ticker.Stop()
		look = ticker.C
	}
	for {
		select {
		case <-ctx.Done():
			return
		case <-late:
			g.end(&overLimit{index, begun, tooLong(g.limits.GetFitSeconds())})
			return
		case <-look:
			if now := g.child.Memory(before + most); now > before+most {
				g.end(&overLimit{index, begun, tooLarge(now-before, most)})
				return
			}
		}
	}
}

func tooLong(limit float64) *pb.Failure {
	return &pb.Failure{
		Type: "crossfold.FitTimeout",
		Message: fmt.Sprintf("it ran for more than %v s and was killed. Allow more with fit_timeout"+
			" (limits.fit_seconds in a job file), or give it less to do", limit),
	}
}

func tooLarge(added, limit uint64) *pb.Failure {
	return &pb.Failure{
		Type: "crossfold.FitMemoryExceeded",
		Message: fmt.Sprintf("it took %d MB of memory, more than its %d MB, and was killed. Allow more with"+
			" fit_memory (limits.fit_bytes in a job file), or give it less to hold", added/1e6, limit/1e6),
	}
}
