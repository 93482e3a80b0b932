// Package memory is the queue inside one process: nothing outlives it. It keeps every promise of
// queue.Queue but durability, and is what tests and single-process programs use.
package memory

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/crossfold/crossfold/coordinator/internal/outlet"
	"github.com/crossfold/crossfold/coordinator/queue"
	pb "github.com/crossfold/crossfold/proto/crossfold/v1"
)

var _ queue.Queue = (*Queue)(nil)

// errSecondConsumer protects the promise that every outcome is delivered to one receiver.
var errSecondConsumer = errors.New("queue: outcomes have a consumer already; end its context first")

// Config says how the queue behaves.
type Config struct {
	// Lease is how long a worker may hold a task without extending it. Default: queue.LeaseSeconds.
	Lease time.Duration
}

// Queue is the in-memory queue.
type Queue struct {
	lease  time.Duration
	ctx    context.Context
	cancel context.CancelFunc
	// running counts the goroutines that feed channels handed out.
	running sync.WaitGroup

	dropped    broadcast[string]
	ended      broadcast[string]
	heartbeats broadcast[*pb.WorkerInfo]

	mu       sync.Mutex
	tasks    taskList
	ledger   ledger
	jobs     map[string]*queue.Manifest
	waiting  []queue.Outcome
	consumer *outlet.Mailbox[queue.Outcome]
}

// New returns an empty queue.
func New(config Config) *Queue {
	if config.Lease <= 0 {
		config.Lease = queue.LeaseSeconds * time.Second
	}
	ctx, cancel := context.WithCancel(context.Background())
	return &Queue{
		lease:  config.Lease,
		ctx:    ctx,
		cancel: cancel,
		tasks:  newTaskList(),
		ledger: newLedger(),
		jobs:   map[string]*queue.Manifest{},
	}
}

// open says whether a call may go on.
func (q *Queue) open(ctx context.Context) error {
	if q.ctx.Err() != nil {
		return queue.ErrClosed
	}
	return ctx.Err()
}

