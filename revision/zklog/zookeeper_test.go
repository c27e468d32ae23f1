package zklog_test

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"os"
	"sync"
	"testing"
	"time"

	"github.com/go-zookeeper/zk"
	"github.com/stretchr/testify/require"

	"github.com/zkine/zkine/revision"
	"github.com/zkine/zkine/revision/zklog"
	"github.com/zkine/zkine/revision/zktest"
)

// These tests run the log on a real ZooKeeper: what memzk only models, they
// show.

func TestMain(m *testing.M) {
	if root := os.Getenv(childRoot); root != "" {
		childMain(root)
		return
	}
	zktest.Main(m)
}

func TestZooKeeperKeepsTheLog(t *testing.T) {
	server, root := zktest.Shared(t), zktest.Root(t)
	a := openLog(t, zklog.Config{Dialer: dialer(server.Addr()), Root: root, MaxSlots: 10})
	b := openLog(t, zklog.Config{Dialer: dialer(server.Addr()), Root: root, MaxSlots: 10})
	require.Equal(t, 2*time.Second, a.log.SessionTimeout())
	var last revision.Seq
	for i := range 50 {
		last = []*reader{a, b}[i%2].append(batchOf(put(fmt.Sprint(i), "v"))).Seq
		seq, err := []*reader{b, a}[i%2].log.Barrier(t.Context())
		require.NoError(t, err)
		require.Equal(t, last, seq)
	}
	require.Equal(t, places(a.reach(last)), places(b.reach(last)))
}

// TestZooKeeperStagesLargeRequests writes what etcd allows and ZooKeeper's
// default jute.maxbuffer does not.
func TestZooKeeperStagesLargeRequests(t *testing.T) {
	server, root := zktest.Shared(t), zktest.Root(t)
	a := openLog(t, zklog.Config{Dialer: dialer(server.Addr()), Root: root})
	b := openLog(t, zklog.Config{Dialer: dialer(server.Addr()), Root: root})
	value := incompressible(1_400_000)
	slots := b.reach(a.append(batchOf(put("large", string(value)))).Seq)
	require.True(t, bytes.Equal(value, slots[0].Requests[0].GetPut().Value))
}

// TestSmallerJuteMaxBufferIsFound has servers that take less than zkine was
// told: they close the connection without a word.
func TestSmallerJuteMaxBufferIsFound(t *testing.T) {
	server := zktest.Start(t, zktest.WithJuteMaxBuffer(200<<10))
	a := openLog(t, zklog.Config{Dialer: dialer(server.Addr())})
	a.append(batchOf(put("small", "v")))
	value := incompressible(1_400_000)
	out := a.append(batchOf(put("large", string(value))))
	slots := a.reach(out.Seq)
	require.Len(t, slots, 2)
	require.True(t, bytes.Equal(value, slots[1].Requests[0].GetPut().Value))
}

func incompressible(n int) []byte {
	value := make([]byte, n)
	rand.NewChaCha8([32]byte{9}).Read(value) //nolint:errcheck // never fails
	return value
}

func TestLostReplyOfAnAppend(t *testing.T) {
	server, root := zktest.Shared(t), zktest.Root(t)
	proxy := zktest.NewProxy(t, server.Addr())
	a := openLog(t, zklog.Config{Dialer: dialer(proxy.Addr()), Root: root})
	trap := proxy.LoseReply(zktest.OpMulti)
	b := batchOf(put("k", "v"))
	out := a.append(b)
	require.True(t, out.Resent)
	outcome := trap.Wait()
	require.True(t, outcome.Answered)
	require.Zero(t, outcome.Error, "the append had taken effect")
	slots := a.reach(out.Seq)
	require.Equal(t, b.Nonce, slots[0].Nonce)
	for _, s := range slots[1:] {
		require.Equal(t, b.Nonce, s.Nonce, "a second sending is a duplicate, to be skipped")
		require.Equal(t, slots[0].Seq.Segment, s.Seq.Segment)
	}
}

func TestLostRequestOfAnAppend(t *testing.T) {
	server, root := zktest.Shared(t), zktest.Root(t)
	proxy := zktest.NewProxy(t, server.Addr())
	a := openLog(t, zklog.Config{Dialer: dialer(proxy.Addr()), Root: root})
	proxy.LoseRequest(zktest.OpMulti)
	out := a.append(batchOf(put("k", "v")))
	require.Len(t, a.reach(out.Seq), 1)
}

// TestLateAppendAfterRotation holds an append back while its segment is
// sealed: the sender must find that it is not there, append again, and the late
// one must have no effect.
func TestLateAppendAfterRotation(t *testing.T) {
	server, root := zktest.Shared(t), zktest.Root(t)
	proxy := zktest.NewProxy(t, server.Addr())
	a := openLog(t, zklog.Config{Dialer: dialer(proxy.Addr()), Root: root})
	other := openLog(t, zklog.Config{Dialer: dialer(server.Addr()), Root: root, MaxSlots: 1})

	trap := proxy.HoldRequest(zktest.OpMulti)
	proxy.Refuse() // it cannot try again before the segment is sealed
	b := batchOf(put("late", "v"))
	appended := make(chan revision.Appended, 1)
	go func() { appended <- a.append(b) }()
	trap.Wait()
	first := other.append(batchOf(put("other", "1"))).Seq
	for seq := first; seq.Segment == first.Segment; {
		seq = other.append(batchOf(put("other", "2"))).Seq
	}
	proxy.Accept()
	out := <-appended
	require.Greater(t, out.Seq.Segment, first.Segment)
	// A multi's reply carries its errors inside: what it did is seen below.
	require.True(t, trap.Release().Answered)

	end, err := other.log.Barrier(t.Context())
	require.NoError(t, err)
	found := 0
	for _, s := range other.reach(end) {
		if s.Nonce == b.Nonce {
			found++
		}
	}
	require.Equal(t, 1, found)
	require.Equal(t, places(other.reach(end)), places(a.reach(end)))
}

