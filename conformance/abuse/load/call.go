package load

import (
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"net"
	"sync"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"
)

// dialLimit bounds how long a connection may take to be made; a server that has no room for it lets it wait.
const dialLimit = 2 * time.Second

// dial makes a TCP connection.
func dial(ctx context.Context, address string) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, dialLimit)
	defer cancel()
	return (&net.Dialer{}).DialContext(ctx, "tcp", address)
}

// dialGRPC makes a connection for calls, with room for answers of any size.
func dialGRPC(j Job, options ...grpc.DialOption) (*grpc.ClientConn, error) {
	return grpc.NewClient(j.Client, append([]grpc.DialOption{
		grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(math.MaxInt32), grpc.MaxCallSendMsgSize(math.MaxInt32)),
	}, options...)...)
}

// dialSlow makes a connection whose bytes the client takes from the system at so many a second, in pieces of as many.
func dialSlow(j Job, perSecond int, options ...grpc.DialOption) (*grpc.ClientConn, error) {
	return dialGRPC(j, append(options, grpc.WithContextDialer(func(ctx context.Context, address string) (net.Conn, error) {
		conn, err := dial(ctx, address)
		if err != nil {
			return nil, err
		}
		return &slowConn{Conn: conn, perSecond: perSecond}, nil
	}))...)
}

// slowConn is a connection whose reader is slow. Reads are for one goroutine.
type slowConn struct {
	net.Conn
	perSecond int
}

// Read takes up to a second's bytes, and lasts that second.
func (c *slowConn) Read(b []byte) (int, error) {
	time.Sleep(time.Second)
	return c.Conn.Read(b[:min(len(b), c.perSecond)])
}

// workers runs n of them and returns when all have ended. The first error ends them all; those of a context that ended
// are none.
func workers(ctx context.Context, n int, work func(ctx context.Context, i int) error) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var all sync.WaitGroup
	for i := range n {
		all.Go(func() {
			if err := work(ctx, i); err != nil && ctx.Err() == nil {
				cancel(fmt.Errorf("worker %d: %w", i, err))
			}
		})
	}
	all.Wait()
	cause := context.Cause(ctx)
	if errors.Is(cause, context.DeadlineExceeded) || errors.Is(cause, context.Canceled) {
		return nil
	}
	return cause
}

// pause waits, and is false when ctx ended.
func pause(ctx context.Context, d time.Duration) bool {
	select {
	case <-time.After(d):
		return true
	case <-ctx.Done():
		return false
	}
}

// answered counts a call by its code; what the end of the load cut off does not count. No other deadline is set.
func answered(ctx context.Context, t *Tally, err error) {
	code := status.Code(err)
	if code == codes.OK || code != codes.DeadlineExceeded && ctx.Err() == nil {
		t.add(code.String(), 1)
	}
}

// randomness is a source of bytes for a worker.
func randomness(j Job, worker int) *rand.ChaCha8 {
	var seed [32]byte
	for i := range 8 {
		seed[i], seed[8+i] = byte(j.Seed>>(8*i)), byte(worker>>(8*i))
	}
	return rand.NewChaCha8(seed)
}
