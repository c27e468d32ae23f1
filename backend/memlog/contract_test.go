package memlog_test

import (
	"context"
	"crypto/rand"
	"io"
	"testing"
	"time"

	"github.com/sirupsen/logrus"
	"github.com/stretchr/testify/require"

	"github.com/zkine/zkine/backend"
	"github.com/zkine/zkine/backend/memlog"
	"github.com/zkine/zkine/revision"
	"github.com/zkine/zkine/revision/memzk"
	"github.com/zkine/zkine/revision/recordpb"
	"github.com/zkine/zkine/revision/zklog"
)

// patience bounds each wait of a test; none is expected to come near.
const patience = 30 * time.Second

func within(t testing.TB) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	t.Cleanup(cancel)
	return ctx
}

// opener opens the log of one more member of a root.
type opener func(name string) backend.Log

// onBoth runs a test on the log in memory and on the one on ZooKeeper's protocol:
// whatever is built on the one may rely on the same of the other.
func onBoth(t *testing.T, test func(t *testing.T, open opener)) {
	closed := func(t *testing.T, log backend.Log) backend.Log {
		t.Cleanup(func() { require.NoError(t, log.Close()) })
		return log
	}
	t.Run("memlog", func(t *testing.T) {
		s := memlog.New()
		s.CheckpointFrom = 1
		test(t, func(string) backend.Log { return closed(t, s.Open()) })
	})
	t.Run("zookeeper", func(t *testing.T) {
		e := memzk.New()
		quiet := logrus.New()
		quiet.SetOutput(io.Discard)
		test(t, func(name string) backend.Log {
			log, err := zklog.Open(within(t), zklog.Config{Dialer: e, Root: "/zkine", Name: name,
				CheckpointFrom: 1, Log: logrus.NewEntry(quiet)})
			require.NoError(t, err)
			return closed(t, log)
		})
	})
}

// write appends one record, a renewal of a lease, which names it.
func write(t *testing.T, log backend.Log, id int64) revision.Seq {
	t.Helper()
	out, err := log.Append(within(t), &revision.Batch{Nonce: revision.DrawNonce(rand.Reader), Requests: []*recordpb.Request{
		{Kind: &recordpb.Request_LeaseRenew{LeaseRenew: &recordpb.LeaseRenew{Id: id}}}}})
	require.NoError(t, err)
	require.False(t, out.Resent)
	return out.Seq
}

// read delivers the next slot, and says which record it holds.
func read(t *testing.T, log backend.Log) (revision.Seq, int64) {
	t.Helper()
	slot, err := log.Next(within(t))
	require.NoError(t, err)
	require.Len(t, slot.Requests, 1)
	log.Applied(slot.Seq, 1)
	return slot.Seq, slot.Requests[0].GetLeaseRenew().Id
}

func requireNext(t *testing.T, log backend.Log, at revision.Seq, id int64) {
	t.Helper()
	seq, got := read(t, log)
	require.Equal(t, at, seq)
	require.Equal(t, id, got)
}

func unpaced(context.Context) error { return nil }

// save stores a checkpoint of the end of a segment, whose chunks are words.
func save(t *testing.T, log backend.Log, segment int64, words ...string) error {
	t.Helper()
	return log.SaveCheckpoint(within(t), segment, 1, []byte("meta"), func(yield func([]byte) bool) error {
		for _, word := range words {
			if !yield([]byte(word)) {
				break
			}
		}
		return nil
	}, unpaced)
}

// requireCheckpoint says with which checkpoint a log begins.
func requireCheckpoint(t *testing.T, log backend.Log, segment int64, words ...string) {
	t.Helper()
	c, found := log.Checkpoint()
	require.True(t, found)
	require.Equal(t, segment, c.Segment)
	require.Equal(t, "meta", string(c.Meta))
	var got []string
	raw := int64(0)
	for chunk, err := range c.Chunks(within(t)) {
		require.NoError(t, err)
		got = append(got, string(chunk))
		raw += int64(len(chunk))
	}
	require.Equal(t, words, got)
	require.Equal(t, raw, c.RawBytes)
}

func TestAllMembersReadWhatAnyAppends(t *testing.T) {
	onBoth(t, func(t *testing.T, open opener) {
		a, b := open("a"), open("b")
		require.Equal(t, a.ClusterID(), b.ClusterID())
		_, found := a.Checkpoint()
		require.False(t, found)
		first := write(t, a, 1)
		require.Equal(t, revision.Seq{Segment: 1}, first)
		seq, err := b.Barrier(within(t))
		require.NoError(t, err)
		require.False(t, seq.Before(first), "a barrier shows what was acknowledged")
		requireNext(t, b, first, 1)
		second := write(t, b, 2)
		require.Equal(t, revision.Seq{Segment: 1, Slot: 1}, second)
		waiting, err := a.Backlog(within(t))
		require.NoError(t, err)
		require.EqualValues(t, 2, waiting)
		requireNext(t, a, first, 1)
		requireNext(t, a, second, 2)
		requireNext(t, b, second, 2)
		require.False(t, a.Head().Before(second))
		soon, cancel := context.WithTimeout(context.Background(), 50*time.Millisecond)
		defer cancel()
		_, err = a.Next(soon)
		require.ErrorIs(t, err, context.DeadlineExceeded)
		requireNext(t, a, write(t, b, 3), 3)
	})
}

