package backend_test

import (
	"bytes"
	"context"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/sirupsen/logrus"
	"github.com/stretchr/testify/require"
	pb "go.etcd.io/etcd/api/v3/etcdserverpb"

	"github.com/zkine/zkine/backend"
	"github.com/zkine/zkine/revision"
	"github.com/zkine/zkine/revision/zklog"
	"github.com/zkine/zkine/revision/zktest"
)

// printed is a log whose lines a test reads.
type printed struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (p *printed) Write(b []byte) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.buf.Write(b)
}

func (p *printed) text() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.buf.String()
}

func (p *printed) lines() int { return strings.Count(p.text(), "\n") }

func (p *printed) entry() *logrus.Entry {
	l := logrus.New()
	l.SetOutput(p)
	l.SetFormatter(&logrus.TextFormatter{DisableColors: true})
	return logrus.NewEntry(l)
}

// TestAUsedUpQuota writes until a quota of ZooKeeper's is used up, of znodes or
// of bytes, and goes on for a while: clients hear that there is no space at once,
// reads go on, ZooKeeper and the log have peace, the session stays. Once the
// quota is raised, all goes on by itself.
func TestAUsedUpQuota(t *testing.T) {
	for name, quota := range map[string]struct{ znodes, bytes int64 }{
		"znodes": {30, -1},
		"bytes":  {-1, 40 << 10},
	} {
		t.Run(name, func(t *testing.T) { usedUpQuota(t, quota.znodes, quota.bytes) })
	}
}

func usedUpQuota(t *testing.T, znodes, bound int64) {
	server := zktest.Start(t, zktest.WithEnforcedQuotas())
	proxy := zktest.NewProxy(t, server.Addr())
	log := &printed{}
	b := openWith(t, dialer(proxy.Addr()), "a", func(c *backend.Config) { c.Log = log.entry() },
		func(c *zklog.Config) { c.Log = log.entry() })
	server.SetQuota("/zkine", znodes, bound)
	value := []byte(noise(1 << 10))
	var refused error
	written := 0
	for ; refused == nil; written++ {
		require.Less(t, written, 1000)
		_, refused = b.Put(within(t), &pb.PutRequest{Key: []byte("k"), Value: value})
	}
	require.ErrorIs(t, refused, revision.ErrQuota)
	require.ErrorContains(t, refused, "QUOTAEXCEEDED (-125) for /zkine/log/")

	// What the server and the log have to do meanwhile.
	multis, lines, sessions := proxy.Requests(zktest.OpMulti), log.lines(), proxy.Connections()
	lease, err := b.Put(within(t), &pb.PutRequest{Key: []byte("k"), Value: value})
	require.Nil(t, lease)
	require.Error(t, err)
	const during = 4 * time.Second
	var tried atomic.Int64
	ctx, cancel := context.WithTimeout(t.Context(), during)
	defer cancel()
	var clients sync.WaitGroup
	for range 8 {
		clients.Go(func() {
			for ctx.Err() == nil {
				began := time.Now()
				_, err := b.Put(within(t), &pb.PutRequest{Key: []byte("k"), Value: value})
				if time.Since(began) > 2*time.Second {
					t.Errorf("a client waited for %v", time.Since(began))
				}
				if err == nil || ctx.Err() == nil && !isQuota(err) {
					t.Errorf("not what a client must hear: %v", err)
				}
				tried.Add(1)
				select {
				case <-time.After(5 * time.Millisecond):
				case <-ctx.Done():
				}
			}
		})
	}
	<-ctx.Done()
	clients.Wait()
	multis = proxy.Requests(zktest.OpMulti) - multis
	lines = log.lines() - lines
	t.Logf("in %v of refusals: %d writes of clients, %d multis at ZooKeeper, %d lines of log", during, tried.Load(), multis, lines)
	require.Greater(t, tried.Load(), int64(500))
	require.LessOrEqual(t, multis, 5*int(during/time.Second))
	require.LessOrEqual(t, lines, 5)
	require.Equal(t, sessions, proxy.Connections(), "the session stays")
	require.Contains(t, log.text(), "quota")
	require.Contains(t, log.text(), "setquota")
	require.ErrorIs(t, b.Status().Refused, revision.ErrQuota)
	require.Contains(t, strings.Join(b.Status().Errors, " "), "setquota")
	require.NoError(t, b.Ready(), "reads are served")
	require.Len(t, get(t, b, "k").Kvs, 1)
	require.ErrorIs(t, b.Defragment(within(t)), revision.ErrQuota, "it has an end, and a reason")

	server.SetQuota("/zkine", -1, -1)
	eventually(t, "writes go on without a client's doing", func() bool { return b.Status().Refused == nil })
	put(t, b, "k", "after")
	require.NoError(t, b.Defragment(within(t)))
}

func isQuota(err error) bool { return err != nil && strings.Contains(err.Error(), "QUOTAEXCEEDED") }
