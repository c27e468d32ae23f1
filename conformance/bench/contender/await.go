package contender

import (
	"context"
	"fmt"
	"time"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"google.golang.org/grpc"
	"google.golang.org/grpc/backoff"
	"google.golang.org/grpc/credentials/insecure"

	"github.com/zkine/zkine/conformance/api/process"
)

const (
	// startLimit bounds how long a process may take to serve.
	startLimit = 2 * time.Minute
	// retry is how often one that starts is tried; it bounds the error of start times.
	retry = 2 * time.Millisecond
)

// AwaitServing returns when the process answers a linearizable read.
func AwaitServing(ctx context.Context, endpoint string, p *process.Process) error {
	ctx, cancel := context.WithTimeout(ctx, startLimit)
	defer cancel()
	conn, err := Dial(endpoint)
	if err != nil {
		return err
	}
	defer conn.Close()
	for {
		_, err := pb.NewKVClient(conn).Range(ctx, &pb.RangeRequest{Key: []byte("ready")}, grpc.WaitForReady(true))
		switch {
		case err == nil:
			return nil
		case ctx.Err() != nil:
			return fmt.Errorf("%s does not serve: %w\n%s", endpoint, err, p.Output())
		}
		select { // asked too early
		case <-p.Exited():
			return fmt.Errorf("the server of %s ended:\n%s", endpoint, p.Output())
		case <-time.After(retry):
		}
	}
}

// Dial makes a connection that tries again and again while a server starts.
func Dial(endpoint string) (*grpc.ClientConn, error) {
	return grpc.NewClient(endpoint, grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithConnectParams(grpc.ConnectParams{
			Backoff:           backoff.Config{BaseDelay: retry, Multiplier: 1, MaxDelay: retry},
			MinConnectTimeout: time.Second,
		}))
}
