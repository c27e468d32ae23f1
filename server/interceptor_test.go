package server

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/sirupsen/logrus"
	"github.com/stretchr/testify/require"
	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/metadata"

	"github.com/zkine/zkine/server/servertest"
	"github.com/zkine/zkine/server/usage"
	"github.com/zkine/zkine/server/wire"
)

var errAway = errors.New("ZooKeeper is away")

// Calls that require a leader are refused while the backend is not ready.
func TestRequireLeader(t *testing.T) {
	r := start(t)
	_, err := r.Send(withLeader(ctxFor(t)), &pb.RangeRequest{Key: []byte("k")})
	require.NoError(t, err)
	r.backend.SetReady(errAway)
	_, err = r.Send(withLeader(ctxFor(t)), &pb.RangeRequest{Key: []byte("k")})
	requireStatus(t, rpctypes.ErrGRPCNoLeader, err)
	_, err = r.WatchStream(t, withLeader(ctxFor(t))).Recv()
	requireStatus(t, rpctypes.ErrGRPCNoLeader, err)
	_, err = r.Send(ctxFor(t), &pb.RangeRequest{Key: []byte("k")})
	require.NoError(t, err, "who does not ask for a leader gets the backend's answer")
}

// Streams that require a leader end when there was none for a while; others
// do not.
func TestRequireLeaderStreams(t *testing.T) {
	r := start(t, func(c *Config) { c.NoLeaderTimeout = time.Millisecond })
	strict := r.Established(t, withLeader(ctxFor(t)))
	loose := r.KeepAlive(t, ctxFor(t))
	require.NoError(t, loose.Send(&pb.LeaseKeepAliveRequest{ID: 1}))
	_, err := loose.Recv()
	require.NoError(t, err)
	r.backend.SetReady(errAway)
	_, err = strict.Recv()
	requireStatus(t, rpctypes.ErrGRPCNoLeader, err)
	require.NoError(t, loose.Send(&pb.LeaseKeepAliveRequest{ID: 1}))
	_, err = loose.Recv()
	require.NoError(t, err)
}

// A short outage ends nothing.
func TestShortOutage(t *testing.T) {
	s := &Server{serves: make(chan struct{}), cfg: Config{NoLeaderTimeout: time.Second}, log: logrus.NewEntry(logrus.New()),
		metrics: &metrics{leaderless: prometheus.NewCounter(prometheus.CounterOpts{Name: "ended"})}}
	s.log.Logger.SetOutput(&testWriter{t})
	b := servertest.NewBackend()
	f := &facade{backend: b}
	f.accepting.Store(true)
	f.grpc, f.health = nil, newHealth()
	ctx, cancel := context.WithCancelCause(context.Background())
	s.live.calls = map[*liveCall]struct{}{{ctx: ctx, cancel: cancel, kind: leaderBound}: {}}
	look := readiness{server: s}
	now := time.Now()
	see := func(err error, after time.Duration) {
		b.SetReady(err)
		now = now.Add(after)
		look.observe(f, now)
	}
	see(nil, 0)
	see(errAway, time.Second)
	see(errAway, time.Second-1)
	see(nil, 1)
	see(errAway, 1)
	require.NoError(t, ctx.Err())
	see(errAway, time.Second)
	require.ErrorIs(t, context.Cause(ctx), rpctypes.ErrGRPCNoLeader)
}

type testWriter struct{ t *testing.T }

func (w *testWriter) Write(p []byte) (int, error) {
	w.t.Log(string(p))
	return len(p), nil
}

func TestClientVersion(t *testing.T) {
	r := start(t)
	ctx := metadata.AppendToOutgoingContext(ctxFor(t), rpctypes.MetadataClientAPIVersionKey, "3.7.3")
	_, err := r.Send(ctx, &pb.RangeRequest{Key: []byte("k")})
	require.NoError(t, err)
	gate := &gate{usage: usage.NewRecorder(), backend: r.backend, metrics: r.Server.metrics, sender: sender{wire.NewSending(DefaultMaxSendBytes)}}
	bad := metadata.NewIncomingContext(context.Background(), metadata.Pairs(rpctypes.MetadataClientAPIVersionKey, "3.\xff"))
	_, err = gate.admit(bad, "unary")
	requireStatus(t, rpctypes.ErrGRPCInvalidClientAPIVersion, err)
}

// Clients cannot make up any number of label values.
func TestVersionLabels(t *testing.T) {
	m := &metrics{versions: make(map[string]bool)}
	require.Equal(t, "3.7.3", m.versionLabel("3.7.3"))
	require.Equal(t, "3.6.0-rc.1", m.versionLabel("3.6.0-rc.1"))
	require.Equal(t, "unknown", m.versionLabel("unknown"))
	require.Equal(t, "other", m.versionLabel("made up"))
	for i := range 2 * maxClientVersions {
		m.versionLabel("1." + string(rune('0'+i%10)) + string(rune('0'+i/10%10)) + string(rune('0'+i/100)))
	}
	require.Len(t, m.versions, maxClientVersions)
	require.Equal(t, "other", m.versionLabel("9.9.9"))
}

// A slow call is logged with its key's prefix, and without a name or a value.
func TestSlowRequestLog(t *testing.T) {
	r := start(t, func(c *Config) { c.SlowRequest = 1 })
	_, err := r.Send(ctxFor(t), &pb.PutRequest{Key: []byte("/app/the-secret-key"), Value: []byte("secret")})
	require.NoError(t, err)
	write := &pb.RequestOp{Request: &pb.RequestOp_RequestPut{RequestPut: &pb.PutRequest{Key: []byte("k"), Value: []byte("secret")}}}
	_, err = r.Send(ctxFor(t), &pb.TxnRequest{
		Compare: []*pb.Compare{{Key: []byte("/compared/secret"), TargetUnion: &pb.Compare_Value{Value: []byte("secret")}}},
		Success: []*pb.RequestOp{write},
	})
	require.NoError(t, err)
	entries := r.logged(logrus.WarnLevel)
	require.Len(t, entries, 2)
	require.Equal(t, "/app/", entries[0].Data["prefix"])
	require.Equal(t, "/compared/", entries[1].Data["prefix"])
	require.Contains(t, entries[0].Data["user_agent"], "grpc-go/")
	require.Equal(t, 1, entries[1].Data["success_ops"])
	for _, e := range entries {
		text, err := e.String()
		require.NoError(t, err)
		require.NotContains(t, text, "secret")
	}
}

// gRPC's health service follows the backend.
func TestHealthService(t *testing.T) {
	r := start(t)
	stream, err := healthpb.NewHealthClient(r.Conn).Watch(ctxFor(t), &healthpb.HealthCheckRequest{})
	require.NoError(t, err)
	next := func() healthpb.HealthCheckResponse_ServingStatus {
		resp, err := stream.Recv()
		require.NoError(t, err)
		return resp.Status
	}
	require.Equal(t, healthpb.HealthCheckResponse_SERVING, next())
	r.backend.SetReady(errAway)
	require.Equal(t, healthpb.HealthCheckResponse_NOT_SERVING, next())
	r.backend.SetReady(nil)
	require.Equal(t, healthpb.HealthCheckResponse_SERVING, next())
}
