package jetstream_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"

	"github.com/crossfold/crossfold/coordinator/queue"
	"github.com/crossfold/crossfold/coordinator/queue/jetstream"
	"github.com/crossfold/crossfold/coordinator/queue/queuetest"
	pb "github.com/crossfold/crossfold/proto/crossfold/v1"
)

func open(t testing.TB, config jetstream.Config) *jetstream.Queue {
	t.Helper()
	q, err := jetstream.Open(t.Context(), config)
	if err != nil {
		t.Fatal(err)
	}
	return q
}

func embedded(t testing.TB) *jetstream.Queue {
	return open(t, jetstream.Config{Dir: t.TempDir(), Lease: queuetest.Lease})
}

// socket serves an embedded queue on a Unix socket, whose path must be short.
func socket(t testing.TB, q *jetstream.Queue) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "cf")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	path := filepath.Join(dir, "nats.sock")
	if err := q.ServeSocket(context.Background(), path); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestConformance(t *testing.T) {
	queuetest.Run(t, queuetest.Options{
		Open: func(t *testing.T) queue.Queue { return embedded(t) },
		OpenTwice: func(t *testing.T) (queue.Queue, func() queue.Queue) {
			config := jetstream.Config{Dir: t.TempDir(), Lease: queuetest.Lease}
			return open(t, config), func() queue.Queue { return open(t, config) }
		},
	})
}

func TestConformanceThroughASocket(t *testing.T) {
	queuetest.Run(t, queuetest.Options{
		Open: func(t *testing.T) queue.Queue {
			server := embedded(t)
			t.Cleanup(func() { _ = server.Close() })
			return open(t, jetstream.Config{Socket: socket(t, server)})
		},
	})
}

// external starts a NATS server as other machines run it: over TCP, with the default limits.
func external(t *testing.T) string {
	t.Helper()
	return serve(t, server.RANDOM_PORT, t.TempDir()).ClientURL()
}

func serve(t *testing.T, port int, dir string) *server.Server {
	t.Helper()
	started, err := server.NewServer(&server.Options{
		Host: "127.0.0.1", Port: port, NoSigs: true, NoLog: true, JetStream: true, StoreDir: dir,
	})
	if err != nil {
		t.Fatal(err)
	}
	started.Start()
	if !started.ReadyForConnections(10 * time.Second) {
		t.Fatal("the NATS server was not ready within 10 s")
	}
	t.Cleanup(func() {
		started.Shutdown()
		started.WaitForShutdown()
	})
	return started
}

