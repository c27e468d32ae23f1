package zktest

import (
	"testing"
	"time"

	"github.com/go-zookeeper/zk"
	"github.com/stretchr/testify/require"
)

// multi creates path by a multi, and returns its error.
func multi(conn *zk.Conn, path string) error {
	_, err := conn.Multi(&zk.CreateRequest{Path: path, Acl: zk.WorldACL(zk.PermAll)})
	return err
}

// viaProxy returns a root that exists, a client that goes through a proxy, and one that does not.
func viaProxy(t *testing.T) (p *Proxy, root string, via, direct *zk.Conn) {
	t.Helper()
	s := Shared(t)
	p, root = NewProxy(t, s.Addr()), Root(t)
	via, direct = client(t, p.Addr()), client(t, s.Addr())
	create(t, direct, root)
	return p, root, via, direct
}

func TestLostReplyLeavesTheZnode(t *testing.T) {
	p, root, via, direct := viaProxy(t)
	require.NoError(t, multi(via, root+"/before"))
	trap := p.LoseReply(OpMulti)
	require.Error(t, multi(via, root+"/a"))
	out := trap.Wait()
	require.True(t, out.Answered)
	require.Zero(t, out.Error)
	require.NotZero(t, out.Zxid)
	_, stat, err := direct.Get(root + "/a")
	require.NoError(t, err)
	require.Equal(t, out.Zxid, stat.Czxid)
	require.ErrorIs(t, multi(via, root+"/a"), zk.ErrNodeExists, "the trap is gone and the client is back")
	require.Equal(t, 3, p.Requests(OpMulti))
}

func TestLostRequestLeavesNothing(t *testing.T) {
	p, root, via, direct := viaProxy(t)
	trap := p.LoseRequest(OpMulti)
	require.Error(t, multi(via, root+"/a"))
	trap.Wait()
	require.False(t, exists(t, direct, root+"/a"))
	require.NoError(t, multi(via, root+"/a"))
}

func TestHeldRequestArrivesLate(t *testing.T) {
	p, root, via, direct := viaProxy(t)
	p.Refuse() // so that the client stays away: a server closes a session's old connection at its new one
	trap := p.HoldRequest(OpMulti)
	require.Error(t, multi(via, root+"/a"))
	require.False(t, exists(t, direct, root+"/a"))
	out := trap.Release()
	require.True(t, out.Answered)
	require.Zero(t, out.Error)
	require.True(t, exists(t, direct, root+"/a"))
	p.Accept()
	require.ErrorIs(t, multi(via, root+"/a"), zk.ErrNodeExists)
}

func TestTrapOutlivesItsVictimsConnection(t *testing.T) {
	s := Start(t)
	p := NewProxy(t, s.Addr())
	via := client(t, p.Addr())
	p.Freeze(ToClient)
	trap := p.LoseReply(OpMulti)
	failed := make(chan error)
	go func() { failed <- multi(via, "/a") }()
	p.AwaitRequests(OpMulti, 1)
	p.CutAll()
	require.Error(t, <-failed)
	p.Thaw(ToClient)
	require.Error(t, multi(via, "/b"))
	require.True(t, trap.Wait().Answered)
}

func TestFrozenDirections(t *testing.T) {
	p, root, via, direct := viaProxy(t)
	for i, d := range []Direction{ToServer, ToClient} {
		p.Freeze(d)
		path := root + []string{"/a", "/b"}[i]
		answered := make(chan error, 1)
		go func() { answered <- multi(via, path) }()
		p.AwaitRequests(OpMulti, i+1)
		if d == ToServer {
			require.False(t, exists(t, direct, path))
		} else {
			require.Eventually(t, func() bool { return exists(t, direct, path) }, patience, time.Millisecond)
		}
		require.Empty(t, answered)
		p.Thaw(d)
		require.NoError(t, <-answered)
	}
}

func TestCutRefuseAccept(t *testing.T) {
	p, root, via, _ := viaProxy(t)
	session := via.SessionID()
	p.Refuse()
	require.Equal(t, 1, p.Connections())
	require.NoError(t, multi(via, root+"/a"), "what stands is left alone")
	p.CutAll()
	require.Error(t, multi(via, root+"/b"))
	p.Accept()
	require.Eventually(t, func() bool { return multi(via, root+"/c") == nil }, patience, time.Millisecond)
	require.Equal(t, session, via.SessionID())
}

func TestDelayIsLatencyNotBandwidth(t *testing.T) {
	p, root, via, _ := viaProxy(t)
	const late = 500 * time.Millisecond
	p.Delay(ToServer, late)
	began := time.Now()
	errs := make(chan error)
	for i := range 8 {
		go func() { errs <- multi(via, root+"/"+string(rune('a'+i))) }()
	}
	for range 8 {
		require.NoError(t, <-errs)
	}
	require.GreaterOrEqual(t, time.Since(began), late)
	require.Less(t, time.Since(began), 8*late, "they were under way together")
}
