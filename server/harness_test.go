package server

import (
	"context"
	"testing"

	"github.com/sirupsen/logrus"
	logrustest "github.com/sirupsen/logrus/hooks/test"
	"github.com/stretchr/testify/require"
	"google.golang.org/grpc"
	"google.golang.org/grpc/metadata"

	"github.com/zkine/zkine/server/listener"
	"github.com/zkine/zkine/server/servertest"
)

const soon = servertest.Soon

// running is a server over a fake backend, with a client connected to it.
type running struct {
	*Server
	servertest.Client
	backend *servertest.Backend
	addr    string
	metrics string // base URL
	log     *logrustest.Hook
}

// start runs a server until the end of the test, where nothing of it may be
// left behind.
func start(t *testing.T, edit ...func(*Config)) *running {
	t.Helper()
	b := servertest.NewBackend()
	clients, err := listener.Listen([]string{"http://127.0.0.1:0"})
	require.NoError(t, err)
	metrics, err := listener.ListenMetrics([]string{"http://127.0.0.1:0"})
	require.NoError(t, err)
	logger, hook := logrustest.NewNullLogger()
	cfg := Config{
		Backend: b, MemberID: servertest.MemberID, Name: "one",
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
	r.Client = servertest.NewClient(t, r.addr, b)
	t.Cleanup(func() {
		r.Conn.Close()
		ctx, cancel := context.WithTimeout(context.Background(), soon)
		defer cancel()
		require.NoError(t, s.Stop(ctx))
		servertest.RequireNothingRuns(t)
	})
	return r
}

func dial(t *testing.T, addr string) *grpc.ClientConn { return servertest.Dial(t, addr) }

func ctxFor(t *testing.T) context.Context { return servertest.Context(t) }

func withLeader(ctx context.Context) context.Context {
	return metadata.AppendToOutgoingContext(ctx, "hasleader", "true")
}

func requireStatus(t *testing.T, want, got error) {
	t.Helper()
	servertest.RequireStatus(t, want, got)
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