func TestASealedSegmentGetsNoMore(t *testing.T) {
	onBoth(t, func(t *testing.T, open opener) {
		a, b := open("a"), open("b")
		first := write(t, a, 1)
		requireNext(t, a, first, 1)
		require.NoError(t, a.Seal(within(t), 1))
		require.NoError(t, a.Seal(within(t), 1), "it is no longer the open one")
		second := write(t, a, 2)
		require.Equal(t, revision.Seq{Segment: 2}, second)
		requireNext(t, a, second, 2)
		requireNext(t, b, first, 1)
		requireNext(t, b, second, 2)
	})
}

func TestCheckpointsReplaceTheLogBeforeThem(t *testing.T) {
	onBoth(t, func(t *testing.T, open opener) {
		a, behind := open("a"), open("b")
		require.Zero(t, a.Newest())
		for segment := int64(1); segment <= 3; segment++ {
			requireNext(t, a, write(t, a, segment), segment)
			require.NoError(t, a.Seal(within(t), segment))
		}
		requireNext(t, behind, revision.Seq{Segment: 1}, 1)
		last := write(t, a, 4)
		requireNext(t, a, last, 4)
		require.True(t, a.CheckpointDue(2))
		require.NoError(t, save(t, a, 2, "two"))
		require.ErrorIs(t, save(t, a, 2, "again"), revision.ErrNotNeeded)
		require.NoError(t, save(t, a, 3, "three", "words"))
		require.EqualValues(t, 3, a.Newest().Segment)
		require.False(t, a.Newest().Alone)
		require.False(t, a.CheckpointDue(3))
		require.ErrorIs(t, a.KeepNewest(within(t), 2), revision.ErrNotNeeded)
		require.NoError(t, a.KeepNewest(within(t), 3))
		require.NoError(t, a.TrimAndPack(within(t), unpaced))
		require.NoError(t, a.Measure(within(t)))
		require.True(t, a.Newest().Alone)

		_, err := behind.Next(within(t))
		require.ErrorIs(t, err, revision.ErrTrimmed)
		require.NoError(t, behind.Reload(within(t)))
		requireCheckpoint(t, behind, 3, "three", "words")
		requireNext(t, behind, last, 4)
		late := open("c")
		requireCheckpoint(t, late, 3, "three", "words")
		requireNext(t, late, last, 4)
	})
}

func TestMembersAreListedInTheOrderInWhichTheyJoined(t *testing.T) {
	onBoth(t, func(t *testing.T, open opener) {
		a, b := open("a"), open("b")
		names := func() (list []string) {
			_, err := a.Barrier(within(t))
			require.NoError(t, err)
			members, err := a.Members(within(t))
			require.NoError(t, err)
			for _, m := range members {
				list = append(list, m.Name)
			}
			return list
		}
		require.Empty(t, names())
		require.NoError(t, b.Join(within(t), revision.Member{Name: "b", ID: 2}))
		require.NoError(t, a.Join(within(t), revision.Member{Name: "a", ID: 1}))
		require.Equal(t, []string{"b", "a"}, names())
		require.ErrorIs(t, open("c").Join(within(t), revision.Member{Name: "a", ID: 1}), revision.ErrNameTaken)
		alive, err := a.Alive(within(t), "b")
		require.NoError(t, err)
		require.True(t, alive)
		alive, err = a.Alive(within(t), "nobody")
		require.NoError(t, err)
		require.False(t, alive)
		require.NoError(t, b.Leave(within(t)))
		require.Equal(t, []string{"a"}, names())
		write(t, b, 1) // everything else goes on
	})
}

func TestNothingGoesOnAfterClose(t *testing.T) {
	onBoth(t, func(t *testing.T, open opener) {
		a := open("a")
		require.NoError(t, a.Connected())
		require.NoError(t, a.Refused())
		waiting := make(chan error)
		go func() {
			_, err := a.Next(context.Background())
			waiting <- err
		}()
		require.NoError(t, a.Close())
		require.ErrorIs(t, <-waiting, revision.ErrClosed)
		require.Error(t, a.Connected())
		_, err := a.Barrier(within(t))
		require.Error(t, err)
		_, err = a.Append(within(t), &revision.Batch{Nonce: revision.DrawNonce(rand.Reader)})
		require.ErrorIs(t, err, revision.ErrClosed)
	})
}
