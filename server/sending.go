package server

import (
	"context"
	"time"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	"google.golang.org/grpc"
	"google.golang.org/protobuf/proto"

	"github.com/zkine/zkine/server/listener"
	"github.com/zkine/zkine/server/v3rpc"
	"github.com/zkine/zkine/server/wire"
)

// DefaultMaxSendBytes is what large answers take that wait for their clients.
const DefaultMaxSendBytes = 512 << 20

// sender has the answers of calls wait until there is room for their bytes.
type sender struct{ *wire.Sending }

// connection is what stands for the connection of a call. The loopback's is shared by
// clients that have nothing to do with each other, so that there each call stands for
// itself.
func connection(ctx context.Context) any {
	if conn := listener.ConnOf(ctx); conn != nil {
		return conn
	}
	if conn := listener.OfRequest(ctx); conn != nil { // gRPC over net/http
		return conn
	}
	return new(byte)
}

// repeatable says whether a call may be made again: it changes nothing.
func repeatable(req any) bool {
	switch r := req.(type) {
	case *pb.RangeRequest:
		return true
	case *pb.TxnRequest:
		return v3rpc.ReadOnly(r)
	}
	return false
}

// unary makes a call. If there is no room for the answer to a read it is made
// again when there is: while it waits it would take memory too. Other answers wait as they
// are. ctx bounds the wait.
func (s sender) unary(ctx context.Context, req any, handler grpc.UnaryHandler) (any, error) {
	resp, err := handler(ctx, req)
	if err != nil {
		return resp, err
	}
	size := s.Size(resp)
	if size == 0 {
		return resp, nil
	}
	conn := connection(ctx)
	if reserved, ok := s.Try(conn, size); ok {
		return reserved.Message(resp), nil
	}
	again := repeatable(req)
	if again {
		resp = nil
	}
	reserved, err := s.Wait(ctx, conn, size)
	if err != nil {
		return nil, v3rpc.ToGRPC(ctx, err)
	}
	if again {
		if resp, err = handler(ctx, req); err != nil {
			reserved.Release()
			return nil, err
		}
		reserved.Resize(s.Size(resp))
	}
	return reserved.Message(resp), nil
}

// jsonFactor is what a byte of an answer takes as JSON: it is there as a message and as
// base64, in a buffer that grew by doubling.
const jsonFactor = 4

// jsonRate is how many bytes of room a client of the JSON gateway has to take in a
// second, while others have none: how far it is with an answer is not known.
const jsonRate = 16 << 20

// json is the room for answers of the JSON gateway. A part of a stream waits. Any other
// answer is there as a whole already, so that its call is refused if there is no room.
func (s sender) json(ctx context.Context, answer proto.Message) (release func(), err error) {
	size := jsonFactor * s.Size(answer)
	if size == 0 {
		return func() {}, nil
	}
	call := &jsonCall{listener.OfRequest(ctx)}
	sent := func(r *wire.Reserved) func() {
		r.Sent(time.Duration(size) * time.Second / jsonRate)
		return r.Release
	}
	switch answer.(type) {
	case *pb.WatchResponse, *pb.SnapshotResponse, *pb.RangeStreamResponse:
		reserved, err := s.Wait(ctx, call, size)
		if err != nil {
			return nil, v3rpc.ToGRPC(ctx, err)
		}
		return sent(reserved), nil
	}
	reserved, ok := s.Try(call, size)
	if !ok {
		return nil, rpctypes.ErrGRPCRequestTooManyRequests
	}
	return sent(reserved), nil
}

// jsonCall is a call of the JSON gateway. Each stands for itself.
type jsonCall struct{ conn *listener.Conn }

// Stalled implements wire.Staller.
func (c *jsonCall) Stalled(bytes int64) {
	if c.conn != nil {
		c.conn.Stalled(bytes)
	}
}

// stream is a stream whose messages wait.
func (s sender) stream(ss grpc.ServerStream) grpc.ServerStream {
	return &sendingStream{ss, s, connection(ss.Context())}
}

type sendingStream struct {
	grpc.ServerStream
	sender sender
	conn   any
}

// SendMsg implements grpc.ServerStream.
func (s *sendingStream) SendMsg(m any) error {
	size := s.sender.Size(m)
	if size == 0 {
		return s.ServerStream.SendMsg(m)
	}
	reserved, err := s.sender.Wait(s.Context(), s.conn, size)
	if err != nil {
		return v3rpc.ToGRPC(s.Context(), err)
	}
	return s.ServerStream.SendMsg(reserved.Message(m))
}