// TestKillAndPause ends and freezes ZooKeeper while two logs append.
func TestKillAndPause(t *testing.T) {
	server := zktest.Start(t, zktest.WithFsync())
	a := openLog(t, zklog.Config{Dialer: dialer(server.Addr()), MaxSlots: 50})
	b := openLog(t, zklog.Config{Dialer: dialer(server.Addr()), MaxSlots: 50})
	var mu sync.Mutex
	acked := map[revision.Nonce]revision.Appended{}
	stop := make(chan struct{})
	var wg sync.WaitGroup
	for _, r := range []*reader{a, b, a, b} {
		wg.Go(func() {
			for i := 0; ; i++ {
				select {
				case <-stop:
					return
				default:
				}
				batch := batchOf(put(fmt.Sprint(i), "v"))
				out := r.append(batch)
				mu.Lock()
				acked[batch.Nonce] = out
				mu.Unlock()
			}
		})
	}
	progress := func() {
		mu.Lock()
		n := len(acked)
		mu.Unlock()
		require.Eventually(t, func() bool {
			mu.Lock()
			defer mu.Unlock()
			return len(acked) > n+20
		}, 60*time.Second, 5*time.Millisecond, "appends go on")
	}
	progress()
	for range 2 {
		server.Kill()
		server.Restart()
		progress()
		server.Pause()
		// Longer than the session timeout: both sessions are given up.
		require.Eventually(t, func() bool { return a.log.Connected() != nil && b.log.Connected() != nil },
			30*time.Second, 10*time.Millisecond)
		server.Resume()
		progress()
	}
	close(stop)
	wg.Wait()
	end, err := a.log.Barrier(t.Context())
	require.NoError(t, err)
	slots := a.reach(end)
	checkSlots(t, slots, acked)
	require.Equal(t, places(slots), places(b.reach(end)))
}

func TestMembersComeAndGo(t *testing.T) {
	server, root := zktest.Shared(t), zktest.Root(t)
	a := openLog(t, zklog.Config{Dialer: dialer(server.Addr()), Root: root})
	b := openLog(t, zklog.Config{Dialer: dialer(server.Addr()), Root: root})
	require.NoError(t, a.log.Join(t.Context(), revision.Member{Name: "a", ID: 1, ClientURLs: []string{"http://a"}}))
	require.NoError(t, b.log.Join(t.Context(), revision.Member{Name: "b", ID: 2, ClientURLs: []string{"http://b"}}))
	members, err := b.log.Members(t.Context())
	require.NoError(t, err)
	require.Equal(t, []revision.Member{
		{Name: "a", ID: 1, ClientURLs: []string{"http://a"}},
		{Name: "b", ID: 2, ClientURLs: []string{"http://b"}},
	}, members)

	rival := openLog(t, zklog.Config{Dialer: dialer(server.Addr()), Root: root})
	require.ErrorIs(t, rival.log.Join(t.Context(), revision.Member{Name: "a", ID: 1}), revision.ErrNameTaken)

	a.close()
	require.Eventually(t, func() bool {
		members, err = b.log.Members(t.Context())
		return err == nil && len(members) == 1
	}, 30*time.Second, 10*time.Millisecond)
	require.Equal(t, "b", members[0].Name, "the keeper comes first")
}

func TestForeignAndNewerRootsAreRefused(t *testing.T) {
	server := zktest.Shared(t)
	conn, _, err := zk.Connect([]string{server.Addr()}, 2*time.Second, zk.WithLogInfo(false))
	require.NoError(t, err)
	defer conn.Close()
	open := func(root string) error {
		_, err := zklog.Open(t.Context(), zklog.Config{Dialer: dialer(server.Addr()), Root: root, Log: quiet()})
		return err
	}
	create := func(path, data string) {
		_, err := conn.Create(path, []byte(data), 0, zk.WorldACL(zk.PermAll))
		require.NoError(t, err)
	}
	foreign := zktest.Root(t)
	create(foreign, "")
	create(foreign+"/brokers", "")
	err = open(foreign)
	require.ErrorIs(t, err, revision.ErrForeignRoot)
	require.ErrorContains(t, err, foreign)

	newer := zktest.Root(t)
	create(newer, "")
	create(newer+"/format", `{"zkine":"x","format":99,"cluster_id":"1"}`)
	err = open(newer)
	require.ErrorIs(t, err, revision.ErrNewerFormat)
	require.ErrorContains(t, err, newer+"/format")
}
