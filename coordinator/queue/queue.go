// Package queue is the seam between the coordinator, its workers and the message bus.
//
// One interface has two implementations, jetstream and memory, and one conformance suite
// (queuetest) that both pass. The promises below are the suite's test cases.
package queue

import (
	"context"
	"errors"
	"fmt"

	pb "github.com/crossfold/crossfold/proto/crossfold/v1"
)

// ErrClosed is returned by every method after Close, and by Fetch when its source was closed.
var ErrClosed = errors.New("queue: closed")

// Queue carries tasks to workers and results back, and keeps the ledger.
//
// All methods are safe for concurrent use. Every wait ends with the context. Messages that were
// handed over or received are shared: nobody changes them afterwards.
//
// Job, task, worker and session ids become parts of subjects: 1 to 128 letters, digits, "-" or "_".
type Queue interface {
	// PublishTask stores a task until a worker acks it or its job is purged. Publishing a task id
	// that is stored already is a no-op. Tasks are delivered in the order they were published.
	PublishTask(ctx context.Context, task *pb.Task) error
	// Tasks returns a source of tasks for one worker.
	Tasks(ctx context.Context) (TaskSource, error)

	// PublishResult stores the result of a fit in the ledger, durably, before it returns. The first
	// stored result of a (job, index) stands for ever: for a later one first is false, and it is
	// dropped.
	PublishResult(ctx context.Context, result *pb.Result) (first bool, err error)
	// PublishResults stores results of one task's fits like PublishResult, in as few messages as
	// their size allows. A fit's first stored result stands here, too; Outcomes may deliver a later
	// one behind it, which its receiver must ignore.
	PublishResults(ctx context.Context, results []*pb.Result) error
	// PublishCallResults sends results of opaque calls. They are delivered to Outcomes once and do
	// not survive a restart: nobody is left to receive them.
	PublishCallResults(ctx context.Context, results []*pb.Result) error
	// PublishFault reports an attempt that died. It is stored until the coordinator has seen it.
	PublishFault(ctx context.Context, fault *pb.Fault) error
	// HasResults says of each index whether the ledger holds that fit's result. Results that were
	// stored together are found by their first, so indices holds all fits of the task in question.
	HasResults(ctx context.Context, jobID string, indices []uint32) ([]bool, error)
	// Outcomes delivers every result in the ledger, in stored order, then one Outcome with Replayed
	// set, then everything new: results, results of calls, and faults. There is one consumer at a
	// time, the coordinator. The channel is closed when ctx ends or the queue is closed.
	Outcomes(ctx context.Context) (<-chan Outcome, error)

	// SaveJob writes a job's manifest to the ledger, durably, replacing an earlier one.
	SaveJob(ctx context.Context, manifest *Manifest) error
	// Jobs returns every manifest in the ledger, oldest first.
	Jobs(ctx context.Context) ([]*Manifest, error)
	// DropTasks removes a job's waiting tasks and tells workers to kill what runs of it.
	DropTasks(ctx context.Context, jobID string) error
	// DropJob does what DropTasks does and removes the job's results and manifest.
	DropJob(ctx context.Context, jobID string) error
	// Dropped delivers the ids of jobs whose running fits must be killed, to workers.
	Dropped(ctx context.Context) (<-chan string, error)

	// EndSession tells workers that a client process is gone: its Python processes can go.
	EndSession(ctx context.Context, sessionID string) error
	// SessionsEnded delivers the ids of ended sessions, to workers.
	SessionsEnded(ctx context.Context) (<-chan string, error)

	// Heartbeat sends a worker's state; it is not stored.
	Heartbeat(ctx context.Context, info *pb.WorkerInfo) error
	// Heartbeats delivers workers' states to the coordinator.
	Heartbeats(ctx context.Context) (<-chan *pb.WorkerInfo, error)

	// Close frees what the queue holds. It is idempotent.
	Close() error
}

// Outcome is one thing workers reported. Exactly one field is set.
type Outcome struct {
	// Results holds one fit's result, or those of several calls.
	Results []*pb.Result
	Fault   *pb.Fault
	// Replayed says that everything the ledger held when Outcomes was called has been delivered.
	Replayed bool
}

// Manifest is what the ledger keeps of a job beside its results.
type Manifest struct {
	JobID string
	// SubmittedUnix is the time of submission in seconds since the Unix epoch.
	SubmittedUnix int64
	Spec          *pb.JobSpec
	State         *pb.JobState
}

// TaskSource hands tasks to one worker.
type TaskSource interface {
	// Fetch waits for one task. It returns ctx's error when ctx ends first. Nothing is prefetched:
	// a task that no Fetch waits for stays available to every worker.
	Fetch(ctx context.Context) (Delivery, error)
	// Close gives back what was fetched and not acked. It is idempotent.
	Close() error
}

// Delivery is one attempt at a task. Its lease lasts LeaseSeconds; a worker that lets it lapse
// loses the task to another worker.
type Delivery interface {
	Task() *pb.Task
	// Delivered counts deliveries of this task message, from 1.
	Delivered() int
	// Extend renews the lease.
	Extend(ctx context.Context) error
	// Ack removes the task. It says nothing about who owned it: results decide, not acks.
	Ack(ctx context.Context) error
	// Nak gives the task back for immediate redelivery.
	Nak(ctx context.Context) error
}

// CheckID refuses an id that can't be a part of a subject.
func CheckID(kind, id string) error {
	if len(id) == 0 || len(id) > 128 {
		return fmt.Errorf("queue: %s id %q has %d characters: use 1 to 128", kind, id, len(id))
	}
	for i := range len(id) {
		c := id[i]
		if c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '-' || c == '_' {
			continue
		}
		return fmt.Errorf("queue: %s id %q has a %q in it: use letters, digits, \"-\" and \"_\"", kind, id, c)
	}
	return nil
}

// LeaseSeconds is how long a worker may hold a task without extending it.
const LeaseSeconds = 30
