// Package workertest has a worker without Python: a coordinator.SidecarFunc whose slots answer
// tasks with a Go function. Tests and benchmarks of everything around workers use it.
package workertest

import (
	"context"
	"errors"
	"os"
	"sync"
	"time"

	"github.com/crossfold/crossfold/coordinator"
	"github.com/crossfold/crossfold/coordinator/queue"
	pb "github.com/crossfold/crossfold/proto/crossfold/v1"
)

// beat is the time between two heartbeats.
const beat = 500 * time.Millisecond

// Config says how a worker behaves.
type Config struct {
	// ID is unique in the cluster. Default: fake.
	ID string
	// Environment is what the worker reports. Default: Python 3.11.7 without packages.
	Environment *pb.Environment
	// Run answers a task: with results, and a fault if the attempt died before all were done. Its
	// context ends when the task's job is dropped. Default: Succeed.
	Run func(ctx context.Context, task *pb.Task) ([]*pb.Result, *pb.Fault)
}

// Sidecar returns a SidecarFunc that starts such a worker.
func Sidecar(config Config) coordinator.SidecarFunc {
	if config.ID == "" {
		config.ID = "fake"
	}
	if config.Environment == nil {
		config.Environment = &pb.Environment{Python: "3.11.7"}
	}
	if config.Run == nil {
		config.Run = Succeed
	}
	return func(ctx context.Context, given coordinator.SidecarConfig) (coordinator.Sidecar, error) {
		return start(ctx, config, given)
	}
}

// Succeed gives every fit the score candidate + split/10 and every call no value.
func Succeed(_ context.Context, task *pb.Task) ([]*pb.Result, *pb.Fault) {
	results := make([]*pb.Result, 0, len(task.GetFits())+len(task.GetCalls()))
	for _, fit := range task.GetFits() {
		result := OK(task, fit.GetIndex())
		score := float64(fit.GetCandidateIndex()) + float64(fit.GetSplitIndex())/10
		result.TestScores = map[string]float64{"score": score}
		results = append(results, result)
	}
	for _, call := range task.GetCalls() {
		results = append(results, OK(task, call.GetIndex()))
	}
	return results, nil
}

// OK is the result of a unit that returned.
func OK(task *pb.Task, index uint32) *pb.Result {
	return &pb.Result{
		JobId: task.GetJobId(), Index: index, Outcome: pb.Outcome_OUTCOME_OK, SlotSeconds: 1e-6,
		Attempt: task.GetAttempt(),
	}
}

// worker is one running fake.
type worker struct {
	config  Config
	queue   queue.Queue
	source  queue.TaskSource
	cancel  context.CancelFunc
	running sync.WaitGroup

	mu sync.Mutex
	// tasks holds the cancel functions of what runs, by job.
	tasks map[string]map[*context.CancelFunc]struct{}
}

func start(ctx context.Context, config Config, given coordinator.SidecarConfig) (*worker, error) {
	source, err := given.Queue.Tasks(ctx)
	if err != nil {
		return nil, err
	}
	w := &worker{
		config: config, queue: given.Queue, source: source, tasks: map[string]map[*context.CancelFunc]struct{}{},
	}
	ctx, w.cancel = context.WithCancel(context.Background())
	dropped, err := given.Queue.Dropped(ctx)
	if err != nil {
		w.cancel()
		return nil, errors.Join(err, source.Close())
	}
	for range given.Slots {
		w.running.Go(func() { w.slot(ctx) })
	}
	w.running.Go(func() { w.beats(ctx, given.Slots) })
	w.running.Go(func() {
		for job := range dropped {
			w.drop(job)
		}
	})
	return w, nil
}

func (w *worker) slot(ctx context.Context) {
	for {
		delivery, err := w.source.Fetch(ctx)
		if err != nil {
			return
		}
		task := delivery.Task()
		running, cancel := context.WithCancel(ctx)
		w.add(task.GetJobId(), &cancel)
		results, fault := w.config.Run(running, task)
		w.remove(task.GetJobId(), &cancel)
		dropped := running.Err() != nil
		cancel()
		if !dropped && w.report(ctx, task, results, fault) != nil {
			return
		}
		if delivery.Ack(ctx) != nil {
			return
		}
	}
}

func (w *worker) report(ctx context.Context, task *pb.Task, results []*pb.Result, fault *pb.Fault) error {
	var err error
	if len(task.GetCalls()) > 0 {
		err = w.queue.PublishCallResults(ctx, results)
	} else {
		err = w.queue.PublishResults(ctx, results)
	}
	if err == nil && fault != nil {
		err = w.queue.PublishFault(ctx, fault)
	}
	return err
}

func (w *worker) add(job string, cancel *context.CancelFunc) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.tasks[job] == nil {
		w.tasks[job] = map[*context.CancelFunc]struct{}{}
	}
	w.tasks[job][cancel] = struct{}{}
}

func (w *worker) remove(job string, cancel *context.CancelFunc) {
	w.mu.Lock()
	defer w.mu.Unlock()
	delete(w.tasks[job], cancel)
	if len(w.tasks[job]) == 0 {
		delete(w.tasks, job)
	}
}

func (w *worker) drop(job string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for cancel := range w.tasks[job] {
		(*cancel)()
	}
}

func (w *worker) beats(ctx context.Context, slots int) {
	ticker := time.NewTicker(beat)
	defer ticker.Stop()
	info := &pb.WorkerInfo{
		Id: w.config.ID, Host: "localhost", Pid: int64(os.Getpid()), Slots: uint32(slots),
		Environment: w.config.Environment,
	}
	for w.queue.Heartbeat(ctx, info) == nil {
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return
		}
	}
}

// Close ends what runs and the worker.
func (w *worker) Close() error {
	w.cancel()
	err := w.source.Close()
	w.running.Wait()
	return err
}
