package workers

import (
	"os"
	"time"

	pb "github.com/crossfold/crossfold/proto/crossfold/v1"
)

const (
	// heartbeatInterval is the longest pause between two heartbeats.
	heartbeatInterval = 2 * time.Second
	// heartbeatGap is the shortest: tiny tasks change the state thousands of times a second.
	heartbeatGap = 200 * time.Millisecond
)

// pulse asks for a heartbeat soon.
type pulse struct {
	wanted chan struct{}
}

func newPulse() *pulse { return &pulse{wanted: make(chan struct{}, 1)} }

func (p *pulse) want() {
	select {
	case p.wanted <- struct{}{}:
	default:
	}
}

// heartbeats reports the worker's state every 2 s and soon after a change, once Python is ready. A
// worker that can't run anything says why.
func (w *Worker) heartbeats() {
	for w.ctx.Err() == nil {
		if _, err := w.zygotes.get(w.ctx, baseKind); err != nil {
			if reason := w.zygotes.broken(); reason != "" {
				w.heartbeat("its Python can't be started: " + reason)
			}
			pause(w.ctx, retryPause)
			continue
		}
		w.heartbeat("")
		select {
		case <-w.ctx.Done():
		case <-time.After(heartbeatGap):
		}
		select {
		case <-w.ctx.Done():
		case <-w.pulse.wanted:
		case <-time.After(heartbeatInterval - heartbeatGap):
		}
	}
}

func (w *Worker) heartbeat(refused string) {
	err := w.cfg.Queue.Heartbeat(w.ctx, &pb.WorkerInfo{
		Id:          w.cfg.ID,
		Host:        w.host,
		Pid:         int64(os.Getpid()),
		Slots:       uint32(w.cfg.Slots),
		Busy:        uint32(w.busy.Load()),
		Environment: w.zygotes.environment(),
		Refused:     refused,
	})
	if err != nil && w.ctx.Err() == nil {
		w.cfg.Logger.Warn("send a heartbeat", "worker", w.cfg.ID, "error", err)
	}
}