// PublishResult stores the first result of a fit.
func (q *Queue) PublishResult(ctx context.Context, result *pb.Result) (bool, error) {
	if err := cmp.Or(q.open(ctx), queue.CheckID("job", result.GetJobId())); err != nil {
		return false, err
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	if !q.ledger.add(result) {
		return false, nil
	}
	if q.consumer != nil {
		q.consumer.Put(queue.Outcome{Results: []*pb.Result{result}})
	}
	return true, nil
}

// PublishResults stores the first results of fits.
func (q *Queue) PublishResults(ctx context.Context, results []*pb.Result) error {
	for _, result := range results {
		if err := queue.CheckID("job", result.GetJobId()); err != nil {
			return err
		}
	}
	if err := q.open(ctx); err != nil {
		return err
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	var first []*pb.Result
	for _, result := range results {
		if q.ledger.add(result) {
			first = append(first, result)
		}
	}
	if q.consumer != nil && len(first) > 0 {
		q.consumer.Put(queue.Outcome{Results: first})
	}
	return nil
}

// PublishCallResults hands results of calls to the coordinator, once.
func (q *Queue) PublishCallResults(ctx context.Context, results []*pb.Result) error {
	if err := q.open(ctx); err != nil || len(results) == 0 {
		return err
	}
	return q.report(queue.Outcome{Results: slices.Clone(results)})
}

// PublishFault hands a fault to the coordinator, once.
func (q *Queue) PublishFault(ctx context.Context, fault *pb.Fault) error {
	if err := q.open(ctx); err != nil {
		return err
	}
	return q.report(queue.Outcome{Fault: fault})
}

func (q *Queue) report(outcome queue.Outcome) error {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.consumer != nil {
		q.consumer.Put(outcome)
	} else {
		q.waiting = append(q.waiting, outcome)
	}
	return nil
}

// HasResults looks fits up in the ledger.
func (q *Queue) HasResults(ctx context.Context, jobID string, indices []uint32) ([]bool, error) {
	if err := q.open(ctx); err != nil {
		return nil, err
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	has := make([]bool, len(indices))
	for i, index := range indices {
		has[i] = q.ledger.has(jobID, index)
	}
	return has, nil
}

// Outcomes replays the ledger and then delivers what is new.
func (q *Queue) Outcomes(ctx context.Context) (<-chan queue.Outcome, error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if err := q.open(ctx); err != nil {
		return nil, err
	}
	if q.consumer != nil {
		return nil, errSecondConsumer
	}
	box := outlet.NewMailbox[queue.Outcome]()
	for _, result := range q.ledger.inOrder() {
		box.Put(queue.Outcome{Results: []*pb.Result{result}})
	}
	box.Put(queue.Outcome{Replayed: true})
	box.Put(q.waiting...)
	q.waiting, q.consumer = nil, box

	ctx, out := attach[queue.Outcome](q, ctx)
	go func() {
		defer q.running.Done()
		defer out.Close()
		left := pump(ctx, box, out)
		q.mu.Lock()
		defer q.mu.Unlock()
		q.consumer = nil
		q.keep(append(left, box.Drain()...))
	}()
	return out.C(), nil
}

// keep saves for the next consumer what the ledger does not replay. The caller holds q.mu.
func (q *Queue) keep(outcomes []queue.Outcome) {
	for _, outcome := range outcomes {
		if len(outcome.Results) > 0 {
			first := outcome.Results[0]
			if q.ledger.has(first.GetJobId(), first.GetIndex()) {
				continue
			}
		}
		if !outcome.Replayed {
			q.waiting = append(q.waiting, outcome)
		}
	}
}

// SaveJob keeps a copy of a manifest.
func (q *Queue) SaveJob(ctx context.Context, manifest *queue.Manifest) error {
	if err := cmp.Or(q.open(ctx), queue.CheckID("job", manifest.JobID)); err != nil {
		return err
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	q.jobs[manifest.JobID] = clone(manifest)
	return nil
}

// Jobs lists the manifests, oldest first.
func (q *Queue) Jobs(ctx context.Context) ([]*queue.Manifest, error) {
	if err := q.open(ctx); err != nil {
		return nil, err
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	all := make([]*queue.Manifest, 0, len(q.jobs))
	for _, manifest := range q.jobs {
		all = append(all, clone(manifest))
	}
	slices.SortFunc(all, func(a, b *queue.Manifest) int {
		return cmp.Or(cmp.Compare(a.SubmittedUnix, b.SubmittedUnix), cmp.Compare(a.JobID, b.JobID))
	})
	return all, nil
}

// DropTasks removes a job's tasks and tells workers.
func (q *Queue) DropTasks(ctx context.Context, jobID string) error {
	if err := cmp.Or(q.open(ctx), queue.CheckID("job", jobID)); err != nil {
		return err
	}
	q.mu.Lock()
	q.tasks.drop(jobID)
	q.mu.Unlock()
	q.dropped.send(jobID)
	return nil
}

// DropJob forgets a job.
func (q *Queue) DropJob(ctx context.Context, jobID string) error {
	if err := q.DropTasks(ctx, jobID); err != nil {
		return err
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	q.ledger.drop(jobID)
	delete(q.jobs, jobID)
	return nil
}

// Dropped delivers the ids of dropped jobs.
func (q *Queue) Dropped(ctx context.Context) (<-chan string, error) {
	return subscribe(q, ctx, &q.dropped)
}

// EndSession tells workers that a client is gone.
func (q *Queue) EndSession(ctx context.Context, sessionID string) error {
	if err := cmp.Or(q.open(ctx), queue.CheckID("session", sessionID)); err != nil {
		return err
	}
	q.ended.send(sessionID)
	return nil
}

// SessionsEnded delivers the ids of ended sessions.
func (q *Queue) SessionsEnded(ctx context.Context) (<-chan string, error) {
	return subscribe(q, ctx, &q.ended)
}

// Heartbeat sends a worker's state.
func (q *Queue) Heartbeat(ctx context.Context, info *pb.WorkerInfo) error {
	if err := cmp.Or(q.open(ctx), queue.CheckID("worker", info.GetId())); err != nil {
		return err
	}
	q.heartbeats.send(info)
	return nil
}

// Heartbeats delivers workers' states.
func (q *Queue) Heartbeats(ctx context.Context) (<-chan *pb.WorkerInfo, error) {
	return subscribe(q, ctx, &q.heartbeats)
}

// Close ends every wait and closes every channel.
func (q *Queue) Close() error {
	q.mu.Lock()
	q.cancel()
	q.tasks.stopTimers()
	q.mu.Unlock()
	q.running.Wait()
	return nil
}

func clone(manifest *queue.Manifest) *queue.Manifest {
	return &queue.Manifest{
		JobID:         manifest.JobID,
		SubmittedUnix: manifest.SubmittedUnix,
		Spec:          proto.CloneOf(manifest.Spec),
		State:         proto.CloneOf(manifest.State),
	}
}
