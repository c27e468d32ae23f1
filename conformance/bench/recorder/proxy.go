package recorder

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"net"
	"sync"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/peer"
)

// Proxy is a server that passes calls on to an etcd.
type Proxy struct {
	*Recorder
	target   string // host:port
	listener net.Listener
	server   *grpc.Server

	mu    sync.Mutex
	conns map[string]*grpc.ClientConn // to the target, by the client's address
}

// Start listens on a free port of the loopback interface.
func Start(target string) (*Proxy, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	p := &Proxy{Recorder: newRecorder(), target: target, listener: listener, conns: make(map[string]*grpc.ClientConn)}
	p.server = grpc.NewServer(grpc.ForceServerCodec(rawCodec{}), grpc.UnknownServiceHandler(p.handle), grpc.MaxRecvMsgSize(math.MaxInt32))
	go p.server.Serve(listener) //nolint:errcheck // it ends with Close
	return p, nil
}

// URL is what to give to --etcd-servers.
func (p *Proxy) URL() string { return "http://" + p.listener.Addr().String() }

// Close ends all calls.
func (p *Proxy) Close() {
	p.server.Stop()
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, conn := range p.conns {
		conn.Close()
	}
}

// raw is a message as it came.
type raw []byte

type rawCodec struct{}

var errRaw = errors.New("not a raw message")

func (rawCodec) Name() string { return "proto" }

func (rawCodec) Marshal(v any) ([]byte, error) {
	if m, ok := v.(*raw); ok {
		return *m, nil
	}
	return nil, errRaw
}

func (rawCodec) Unmarshal(data []byte, v any) error {
	m, ok := v.(*raw)
	if !ok {
		return errRaw
	}
	*m = append(raw(nil), data...)
	return nil
}

// onward is the connection to the target that belongs to a client's connection.
func (p *Proxy) onward(client string) (*grpc.ClientConn, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if conn := p.conns[client]; conn != nil {
		return conn, nil
	}
	conn, err := grpc.NewClient(p.target, grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithDefaultCallOptions(grpc.ForceCodec(rawCodec{}), grpc.MaxCallRecvMsgSize(math.MaxInt32)))
	if err == nil {
		p.conns[client] = conn
	}
	return conn, err
}

// notPassed are headers that each connection has of its own.
var notPassed = []string{":authority", "content-type", "user-agent", "grpc-accept-encoding"}

// handle passes one call on.
func (p *Proxy) handle(_ any, in grpc.ServerStream) error {
	method, _ := grpc.MethodFromServerStream(in)
	client, ok := peer.FromContext(in.Context())
	if !ok {
		return errors.New("a call without a client")
	}
	conn, err := p.onward(client.Addr.String())
	if err != nil {
		return err
	}
	headers, _ := metadata.FromIncomingContext(in.Context())
	headers = headers.Copy()
	for _, name := range notPassed {
		delete(headers, name)
	}
	ctx, cancel := context.WithCancel(metadata.NewOutgoingContext(in.Context(), headers))
	defer cancel()
	out, err := conn.NewStream(ctx, &grpc.StreamDesc{ServerStreams: true, ClientStreams: true}, method)
	if err != nil {
		return err
	}
	call := p.begin(method, client.Addr.String())
	defer call.end()
	go func() {
		if err := passRequests(in, out, call); err != nil {
			cancel()
		}
	}()
	return passAnswers(in, out, call)
}

func passRequests(in grpc.ServerStream, out grpc.ClientStream, call *call) error {
	for {
		var m raw
		switch err := in.RecvMsg(&m); {
		case errors.Is(err, io.EOF):
			return out.CloseSend()
		case err != nil:
			return err
		}
		call.request(m)
		if err := out.SendMsg(&m); err != nil {
			return fmt.Errorf("pass a request on: %w", err)
		}
	}
}

func passAnswers(in grpc.ServerStream, out grpc.ClientStream, call *call) error {
	for {
		var m raw
		err := out.RecvMsg(&m)
		if err != nil {
			in.SetTrailer(out.Trailer())
			if errors.Is(err, io.EOF) {
				return nil
			}
			return err
		}
		call.answer(m)
		if err := in.SendMsg(&m); err != nil {
			return err
		}
	}
}
