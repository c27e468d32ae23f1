package backend_test

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"
	pb "go.etcd.io/etcd/api/v3/etcdserverpb"

	"github.com/zkine/zkine/backend"
	"github.com/zkine/zkine/revision"
	"github.com/zkine/zkine/revision/memzk"
)

func threeMembers(t *testing.T) []*backend.Backend {
	e := memzk.New()
	members := []*backend.Backend{openOn(t, e, "a"), openOn(t, e, "b"), openOn(t, e, "c")}
	for i := range 50 {
		put(t, members[i%3], fmt.Sprint("k", i%5), fmt.Sprint(i))
	}
	_, err := members[0].Compact(within(t), &pb.CompactionRequest{Revision: 20})
	require.NoError(t, err)
	return members
}

// reported waits until all members have reported for a new round.
func reported(t *testing.T, members []*backend.Backend) {
	t.Helper()
	members[0].BeginRound(within(t))
	eventually(t, "all members report", func() bool { return len(members[0].View().Agreement().Reports) == len(members) })
}

func TestMembersAgree(t *testing.T) {
	members := threeMembers(t)
	reported(t, members)
	agree, _, _ := members[0].View().Agreement().Verdict()
	require.True(t, agree, "%v", members[0].View().Agreement())
	for _, b := range members {
		require.NoError(t, b.Ready())
	}
}

// TestFlippedBitInMemoryStopsThatMember damages one member's copy of a value.
func TestFlippedBitInMemoryStopsThatMember(t *testing.T) {
	members := threeMembers(t)
	bad := members[1]
	// A response shares the state's memory, which nobody may change; so this
	// is what a broken memory chip does.
	get(t, bad, "k3").Kvs[0].Value[0] ^= 1
	reported(t, members)
	<-bad.Failed()
	require.ErrorIs(t, bad.Ready(), revision.ErrCorrupt)
	_, err := bad.Range(within(t), &pb.RangeRequest{Key: []byte("k3"), Serializable: true})
	require.ErrorIs(t, err, revision.ErrCorrupt, "not even serializable reads are served")
	put(t, members[0], "k3", "the others go on")
	require.Equal(t, "the others go on", string(get(t, members[2], "k3").Kvs[0].Value))
}

// TestStateThatNobodyConfirmsIsNotCheckpointed damages the keeper's copy of a
// value. With two members nobody is outvoted; what the keeper has in memory must
// not become the state of one that starts.
func TestStateThatNobodyConfirmsIsNotCheckpointed(t *testing.T) {
	e := memzk.New()
	keeper, other := openOn(t, e, "a", busyHousekeeping), openOn(t, e, "b", busyHousekeeping)
	put(t, keeper, "k", "healthy")
	get(t, keeper, "k").Kvs[0].Value[0] ^= 1
	reported(t, []*backend.Backend{other, keeper})
	flipped := other.View().Seq().Segment
	eventually(t, "the log goes on", func() bool {
		put(t, other, "x", "v")
		return other.View().Seq().Segment > flipped+5
	})
	third := openOn(t, e, "c", busyHousekeeping)
	require.Equal(t, "healthy", string(get(t, third, "k").Kvs[0].Value))
	sameState(t, third, other)
}
