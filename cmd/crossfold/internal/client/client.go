// Package client talks to a running cluster for the command line.
package client

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/keepalive"

	pb "github.com/crossfold/crossfold/proto/crossfold/v1"
)

// ErrAddress says that a cluster's address can't be used.
var ErrAddress = errors.New("bad address of a cluster")

// Client is a connection to one coordinator.
type Client struct {
	Jobs pb.JobsClient

	data pb.DataClient
	conn *grpc.ClientConn
	// local says that the coordinator is on this host, so that its store can be written to.
	local bool
}

// SocketURL is the address of the cluster whose folder is dir.
func SocketURL(dir string) (string, error) {
	abs, err := filepath.Abs(dir)
	if err != nil {
		return "", fmt.Errorf("folder of the cluster %s: %w", dir, err)
	}
	return "unix://" + filepath.Join(abs, "sock"), nil
}

// Dial prepares a connection to unix:///path/to/sock or grpcs://host:port; nothing is sent yet.
// grpcs reads the token from CROSSFOLD_TOKEN and, when it is set, the authority from CROSSFOLD_CA.
func Dial(address string) (*Client, error) {
	target, local, options, err := parse(address)
	if err != nil {
		return nil, err
	}
	options = append(options,
		grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(maxMessage), grpc.MaxCallSendMsgSize(maxMessage)),
		grpc.WithUnaryInterceptor(bounded),
		// A stream has no deadline; a coordinator that stopped answering is noticed all the same.
		grpc.WithKeepaliveParams(keepalive.ClientParameters{Time: 30 * time.Second, Timeout: callLimit / 2}))
	conn, err := grpc.NewClient(target, options...)
	if err != nil {
		return nil, fmt.Errorf("%w: %s: %w", ErrAddress, address, err)
	}
	return &Client{Jobs: pb.NewJobsClient(conn), data: pb.NewDataClient(conn), conn: conn, local: local}, nil
}

const (
	// maxMessage is the size in bytes of the largest message, as the server has it.
	maxMessage = 64 << 20
	// callLimit bounds a call that gives one answer.
	callLimit = 60 * time.Second
	// combineLimit bounds one that reads the predictions of every candidate, for an ensemble once a round.
	combineLimit = time.Hour
)

func bounded(ctx context.Context, method string, request, reply any, conn *grpc.ClientConn,
	call grpc.UnaryInvoker, options ...grpc.CallOption,
) error {
	limit := callLimit
	if method == pb.Jobs_Ensemble_FullMethodName || method == pb.Jobs_Predictions_FullMethodName {
		limit = combineLimit
	}
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	return call(ctx, method, request, reply, conn, options...)
}

// Local says that the coordinator is on this host.
func (c *Client) Local() bool { return c.local }

// Close ends the connection.
func (c *Client) Close() error { return c.conn.Close() }

func parse(address string) (target string, local bool, options []grpc.DialOption, err error) {
	u, err := url.Parse(address)
	if err != nil {
		return "", false, nil, fmt.Errorf("%w: %w; write unix:///path/to/sock or grpcs://host:port", ErrAddress, err)
	}
	switch {
	case u.Scheme == "unix" && u.Host == "" && strings.HasPrefix(u.Path, "/"):
		return "unix:" + u.Path, true, []grpc.DialOption{grpc.WithTransportCredentials(insecure.NewCredentials())}, nil
	case u.Scheme == "grpcs" && u.Port() != "" && u.Path == "":
		options, err := secure(u.Hostname())
		return "dns:///" + u.Host, false, options, err
	case u.Scheme == "grpc":
		return "", false, nil, fmt.Errorf("%w: %s is not encrypted; start the coordinator with --tls-cert, "+
			"--tls-key and --token-file, and use grpcs://%s", ErrAddress, address, u.Host)
	}
	return "", false, nil, fmt.Errorf("%w: %q; write unix:///path/to/sock or grpcs://host:port", ErrAddress, address)
}

func secure(host string) ([]grpc.DialOption, error) {
	token := os.Getenv("CROSSFOLD_TOKEN")
	if token == "" {
		return nil, fmt.Errorf("%w: grpcs:// needs a token; set CROSSFOLD_TOKEN to the coordinator's", ErrAddress)
	}
	config := &tls.Config{ServerName: host, MinVersion: tls.VersionTLS13}
	if path := os.Getenv("CROSSFOLD_CA"); path != "" {
		pem, err := os.ReadFile(path)
		if err != nil {
			return nil, fmt.Errorf("%w: read CROSSFOLD_CA: %w", ErrAddress, err)
		}
		config.RootCAs = x509.NewCertPool()
		if !config.RootCAs.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("%w: CROSSFOLD_CA=%s holds no PEM certificate", ErrAddress, path)
		}
	}
	return []grpc.DialOption{
		grpc.WithTransportCredentials(credentials.NewTLS(config)),
		grpc.WithPerRPCCredentials(bearer(token)),
	}, nil
}

// bearer sends a token with every call, and never without TLS.
type bearer string

func (b bearer) GetRequestMetadata(context.Context, ...string) (map[string]string, error) {
	return map[string]string{"authorization": "Bearer " + string(b)}, nil
}

func (bearer) RequireTransportSecurity() bool { return true }
