package v3rpc

import (
	"context"
	"errors"
	"net"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"
	"github.com/stretchr/testify/require"
	"google.golang.org/grpc"

	"github.com/zkine/zkine/server/servertest"
)

const (
	soon            = servertest.Soon
	maxRequestBytes = 3 << 19
	maxTxnOps       = 128
)

var errAway = errors.New("ZooKeeper is away")

// running are the services over a fake backend, with a client connected to them.
type running struct {
	servertest.Client
	backend                *servertest.Backend
	addr                   string
	watchStreams, watchers prometheus.Gauge
}

// start runs the services until the end of the test, where nothing of them may be
// left behind.
func start(t *testing.T, edit ...func(*Config)) *running {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	r := &running{
		backend: servertest.NewBackend(), addr: l.Addr().String(),
		watchStreams: prometheus.NewGauge(prometheus.GaugeOpts{}), watchers: prometheus.NewGauge(prometheus.GaugeOpts{}),
	}
	cfg := Config{
		MemberID: servertest.MemberID, MaxRequestBytes: maxRequestBytes, MaxTxnOps: maxTxnOps,
		FragmentBytes: 2 << 20, RequestTimeout: soon, SnapshotStall: time.Minute,
		Version: "3.7.3", StorageVersion: "3.7.0", WatchStreams: r.watchStreams, Watchers: r.watchers,
	}
	for _, e := range edit {
		e(&cfg)
	}
	g := grpc.NewServer(grpc.WaitForHandlers(true))
	services := Register(g, r.backend, cfg)
	go g.Serve(l) //nolint:errcheck // it ends with Stop
	r.Client = servertest.NewClient(t, r.addr, r.backend)
	t.Cleanup(func() {
		r.Conn.Close()
		g.Stop()
		services.Wait()
		servertest.RequireNothingRuns(t)
	})
	return r
}

func ctxFor(t *testing.T) context.Context { return servertest.Context(t) }

func requireStatus(t *testing.T, want, got error) {
	t.Helper()
	servertest.RequireStatus(t, want, got)
}

func gauge(m prometheus.Metric) float64 {
	var d dto.Metric
	if m.Write(&d) != nil {
		return -1
	}
	return d.GetGauge().GetValue()
}
