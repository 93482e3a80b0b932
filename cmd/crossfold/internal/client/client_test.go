package client

import (
	"bytes"
	"errors"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/crossfold/crossfold/arrowipc/store"
	pb "github.com/crossfold/crossfold/proto/crossfold/v1"
)

func TestAddresses(t *testing.T) {
	t.Setenv("CROSSFOLD_TOKEN", "")
	for address, want := range map[string]string{
		"":                     "write unix:///path/to/sock",
		"localhost:80":         "write unix:///path/to/sock",
		"unix://sock":          "write unix:///path/to/sock",
		"grpcs://host":         "write unix:///path/to/sock",
		"grpc://host:7070":     "is not encrypted",
		"grpcs://host:7070":    "set CROSSFOLD_TOKEN",
		"unix:///a/%zz":        "invalid URL escape",
		"unix:///tmp/c/sock":   "",
		"unix:///tmp/a b/sock": "",
	} {
		c, err := Dial(address)
		if err == nil {
			err = c.Close()
		} else if !errors.Is(err, ErrAddress) {
			t.Errorf("%q: %v is no ErrAddress", address, err)
		}
		if (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("%q: got %v, want %q", address, err, want)
		}
	}
	t.Setenv("CROSSFOLD_TOKEN", "0123456789abcdef")
	t.Setenv("CROSSFOLD_CA", filepath.Join(t.TempDir(), "no.pem"))
	if _, err := Dial("grpcs://host:7070"); err == nil || !strings.Contains(err.Error(), "no.pem") {
		t.Errorf("a missing authority: %v", err)
	}
}

// dataServer keeps objects in memory, in chunks of 3 bytes.
type dataServer struct {
	pb.UnimplementedDataServer
	objects map[string][]byte
}

func (s *dataServer) Put(stream grpc.ClientStreamingServer[pb.PutRequest, pb.PutResponse]) error {
	var id string
	var content []byte
	for {
		request, err := stream.Recv()
		if errors.Is(err, io.EOF) {
			s.objects[id] = content
			return stream.SendAndClose(&pb.PutResponse{Id: id, SizeBytes: int64(len(content))})
		}
		if err != nil {
			return err
		}
		if id == "" {
			if id = request.GetId(); id == "" {
				return status.Error(codes.InvalidArgument, "no id")
			}
		}
		content = append(content, request.GetChunk()...)
	}
}

func (s *dataServer) Get(request *pb.GetRequest, stream grpc.ServerStreamingServer[pb.GetResponse]) error {
	content, ok := s.objects[request.GetId()]
	if !ok {
		return status.Errorf(codes.NotFound, "%s is not there", request.GetId())
	}
	for len(content) > 0 {
		n := min(3, len(content))
		if err := stream.Send(&pb.GetResponse{Chunk: content[:n]}); err != nil {
			return err
		}
		content = content[n:]
	}
	return nil
}

// connect serves s on a socket and returns a client that takes it for one on another host.
func connect(t *testing.T, s *dataServer) *Client {
	t.Helper()
	path := filepath.Join(t.TempDir(), "sock")
	listener, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	server := grpc.NewServer()
	pb.RegisterDataServer(server, s)
	done := make(chan error, 1)
	go func() { done <- server.Serve(listener) }()
	t.Cleanup(func() {
		server.Stop()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	c, err := Dial("unix://" + path)
	if err != nil {
		t.Fatal(err)
	}
	c.local = false
	t.Cleanup(func() { _ = c.Close() })
	return c
}

func TestDataTravelToAnotherHostAndBack(t *testing.T) {
	remote := &dataServer{objects: map[string][]byte{}}
	c := connect(t, remote)
	csv := filepath.Join(t.TempDir(), "d.csv")
	if err := os.WriteFile(csv, []byte("x,y\n"+strings.Repeat("1.5,2\n", 200_000)), 0o600); err != nil {
		t.Fatal(err)
	}
	table, err := c.Load(t.Context(), csv, "/not/on/this/host")
	if err != nil {
		t.Fatal(err)
	}
	if len(remote.objects[table.ID]) < 1<<21 || table.Rows != 200_000 {
		t.Errorf("sent %d bytes of %d rows", len(remote.objects[table.ID]), table.Rows)
	}
	if err := table.Close(); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(table.scratch); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the scratch folder is still there: %v", err)
	}

	st, err := store.Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	remote.objects[table.ID] = remote.objects[table.ID][:4096]
	if err := c.Fetch(t.Context(), st, table.ID); !errors.Is(err, store.ErrHashMismatch) || st.Has(table.ID) {
		t.Errorf("damaged on the way: %v", err)
	}
	id, _, err := st.Put(t.Context(), store.Blob, bytes.NewReader([]byte("some code")))
	if err != nil {
		t.Fatal(err)
	}
	remote.objects[id] = []byte("some code")
	other, err := store.Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Fetch(t.Context(), other, id); err != nil || !other.Has(id) {
		t.Errorf("fetch: %v", err)
	}
	path := filepath.Join(t.TempDir(), "code")
	if err := c.Download(t.Context(), id, path); err != nil {
		t.Error(err)
	}
	content, err := os.ReadFile(path)
	if left, _ := filepath.Glob(filepath.Dir(path) + "/.*"); err != nil || string(content) != "some code" || len(left) > 0 {
		t.Errorf("downloaded %q (%v), left %v", content, err, left)
	}
	missing := "bl-" + strings.Repeat("0", 64)
	if err := c.Fetch(t.Context(), other, missing); err == nil ||
		!strings.Contains(err.Error(), "is not there") {
		t.Errorf("a missing object: %v", err)
	}
}

func TestLoadNamesBadData(t *testing.T) {
	c := connect(t, &dataServer{})
	if _, err := c.Load(t.Context(), filepath.Join(t.TempDir(), "no.csv"), ""); !errors.Is(err, ErrData) {
		t.Errorf("got %v", err)
	}
}
