package server_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"

	"github.com/crossfold/crossfold/arrowipc/store"
	"github.com/crossfold/crossfold/coordinator"
	"github.com/crossfold/crossfold/coordinator/queue/memory"
	"github.com/crossfold/crossfold/coordinator/server"
	"github.com/crossfold/crossfold/coordinator/workertest"
	pb "github.com/crossfold/crossfold/proto/crossfold/v1"
)

// patience bounds every wait.
const patience = 30 * time.Second

func bounded(t testing.TB) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	t.Cleanup(cancel)
	return ctx
}

// cluster is a coordinator with a fake worker behind a server on a Unix socket.
type cluster struct {
	coordinator *coordinator.Coordinator
	server      *server.Server
	socket      string
	served      chan error
}

func start(t testing.TB, worker workertest.Config) *cluster {
	t.Helper()
	c, err := coordinator.Open(bounded(t), coordinator.Config{
		Queue: memory.New(memory.Config{}), Slots: 2, Sidecar: workertest.Sidecar(worker),
		Version: "1.2.3", Logger: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		t.Fatal(err)
	}
	dir, err := os.MkdirTemp("", "cf") // t.TempDir may be too long for a socket
	if err != nil {
		t.Fatal(err)
	}
	k := &cluster{
		coordinator: c, server: server.New(c), socket: filepath.Join(dir, "sock"), served: make(chan error, 1),
	}
	listener, err := net.Listen("unix", k.socket)
	if err != nil {
		t.Fatal(err)
	}
	go func() { k.served <- k.server.Serve(listener) }()
	t.Cleanup(func() {
		k.server.Stop()
		if err := <-k.served; err != nil {
			t.Errorf("Serve: %v", err)
		}
		if err := c.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
		_ = os.RemoveAll(dir)
	})
	return k
}

func (k *cluster) dial(t testing.TB) *grpc.ClientConn {
	t.Helper()
	conn, err := grpc.NewClient("unix:"+k.socket, grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(64<<20), grpc.MaxCallSendMsgSize(64<<20)))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	return conn
}

func wantCode(t testing.TB, err error, code codes.Code, texts ...string) {
	t.Helper()
	if status.Code(err) != code {
		t.Errorf("error %v, want %v", err, code)
	}
	for _, text := range texts {
		if !strings.Contains(status.Convert(err).Message(), text) {
			t.Errorf("error %v does not name %q", err, text)
		}
	}
}

func TestHelloListStatsAndCancel(t *testing.T) {
	k := start(t, workertest.Config{})
	jobs := pb.NewJobsClient(k.dial(t))
	hello, err := jobs.Hello(bounded(t), &pb.HelloRequest{})
	if err != nil || hello.GetVersion() != "1.2.3" || hello.GetSlots() != 2 {
		t.Errorf("Hello = %v, %v; want version 1.2.3 and two slots", hello, err)
	}
	_, err = jobs.Hello(bounded(t), &pb.HelloRequest{Environment: &pb.Environment{Python: "3.12.0"}})
	wantCode(t, err, codes.FailedPrecondition, "3.12.0", "3.11.7")
	if list, err := jobs.List(bounded(t), &pb.ListRequest{}); err != nil || len(list.GetJobs()) != 0 {
		t.Errorf("List = %v, %v; want no job", list, err)
	}
	if stats, err := jobs.Stats(bounded(t), &pb.StatsRequest{}); err != nil || len(stats.GetWorkers()) != 1 {
		t.Errorf("Stats = %v, %v; want one worker", stats, err)
	}
	_, err = jobs.Cancel(bounded(t), &pb.CancelRequest{JobId: "nope"})
	wantCode(t, err, codes.NotFound, "nope")
	_, err = jobs.Submit(bounded(t), &pb.SubmitRequest{})
	wantCode(t, err, codes.InvalidArgument, "set job")
	events, err := jobs.Events(bounded(t), &pb.EventsRequest{JobId: "nope"})
	if err == nil {
		_, err = events.Recv()
	}
	wantCode(t, err, codes.NotFound, "nope")
}

func put(t testing.TB, data pb.DataClient, id string, content []byte, chunk int) (*pb.PutResponse, error) {
	t.Helper()
	stream, err := data.Put(bounded(t))
	if err != nil {
		t.Fatal(err)
	}
	for first := true; first || len(content) > 0; first = false {
		n := min(chunk, len(content))
		request := &pb.PutRequest{Chunk: content[:n]}
		if first {
			request.Id = id
		}
		if err := stream.Send(request); err != nil {
			break // the answer says why
		}
		content = content[n:]
	}
	return stream.CloseAndRecv()
}

