package server

import (
	"context"
	"errors"
	"net"
	"testing"

	"github.com/stretchr/testify/require"
	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"

	"github.com/zkine/zkine/server/listener"
	"github.com/zkine/zkine/server/servertest"
)

// Stop ends the streams that have no end with Unavailable, and lets a call
// that is under way finish.
func TestStopDrains(t *testing.T) {
	r := start(t)
	watch := r.Established(t, ctxFor(t))
	alive := r.KeepAlive(t, ctxFor(t))
	require.NoError(t, alive.Send(&pb.LeaseKeepAliveRequest{ID: 1}))
	_, err := alive.Recv()
	require.NoError(t, err)
	health, err := healthpb.NewHealthClient(r.Conn).Watch(ctxFor(t), &healthpb.HealthCheckRequest{})
	require.NoError(t, err)
	_, err = health.Recv()
	require.NoError(t, err)

	arrived, release := make(chan struct{}), make(chan struct{})
	r.backend.SetAnswer(func(context.Context, any) (any, error) {
		close(arrived)
		<-release
		return nil, nil
	})
	answered := make(chan error, 1)
	go func() {
		_, err := r.Send(context.Background(), &pb.PutRequest{Key: []byte("k")})
		answered <- err
	}()
	<-arrived

	stopped := make(chan error, 1)
	go func() { stopped <- r.Stop(ctxFor(t)) }()
	_, err = watch.Recv()
	requireStatus(t, rpctypes.ErrGRPCStopped, err)
	_, err = alive.Recv()
	requireStatus(t, rpctypes.ErrGRPCStopped, err)
	for err = nil; err == nil; { // a change of the status may come first
		_, err = health.Recv()
	}
	requireStatus(t, rpctypes.ErrGRPCStopped, err)
	_, err = net.Dial("tcp", r.addr)
	require.Error(t, err, "no new connections")
	select {
	case err := <-stopped:
		t.Fatal("stopped before the call had its answer", err)
	default:
	}
	close(release)
	require.NoError(t, <-answered)
	require.NoError(t, <-stopped)
	require.Error(t, r.Start(), "a server is started once")
}

// What does not finish in time is cut off, and its context ended.
func TestStopCutsOff(t *testing.T) {
	r := start(t)
	arrived := make(chan struct{})
	r.backend.SetAnswer(func(ctx context.Context, _ any) (any, error) {
		close(arrived)
		<-ctx.Done()
		return nil, ctx.Err()
	})
	answered := make(chan error, 1)
	go func() {
		_, err := r.Send(context.Background(), &pb.PutRequest{Key: []byte("k")})
		answered <- err
	}()
	<-arrived
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	require.ErrorIs(t, r.Server.stop(ctx), context.Canceled)
	require.Error(t, <-answered)
	r.stopOnce.Do(func() {}) // the test's end stops again
}

func TestStopBeforeStart(t *testing.T) {
	l, err := listener.Listen([]string{"http://127.0.0.1:0"})
	require.NoError(t, err)
	s, err := New(Config{Listeners: l})
	require.NoError(t, err)
	require.NoError(t, s.Stop(ctxFor(t)))
	_, err = l[0].Accept()
	require.ErrorIs(t, err, net.ErrClosed)
	require.Error(t, s.Start())
}

// Serve ends with its context, and with a listener that fails.
func TestServe(t *testing.T) {
	serve := func(ctx context.Context) (net.Listener, chan error) {
		l, err := listener.Listen([]string{"http://127.0.0.1:0"})
		require.NoError(t, err)
		s, err := New(Config{Backend: servertest.NewBackend(), Listeners: l})
		require.NoError(t, err)
		done := make(chan error, 1)
		go func() { done <- s.Serve(ctx) }()
		conn := dial(t, l[0].Addr().String())
		defer conn.Close()
		_, err = pb.NewMaintenanceClient(conn).Status(ctxFor(t), &pb.StatusRequest{})
		require.NoError(t, err)
		return l[0], done
	}
	ctx, cancel := context.WithCancel(context.Background())
	_, done := serve(ctx)
	cancel()
	require.NoError(t, <-done)

	l, done := serve(context.Background())
	l.Close()
	require.ErrorContains(t, <-done, "serving clients on "+l.Addr().String())
	servertest.RequireNothingRuns(t)
}

func TestStartPortInUse(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer taken.Close()
	url := "http://" + taken.Addr().String()
	s, err := New(Config{ClientURLs: []string{url}})
	require.NoError(t, err)
	require.ErrorContains(t, s.Serve(context.Background()), "choose another with --listen-client-urls")

	s, err = New(Config{ClientURLs: []string{"http://127.0.0.1:0"}, MetricsURLs: []string{url}})
	require.NoError(t, err)
	require.ErrorContains(t, s.Start(), "choose another with --listen-metrics-urls")
}

func TestConfigRefused(t *testing.T) {
	for _, c := range []Config{
		{},
		{ClientURLs: []string{"http://x:1"}, Version: "3.7"},
		{ClientURLs: []string{"http://x:1"}, MaxTxnOps: -1},
	} {
		_, err := New(c)
		require.Error(t, err)
	}
}

// Clients wait until the backend has been ready once; after that they are
// served, or told, whatever it says.
func TestClientsWaitForReady(t *testing.T) {
	r := start(t, func(c *Config) { c.Backend.(*servertest.Backend).SetReady(errors.New("replaying")) })
	r.backend = r.cfg.Backend.(*servertest.Backend)
	answered := make(chan error, 1)
	go func() {
		_, err := r.Send(context.Background(), &pb.RangeRequest{Key: []byte("k")})
		answered <- err
	}()
	require.Eventually(t, func() bool { return len(r.log.AllEntries()) > 0 && r.log.LastEntry().Message == "not ready to serve" }, soon, 1)
	require.Empty(t, r.backend.Requests())
	r.backend.SetReady(nil)
	require.NoError(t, <-answered)
	r.backend.SetReady(errors.New("ZooKeeper is away"))
	_, err := r.Send(ctxFor(t), &pb.RangeRequest{Key: []byte("k")})
	require.NoError(t, err, "the backend answers for itself")
}
