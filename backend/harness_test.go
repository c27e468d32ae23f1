package backend_test

import (
	"context"
	"fmt"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/sirupsen/logrus"
	"github.com/stretchr/testify/require"
	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"go.etcd.io/etcd/api/v3/mvccpb"

	"github.com/zkine/zkine/backend"
	"github.com/zkine/zkine/backend/memlog"
	"github.com/zkine/zkine/backend/watch"
	"github.com/zkine/zkine/revision"
	"github.com/zkine/zkine/revision/zkclient"
	"github.com/zkine/zkine/revision/zklog"
)

// patience bounds each wait of a test; none is expected to come near.
const patience = 30 * time.Second

func silent() *logrus.Entry {
	l := logrus.New()
	l.SetLevel(logrus.PanicLevel)
	return logrus.NewEntry(l)
}

// openOn opens a zkine's backend on a root.
func openOn(t testing.TB, d zkclient.Dialer, name string, mutate ...func(*zklog.Config)) *backend.Backend {
	t.Helper()
	return openWith(t, d, name, func(*backend.Config) {}, mutate...)
}

// openWith is openOn with a configuration of the backend's own.
func openWith(t testing.TB, d zkclient.Dialer, name string, adapt func(*backend.Config), mutate ...func(*zklog.Config)) *backend.Backend {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	cfg := zklog.Config{Dialer: d, Root: "/zkine", Name: name, Log: silent()}
	for _, m := range mutate {
		m(&cfg)
	}
	log, err := zklog.Open(ctx, cfg)
	require.NoError(t, err)
	return openLog(t, log, name, adapt)
}

// openMem opens a zkine's backend on a log in memory: for tests that need nothing
// of ZooKeeper's protocol.
func openMem(t testing.TB, s *memlog.Store, name string, adapt ...func(*backend.Config)) *backend.Backend {
	t.Helper()
	return openLog(t, s.Open(), name, adapt...)
}

// openLog opens a zkine's backend on a log.
func openLog(t testing.TB, log backend.Log, name string, adapt ...func(*backend.Config)) *backend.Backend {
	t.Helper()
	config := backend.Config{
		Member: revision.Member{Name: name, ID: uint64(len(name))<<8 + uint64(name[0]), ClientURLs: []string{"http://" + name}},
		Log:    silent(),
	}
	for _, a := range adapt {
		a(&config)
	}
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	b, err := backend.Open(ctx, log, config)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, b.Close()) })
	return b
}

func within(t testing.TB) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	t.Cleanup(cancel)
	return ctx
}

func put(t testing.TB, b *backend.Backend, key, value string, lease ...int64) int64 {
	t.Helper()
	r := &pb.PutRequest{Key: []byte(key), Value: []byte(value)}
	if len(lease) > 0 {
		r.Lease = lease[0]
	}
	response, err := b.Put(within(t), r)
	require.NoError(t, err)
	return response.Header.Revision
}

func get(t testing.TB, b *backend.Backend, key string) *pb.RangeResponse {
	t.Helper()
	response, err := b.Range(within(t), &pb.RangeRequest{Key: []byte(key)})
	require.NoError(t, err)
	return response
}

// all is the request for the whole keyspace.
func all() *pb.RangeRequest { return &pb.RangeRequest{Key: []byte{0}, RangeEnd: []byte{0}} }

// next returns the stream's next response.
func next(t testing.TB, s watch.Stream) *pb.WatchResponse {
	t.Helper()
	response, err := s.Next(within(t))
	require.NoError(t, err)
	return response
}

func watchOn(t testing.TB, b *backend.Backend, r *pb.WatchCreateRequest) watch.Stream {
	t.Helper()
	s := b.Watch()
	t.Cleanup(s.Close)
	s.Create(r)
	created := next(t, s)
	require.True(t, created.Created)
	require.False(t, created.Canceled, created.CancelReason)
	return s
}

// collect reads events until one is at or after rev.
func collect(t testing.TB, s watch.Stream, rev int64) (events []*mvccpb.Event) {
	t.Helper()
	for len(events) == 0 || events[len(events)-1].Kv.ModRevision < rev {
		response := next(t, s)
		require.False(t, response.Canceled)
		events = append(events, response.Events...)
	}
	return events
}

func show(events []*mvccpb.Event) (out []string) {
	for _, e := range events {
		out = append(out, fmt.Sprintf("%d %v %s=%s prev=%s", e.Kv.ModRevision, e.Type, e.Kv.Key, e.Kv.Value, e.PrevKv.GetValue()))
	}
	return out
}

// eventually waits for a condition that nothing announces.
func eventually(t testing.TB, what string, cond func() bool) {
	t.Helper()
	poll := time.NewTicker(5 * time.Millisecond)
	defer poll.Stop()
	for deadline := time.Now().Add(patience); !cond(); <-poll.C {
		require.True(t, time.Now().Before(deadline), "never: %s", what)
	}
}

// checkGoroutines fails if goroutines of zkine or of the ZooKeeper client are
// left once f has returned.
func checkGoroutines(t *testing.T, f func()) {
	t.Helper()
	f()
	defer func() {
		if t.Failed() {
			t.Log(strings.Join(ours(), "\n\n"))
		}
	}()
	eventually(t, "goroutines end", func() bool { return len(ours()) == 0 })
}

// ours is the goroutines of zkine and of ZooKeeper's client that have not ended.
func ours() (found []string) {
	buf := make([]byte, 1<<20)
	buf = buf[:runtime.Stack(buf, true)]
	for _, g := range strings.Split(string(buf), "\n\n") {
		if strings.Contains(g, "testing.tRunner") || strings.Contains(g, "_test.") ||
			strings.Contains(g, "revision/embedded") { // the ZooKeeper that tests share
			continue
		}
		if (strings.Contains(g, "zkine/") || strings.Contains(g, "go-zookeeper")) && !ending(g) {
			found = append(found, g)
		}
	}
	return found
}

// ending says of a goroutine's stack that all its work is done: it has told the
// WaitGroup that Close waits for, and only what began it is left.
func ending(stack string) bool {
	for _, line := range strings.Split(strings.TrimSpace(stack), "\n")[1:] {
		switch {
		case strings.HasPrefix(line, "\t"), strings.HasPrefix(line, "created by"), // a place, not a call
			strings.HasPrefix(line, "sync.(*WaitGroup)"), strings.HasPrefix(line, "runtime."), strings.HasPrefix(line, "internal/"),
			strings.Contains(line, "backend.(*Backend).spawn."), strings.Contains(line, "zkclient.(*Group).Go."):
		default:
			return false
		}
	}
	return true
}
