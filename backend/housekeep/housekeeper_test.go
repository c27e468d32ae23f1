package housekeep

import (
	"context"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	pb "go.etcd.io/etcd/api/v3/etcdserverpb"

	"github.com/zkine/zkine/backend/memlog"
	"github.com/zkine/zkine/revision"
	"github.com/zkine/zkine/revision/recordpb"
)

// A defragmentation leaves one checkpoint and a short log, and one after it finds
// nothing to do.
func TestDefragmentAlone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := open(t, memlog.New(), 1)
		m.overwrite(t, 200)
		require.NoError(t, m.Defragment(within(t)))
		require.True(t, m.log.Newest().Alone)
		require.Zero(t, m.needless())
		head := m.log.Head()
		require.NoError(t, m.Defragment(within(t)))
		require.Equal(t, head, m.log.Head(), "nothing was logged")
	})
}

// The keeper checkpoints at the end of a segment, once the log is long enough, and
// removes what the checkpoint before made needless.
func TestKeeperCheckpoints(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		root := memlog.New()
		root.MaxSlots, root.CheckpointFrom = 10, 1
		keeper, other := open(t, root, 1), open(t, root, 2)
		require.True(t, keeper.IsKeeper())
		require.False(t, other.IsKeeper())
		for range 20 {
			other.overwrite(t, 10)
			synctest.Wait()
		}
		time.Sleep(time.Minute) // in the bubble: whatever waits is done
		synctest.Wait()
		require.Greater(t, keeper.log.Newest().Segment, int64(10))
		require.False(t, keeper.physical.Held(), "nothing is held for good")
		require.False(t, other.physical.Held())
	})
}

// What no other member confirms is not stored: one is listed that never reports.
func TestUnconfirmedIsNotStored(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		root := memlog.New()
		m := open(t, root, 1)
		mute := root.Open()
		defer mute.Close()
		require.NoError(t, mute.Join(t.Context(), revision.Member{Name: "mute", ID: 2}))
		m.overwrite(t, 20)
		require.ErrorIs(t, m.Defragment(within(t)), ErrUnconfirmed)
		require.Zero(t, m.log.Newest().Segment)
		require.NoError(t, mute.Leave(t.Context()))
		require.NoError(t, m.Defragment(within(t)), "it is alone now")
	})
}

// unlisted is a membership whose list cannot be had at times.
type unlisted struct {
	Membership
	away atomic.Bool
}

func (u *unlisted) Members(ctx context.Context) ([]revision.Member, error) {
	if u.away.Load() {
		return nil, revision.ErrUnavailable
	}
	return u.Membership.Members(ctx)
}

// While nobody can be asked, no member is blamed, and whoever wants a defragmentation
// hears what to do: to try again.
func TestAListThatCannotBeHadConfirmsNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newMember(memlog.New(), 1)
		members := &unlisted{Membership: m.log}
		m.env.Members = members
		m.start(t, 1)
		m.overwrite(t, 20)
		members.away.Store(true)
		err := m.Defragment(within(t))
		require.ErrorIs(t, err, revision.ErrUnavailable)
		require.NotErrorIs(t, err, ErrUnconfirmed)
		require.Zero(t, m.log.Newest().Segment)
		members.away.Store(false)
		require.NoError(t, m.Defragment(within(t)))
	})
}

// A member that is outvoted fails; the others go on.
func TestOutvotedMemberFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		root := memlog.New()
		members := []*member{open(t, root, 1), open(t, root, 2), open(t, root, 3)}
		members[0].overwrite(t, 20)
		require.NoError(t, members[1].catchUp(t.Context()))
		r, err := members[1].view.Load().Range(&pb.RangeRequest{Key: []byte("key3")})
		require.NoError(t, err)
		r.Kvs[0].Value[0] ^= 1 // shares the state's memory: what a broken memory chip does
		members[0].mark(t.Context())
		synctest.Wait()
		require.ErrorIs(t, <-members[1].failed, revision.ErrCorrupt)
		require.Empty(t, members[0].failed)
		require.Empty(t, members[2].failed)
	})
}

