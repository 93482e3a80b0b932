package server

import (
	"context"
	"errors"
	"io"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/crossfold/crossfold/coordinator"
	pb "github.com/crossfold/crossfold/proto/crossfold/v1"
)

type jobsService struct {
	pb.UnimplementedJobsServer
	server *Server
	c      *coordinator.Coordinator
}

func (j *jobsService) Hello(ctx context.Context, request *pb.HelloRequest) (*pb.HelloResponse, error) {
	answer, err := j.c.Hello(ctx, request)
	return answer, statusOf(err)
}

func (j *jobsService) Submit(ctx context.Context, request *pb.SubmitRequest) (*pb.SubmitResponse, error) {
	id, err := j.c.Submit(ctx, request.GetJob())
	if err != nil {
		return nil, statusOf(err)
	}
	return &pb.SubmitResponse{JobId: id}, nil
}

func (j *jobsService) Events(request *pb.EventsRequest, stream grpc.ServerStreamingServer[pb.Event]) error {
	ctx, cancel := j.server.until(stream.Context())
	defer cancel()
	events, err := j.c.Events(ctx, request.GetJobId())
	if err != nil {
		return statusOf(err)
	}
	var last *pb.Event
	for event := range events {
		if err := stream.Send(event); err != nil {
			return err
		}
		last = event
	}
	if phase := last.GetState().GetPhase(); phase == pb.JobState_PHASE_UNSPECIFIED || phase == pb.JobState_PHASE_RUNNING {
		return statusOf(errors.Join(stream.Context().Err(), coordinator.ErrClosed))
	}
	return nil
}

func (j *jobsService) Cancel(ctx context.Context, request *pb.CancelRequest) (*pb.CancelResponse, error) {
	if err := j.c.Cancel(ctx, request.GetJobId()); err != nil {
		return nil, statusOf(err)
	}
	return &pb.CancelResponse{}, nil
}

func (j *jobsService) List(ctx context.Context, _ *pb.ListRequest) (*pb.ListResponse, error) {
	jobs, err := j.c.Jobs(ctx)
	if err != nil {
		return nil, statusOf(err)
	}
	return &pb.ListResponse{Jobs: jobs}, nil
}

func (j *jobsService) Stats(context.Context, *pb.StatsRequest) (*pb.StatsResponse, error) {
	return j.c.Stats(), nil
}

func (j *jobsService) Ensemble(ctx context.Context, request *pb.EnsembleRequest) (*pb.EnsembleResponse, error) {
	ctx, cancel := j.server.until(ctx)
	defer cancel()
	answer, err := j.c.Ensemble(ctx, request)
	if err != nil {
		return nil, statusOf(err)
	}
	return answer, nil
}

func (j *jobsService) Predictions(ctx context.Context, request *pb.PredictionsRequest) (*pb.PredictionsResponse, error) {
	ctx, cancel := j.server.until(ctx)
	defer cancel()
	answer, err := j.c.Predictions(ctx, request)
	if err != nil {
		return nil, statusOf(err)
	}
	return answer, nil
}

func (j *jobsService) Stack(ctx context.Context, request *pb.PredictionsRequest) (*pb.StackResponse, error) {
	ctx, cancel := j.server.until(ctx)
	defer cancel()
	answer, err := j.c.Stack(ctx, request)
	if err != nil {
		return nil, statusOf(err)
	}
	return answer, nil
}

// Session reads steps in this goroutine and writes events in another. It ends, and with it the
// client's jobs, when the client closes or breaks the stream.
func (j *jobsService) Session(stream grpc.BidiStreamingServer[pb.SessionRequest, pb.SessionResponse]) error {
	session, err := j.c.OpenSession()
	if err != nil {
		return statusOf(err)
	}
	ctx, cancel := j.server.until(stream.Context())
	defer cancel()
	written := make(chan error, 1)
	go func() { written <- write(ctx, session, stream) }()
	read := make(chan error, 1)
	go func() { read <- handle(ctx, session, stream) }()
	select {
	case err = <-read:
		session.Close()
		if err == nil { // the client has no more steps: give it the events that are left
			err = <-written
		}
	case err = <-written:
		session.Close()
	}
	switch {
	case j.server.ctx.Err() != nil:
		return status.Error(codes.Unavailable, "the coordinator is stopping; start it again")
	case errors.Is(err, coordinator.ErrClosed):
		return nil
	}
	return statusOf(err)
}

// handle takes the client's steps; nil when the client has no more.
func handle(
	ctx context.Context, session *coordinator.Session,
	stream grpc.BidiStreamingServer[pb.SessionRequest, pb.SessionResponse],
) error {
	for {
		request, err := stream.Recv()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		if err := session.Handle(ctx, request); err != nil {
			return err
		}
	}
}

// write sends events as they come, in one message what waits.
func write(
	ctx context.Context, session *coordinator.Session,
	stream grpc.BidiStreamingServer[pb.SessionRequest, pb.SessionResponse],
) error {
	for {
		events, err := session.Next(ctx)
		if err != nil {
			return err
		}
		if err := stream.Send(&pb.SessionResponse{Events: events}); err != nil {
			return err
		}
	}
}

// until returns a context that also ends with Stop.
func (s *Server) until(ctx context.Context) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancel(ctx)
	stop := context.AfterFunc(s.ctx, cancel)
	return ctx, func() { stop(); cancel() }
}