func get(t testing.TB, data pb.DataClient, request *pb.GetRequest) (content []byte, size int64, err error) {
	t.Helper()
	stream, err := data.Get(bounded(t), request)
	if err != nil {
		t.Fatal(err)
	}
	for first := true; ; first = false {
		response, err := stream.Recv()
		if errors.Is(err, io.EOF) {
			return content, size, nil
		}
		if err != nil {
			return nil, 0, err
		}
		if first {
			size = response.GetSizeBytes()
		}
		content = append(content, response.GetChunk()...)
	}
}

func idOf(t *testing.T, content []byte) string {
	t.Helper()
	s, err := store.Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	id, _, err := s.Put(t.Context(), store.Blob, bytes.NewReader(content))
	if err != nil {
		t.Fatal(err)
	}
	return id
}

func TestDataGoesInAndOut(t *testing.T) {
	k := start(t, workertest.Config{})
	data := pb.NewDataClient(k.dial(t))
	for _, size := range []int{0, 1, 1 << 20, 5<<20 + 17} {
		content := make([]byte, size)
		_, _ = rand.Read(content)
		id := idOf(t, content)
		for range 2 { // putting what is there does nothing
			if answer, err := put(t, data, id, content, 1<<20); err != nil || answer.GetSizeBytes() != int64(size) {
				t.Fatalf("Put of %d bytes = %v, %v", size, answer, err)
			}
		}
		if got, total, err := get(t, data, &pb.GetRequest{Id: id}); err != nil || total != int64(size) || !bytes.Equal(got, content) {
			t.Errorf("Get of %d bytes gave %d of %d, %v", size, len(got), total, err)
		}
		if size > 100 {
			got, total, err := get(t, data, &pb.GetRequest{Id: id, Offset: 50, Length: 1 << 20})
			if want := content[50:min(size, 50+1<<20)]; err != nil || total != int64(size) || !bytes.Equal(got, want) {
				t.Errorf("Get of a range gave %d bytes of %d, %v; want %d", len(got), total, err, len(want))
			}
		}
	}
}

func TestBadDataIsRefused(t *testing.T) {
	k := start(t, workertest.Config{})
	data := pb.NewDataClient(k.dial(t))
	absent := "bl-" + strings.Repeat("0", 64)
	_, err := put(t, data, absent, []byte("other bytes"), 4)
	wantCode(t, err, codes.InvalidArgument, absent)
	if k.coordinator.Store().Has(absent) {
		t.Error("the store took bytes of another hash")
	}
	_, err = put(t, data, "../../etc/passwd", []byte("x"), 1)
	wantCode(t, err, codes.InvalidArgument)
	_, err = put(t, data, "", []byte("x"), 1)
	wantCode(t, err, codes.InvalidArgument, "id")
	large := make([]byte, 1<<20+1)
	_, err = put(t, data, idOf(t, large), large, len(large))
	wantCode(t, err, codes.InvalidArgument, fmt.Sprint(len(large)))
	_, _, err = get(t, data, &pb.GetRequest{Id: absent})
	wantCode(t, err, codes.NotFound, absent)
	id, _, err := k.coordinator.Store().Put(bounded(t), store.Blob, strings.NewReader("abc"))
	if err != nil {
		t.Fatal(err)
	}
	_, _, err = get(t, data, &pb.GetRequest{Id: id, Offset: 4})
	wantCode(t, err, codes.OutOfRange)
}

type sessionStream = grpc.BidiStreamingClient[pb.SessionRequest, pb.SessionResponse]

func session(ctx context.Context, t testing.TB, conn *grpc.ClientConn) sessionStream {
	t.Helper()
	stream, err := pb.NewJobsClient(conn).Session(ctx)
	if err != nil {
		t.Fatal(err)
	}
	return stream
}

func send(t testing.TB, stream sessionStream, requests ...*pb.SessionRequest) {
	t.Helper()
	for _, request := range requests {
		if err := stream.Send(request); err != nil {
			t.Fatal(err)
		}
	}
}

func openJob(job string) *pb.SessionRequest {
	return &pb.SessionRequest{JobId: job, Step: &pb.SessionRequest_Open{Open: &pb.JobSpec{}}}
}

func calls(job string, n int) *pb.SessionRequest {
	more := &pb.Append{}
	for range n {
		more.Calls = append(more.Calls, &pb.Call{Pickle: &pb.Value{Kind: &pb.Value_Inline{Inline: []byte("p")}}})
	}
	return &pb.SessionRequest{JobId: job, Step: &pb.SessionRequest_Append{Append: more}}
}

func closeJob(job string) *pb.SessionRequest {
	return &pb.SessionRequest{JobId: job, Step: &pb.SessionRequest_Close{Close: &pb.Close{}}}
}

