package server

import (
	"context"
	"crypto/tls"
	"math"
	"net"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	clientv3 "go.etcd.io/etcd/client/v3"
	"go.uber.org/zap"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/peer"
	"google.golang.org/grpc/test/bufconn"

	"github.com/zkine/zkine/server/listener"
	"github.com/zkine/zkine/server/tracing"
	"github.com/zkine/zkine/server/usage"
)

// loopback is a connection of the server to itself, in memory, for what is a
// client of etcd's API although it is part of the server: the JSON gateway, and
// the lock and election services. Their calls pass the same interceptors and
// handlers as those of any client.
//
// It has a gRPC server of its own, which outlives the one for clients while
// that drains: what clients have under way may still need it.
type loopback struct {
	grpc   *grpc.Server
	pipe   *bufconn.Listener
	conn   *grpc.ClientConn
	client *clientv3.Client
}

// pipeBytes is how much either side may be ahead of the other.
const pipeBytes = 256 << 10

// newLoopback makes the client's side. Nothing runs before serve.
func newLoopback() *loopback {
	l := &loopback{pipe: bufconn.Listen(pipeBytes)}
	var err error
	l.conn, err = grpc.NewClient("passthrough:///loopback",
		grpc.WithContextDialer(func(ctx context.Context, _ string) (net.Conn, error) { return l.pipe.DialContext(ctx) }),
		grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(math.MaxInt32), grpc.MaxCallSendMsgSize(math.MaxInt32)),
		grpc.WithUnaryInterceptor(vouchUnary), grpc.WithStreamInterceptor(vouchStream),
	)
	if err != nil {
		panic(err) // only for options that contradict each other
	}
	// Without clientv3's own connection there are none of its retries: the
	// caller of the service is told, as if it had made the call itself.
	l.client = clientv3.NewCtxClient(context.Background(), clientv3.WithZapLogger(zap.NewNop()))
	l.client.KV = clientv3.NewKVFromKVClient(pb.NewKVClient(l.conn), l.client)
	l.client.Lease = clientv3.NewLeaseFromLeaseClient(pb.NewLeaseClient(l.conn), l.client, DefaultRequestTimeout)
	l.client.Watcher = clientv3.NewWatchFromWatchClient(pb.NewWatchClient(l.conn), l.client)
	return l
}

// serve returns when close is called.
func (l *loopback) serve() {
	_ = l.grpc.Serve(l.pipe) // a pipe does not break
}

// close ends the calls that are still under way, and waits for them.
func (l *loopback) close() {
	l.client.Close()
	l.conn.Close()
	l.grpc.Stop()
	l.pipe.Close()
}

// commonNameKey is the metadata by which the loopback says whose call it passes
// on. It counts on the loopback's own connection only, where vouch sets it.
const commonNameKey = "zkine-common-name"

// commonName is the common name of the client certificate with which a call
// came, "" if there is none. Such a certificate was verified.
func commonName(ctx context.Context) string {
	p, ok := peer.FromContext(ctx)
	if !ok {
		return ""
	}
	auth := p.AuthInfo
	if info, ok := auth.(listener.ConnInfo); ok {
		auth = info.AuthInfo
	}
	switch info := auth.(type) {
	case credentials.TLSInfo:
		if throughGateway(ctx) {
			return ""
		}
		return certificateName(&info.State)
	case loopbackInfo:
		md, _ := metadata.FromIncomingContext(ctx)
		if names := md.Get(commonNameKey); len(names) == 1 {
			return names[0]
		}
	}
	return ""
}

// certificateName is the name that etcd takes: that of the first verified chain
// which has one.
func certificateName(state *tls.ConnectionState) string {
	for _, chain := range state.VerifiedChains {
		if len(chain) > 0 && chain[0].Subject.CommonName != "" {
			return chain[0].Subject.CommonName
		}
	}
	return ""
}

// onBehalf is the context of a call on the loopback that a handler makes for
// its own caller, with that caller's token and name. They have to be in the
// outgoing metadata before clientv3 sees the context: it lets watches share a
// stream if, and only if, that is equal.
func onBehalf(ctx context.Context) context.Context {
	in, _ := metadata.FromIncomingContext(ctx)
	out := metadata.MD{}
	for _, key := range []string{rpctypes.TokenFieldNameGRPC, rpctypes.TokenFieldNameSwagger} {
		if v := in.Get(key); len(v) > 0 {
			out.Set(key, v...)
		}
	}
	return vouch(metadata.NewOutgoingContext(ctx, out))
}

// vouch says in the metadata of a call on the loopback who the caller of the
// handler is that makes it, and for which client, and removes what the gateway's
// client may have written there.
func vouch(ctx context.Context) context.Context {
	md, _ := metadata.FromOutgoingContext(ctx)
	md = md.Copy()
	if md == nil {
		md = metadata.MD{}
	}
	md.Delete(commonNameKey)
	if name := commonName(ctx); name != "" {
		md.Set(commonNameKey, name)
	}
	md.Delete(originAddressKey)
	md.Delete(originAgentKey)
	if origin := originOf(ctx, md); origin.Address != "" {
		md.Set(originAddressKey, origin.Address)
		md.Set(originAgentKey, origin.UserAgent)
	}
	tracing.Join(ctx, md)
	return metadata.NewOutgoingContext(ctx, md)
}

// originOf is the client for which a call on the loopback is: that of a handler, or of
// an HTTP request to the gateway. It has no address if it is for none.
func originOf(ctx context.Context, md metadata.MD) usage.Peer {
	if _, ok := peer.FromContext(ctx); ok {
		return peerOf(ctx)
	}
	conn := listener.OfRequest(ctx)
	if conn == nil {
		return usage.Peer{}
	}
	origin := usage.Peer{Address: addressOf(conn.RemoteAddr())}
	if agent := md.Get(gatewayAgentKey); len(agent) > 0 {
		origin.UserAgent = agent[0]
	}
	return origin
}

//nolint:revive // its signature is gRPC's
func vouchUnary(ctx context.Context, method string, req, reply any, cc *grpc.ClientConn, invoke grpc.UnaryInvoker, opts ...grpc.CallOption) error {
	return invoke(vouch(ctx), method, req, reply, cc, opts...)
}

func vouchStream(ctx context.Context, desc *grpc.StreamDesc, cc *grpc.ClientConn, method string, stream grpc.Streamer, opts ...grpc.CallOption) (grpc.ClientStream, error) {
	return stream(vouch(ctx), desc, cc, method, opts...)
}

// loopbackInfo marks the peer of calls that came in on the loopback. No other
// connection can have it.
type loopbackInfo struct{ credentials.CommonAuthInfo }

func (loopbackInfo) AuthType() string { return "loopback" }

// loopbackCredentials gives connections from the pipe their mark.
type loopbackCredentials struct {
	credentials.TransportCredentials
}

func newLoopbackCredentials() credentials.TransportCredentials {
	return loopbackCredentials{insecure.NewCredentials()}
}

func (l loopbackCredentials) Clone() credentials.TransportCredentials { return l }

func (loopbackCredentials) ServerHandshake(c net.Conn) (net.Conn, credentials.AuthInfo, error) {
	return c, loopbackInfo{credentials.CommonAuthInfo{SecurityLevel: credentials.PrivacyAndIntegrity}}, nil
}
