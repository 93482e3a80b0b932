package coordinator

import (
	"context"
	"maps"
	"slices"
	"sync"

	"google.golang.org/grpc/codes"

	"github.com/crossfold/crossfold/coordinator/queue"
	pb "github.com/crossfold/crossfold/proto/crossfold/v1"
)

const (
	// pauseBytes of unread events stop a session's jobs from getting more tasks; resumeBytes let
	// them go on. What is under way still comes in, so a slow reader never blocks anybody.
	pauseBytes  = 64 << 20
	resumeBytes = 16 << 20
	// batchBytes is about how much Next returns at a time.
	batchBytes = 4 << 20
)

// Session is the door of an attached client: it opens jobs piece by piece and reads their events.
// One goroutine may call Handle while another calls Next.
type Session struct {
	c  *Coordinator
	id string

	// jobs, known and paused are guarded by c.mu. jobs holds those that run; known holds the ids of
	// all that were opened, so that late steps of ended jobs are told from mistakes.
	jobs   map[string]*job
	known  map[string]bool
	paused bool

	mu     sync.Mutex
	events []*pb.Event
	bytes  int
	closed bool
	signal chan struct{}
}

// OpenSession admits an attached client.
func (c *Coordinator) OpenSession() (*Session, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.ctx.Err() != nil {
		return nil, ErrClosed
	}
	s := &Session{
		c: c, id: newID(), jobs: map[string]*job{}, known: map[string]bool{}, signal: make(chan struct{}, 1),
	}
	c.sessions[s.id] = s
	return s, nil
}

// ID is the session's id.
func (s *Session) ID() string { return s.id }

// Handle takes one step; the request belongs to the session from then on. What is wrong with a job
// becomes the job's failure, which Next delivers; an error means that the session can't go on.
func (s *Session) Handle(ctx context.Context, request *pb.SessionRequest) error {
	if err := s.c.alive(ctx); err != nil {
		return err
	}
	if err := queue.CheckID("job", request.GetJobId()); err != nil {
		return coded(codes.InvalidArgument, err)
	}
	switch step := request.GetStep().(type) {
	case *pb.SessionRequest_Open:
		s.open(ctx, request.GetJobId(), step.Open)
	case *pb.SessionRequest_Append:
		s.with(request.GetJobId(), func(j *job) { s.append(j, step.Append) })
	case *pb.SessionRequest_Close:
		s.with(request.GetJobId(), func(j *job) { s.c.apply(j, j.machine.Close()) })
	case *pb.SessionRequest_Stop:
		s.with(request.GetJobId(), func(j *job) { s.c.apply(j, j.machine.Stop()) })
	default:
		return invalid("a request for job %s has no step: set open, append, close or stop", request.GetJobId())
	}
	return nil
}

