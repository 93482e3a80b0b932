package coordinator

import (
	"context"
	"time"
)

// OpenImpatient is Open with short waits for workers.
func OpenImpatient(ctx context.Context, config Config, silence, wait time.Duration) (*Coordinator, error) {
	return open(ctx, config, timing{workerSilence: silence, workerWait: wait, sweep: wait / 10})
}
