package recorder

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	clientv3 "go.etcd.io/etcd/client/v3"
	"go.uber.org/zap"

	"github.com/zkine/zkine/conformance/bench/replay"
	"github.com/zkine/zkine/conformance/bench/trace"
	"github.com/zkine/zkine/conformance/reference"
)

func client(t *testing.T, endpoint string) *clientv3.Client {
	t.Helper()
	c, err := clientv3.New(clientv3.Config{Endpoints: []string{endpoint}, Logger: zap.NewNop()})
	require.NoError(t, err)
	t.Cleanup(func() { c.Close() })
	return c
}

// load does what an API server does, by clientv3, and returns how many events its watch saw.
func load(t *testing.T, ctx context.Context, c *clientv3.Client) int {
	t.Helper()
	list, err := c.Get(ctx, "/r/", clientv3.WithPrefix(), clientv3.WithLimit(10))
	require.NoError(t, err)
	watching, stop := context.WithCancel(ctx)
	watch := c.Watch(watching, "/r/", clientv3.WithPrefix(), clientv3.WithRev(list.Header.Revision+1), clientv3.WithPrevKV())
	grant, err := c.Grant(ctx, 3600)
	require.NoError(t, err)
	absent := clientv3.Compare(clientv3.ModRevision("/r/a"), "=", 0)
	put := clientv3.OpPut("/r/a", strings.Repeat("secret", 100), clientv3.WithLease(grant.ID))
	created, err := c.Txn(ctx).If(absent).Then(put).Commit()
	require.NoError(t, err)
	require.True(t, created.Succeeded)
	refused, err := c.Txn(ctx).If(absent).Then(put).Commit()
	require.NoError(t, err)
	require.False(t, refused.Succeeded)
	same := clientv3.Compare(clientv3.ModRevision("/r/a"), "=", created.Header.Revision)
	updated, err := c.Txn(ctx).If(same).Then(clientv3.OpPut("/r/a", "short")).Else(clientv3.OpGet("/r/a")).Commit()
	require.NoError(t, err)
	require.True(t, updated.Succeeded)
	_, err = c.Get(ctx, "/r/", clientv3.WithPrefix(), clientv3.WithRev(created.Header.Revision))
	require.NoError(t, err)
	same = clientv3.Compare(clientv3.ModRevision("/r/a"), "=", updated.Header.Revision)
	deleted, err := c.Txn(ctx).If(same).Then(clientv3.OpDelete("/r/a")).Else(clientv3.OpGet("/r/a")).Commit()
	require.NoError(t, err)
	require.True(t, deleted.Succeeded)
	events := 0
	for events < 3 {
		select {
		case r := <-watch:
			require.NoError(t, r.Err())
			events += len(r.Events)
		case <-ctx.Done():
			require.Fail(t, "events do not come through the proxy")
		}
	}
	stop()
	_, err = c.Compact(ctx, deleted.Header.Revision)
	require.NoError(t, err)
	return events
}

// What passes is noted without its values, and can be replayed on another store.
func TestWhatPassesIsRecordedAndReplayed(t *testing.T) {
	ctx, cancel := context.WithTimeout(context.Background(), 3*time.Minute)
	defer cancel()
	p, err := Start(reference.Start(t))
	require.NoError(t, err)
	defer p.Close()
	p.Phase("all")
	load(t, ctx, client(t, p.URL()))
	recorded, err := p.Trace("a test's")
	require.NoError(t, err)

	path := filepath.Join(t.TempDir(), "trace.gz")
	f, err := os.Create(path)
	require.NoError(t, err)
	require.NoError(t, recorded.Encode(f))
	require.NoError(t, f.Close())
	_, counts := recorded.Counts()
	got := counts["all"]
	delete(got, trace.Cancel) // it comes when it comes
	require.Equal(t, map[trace.Kind]int{
		trace.Range: 2, trace.Watch: 1, trace.Grant: 1, trace.Create: 2, trace.Update: 1, trace.Delete: 1, trace.Compact: 1,
	}, got)
	for _, r := range recorded.Requests {
		switch {
		case r.Kind == trace.Create && !r.Stale:
			require.Equal(t, 600, r.Size)
			require.Equal(t, trace.Grant, recorded.Requests[r.Lease].Kind)
		case r.Kind == trace.Watch || r.Kind == trace.Compact:
			require.NotEqual(t, trace.None, r.Since)
		}
	}

	result, err := replay.Run(ctx, replay.Job{
		File: path, Endpoints: []string{reference.Start(t)}, Before: 1, Speed: 1, Phases: []string{"all"}, Servers: []int{os.Getpid()},
	})
	require.NoError(t, err)
	require.EqualValues(t, 4, result.Phases[0].Latency.Count)
}

func TestWhatCannotBeRecordedIsNamed(t *testing.T) {
	p, err := Start(reference.Start(t))
	require.NoError(t, err)
	defer p.Close()
	_, err = client(t, p.URL()).Put(context.Background(), "k", "v")
	require.NoError(t, err)
	_, err = p.Trace("")
	require.ErrorContains(t, err, "1 of /etcdserverpb.KV/Put")
}