// Close waits for all work, whatever that waits for, and calls that wait have the
// cause.
func TestCloseEndsAllWork(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := open(t, memlog.New(), 1)
		m.overwrite(t, 20)
		m.log.Disconnect()
		waiting := make(chan error, 2)
		go func() { waiting <- m.Defragment(context.Background()) }()
		go func() { waiting <- m.CompactedPhysically(context.Background(), 5) }()
		synctest.Wait()
		m.Close(errTestOver)
		for range 2 {
			require.ErrorIs(t, <-waiting, errTestOver)
		}
		// The bubble ends only if no goroutine is left.
	})
}

// A defragmentation meets a fault at each append that it makes, and at the next
// call does what is left.
func TestDefragmentAfterFaults(t *testing.T) {
	for _, fault := range []memlog.Fault{memlog.RequestLost, memlog.ReplyLost, memlog.UnknownLanded, memlog.UnknownLost} {
		for good := range 2 {
			synctest.Test(t, func(t *testing.T) {
				m := open(t, memlog.New(), 1)
				m.overwrite(t, 20)
				m.log.Inject(append(make([]memlog.Fault, good), fault)...)
				if err := m.Defragment(within(t)); err != nil {
					require.ErrorIs(t, err, revision.ErrUnknown)
				}
				m.overwrite(t, 100)
				require.NoError(t, m.Defragment(within(t)))
				require.Zero(t, m.needless())
				require.False(t, m.physical.Held())
			})
		}
	}
}

// The keeper compacts automatically, and another member does not.
func TestOnlyTheKeeperCompacts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		root := memlog.New()
		compacts := func(c *Config) { c.AutoCompaction = AutoCompaction{Mode: CompactRevision, Revisions: 10} }
		keeper, other := open(t, root, 1), open(t, root, 2, compacts)
		keeper.overwrite(t, 50)
		time.Sleep(3 * revisionInterval)
		synctest.Wait()
		require.Negative(t, int(other.view.Load().CompactRev()))
		keeper.close()
		require.NoError(t, keeper.log.Close())
		time.Sleep(3 * revisionInterval)
		synctest.Wait()
		require.True(t, other.IsKeeper())
		require.EqualValues(t, 41, other.view.Load().CompactRev())
		require.Positive(t, other.tended.Load())
	})
}

// A segment ends when comparisons have made a start expensive, and the checkpoint
// at its end is due, once.
func TestReplayIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := open(t, memlog.New(), 1, func(c *Config) { c.ReplayLimit = 50 })
		m.overwrite(t, 10)
		compare := &recordpb.Request{Kind: &recordpb.Request_Txn{Txn: &pb.TxnRequest{
			Compare: []*pb.Compare{{Key: []byte("k"), RangeEnd: []byte("l"), Target: pb.Compare_VERSION, Result: pb.Compare_GREATER}},
		}}}
		for range 6 {
			require.NoError(t, m.propose(t.Context(), compare))
		}
		time.Sleep(2 * measureInterval)
		synctest.Wait()
		require.EqualValues(t, 1, m.log.Newest().Segment)
		time.Sleep(2 * measureInterval)
		synctest.Wait()
		require.EqualValues(t, 1, m.log.Newest().Segment, "once")
	})
}

// The first round of digests is due an interval after the start, of which the
// replay is a part.
func TestFirstRoundAfterALongReplay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		root := memlog.New()
		keeper := newMember(root, 1)
		time.Sleep(DefaultDigestInterval) // in the bubble: the replay
		keeper.start(t, 1)
		open(t, root, 2)
		time.Sleep(2 * Tick)
		synctest.Wait()
		require.Len(t, keeper.view.Load().Agreement().Reports, 2)
	})
}
