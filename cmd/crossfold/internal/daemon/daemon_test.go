package daemon

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/crossfold/crossfold/cmd/crossfold/internal/client"
	pb "github.com/crossfold/crossfold/proto/crossfold/v1"
)

// patience bounds every wait of these tests.
const patience = 20 * time.Second

// shortDir is a folder whose sockets have short paths.
func shortDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "cf-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	return dir
}

func quiet(dir string) Config {
	return Config{Dir: dir, Version: "test", Logger: slog.New(slog.DiscardHandler)}
}

func up(t *testing.T, config Config) *Daemon {
	t.Helper()
	d, err := Start(t.Context(), config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := d.Close(); err != nil {
			t.Error(err)
		}
	})
	return d
}

func hello(t *testing.T, url string) (*client.Client, error) {
	t.Helper()
	c, err := client.Dial(url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	answer, err := c.Jobs.Hello(ctx, &pb.HelloRequest{NoWait: true})
	if err == nil && answer.GetVersion() != "test" {
		t.Errorf("the coordinator says it is version %q", answer.GetVersion())
	}
	return c, err
}

func TestAFolderServesOneCluster(t *testing.T) {
	dir := shortDir(t)
	d := up(t, quiet(dir))
	if _, err := hello(t, d.URL()); err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(filepath.Join(dir, "sock")); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the socket: %v, %v", info, err)
	}
	if _, err := Start(t.Context(), quiet(dir)); !errors.Is(err, ErrLocked) {
		t.Errorf("a second cluster: %v", err)
	}
	if _, err := hello(t, d.URL()); err != nil {
		t.Errorf("after the second one was refused: %v", err)
	}
	start := time.Now()
	if err := errors.Join(d.Close(), d.Close()); err != nil {
		t.Error(err)
	}
	if took := time.Since(start); took > 2*time.Second {
		t.Errorf("Close took %s", took)
	}
	up(t, quiet(dir))
}

func TestAStaleSocketIsReplaced(t *testing.T) {
	dir := shortDir(t)
	if err := os.WriteFile(filepath.Join(dir, "sock"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := hello(t, up(t, quiet(dir)).URL()); err != nil {
		t.Error(err)
	}
}

func TestWaitEndsWhenNobodyIsConnected(t *testing.T) {
	d := up(t, quiet(shortDir(t)))
	c, err := hello(t, d.URL())
	if err != nil {
		t.Fatal(err)
	}
	connected, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	if err := d.Wait(connected, 50*time.Millisecond); err != nil || connected.Err() == nil {
		t.Errorf("Wait ended while a client was connected: %v", err)
	}
	if err := c.Close(); err != nil {
		t.Fatal(err)
	}
	alone, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	if err := d.Wait(alone, 50*time.Millisecond); err != nil || alone.Err() != nil {
		t.Errorf("Wait did not end: %v, %v", err, alone.Err())
	}
}

func TestAPrivateClusterLeavesNothing(t *testing.T) {
	d, err := StartPrivate(t.Context(), quiet(""))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := hello(t, d.URL()); err != nil {
		t.Error(err)
	}
	if err := d.Close(); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(d.scratch); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the folder is still there: %v", err)
	}
}

func TestBothDoorsLeadToTheSameCluster(t *testing.T) {
	certFile, keyFile := certificate(t)
	tokenFile := filepath.Join(t.TempDir(), "token")
	write(t, tokenFile, []byte(secret))
	config := quiet(shortDir(t))
	config.Door = Door{Address: "127.0.0.1:0", CertFile: certFile, KeyFile: keyFile, TokenFile: tokenFile}
	d := up(t, config)
	t.Setenv("CROSSFOLD_CA", certFile)
	t.Setenv("CROSSFOLD_TOKEN", secret)
	for _, url := range []string{d.URL(), "grpcs://" + d.Listening()} {
		if _, err := hello(t, url); err != nil {
			t.Errorf("%s: %v", url, err)
		}
	}
}

func TestSignalReady(t *testing.T) {
	reader, writer, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer reader.Close()
	// A copy: SignalReady closes the descriptor, and so would the writer.
	inherited, err := syscall.Dup(int(writer.Fd()))
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(writer.Close(), SignalReady(inherited)); err != nil {
		t.Fatal(err)
	}
	if said, err := io.ReadAll(reader); err != nil || string(said) != "ready\n" {
		t.Errorf("said %q, %v", said, err)
	}
	for _, fd := range []int{-1, 2, 12345} {
		if err := SignalReady(fd); err == nil {
			t.Errorf("descriptor %d was taken", fd)
		}
	}
}
