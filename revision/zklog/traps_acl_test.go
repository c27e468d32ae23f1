package zklog_test

import (
	"context"
	"sync"
	"testing"
	"time"

	"github.com/go-zookeeper/zk"
	"github.com/stretchr/testify/require"

	"github.com/zkine/zkine/revision/zkacl"
	"github.com/zkine/zkine/revision/zkclient"
	"github.com/zkine/zkine/revision/zkclient/identity"
	"github.com/zkine/zkine/revision/zklog"
	"github.com/zkine/zkine/revision/zkroot"
	"github.com/zkine/zkine/revision/zktest"
)

// known is lasting for sessions that authenticate, and give what they create a
// list.
func known(list zkacl.List, credential string, servers ...string) *zkclient.Ensemble {
	d := lasting(servers...)
	d.ACL = list
	d.Credentials = func() []identity.Credential {
		return []identity.Credential{{Scheme: "digest", Secret: []byte(credential)}}
	}
	return d
}

// TestAWatchUsedUpForWantOfREAD: ZooKeeper takes a watch away without an event if
// its owner may not read the znode when it fires, and says nothing later either. A
// zkine that waited so finds the slot all the same, and watches again.
func TestAWatchUsedUpForWantOfREAD(t *testing.T) {
	address, root := zktest.Shared(t).Addr(), zktest.Root(t)
	onlyA := zk.DigestACL(zk.PermAll, "a", "pw")
	both := append(zk.DigestACL(zk.PermAll, "b", "pw"), onlyA...)
	a := openLog(t, zklog.Config{Dialer: known(both, "a:pw", address), Root: root})
	waits := &watcher{Dialer: known(both, "b:pw", address), armed: make(chan string, 100)}
	b := openLog(t, zklog.Config{Dialer: waits, Root: root})
	conn, err := known(both, "a:pw", address).Dial(t.Context())
	require.NoError(t, err)
	t.Cleanup(conn.Close)
	acls, err := zkacl.SessionOf(conn)
	require.NoError(t, err)
	open, err := zkroot.NewReader(conn, zkroot.Layout{Root: root}).Open(t.Context())
	require.NoError(t, err)
	segment := zkroot.Layout{Root: root}.Segment(open.Name)
	waits.awaitArmed(t, segment)

	// No poll may fall into the moment without READ, which would end the log.
	waits.freeze(segment)
	_, err = acls.SetACL(t.Context(), segment, onlyA, zkclient.AnyVersion)
	require.NoError(t, err)
	first := a.append(batchOf(put("k", "1"))).Seq
	_, err = acls.SetACL(t.Context(), segment, both, zkclient.AnyVersion)
	require.NoError(t, err)
	require.False(t, waits.heard(t, segment), "the watch was used up")
	waits.freeze("")

	b.reach(first)
	waits.awaitArmed(t, segment)
	b.reach(a.append(batchOf(put("k", "2"))).Seq)
	require.Eventually(t, func() bool { return waits.heard(t, segment) }, 30*time.Second, time.Millisecond)
}

// watcher is a dialer of one session whose watches are looked at.
type watcher struct {
	zkclient.Dialer
	armed chan string // the path of each watch

	mu     sync.Mutex
	conn   zkclient.Conn
	events map[string]zk.Event // by path, of all watches
	frozen string              // whose data a get returns as it was
	last   map[string]zkclient.Watched
}

func (w *watcher) Dial(ctx context.Context) (zkclient.Conn, error) {
	conn, err := w.Dialer.Dial(ctx)
	w.mu.Lock()
	defer w.mu.Unlock()
	w.conn, w.events, w.last = conn, map[string]zk.Event{}, map[string]zkclient.Watched{}
	return &watcherConn{conn, w}, err
}

func (w *watcher) awaitArmed(t *testing.T, path string) {
	t.Helper()
	for {
		select {
		case at := <-w.armed:
			if at == path {
				return
			}
		case <-time.After(30 * time.Second):
			t.Fatal("no watch is armed")
		}
	}
}

// freeze has gets of a path return what they returned last.
func (w *watcher) freeze(path string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.frozen = path
}

// heard says whether an event of a path has come, after all that was to come.
func (w *watcher) heard(t *testing.T, path string) bool {
	t.Helper()
	_, err := w.conn.Multi(t.Context(), zkclient.CheckOp("/", zkclient.AnyVersion))
	require.NoError(t, err)
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.events[path].Type == zk.EventNodeDataChanged
}

type watcherConn struct {
	zkclient.Conn
	w *watcher
}

func (c *watcherConn) GetW(ctx context.Context, path string) (zkclient.Watched, error) {
	watched, err := c.Conn.GetW(ctx, path)
	if err != nil {
		return watched, err
	}
	passed := make(chan zk.Event, 1)
	go func(events <-chan zk.Event) {
		event := <-events
		c.w.mu.Lock()
		c.w.events[path] = event
		c.w.mu.Unlock()
		passed <- event
	}(watched.Event)
	watched.Event = passed
	c.w.mu.Lock()
	c.w.last[path] = watched
	c.w.mu.Unlock()
	c.w.armed <- path
	return watched, nil
}

func (c *watcherConn) Get(ctx context.Context, path string) ([]byte, *zk.Stat, error) {
	c.w.mu.Lock()
	last, frozen := c.w.last[path], c.w.frozen == path
	c.w.mu.Unlock()
	if frozen {
		return last.Data, last.Stat, nil
	}
	return c.Conn.Get(ctx, path)
}
