package server

import (
	"bytes"
	"context"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	"google.golang.org/grpc"
	"google.golang.org/protobuf/proto"

	"github.com/zkine/zkine/server/servertest"
	"github.com/zkine/zkine/server/usage"
	"github.com/zkine/zkine/server/wire"
)

// TestRequestsUnderWayAreBounded: who comes when too much is under way hears
// etcd's words, whatever he asks for; a small request always passes, and what is
// over makes room.
func TestRequestsUnderWayAreBounded(t *testing.T) {
	large := bytes.Repeat([]byte("k"), 1<<20)
	for name, req := range map[string]proto.Message{
		"put":   &pb.PutRequest{Key: []byte("k"), Value: large},
		"range": &pb.RangeRequest{Key: large},
		"txn":   &pb.TxnRequest{Compare: []*pb.Compare{{Key: large}}},
		"auth":  &pb.AuthUserAddRequest{Name: string(large)},
	} {
		t.Run(name, func(t *testing.T) {
			u := &underWay{}
			g := &gate{usage: usage.NewRecorder(), cfg: Config{RequestTimeout: DefaultRequestTimeout}, backend: servertest.NewBackend(), live: &liveCalls{}, metrics: start(t).Server.metrics, underWay: u,
				sender: sender{wire.NewSending(DefaultMaxSendBytes)}}
			let, inside := make(chan struct{}), make(chan struct{})
			wait := func(context.Context, any) (any, error) { inside <- struct{}{}; <-let; return nil, nil }
			call := func(req any, handler grpc.UnaryHandler) error {
				_, err := g.unary(context.Background(), req, &grpc.UnaryServerInfo{}, handler)
				return err
			}
			var calls sync.WaitGroup
			fit := maxUnderWay / requestSize(req)
			for range fit {
				calls.Go(func() { require.NoError(t, call(req, wait)) })
				<-inside
			}
			pass := func(context.Context, any) (any, error) { return nil, nil }
			require.Equal(t, rpctypes.ErrGRPCRequestTooManyRequests, call(req, pass))
			require.NoError(t, call(&pb.PutRequest{Key: []byte("k")}, pass))
			close(let)
			calls.Wait()
			require.NoError(t, call(req, pass))
			require.Zero(t, u.bytes.Load())
		})
	}
}
