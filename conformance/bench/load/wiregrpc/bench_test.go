package wiregrpc

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
)

// serveApart starts a server in a process of its own.
func serveApart(b *testing.B) (endpoint string) {
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), serverProcess+"=1")
	in, err := cmd.StdinPipe()
	require.NoError(b, err)
	out, err := cmd.StdoutPipe()
	require.NoError(b, err)
	require.NoError(b, cmd.Start())
	b.Cleanup(func() {
		in.Close()
		require.NoError(b, cmd.Wait())
	})
	line, err := bufio.NewReader(out).ReadString('\n')
	require.NoError(b, err)
	return strings.TrimSpace(line)
}

// burned is the processor time of this process, in nanoseconds.
func burned(b *testing.B) float64 {
	var usage syscall.Rusage
	require.NoError(b, syscall.Getrusage(syscall.RUSAGE_SELF, &usage))
	return float64(usage.Utime.Nano() + usage.Stime.Nano())
}

// request has the size of an update of an object in a Kubernetes.
var request = make([]byte, 1024)

// clients is how many there are in a busy benchmark, each with a connection of its own.
const clients = 32

// measure does operations, each client one after the other.
func measure(b *testing.B, ops ...func() error) {
	for _, op := range ops {
		require.NoError(b, op())
	}
	b.ReportAllocs()
	b.ResetTimer()
	before := burned(b)
	var begun atomic.Int64
	var all sync.WaitGroup
	for _, op := range ops {
		all.Go(func() {
			for begun.Add(1) <= int64(b.N) {
				if err := op(); err != nil {
					b.Error(err)
					return
				}
			}
		})
	}
	all.Wait()
	b.ReportMetric((burned(b)-before)/float64(b.N), "cpu-ns/op")
}

// BenchmarkInvoke compares a unary call with one of grpc-go's, for one client and for many. The time is the server's
// too, the processor time is not.
func BenchmarkInvoke(b *testing.B) { compare(b, invoke, theirInvoke) }

// BenchmarkStream does the same with messages of a stream.
func BenchmarkStream(b *testing.B) { compare(b, exchange, theirExchange) }

// newOp connects a client and returns what it does.
type newOp func(b *testing.B, endpoint string) func() error

func compare(b *testing.B, ours, theirs newOp) {
	endpoint := serveApart(b)
	for _, n := range []int{1, clients} {
		for name, op := range map[string]newOp{"wiregrpc": ours, "grpc-go": theirs} {
			b.Run(fmt.Sprintf("%s/%d", name, n), func(b *testing.B) {
				var ops []func() error
				for range n {
					ops = append(ops, op(b, endpoint))
				}
				measure(b, ops...)
			})
		}
	}
}

func invoke(b *testing.B, endpoint string) func() error {
	conn, reply := dial(b, endpoint), &copied{}
	ctx, cancel := context.WithCancel(context.Background())
	b.Cleanup(cancel)
	return func() error { return conn.Invoke(ctx, echo, request, reply) }
}

func theirInvoke(b *testing.B, endpoint string) func() error {
	conn := theirConn(b, endpoint)
	ctx, cancel := context.WithCancel(context.Background())
	b.Cleanup(cancel)
	var reply []byte
	return func() error { return conn.Invoke(ctx, echo, &request, &reply) }
}

func exchange(b *testing.B, endpoint string) func() error {
	replies := newInbox()
	stream, err := dial(b, endpoint).Stream(context.Background(), echo, replies)
	require.NoError(b, err)
	return func() error {
		if err := stream.Send(request); err != nil {
			return err
		}
		<-replies.messages
		return nil
	}
}

func theirExchange(b *testing.B, endpoint string) func() error {
	stream, err := theirConn(b, endpoint).NewStream(context.Background(), &grpc.StreamDesc{ServerStreams: true, ClientStreams: true}, echo)
	require.NoError(b, err)
	var reply []byte
	return func() error {
		if err := stream.SendMsg(&request); err != nil {
			return err
		}
		return stream.RecvMsg(&reply)
	}
}

func theirConn(b *testing.B, endpoint string) *grpc.ClientConn {
	conn, err := grpc.NewClient(endpoint, grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithDefaultCallOptions(grpc.ForceCodecV2(raw{})))
	require.NoError(b, err)
	b.Cleanup(func() { conn.Close() })
	return conn
}
