package wiregrpc

import (
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/mem"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
)

// raw is a codec for messages that are byte slices already.
type raw struct{}

func (raw) Name() string { return "proto" }

func (raw) Marshal(v any) (mem.BufferSlice, error) {
	return mem.BufferSlice{mem.SliceBuffer(*v.(*[]byte))}, nil
}

func (raw) Unmarshal(data mem.BufferSlice, v any) error {
	*v.(*[]byte) = data.Materialize()
	return nil
}

// The methods of the server that tests call.
const (
	echo    = "/test.Test/Echo"    // each message comes back
	refuse  = "/test.Test/Refuse"  // with the code that the message has as a number, and a text that is hard to send
	count   = "/test.Test/Count"   // as many messages as the message says, of one byte
	late    = "/test.Test/Late"    // a message, and a refusal after it
	nothing = "/test.Test/Nothing" // OK without a reply
	deaf    = "/test.Test/Deaf"    // OK without waiting for a request
	hang    = "/test.Test/Hang"    // until the client gives up
	meta    = "/test.Test/Meta"    // what the metadata say of "hasleader"
)

const refusal = "no: 100 % “größer” than\n日本"

// server is a grpc-go server.
type server struct {
	*grpc.Server
	endpoint string
	hanging  chan struct{} // gets a token when a call has begun to hang
	given    chan error    // gets why one does not hang any more
}

func serve(t testing.TB) *server {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	s := &server{endpoint: listener.Addr().String(), hanging: make(chan struct{}, 1000), given: make(chan error, 1000)}
	s.Server = grpc.NewServer(grpc.ForceServerCodecV2(raw{}), grpc.UnknownServiceHandler(s.handle),
		grpc.MaxRecvMsgSize(1<<30), grpc.MaxSendMsgSize(1<<30))
	go s.Serve(listener) //nolint:errcheck // it ends with Stop
	t.Cleanup(s.Stop)
	return s
}

func (s *server) handle(_ any, stream grpc.ServerStream) error {
	method, _ := grpc.MethodFromServerStream(stream)
	if method == deaf {
		return nil
	}
	var m []byte
	if err := stream.RecvMsg(&m); err != nil {
		return err
	}
	switch n, _ := strconv.Atoi(string(m)); method {
	case echo:
		return s.echo(stream, m)
	case refuse:
		return status.Error(codes.Code(n), refusal)
	case count:
		for range n {
			if err := stream.SendMsg(&[]byte{'x'}); err != nil {
				return err
			}
		}
		return nil
	case late:
		if err := stream.SendMsg(&m); err != nil {
			return err
		}
		return status.Error(codes.Aborted, refusal)
	case nothing:
		return nil
	case hang:
		s.hanging <- struct{}{}
		<-stream.Context().Done()
		s.given <- context.Cause(stream.Context())
		return nil
	case meta:
		md, _ := metadata.FromIncomingContext(stream.Context())
		return stream.SendMsg(new([]byte(fmt.Sprint(md["hasleader"]))))
	}
	return status.Error(codes.Unimplemented, method)
}

func (s *server) echo(stream grpc.ServerStream, m []byte) error {
	for {
		if err := stream.SendMsg(&m); err != nil {
			return err
		}
		if err := stream.RecvMsg(&m); err == io.EOF {
			return nil
		} else if err != nil {
			return err
		}
	}
}

func dial(t testing.TB, endpoint string) *Conn {
	conn, err := Dial(context.Background(), endpoint)
	require.NoError(t, err)
	t.Cleanup(conn.Close)
	return conn
}

// copied keeps a reply.
type copied struct{ body []byte }

func (c *copied) Scan(m []byte) error {
	c.body = append(c.body[:0], m...)
	return nil
}

// inbox queues what comes in a stream.
type inbox struct {
	messages chan string
	end      chan error
}

func newInbox() *inbox {
	return &inbox{messages: make(chan string, 1000), end: make(chan error, 1)}
}

func (i *inbox) Scan(m []byte) error {
	i.messages <- string(m)
	return nil
}

func (i *inbox) End(err error) { i.end <- err }

// serverProcess makes the test binary a server for benchmarks: on a processor account of its own.
const serverProcess = "WIREGRPC_TEST_SERVER"

func TestMain(m *testing.M) {
	if os.Getenv(serverProcess) == "" {
		os.Exit(m.Run())
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		panic(err)
	}
	fmt.Println(listener.Addr())
	s := &server{}
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin) // until the benchmark is over
		os.Exit(0)
	}()
	panic(grpc.NewServer(grpc.ForceServerCodecV2(raw{}), grpc.UnknownServiceHandler(s.handle)).Serve(listener))
}