func (s *Session) open(ctx context.Context, id string, spec *pb.JobSpec) {
	c := s.c
	err := c.checkSpec(spec)
	if err == nil {
		err = c.expandSplits(ctx, spec)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.jobs[id] != nil || s.known[id] {
		s.refuse(id, invalid("job id %s is in use: choose a random one", id))
		return
	}
	j, step := c.newJob(id, spec, s)
	c.jobs[id], s.jobs[id], s.known[id] = j, j, true
	c.apply(j, step)
	if err != nil {
		s.fail(j, err)
		return
	}
	s.append(j, &pb.Append{Splits: spec.GetSplits(), Candidates: spec.GetCandidates(), Fits: spec.GetFits()})
	c.admit(j)
}

func (s *Session) append(j *job, more *pb.Append) {
	if j.machine.Ended() {
		return
	}
	if j.machine.Closed() {
		s.fail(j, invalid("job %s was closed and then added to: close it last", j.id))
		return
	}
	if err := s.c.checkAppend(j.spec, len(j.splits), len(j.candidates), more); err != nil {
		s.fail(j, err)
		return
	}
	s.c.apply(j, j.add(more))
}

// with runs a step of a job; one of a job that ended meanwhile is ignored.
func (s *Session) with(id string, step func(*job)) {
	s.c.mu.Lock()
	defer s.c.mu.Unlock()
	if j := s.jobs[id]; j != nil {
		step(j)
	} else if !s.known[id] {
		s.refuse(id, notFound("no job %s in this session: open it first", id))
	}
}

func (s *Session) fail(j *job, err error) {
	known := coded(codes.InvalidArgument, err)
	s.c.apply(j, j.machine.Fail(known.Code, known.Message))
}

// refuse tells the client of a failure that has no job.
func (s *Session) refuse(id string, err *Error) {
	s.push([]*pb.Event{{JobId: id, Kind: &pb.Event_State{State: &pb.JobState{
		Phase: pb.JobState_PHASE_FAILED, Error: err.Message, ErrorCode: uint32(err.Code),
	}}}})
}

// push appends events; it says whether too much is unread. The caller holds c.mu.
func (s *Session) push(events []*pb.Event) (full bool) {
	s.mu.Lock()
	s.events = append(s.events, events...)
	for _, event := range events {
		s.bytes += weight(event)
	}
	full = s.bytes > pauseBytes
	s.mu.Unlock()
	s.wake()
	return full
}

func (s *Session) wake() {
	select {
	case s.signal <- struct{}{}:
	default:
	}
}

// weight is about how many bytes an event takes.
func weight(event *pb.Event) int {
	result := event.GetResult()
	return 128 + len(result.GetValue().GetInline()) + len(result.GetOutput()) +
		len(result.GetFailure().GetTraceback()) + len(result.GetFailure().GetPickle().GetInline())
}

// Next waits for events and returns those that wait, about 4 MiB at most. After Close it returns
// what is left, then ErrClosed.
func (s *Session) Next(ctx context.Context) ([]*Event, error) {
	for {
		events, resume, closed := s.take()
		if resume {
			s.c.unpause(s)
		}
		if len(events) > 0 {
			return events, nil
		}
		if closed {
			return nil, ErrClosed
		}
		select {
		case <-s.signal:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

func (s *Session) take() (events []*pb.Event, resume, closed bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	n, bytes := 0, 0
	for n < len(s.events) && bytes < batchBytes {
		bytes += weight(s.events[n])
		n++
	}
	events, s.events = s.events[:n:n], s.events[n:]
	if len(s.events) == 0 {
		s.events = nil
	}
	before := s.bytes
	s.bytes -= bytes
	return events, before > resumeBytes && s.bytes <= resumeBytes, s.closed
}

// pause stops handing out tasks of a session's jobs. The caller holds c.mu.
func (c *Coordinator) pause(s *Session) {
	if s.paused {
		return
	}
	s.paused = true
	for _, j := range s.jobs {
		j.machine.SetSlots(0)
	}
}

func (c *Coordinator) unpause(s *Session) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !s.paused {
		return
	}
	s.paused = false
	for _, j := range s.jobs {
		c.admit(j)
	}
}

// Close stops and forgets the session's jobs and ends its Python processes. It is idempotent.
func (s *Session) Close() {
	c := s.c
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.sessions[s.id] == nil {
		return
	}
	delete(c.sessions, s.id)
	for _, id := range slices.Sorted(maps.Keys(s.jobs)) {
		j := s.jobs[id]
		c.apply(j, j.machine.Stop())
	}
	c.courier.send("", func(ctx context.Context) error { return c.queue.EndSession(ctx, s.id) })
	s.mu.Lock()
	s.closed = true
	s.mu.Unlock()
	s.wake()
}

func (c *Coordinator) closeSessions() {
	c.mu.Lock()
	sessions := slices.Collect(maps.Values(c.sessions))
	c.mu.Unlock()
	for _, s := range sessions {
		s.Close()
	}
}
