package rig

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"google.golang.org/grpc"
	"google.golang.org/grpc/backoff"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"
)

const (
	// startLimit bounds how long a server may take to serve: with a million keys, or on a machine that is loaded.
	startLimit = 3 * time.Minute
	// retry is how often a server that starts is tried; it bounds the error of start times.
	retry = 2 * time.Millisecond
	// pollPeriod is how often Poll looks at a condition.
	pollPeriod = 20 * time.Millisecond
)

// AwaitServing returns when a server of etcd's API, which was started, has answered a linearizable read at host:port. An
// answer is also that the client has to log in first: a server gives it once it serves.
func (p *Process) AwaitServing(ctx context.Context, endpoint string) error {
	ctx, cancel := context.WithTimeoutCause(ctx, startLimit, fmt.Errorf("not within %v", startLimit))
	defer cancel()
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	go func() {
		select {
		case <-p.Exited():
			stop(errors.New("it has ended"))
		case <-ctx.Done():
		}
	}()
	conn, err := Dial(endpoint)
	if err != nil {
		return err
	}
	defer conn.Close()
	for {
		_, err := pb.NewKVClient(conn).Range(ctx, &pb.RangeRequest{Key: []byte("ready")}, grpc.WaitForReady(true))
		if code := status.Code(err); code == codes.OK || code == codes.InvalidArgument {
			return nil
		}
		select { // asked too early
		case <-time.After(retry):
		case <-ctx.Done():
			return fmt.Errorf("%s does not serve at %s: %w: %w%s", p.Name, endpoint, context.Cause(ctx), err, p.told(p.last()))
		}
	}
}

// Dial makes a connection, without TLS, that tries again and again while a server starts.
func Dial(endpoint string, options ...grpc.DialOption) (*grpc.ClientConn, error) {
	return grpc.NewClient(endpoint, append([]grpc.DialOption{
		grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithConnectParams(grpc.ConnectParams{
			Backoff:           backoff.Config{BaseDelay: retry, Multiplier: 1, MaxDelay: retry},
			MinConnectTimeout: time.Second,
		})}, options...)...)
}

// Probe asks for a URL and returns the status code and the body.
func Probe(ctx context.Context, url string) (int, string, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return 0, "", err
	}
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		return 0, "", err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	return resp.StatusCode, string(body), err
}

// Poll looks at a condition again and again until it returns nil. When ctx ends first, the condition's last error is
// wrapped in the one that is returned.
func Poll(ctx context.Context, condition func() error) error {
	ticker := time.NewTicker(pollPeriod)
	defer ticker.Stop()
	for {
		err := condition()
		if err == nil {
			return nil
		}
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return fmt.Errorf("%w: %w", context.Cause(ctx), err)
		}
	}
}