// untilEnd reads until the job ends.
func untilEnd(t testing.TB, stream sessionStream, job string) (results int, last *pb.JobState) {
	t.Helper()
	for {
		response, err := stream.Recv()
		if err != nil {
			t.Fatal(err)
		}
		for _, event := range response.GetEvents() {
			if event.GetJobId() != job {
				continue
			}
			if event.GetResult() != nil {
				results++
			}
			if state := event.GetState(); state != nil && state.GetPhase() != pb.JobState_PHASE_RUNNING {
				return results, state
			}
		}
	}
}

func TestASessionRunsCalls(t *testing.T) {
	k := start(t, workertest.Config{})
	stream := session(bounded(t), t, k.dial(t))
	send(t, stream, openJob("a"), calls("a", 500), closeJob("a"))
	if results, state := untilEnd(t, stream, "a"); results != 500 || state.GetPhase() != pb.JobState_PHASE_DONE {
		t.Errorf("%d results, state %v; want 500 and done", results, state)
	}
	send(t, stream, calls("b", 1))
	if _, state := untilEnd(t, stream, "b"); codes.Code(state.GetErrorCode()) != codes.NotFound {
		t.Errorf("state %v of a job that was never opened, want not found", state)
	}
	if err := stream.CloseSend(); err != nil {
		t.Fatal(err)
	}
	if _, err := stream.Recv(); !errors.Is(err, io.EOF) {
		t.Errorf("the closed session ended with %v, want end of file", err)
	}
}

func TestABadRequestEndsTheSession(t *testing.T) {
	k := start(t, workertest.Config{})
	stream := session(bounded(t), t, k.dial(t))
	send(t, stream, openJob("not.an.id"))
	_, err := stream.Recv()
	wantCode(t, err, codes.InvalidArgument, "not.an.id")
}

func TestABrokenStreamKillsItsJobs(t *testing.T) {
	started, killed := make(chan struct{}, 8), make(chan struct{}, 8)
	k := start(t, workertest.Config{Run: func(ctx context.Context, _ *pb.Task) ([]*pb.Result, *pb.Fault) {
		started <- struct{}{}
		<-ctx.Done()
		killed <- struct{}{}
		return nil, nil
	}})
	ended, err := k.coordinator.Queue().SessionsEnded(bounded(t))
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(bounded(t))
	stream := session(ctx, t, k.dial(t))
	send(t, stream, openJob("a"), calls("a", 4))
	await(t, started)
	cancel()
	await(t, killed)
	await(t, ended)
}

func TestIdleSince(t *testing.T) {
	k := start(t, workertest.Config{})
	if k.server.IdleSince().IsZero() || k.server.Connected() != 0 {
		t.Error("a server without clients is not idle")
	}
	conn := k.dial(t)
	if _, err := pb.NewJobsClient(conn).Hello(bounded(t), &pb.HelloRequest{}); err != nil {
		t.Fatal(err)
	}
	if !k.server.IdleSince().IsZero() || k.server.Connected() != 1 {
		t.Errorf("%d connections, idle since %v; want one and zero", k.server.Connected(), k.server.IdleSince())
	}
	before := time.Now()
	if err := conn.Close(); err != nil {
		t.Fatal(err)
	}
	deadline := time.Now().Add(patience)
	for k.server.IdleSince().IsZero() {
		if time.Now().After(deadline) {
			t.Fatal("the server is not idle after its client left")
		}
		time.Sleep(5 * time.Millisecond)
	}
	if since := k.server.IdleSince(); since.Before(before.Add(-time.Second)) {
		t.Errorf("idle since %v, want since the client left at %v", since, before)
	}
}

func TestStopEndsOpenSessionsSoon(t *testing.T) {
	k := start(t, workertest.Config{})
	stream := session(bounded(t), t, k.dial(t))
	send(t, stream, openJob("a"), calls("a", 1), closeJob("a"))
	untilEnd(t, stream, "a")
	began := time.Now()
	k.server.Stop()
	if took := time.Since(began); took > 5*time.Second {
		t.Errorf("Stop took %s", took)
	}
	_, err := stream.Recv()
	wantCode(t, err, codes.Unavailable)
}

func await[T any](t testing.TB, from <-chan T) T {
	t.Helper()
	select {
	case value := <-from:
		return value
	case <-time.After(patience):
		t.Fatalf("nothing came within %s", patience)
	}
	panic("unreachable")
}

// BenchmarkCalls is opaque calls per second through gRPC, coordinator and in-memory queue.
func BenchmarkCalls(b *testing.B) {
	k := start(b, workertest.Config{})
	stream := session(bounded(b), b, k.dial(b))
	send(b, stream, openJob("a"))
	b.ResetTimer()
	go func() {
		for sent := 0; sent < b.N; sent += 100 {
			if stream.Send(calls("a", min(100, b.N-sent))) != nil {
				return
			}
		}
		_ = stream.Send(closeJob("a"))
	}()
	if results, _ := untilEnd(b, stream, "a"); results != b.N {
		b.Fatalf("%d results of %d", results, b.N)
	}
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "calls/s")
}
