package load

import (
	"context"
	"fmt"
	"math"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/mem"
	"google.golang.org/grpc/metadata"
)

// frame is a request in its wire form, or a scanner of replies.
type frame []byte

// scanner looks at a reply in its wire form. It must not keep the bytes.
type scanner interface {
	scan(r *mem.Reader) error
}

// frames is a codec that leaves both as they are.
type frames struct{}

func (frames) Name() string { return "proto" }

func (frames) Marshal(v any) (mem.BufferSlice, error) {
	return mem.BufferSlice{mem.SliceBuffer(v.(frame))}, nil
}

func (frames) Unmarshal(data mem.BufferSlice, v any) error {
	r := data.Reader()
	defer r.Close()
	return v.(scanner).scan(r)
}

// conns are connections to one server, over which clients are spread.
type conns []*grpc.ClientConn

// connect opens them; a client beyond most shares one. kube-apiserver has a connection for each resource that it
// serves, over a hundred.
func connect(ctx context.Context, endpoint string, clients, most int) (conns, error) {
	var all conns
	for range max(1, min(clients, most)) {
		conn, err := grpc.NewClient("passthrough:///"+endpoint, grpc.WithTransportCredentials(insecure.NewCredentials()),
			grpc.WithDefaultCallOptions(grpc.ForceCodecV2(frames{}), grpc.MaxCallRecvMsgSize(math.MaxInt32), grpc.MaxCallSendMsgSize(math.MaxInt32)))
		if err != nil {
			return all, err
		}
		all = append(all, conn)
		if err := call(ctx, conn, rangeMethod, readyRequest, &rangeReply{}); err != nil {
			return all, err
		}
	}
	return all, nil
}

func (c conns) of(client int) *grpc.ClientConn { return c[client%len(c)] }

func (c conns) close() {
	for _, conn := range c {
		conn.Close()
	}
}

// call makes one request. The frame may be used again when it returns without an error.
func call(ctx context.Context, conn *grpc.ClientConn, method string, request frame, reply scanner) error {
	if err := conn.Invoke(ctx, method, request, reply); err != nil {
		return fmt.Errorf("%s is refused: %w", method, err)
	}
	return nil
}

// leaderRequired is what kube-apiserver demands for its watches.
func leaderRequired(ctx context.Context) context.Context {
	return metadata.AppendToOutgoingContext(ctx, "hasleader", "true")
}
