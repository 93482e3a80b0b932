package daemon

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"os"
	"strings"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
)

// leastToken is the fewest bytes of a token: fewer can be guessed.
const leastToken = 16

// ErrConfig says that a cluster can't be started as it was asked for.
var ErrConfig = errors.New("can't start")

// Door is a network address to serve on. The zero Door serves only on the cluster's own socket.
type Door struct {
	// Address is host:port.
	Address string
	// CertFile and KeyFile hold the PEM certificate and key.
	CertFile, KeyFile string
	// TokenFile holds the token that clients must send.
	TokenFile string
}

// open listens, and returns the options of the gRPC server behind the door. Both are nil for the
// zero Door.
func (d Door) open() (net.Listener, []grpc.ServerOption, error) {
	if d == (Door{}) {
		return nil, nil, nil
	}
	if d.Address == "" {
		return nil, nil, fmt.Errorf("%w: --tls-cert, --tls-key and --token-file need --listen", ErrConfig)
	}
	for _, needed := range []struct{ flag, value string }{
		{"--tls-cert", d.CertFile}, {"--tls-key", d.KeyFile}, {"--token-file", d.TokenFile},
	} {
		if needed.value == "" {
			return nil, nil, fmt.Errorf("%w: --listen %s needs %s: whoever can send a job can run code here, "+
				"so the network is served only with TLS and a token", ErrConfig, d.Address, needed.flag)
		}
	}
	certificate, err := tls.LoadX509KeyPair(d.CertFile, d.KeyFile)
	if err != nil {
		return nil, nil, fmt.Errorf("%w: certificate %s with key %s: %w", ErrConfig, d.CertFile, d.KeyFile, err)
	}
	token, err := readToken(d.TokenFile)
	if err != nil {
		return nil, nil, err
	}
	listener, err := net.Listen("tcp", d.Address)
	if err != nil {
		return nil, nil, fmt.Errorf("%w: listen on %s: %w", ErrConfig, d.Address, err)
	}
	config := &tls.Config{Certificates: []tls.Certificate{certificate}, MinVersion: tls.VersionTLS13}
	return listener, []grpc.ServerOption{
		grpc.Creds(credentials.NewTLS(config)),
		grpc.UnaryInterceptor(token.unary),
		grpc.StreamInterceptor(token.stream),
	}, nil
}

// token is the hash of what clients must send.
type token [sha256.Size]byte

func readToken(path string) (token, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return token{}, fmt.Errorf("%w: read --token-file: %w", ErrConfig, err)
	}
	secret := strings.TrimSpace(string(text))
	if len(secret) < leastToken {
		return token{}, fmt.Errorf("%w: the token in %s has %d bytes and needs %d or more; "+
			"write one with: openssl rand -hex 32 > %s", ErrConfig, path, len(secret), leastToken, path)
	}
	return sha256.Sum256([]byte(secret)), nil
}

// check lets a call pass that carries the token.
func (t token) check(ctx context.Context) error {
	header, _ := metadata.FromIncomingContext(ctx)
	for _, value := range header.Get("authorization") {
		secret, ok := strings.CutPrefix(value, "Bearer ")
		sent := sha256.Sum256([]byte(secret))
		if ok && subtle.ConstantTimeCompare(sent[:], t[:]) == 1 {
			return nil
		}
	}
	return status.Error(codes.Unauthenticated, "the token is missing or wrong; set CROSSFOLD_TOKEN to the coordinator's")
}

func (t token) unary(ctx context.Context, request any, _ *grpc.UnaryServerInfo, handle grpc.UnaryHandler) (any, error) {
	if err := t.check(ctx); err != nil {
		return nil, err
	}
	return handle(ctx, request)
}

func (t token) stream(server any, stream grpc.ServerStream, _ *grpc.StreamServerInfo, handle grpc.StreamHandler) error {
	if err := t.check(stream.Context()); err != nil {
		return err
	}
	return handle(server, stream)
}
