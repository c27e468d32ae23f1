package zklog_test

import (
	"context"
	"fmt"
	"maps"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-zookeeper/zk"
	"github.com/stretchr/testify/require"

	"github.com/zkine/zkine/revision"
	"github.com/zkine/zkine/revision/memzk"
	"github.com/zkine/zkine/revision/zkclient"
	"github.com/zkine/zkine/revision/zklog"
	"github.com/zkine/zkine/revision/zktest"
)

// These tests are of barriers that are no writes, on the one server that there is.

// shown is what a barrier has shown.
type shown struct {
	seq revision.Seq
	err error
}

// begin begins a barrier, which says nothing if that would take waiting.
func begin(t *testing.T, r *reader) <-chan shown {
	t.Helper()
	ch := make(chan shown, 1)
	require.Eventually(t, func() bool {
		return r.log.BeginBarrier(t.Context(), func(seq revision.Seq, err error) { ch <- shown{seq, err} })
	}, 30*time.Second, time.Millisecond, "it can be sent")
	return ch
}

func await(t *testing.T, ch <-chan shown) revision.Seq {
	t.Helper()
	select {
	case s := <-ch:
		require.NoError(t, s.err)
		return s.seq
	case <-time.After(30 * time.Second):
		require.FailNow(t, "the barrier is not answered")
		return revision.Seq{}
	}
}

// counted is how many requests of a kind were sent.
func counted(traffic *zkclient.Traffic, op string) int64 { return maps.Collect(traffic.Requests())[op] }

// TestOneServerIsReadInPlaceOfAWrite: another session's appends, in segments that come and
// go, are shown to each barrier that began after they were acknowledged, and no write is
// made for that.
func TestOneServerIsReadInPlaceOfAWrite(t *testing.T) {
	server, root := zktest.Shared(t), zktest.Root(t)
	looking := dialer(server.Addr())
	looking.Traffic = new(zkclient.Traffic)
	other := openLog(t, zklog.Config{Dialer: dialer(server.Addr()), Root: root, MaxSlots: 20})
	a := openLog(t, zklog.Config{Dialer: looking, Root: root, MaxSlots: 20, OneServer: true})
	for i := range 110 {
		last := other.append(batchOf(put(fmt.Sprint(i), "v"))).Seq
		require.Equal(t, last, await(t, begin(t, a)))
	}
	last := a.append(batchOf(put("own", "v"))).Seq
	a.reach(last) // it has read what it had to
	require.Equal(t, last, await(t, begin(t, a)))
	writes, looks := counted(looking.Traffic, "multi"), counted(looking.Traffic, "multiRead")
	for range 20 {
		require.Equal(t, last, await(t, begin(t, a)))
	}
	require.Equal(t, writes, counted(looking.Traffic, "multi"))
	require.EqualValues(t, looks+20, counted(looking.Traffic, "multiRead"))
	require.Equal(t, last, await(t, begin(t, other)), "another zkine's is a write as ever")
}

// TestABarrierOverAnEmptySegmentShowsTheLastSlot: a segment that has just been opened has
// none.
func TestABarrierOverAnEmptySegmentShowsTheLastSlot(t *testing.T) {
	server, root := zktest.Shared(t), zktest.Root(t)
	a := openLog(t, zklog.Config{Dialer: dialer(server.Addr()), Root: root, OneServer: true})
	require.Equal(t, revision.Seq{}, await(t, begin(t, a)))
	last := a.append(batchOf(put("k", "v"))).Seq
	require.NoError(t, a.log.Seal(t.Context(), last.Segment))
	require.Equal(t, last, await(t, begin(t, a)))
}

