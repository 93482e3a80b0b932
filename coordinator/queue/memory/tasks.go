package memory

import (
	"cmp"
	"container/list"
	"context"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/crossfold/crossfold/coordinator/queue"
	pb "github.com/crossfold/crossfold/proto/crossfold/v1"
)

// taskKey is what makes a task unique: the same two parts as its subject in JetStream.
type taskKey struct{ job, task string }

func keyOf(task *pb.Task) taskKey { return taskKey{task.GetJobId(), task.GetId()} }

// entry is one stored task.
type entry struct {
	task      *pb.Task
	delivered int
	// place is the entry's element in the ready list; nil while a worker holds it.
	place *list.Element
	// lease fires when the worker that holds the task let it lapse.
	lease *time.Timer
}

// handed is an entry in the hands of a Fetch; count is the number of this delivery.
type handed struct {
	entry *entry
	count int
}

// waiter is one Fetch that waits. Its channel has room for one.
type waiter struct{ got chan handed }

// taskList holds the stored tasks: those ready for delivery in order, and those in workers' hands.
type taskList struct {
	entries map[taskKey]*entry
	ready   *list.List
	waiters *list.List
}

func newTaskList() taskList {
	return taskList{entries: map[taskKey]*entry{}, ready: list.New(), waiters: list.New()}
}

func (l *taskList) drop(job string) {
	for key, e := range l.entries {
		if key.job == job {
			l.remove(e)
		}
	}
}

func (l *taskList) remove(e *entry) {
	delete(l.entries, keyOf(e.task))
	if e.place != nil {
		l.ready.Remove(e.place)
		e.place = nil
	}
	if e.lease != nil {
		e.lease.Stop()
	}
}

func (l *taskList) stopTimers() {
	for _, e := range l.entries {
		if e.lease != nil {
			e.lease.Stop()
		}
	}
}

// PublishTask stores a task and hands it to the Fetch that has waited longest.
func (q *Queue) PublishTask(ctx context.Context, task *pb.Task) error {
	err := cmp.Or(q.open(ctx), queue.CheckID("job", task.GetJobId()), queue.CheckID("task", task.GetId()))
	if err != nil {
		return err
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	if _, stored := q.tasks.entries[keyOf(task)]; stored {
		return nil
	}
	e := &entry{task: task}
	q.tasks.entries[keyOf(task)] = e
	e.place = q.tasks.ready.PushBack(e)
	q.handOut()
	return nil
}

// handOut gives ready tasks to waiting fetches. The caller holds q.mu.
func (q *Queue) handOut() {
	for q.tasks.ready.Len() > 0 && q.tasks.waiters.Len() > 0 {
		e := q.tasks.ready.Remove(q.tasks.ready.Front()).(*entry)
		w := q.tasks.waiters.Remove(q.tasks.waiters.Front()).(*waiter)
		e.place = nil
		e.delivered++
		q.startLease(e)
		w.got <- handed{e, e.delivered}
	}
}

func (q *Queue) startLease(e *entry) {
	delivery := e.delivered
	e.lease = time.AfterFunc(q.lease, func() {
		q.mu.Lock()
		defer q.mu.Unlock()
		if e.delivered == delivery {
			q.giveBack(e)
		}
	})
}

// giveBack makes a held task ready again, before all others. The caller holds q.mu.
func (q *Queue) giveBack(e *entry) {
	if q.tasks.entries[keyOf(e.task)] != e || e.place != nil || q.ctx.Err() != nil {
		return
	}
	e.lease.Stop()
	e.place = q.tasks.ready.PushFront(e)
	q.handOut()
}

// Tasks returns a source of tasks.
func (q *Queue) Tasks(ctx context.Context) (queue.TaskSource, error) {
	if err := q.open(ctx); err != nil {
		return nil, err
	}
	return &source{queue: q, closed: make(chan struct{}), held: map[*delivery]struct{}{}}, nil
}

type source struct {
	queue *Queue
	once  sync.Once
	// closed ends waiting fetches.
	closed chan struct{}

	mu   sync.Mutex
	held map[*delivery]struct{}
}

func (s *source) Fetch(ctx context.Context) (queue.Delivery, error) {
	if err := cmp.Or(s.open(), ctx.Err()); err != nil {
		return nil, err
	}
	q := s.queue
	w := &waiter{got: make(chan handed, 1)}
	q.mu.Lock()
	place := q.tasks.waiters.PushBack(w)
	q.handOut()
	q.mu.Unlock()
	select {
	case got := <-w.got:
		return s.take(got), nil
	case <-ctx.Done():
		return nil, s.leave(w, place, ctx.Err())
	case <-s.closed:
		return nil, s.leave(w, place, queue.ErrClosed)
	case <-q.ctx.Done():
		return nil, s.leave(w, place, queue.ErrClosed)
	}
}

func (s *source) open() error {
	select {
	case <-s.closed:
		return queue.ErrClosed
	case <-s.queue.ctx.Done():
		return queue.ErrClosed
	default:
		return nil
	}
}

// leave ends a wait; a task that was handed over in the same moment goes back.
func (s *source) leave(w *waiter, place *list.Element, reason error) error {
	q := s.queue
	q.mu.Lock()
	defer q.mu.Unlock()
	q.tasks.waiters.Remove(place)
	select {
	case got := <-w.got:
		q.giveBack(got.entry)
	default:
	}
	return reason
}

func (s *source) take(got handed) *delivery {
	d := &delivery{source: s, entry: got.entry, count: got.count}
	s.mu.Lock()
	s.held[d] = struct{}{}
	s.mu.Unlock()
	return d
}

func (s *source) release(d *delivery) {
	s.mu.Lock()
	delete(s.held, d)
	s.mu.Unlock()
}

func (s *source) Close() error {
	s.once.Do(func() { close(s.closed) })
	s.mu.Lock()
	held := slices.Collect(maps.Keys(s.held))
	clear(s.held)
	s.mu.Unlock()
	s.queue.mu.Lock()
	defer s.queue.mu.Unlock()
	for _, d := range held {
		if d.current() {
			s.queue.giveBack(d.entry)
		}
	}
	return nil
}

type delivery struct {
	source *source
	entry  *entry
	count  int
}

func (d *delivery) Task() *pb.Task { return d.entry.task }
func (d *delivery) Delivered() int { return d.count }

// current says whether the task was not delivered again since. The caller holds the queue's lock.
func (d *delivery) current() bool { return d.entry.delivered == d.count }

func (d *delivery) Extend(ctx context.Context) error {
	q := d.source.queue
	if err := q.open(ctx); err != nil {
		return err
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	if d.current() && d.entry.place == nil && q.tasks.entries[keyOf(d.entry.task)] == d.entry {
		d.entry.lease.Stop()
		q.startLease(d.entry)
	}
	return nil
}

func (d *delivery) Ack(ctx context.Context) error {
	q := d.source.queue
	d.source.release(d)
	if err := q.open(ctx); err != nil {
		return err
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.tasks.entries[keyOf(d.entry.task)] == d.entry {
		q.tasks.remove(d.entry)
	}
	return nil
}

func (d *delivery) Nak(ctx context.Context) error {
	q := d.source.queue
	d.source.release(d)
	if err := q.open(ctx); err != nil {
		return err
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	if d.current() {
		q.giveBack(d.entry)
	}
	return nil
}
