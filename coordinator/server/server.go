// Package server offers a coordinator over gRPC: the services Jobs and Data.
package server

import (
	"context"
	"net"
	"sync"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/keepalive"
	"google.golang.org/grpc/stats"

	"github.com/crossfold/crossfold/coordinator"
	pb "github.com/crossfold/crossfold/proto/crossfold/v1"
)

const (
	// maxMessage bounds a message, both ways.
	maxMessage = 64 << 20
	// stopPatience is how long Stop waits for calls to end by themselves.
	stopPatience = time.Second
)

// Server serves a coordinator.
type Server struct {
	coordinator *coordinator.Coordinator
	grpc        *grpc.Server
	connections connections
	// ctx ends with Stop, and with it every session.
	ctx    context.Context
	cancel context.CancelFunc
}

// New returns a server of c. Options add to it, such as credentials and interceptors.
func New(c *coordinator.Coordinator, options ...grpc.ServerOption) *Server {
	s := &Server{coordinator: c}
	s.ctx, s.cancel = context.WithCancel(context.Background())
	s.connections.quiet = time.Now()
	s.grpc = grpc.NewServer(append([]grpc.ServerOption{
		grpc.MaxRecvMsgSize(maxMessage),
		grpc.MaxSendMsgSize(maxMessage),
		grpc.StatsHandler(&s.connections),
		grpc.KeepaliveEnforcementPolicy(keepalive.EnforcementPolicy{
			MinTime: 5 * time.Second, PermitWithoutStream: true,
		}),
	}, options...)...)
	pb.RegisterJobsServer(s.grpc, &jobsService{server: s, c: c})
	pb.RegisterDataServer(s.grpc, &dataService{store: c.Store()})
	return s
}

// Serve accepts connections until Stop. It closes the listener.
func (s *Server) Serve(listener net.Listener) error { return s.grpc.Serve(listener) }

// Stop ends the sessions and the server. It returns when every call has ended.
func (s *Server) Stop() {
	s.cancel()
	timer := time.AfterFunc(stopPatience, s.grpc.Stop)
	defer timer.Stop()
	s.grpc.GracefulStop()
}

// Connected is the number of open connections.
func (s *Server) Connected() int {
	s.connections.mu.Lock()
	defer s.connections.mu.Unlock()
	return s.connections.open
}

// IdleSince is since when no client is connected and no job runs; zero while one is or does.
func (s *Server) IdleSince() time.Time {
	jobs := s.coordinator.IdleSince()
	s.connections.mu.Lock()
	defer s.connections.mu.Unlock()
	if s.connections.open > 0 || jobs.IsZero() {
		return time.Time{}
	}
	if s.connections.quiet.After(jobs) {
		return s.connections.quiet
	}
	return jobs
}

// connections counts the open connections.
type connections struct {
	mu   sync.Mutex
	open int
	// quiet is when the last one was closed.
	quiet time.Time
}

func (c *connections) HandleConn(_ context.Context, event stats.ConnStats) {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch event.(type) {
	case *stats.ConnBegin:
		c.open++
	case *stats.ConnEnd:
		c.open--
		c.quiet = time.Now()
	}
}

func (c *connections) TagConn(ctx context.Context, _ *stats.ConnTagInfo) context.Context { return ctx }
func (c *connections) TagRPC(ctx context.Context, _ *stats.RPCTagInfo) context.Context   { return ctx }
func (c *connections) HandleRPC(context.Context, stats.RPCStats)                         {}