// TestAServerThatDiesUnderABarrier: it is killed before it reads, or its reply is lost. What
// another session was told by the next child is shown all the same.
func TestAServerThatDiesUnderABarrier(t *testing.T) {
	server := zktest.Start(t, zktest.WithFsync())
	proxy := zktest.NewProxy(t, server.Addr())
	other := openLog(t, zklog.Config{Dialer: dialer(server.Addr()), MaxSlots: 5})
	a := openLog(t, zklog.Config{Dialer: dialer(proxy.Addr()), MaxSlots: 5, OneServer: true})
	for i := range 3 {
		last := other.append(batchOf(put(fmt.Sprint(i), "before"))).Seq
		var trap *zktest.Trap
		if i == 0 {
			trap = proxy.LoseReply(zktest.OpMultiRead)
		} else {
			trap = proxy.HoldRequest(zktest.OpMultiRead)
		}
		barrier := begin(t, a)
		trap.Wait()
		server.Kill()
		server.Restart()
		require.False(t, await(t, barrier).Before(last))
		last = other.append(batchOf(put(fmt.Sprint(i), "after"))).Seq
		require.False(t, await(t, begin(t, a)).Before(last))
	}
}

// TestAServerThatIsFrozenUnderABarrier answers it later, with what is there then.
func TestAServerThatIsFrozenUnderABarrier(t *testing.T) {
	server := zktest.Start(t, zktest.WithTickTime(time.Second))
	a := openLog(t, zklog.Config{Dialer: lasting(server.Addr()), OneServer: true})
	last := a.append(batchOf(put("k", "v"))).Seq
	server.Pause()
	barrier := begin(t, a)
	server.Resume()
	require.Equal(t, last, await(t, barrier))
}

// TestASegmentThatIsSealedUnderABarrier: its server has not told a zkine of the rotation when
// that asks how many slots the segment has.
func TestASegmentThatIsSealedUnderABarrier(t *testing.T) {
	server := zktest.Start(t, zktest.WithTickTime(time.Second))
	proxy := zktest.NewProxy(t, server.Addr())
	other := openLog(t, zklog.Config{Dialer: lasting(server.Addr()), MaxSlots: 3})
	a := openLog(t, zklog.Config{Dialer: lasting(proxy.Addr()), MaxSlots: 3, OneServer: true})
	first := a.append(batchOf(put("k", "v"))).Seq
	require.Equal(t, first, await(t, begin(t, a)))
	proxy.Freeze(zktest.ToClient)
	last := first
	for i := 0; last.Segment < first.Segment+2; i++ {
		last = other.append(batchOf(put(fmt.Sprint(i), "v"))).Seq
	}
	barrier := begin(t, a)
	proxy.Thaw(zktest.ToClient)
	require.False(t, await(t, barrier).Before(last))
}

// between is a dialer whose sessions have something happen after each read of a stat.
type between struct {
	zkclient.Dialer
	happens func()
}

type betweenConn struct {
	zkclient.Conn
	happens func()
}

func (b *between) Dial(ctx context.Context) (zkclient.Conn, error) {
	conn, err := b.Dialer.Dial(ctx)
	return &betweenConn{conn, b.happens}, err
}

func (c *betweenConn) Exists(ctx context.Context, path string) (*zk.Stat, error) {
	stat, err := c.Conn.Exists(ctx, path)
	c.happens()
	return stat, err
}

// TestWhatComesBetweenTheTwoReads: appends and rotations at any moment of a barrier leave it
// at or after what was acknowledged before it began.
func TestWhatComesBetweenTheTwoReads(t *testing.T) {
	e := memzk.New()
	other := openLog(t, zklog.Config{Dialer: e, MaxSlots: 2})
	n := 0
	write := func() revision.Seq {
		n++
		return other.append(batchOf(put(fmt.Sprint(n), "v"))).Seq
	}
	var busy atomic.Bool
	a := openLog(t, zklog.Config{OneServer: true, MaxSlots: 2, Dialer: &between{e, func() {
		if busy.Load() {
			for range n % 5 {
				write()
			}
		}
	}}})
	for range 100 {
		last := write()
		busy.Store(true)
		seq := await(t, begin(t, a))
		busy.Store(false)
		require.False(t, seq.Before(last), "%v after %v", seq, last)
		a.reach(seq)
	}
}