func TestAQueueEndsWithTheTasksOfItsServer(t *testing.T) {
	dir := t.TempDir()
	first := serve(t, server.RANDOM_PORT, dir)
	q := open(t, jetstream.Config{URL: first.ClientURL(), Logger: slog.New(slog.DiscardHandler)})
	defer q.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	outcomes, err := q.Outcomes(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if outcome := <-outcomes; !outcome.Replayed {
		t.Fatalf("first outcome %v, want the end of the replay", outcome)
	}
	port := first.Addr().(*net.TCPAddr).Port
	first.Shutdown()
	first.WaitForShutdown()
	serve(t, port, dir)
	if outcome, open := <-outcomes; open {
		t.Errorf("outcome %v of a server without its tasks, want the end", outcome)
	}
	if err := q.PublishTask(ctx, &pb.Task{Id: "t", JobId: "job"}); !errors.Is(err, queue.ErrClosed) {
		t.Errorf("publishing to it: %v, want ErrClosed", err)
	}
}

// awaitConnection returns the id of the server's one connection once it is another one.
func awaitConnection(ctx context.Context, t *testing.T, s *server.Server, other uint64) uint64 {
	t.Helper()
	for ctx.Err() == nil {
		all, err := s.Connz(&server.ConnzOptions{})
		if err != nil {
			t.Fatal(err)
		}
		if len(all.Conns) == 1 && all.Conns[0].Cid != other {
			return all.Conns[0].Cid
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Fatal("no connection came")
	return 0
}

func TestAQueueSurvivesALostConnection(t *testing.T) {
	started := serve(t, server.RANDOM_PORT, t.TempDir())
	q := open(t, jetstream.Config{URL: started.ClientURL(), Logger: slog.New(slog.DiscardHandler)})
	defer q.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	if err := q.PublishTask(ctx, &pb.Task{Id: "t", JobId: "job"}); err != nil {
		t.Fatal(err)
	}
	lost := awaitConnection(ctx, t, started, 0)
	if err := started.DisconnectClientByID(lost); err != nil {
		t.Fatal(err)
	}
	awaitConnection(ctx, t, started, lost)
	source, err := q.Tasks(ctx)
	if err != nil {
		t.Fatal(err)
	}
	delivery, err := source.Fetch(ctx)
	if err != nil || delivery.Task().GetId() != "t" {
		t.Errorf("a task after the connection was lost: %v, %v", delivery, err)
	}
}

func TestConformanceOverTCP(t *testing.T) {
	queuetest.Run(t, queuetest.Options{
		Open: func(t *testing.T) queue.Queue {
			return open(t, jetstream.Config{URL: external(t), Lease: queuetest.Lease})
		},
	})
}

func TestAWorkerMayBeFirst(t *testing.T) {
	url := external(t)
	worker := open(t, jetstream.Config{URL: url, Worker: true})
	defer worker.Close()
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	fetched := make(chan error, 1)
	go func() {
		source, err := worker.Tasks(ctx)
		if err == nil {
			_, err = source.Fetch(ctx)
		}
		fetched <- err
	}()
	coordinator := open(t, jetstream.Config{URL: url})
	defer coordinator.Close()
	if err := coordinator.PublishTask(ctx, &pb.Task{Id: "t", JobId: "job"}); err != nil {
		t.Fatal(err)
	}
	if err := <-fetched; err != nil {
		t.Errorf("a worker that came before its coordinator: %v", err)
	}
}

func TestSocketIsForItsUserAlone(t *testing.T) {
	q := embedded(t)
	path := socket(t, q)
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	if mode := info.Mode().Perm(); mode != 0o600 {
		t.Errorf("socket mode %o, want 600", mode)
	}
	if err := q.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(path); !os.IsNotExist(err) {
		t.Errorf("socket after Close: %v, want it removed", err)
	}
}

func TestBadConfigs(t *testing.T) {
	for _, config := range []jetstream.Config{{}, {Dir: "a", URL: "b"}, {Dir: "a", Credentials: "c"}} {
		if _, err := jetstream.Open(t.Context(), config); err == nil || !strings.Contains(err.Error(), "set ") {
			t.Errorf("Open(%+v): %v, want what to set", config, err)
		}
	}
	_, err := jetstream.Open(t.Context(), jetstream.Config{Socket: filepath.Join(t.TempDir(), "none")})
	if err == nil || !strings.Contains(err.Error(), "is the coordinator running there?") {
		t.Errorf("Open of a socket that is not there: %v, want a question for the coordinator", err)
	}
}

// BenchmarkRoundTrip is one task to a worker and its result of a call back, one at a time.
func BenchmarkRoundTrip(b *testing.B) {
	q := embedded(b)
	defer q.Close()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	source, err := q.Tasks(ctx)
	if err != nil {
		b.Fatal(err)
	}
	outcomes, err := q.Outcomes(ctx)
	if err != nil {
		b.Fatal(err)
	}
	<-outcomes
	go func() {
		for {
			delivery, err := source.Fetch(ctx)
			if err != nil {
				return
			}
			_ = q.PublishCallResults(ctx, []*pb.Result{{JobId: "job"}})
			_ = delivery.Ack(ctx)
		}
	}()
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		if err := q.PublishTask(ctx, &pb.Task{Id: fmt.Sprint(i), JobId: "job"}); err != nil {
			b.Fatal(err)
		}
		<-outcomes
	}
}

// BenchmarkDropJob is what the end of every attached job costs.
func BenchmarkDropJob(b *testing.B) {
	q := embedded(b)
	defer q.Close()
	for i := 0; b.Loop(); i++ {
		if err := q.DropJob(b.Context(), fmt.Sprint("job", i)); err != nil {
			b.Fatal(err)
		}
	}
}
