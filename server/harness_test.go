package server

import (
	"context"
	"net"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"
	"github.com/sirupsen/logrus"
	logrustest "github.com/sirupsen/logrus/hooks/test"
	"github.com/stretchr/testify/require"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
)

// soon bounds waiting for a condition that must come true.
const soon = 20 * time.Second

// running is a server over a fake backend, with a client connected to it.
type running struct {
	*Server
	backend *fakeBackend
	conn    *grpc.ClientConn
	addr    string
	metrics string // base URL
	log     *logrustest.Hook
}

// start runs a server until the end of the test, where nothing of it may be
// left behind.
func start(t *testing.T, edit ...func(*Config)) *running {
	t.Helper()
	b := newFakeBackend()
	clients, err := Listen([]string{"http://127.0.0.1:0"})
	require.NoError(t, err)
	metrics, err := ListenMetrics([]string{"http://127.0.0.1:0"})
	require.NoError(t, err)
	logger, hook := logrustest.NewNullLogger()
	cfg := Config{
		Backend: b, MemberID: fakeMemberID, Name: "one",
		Listeners: clients, MetricsListeners: metrics, Log: logrus.NewEntry(logger),
	}
	for _, e := range edit {
		e(&cfg)
	}
	s, err := New(cfg)
	require.NoError(t, err)
	require.NoError(t, s.Start())
	r := &running{
		Server: s, backend: b, log: hook,
		addr: clients[0].Addr().String(), metrics: "http://" + metrics[0].Addr().String(),
	}
	r.conn = dial(t, r.addr)
	t.Cleanup(func() {
		r.conn.Close()
		ctx, cancel := context.WithTimeout(context.Background(), soon)
		defer cancel()
		require.NoError(t, s.Stop(ctx))
		requireNothingRuns(t)
	})
	return r
}

func dial(t *testing.T, addr string) *grpc.ClientConn {
	t.Helper()
	conn, err := grpc.NewClient("passthrough:///"+addr,
		grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithContextDialer(func(ctx context.Context, a string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, "tcp", a)
		}),
		grpc.WithDefaultCallOptions(grpc.WaitForReady(true)),
	)
	require.NoError(t, err)
	return conn
}

// requireNothingRuns waits until no goroutine of this package is left but those
// of tests.
func requireNothingRuns(t *testing.T) {
	t.Helper()
	var left string
	require.Eventually(t, func() bool {
		left = leftovers()
		return left == ""
	}, soon, time.Millisecond, "goroutines left behind")
}

func leftovers() string {
	for _, stack := range strings.Split(stacks(), "\n\n") {
		ours := strings.Contains(stack, "zkine/server.") || strings.Contains(stack, "internal/transport.NewServerTransport")
		if ours && !strings.Contains(stack, "testing.tRunner") && !strings.Contains(stack, "server.leftovers") {
			return stack
		}
	}
	return ""
}

// stacks are the stacks of all goroutines.
func stacks() string {
	buf := make([]byte, 1<<20)
	return string(buf[:runtime.Stack(buf, true)])
}

func ctxFor(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), soon)
	t.Cleanup(cancel)
	return ctx
}

func withLeader(ctx context.Context) context.Context {
	return metadata.AppendToOutgoingContext(ctx, "hasleader", "true")
}

// requireStatus checks an error's code and text, word for word.
func requireStatus(t *testing.T, want, got error) {
	t.Helper()
	require.Error(t, got)
	require.Equal(t, status.Code(want), status.Code(got), got)
	w, _ := status.FromError(want)
	g, _ := status.FromError(got)
	require.Equal(t, w.Message(), g.Message())
}

func gauge(m prometheus.Metric) float64 {
	var d dto.Metric
	if m.Write(&d) != nil {
		return -1
	}
	return d.GetGauge().GetValue()
}

// logged are the log's entries of one level.
func (r *running) logged(level logrus.Level) (entries []*logrus.Entry) {
	for _, e := range r.log.AllEntries() {
		if e.Level == level {
			entries = append(entries, e)
		}
	}
	return entries
}
