package workers

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/crossfold/crossfold/coordinator/queue"
	pb "github.com/crossfold/crossfold/proto/crossfold/v1"
)

// misfitPause is how long a slot leaves the tasks to other workers after one that it may not run.
const misfitPause = 10 * time.Second

// suits says whether this worker may run a task; if not it has given the task back.
func (w *Worker) suits(delivery queue.Delivery) bool {
	task := delivery.Task()
	difference := queue.CompareEnvironments(task.GetEnvironment(), w.zygotes.environment())
	if difference == nil {
		return true
	}
	w.cfg.Logger.Warn("gave a task back: this worker's environment is not the cluster's", "worker", w.cfg.ID,
		"job", task.GetJobId(), "package", difference.Name, "wanted", difference.Wanted, "found", difference.Found)
	ctx, cancel := context.WithTimeout(context.WithoutCancel(w.ctx), ackTimeout)
	defer cancel()
	if err := delivery.Nak(ctx); err != nil && !errors.Is(err, queue.ErrClosed) {
		w.cfg.Logger.Error("give a task back; its lease will lapse", "worker", w.cfg.ID, "error", err)
	}
	return false
}

// codeOf is a digest of the user's modules that a task was submitted with; empty when there are none.
func codeOf(environment *pb.Environment) string {
	modules := environment.GetCode()
	if len(modules) == 0 {
		return ""
	}
	digest := sha256.New()
	for _, name := range slices.Sorted(maps.Keys(modules)) {
		fmt.Fprintf(digest, "%s %s\n", name, modules[name])
	}
	return hex.EncodeToString(digest.Sum(nil))
}
