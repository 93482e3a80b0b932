package daemon

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/crossfold/crossfold/cmd/crossfold/internal/client"
	pb "github.com/crossfold/crossfold/proto/crossfold/v1"
)

const secret = "0123456789abcdef0123456789abcdef"

// certificate writes a self-signed certificate for 127.0.0.1 and its key.
func certificate(t *testing.T) (certFile, keyFile string) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "crossfold test"}, IsCA: true,
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	certFile, keyFile = filepath.Join(t.TempDir(), "cert.pem"), filepath.Join(t.TempDir(), "key.pem")
	write(t, certFile, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))
	write(t, keyFile, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private}))
	return certFile, keyFile
}

func write(t *testing.T, path string, content []byte) {
	t.Helper()
	if err := os.WriteFile(path, content, 0o600); err != nil {
		t.Fatal(err)
	}
}

type jobsServer struct{ pb.UnimplementedJobsServer }

func (jobsServer) Stats(context.Context, *pb.StatsRequest) (*pb.StatsResponse, error) {
	return &pb.StatsResponse{}, nil
}

func (jobsServer) Events(*pb.EventsRequest, grpc.ServerStreamingServer[pb.Event]) error { return nil }

func TestOnlyTheTokenOpensTheDoor(t *testing.T) {
	certFile, keyFile := certificate(t)
	tokenFile := filepath.Join(t.TempDir(), "token")
	write(t, tokenFile, []byte(secret+"\n"))
	door := Door{Address: "127.0.0.1:0", CertFile: certFile, KeyFile: keyFile, TokenFile: tokenFile}
	listener, options, err := door.open()
	if err != nil {
		t.Fatal(err)
	}
	server := grpc.NewServer(options...)
	pb.RegisterJobsServer(server, jobsServer{})
	go func() { _ = server.Serve(listener) }()
	t.Cleanup(server.Stop)

	t.Setenv("CROSSFOLD_CA", certFile)
	for token, want := range map[string]codes.Code{
		secret: codes.OK, secret + "0": codes.Unauthenticated, "Bearer": codes.Unauthenticated,
	} {
		t.Setenv("CROSSFOLD_TOKEN", token)
		c, err := client.Dial("grpcs://" + listener.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		if _, err := c.Jobs.Stats(ctx, &pb.StatsRequest{}); status.Code(err) != want {
			t.Errorf("token %q: Stats answers %v, want %s", token, err, want)
		}
		events, err := c.Jobs.Events(ctx, &pb.EventsRequest{})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := events.Recv(); want != codes.OK && status.Code(err) != want {
			t.Errorf("token %q: Events answers %v, want %s", token, err, want)
		}
		cancel()
		_ = c.Close()
	}
}

func TestTheDoorIsNotOpenedHalf(t *testing.T) {
	certFile, keyFile := certificate(t)
	short := filepath.Join(t.TempDir(), "token")
	write(t, short, []byte("short\n"))
	for want, door := range map[string]Door{
		"needs --tls-cert":         {Address: "127.0.0.1:0"},
		"needs --tls-key":          {Address: "127.0.0.1:0", CertFile: certFile},
		"needs --token-file":       {Address: "127.0.0.1:0", CertFile: certFile, KeyFile: keyFile},
		"has 5 bytes and needs 16": {Address: "127.0.0.1:0", CertFile: certFile, KeyFile: keyFile, TokenFile: short},
		"certificate " + keyFile:   {Address: "127.0.0.1:0", CertFile: keyFile, KeyFile: keyFile, TokenFile: short},
	} {
		listener, _, err := door.open()
		if err == nil {
			_ = listener.Close()
		}
		if !errors.Is(err, ErrConfig) || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %q", err, want)
		}
	}
}
