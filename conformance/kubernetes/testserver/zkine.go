package testserver

import (
	"context"
	"fmt"
	"net/url"
	"os"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/sirupsen/logrus"
	"go.etcd.io/etcd/client/pkg/v3/transport"
	"go.etcd.io/etcd/server/v3/embed"

	"github.com/zkine/zkine/backend"
	"github.com/zkine/zkine/revision"
	"github.com/zkine/zkine/revision/zkclient"
	"github.com/zkine/zkine/revision/zklog"
	"github.com/zkine/zkine/server"
	"github.com/zkine/zkine/server/listener"
)

const (
	// patience bounds each start and stop. It is long: a loaded machine is slow, not wrong.
	patience = 60 * time.Second
	// sessionTimeout is the default of zkine's flag.
	sessionTimeout = 10 * time.Second

	// busyVariable, if set, makes a zkine cut, pack, checkpoint and trim its log all the time.
	busyVariable = "ZKINE_KUBE_STORAGE_BUSY"

	memberName = "kube-storage"
	memberID   = 1
)

// roots counts the roots that this process has used.
var roots atomic.Int64

// newRoot is a znode that no other test uses, nor one of another package's binary, which may run at the same time.
func newRoot() string { return fmt.Sprintf("/zkine-%d-%d", os.Getpid(), roots.Add(1)) }

// start runs a zkine, put together as cmd/zkine does it, until the test ends, and returns its URL.
func start(t testing.TB, zookeeper, root string, cfg *embed.Config) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	registry, log := prometheus.NewRegistry(), newLog(t)

	listeners, err := listener.Listen(urls(cfg.ListenClientUrls))
	if err != nil {
		t.Fatal(err)
	}
	address := listener.BoundURL(listeners[0])
	b := openBackend(ctx, t, zookeeper, root, backend.Config{
		Member:                 revision.Member{Name: memberName, ID: memberID, ClientURLs: []string{address}},
		ProgressNotifyInterval: cfg.WatchProgressNotifyInterval,
		QuotaBytes:             cfg.QuotaBackendBytes,
		Registerer:             registry,
		Log:                    log,
	})
	s, err := server.New(server.Config{
		Backend: b, MemberID: memberID, Name: memberName,
		Listeners: listeners, AdvertiseClientURLs: []string{address},
		TLS:             serverTLS(cfg.ClientTLSInfo),
		MaxRequestBytes: int(cfg.MaxRequestBytes), MaxTxnOps: int(cfg.MaxTxnOps),
		Registry: registry, Log: log,
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { stop(t, s) })
	return address
}

// openBackend opens a backend on a root; at the test's end it says whether the backend had failed, and closes it.
func openBackend(ctx context.Context, t testing.TB, zookeeper, root string, cfg backend.Config) *backend.Backend {
	t.Helper()
	logConfig := zklog.Config{
		Dialer: &zkclient.Ensemble{
			Servers: []string{zookeeper}, Timeout: sessionTimeout, MaxRequest: zklog.DefaultMaxRequest, Log: cfg.Log,
		},
		Root: root, Name: memberName, Log: cfg.Log,
	}
	if os.Getenv(busyVariable) != "" {
		logConfig.MaxSlots, logConfig.CheckpointFrom = 8, 1
	}
	l, err := zklog.Open(ctx, logConfig)
	if err != nil {
		t.Fatalf("open the log under %s on ZooKeeper %s: %v", root, zookeeper, err)
	}
	b, err := backend.Open(ctx, l, cfg)
	if err != nil {
		t.Fatalf("open a backend on %s: %v", root, err)
	}
	t.Cleanup(func() {
		select {
		case <-b.Failed():
			t.Errorf("zkine failed during the test: %v", b.Ready())
		default:
		}
		if err := b.Close(); err != nil {
			t.Errorf("close the backend: %v", err)
		}
	})
	return b
}

// stop ends a server. Tests leave calls behind that never end; etcd cuts them off as well.
func stop(t testing.TB, s *server.Server) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	if err := s.Stop(ctx); err != nil {
		t.Logf("stop zkine: %v", err)
	}
}

func serverTLS(i transport.TLSInfo) listener.TLS {
	return listener.TLS{
		CertFile: i.CertFile, KeyFile: i.KeyFile, TrustedCAFile: i.TrustedCAFile, ClientCertAuth: i.ClientCertAuth,
	}
}

// newLog passes warnings and errors on to the test's log.
func newLog(t testing.TB) *logrus.Entry {
	log := logrus.New()
	log.SetLevel(logrus.WarnLevel)
	log.SetOutput(t.Output())
	return logrus.NewEntry(log)
}

func urls(list []url.URL) []string {
	var all []string
	for _, u := range list {
		all = append(all, u.String())
	}
	return all
}
