package state

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"
	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
)

// TestCanSucceedItsOwnPast has a machine stop at a random place of a random log,
// with more or less freed, and loads the checkpoint that another has made
// further on.
func TestCanSucceedItsOwnPast(t *testing.T) {
	for range 50 {
		g := &gen{Rand: newRand(t)}
		var w slotWriter
		behind, ahead := New(), New()
		stop, end := g.IntN(60), 60
		for i := range end {
			v := ahead.View()
			g.rev, g.floor = int64(v.Rev()), int64(v.CompactRev())
			slot := w.slot(g.request(), g.own(v))
			ahead.Apply(slot)
			ahead.CompactPhysically(g.IntN(8))
			if i < stop {
				behind.Apply(slot)
				behind.CompactPhysically(g.IntN(8))
			}
			if g.oneIn(10) {
				w.rotate()
			}
		}
		meta, chunks := checkpoint(t, ahead.View(), small)
		loaded, err := restore(meta, chunks)
		require.NoError(t, err)
		require.True(t, loaded.View().CanSucceed(behind.View()), "stopped after %d slots", stop)
	}
}

// TestCannotSucceedAnotherPast has two machines go different ways from a common
// place, and one of them further than the other.
func TestCannotSucceedAnotherPast(t *testing.T) {
	lost := map[string]any{
		"a new key":  &pb.PutRequest{Key: []byte("lost"), Value: []byte("x")},
		"a value":    &pb.PutRequest{Key: []byte("shared"), Value: []byte("lost")},
		"a delete":   &pb.DeleteRangeRequest{Key: []byte("shared")},
		"a lease":    &pb.LeaseGrantRequest{ID: 5, TTL: 60},
		"two at one": &pb.TxnRequest{Success: []*pb.RequestOp{opPut(&pb.PutRequest{Key: []byte("lost")}), opPut(&pb.PutRequest{Key: []byte("shared")})}},
	}
	for name, one := range lost {
		for _, compact := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, compacted=%v", name, compact), func(t *testing.T) {
				behind, ahead := newBench(t), newBench(t)
				for _, b := range []*bench{behind, ahead} {
					b.ok(&pb.PutRequest{Key: []byte("shared"), Value: []byte("value")})
				}
				behind.ok(one)
				ahead.ok(&pb.LeaseGrantRequest{ID: 6, TTL: 60})
				for range 3 {
					ahead.ok(&pb.PutRequest{Key: []byte("instead"), Value: []byte("value")})
				}
				if compact { // below what the other has seen
					ahead.ok(&pb.CompactionRequest{Revision: 2})
				}
				meta, chunks := checkpoint(t, ahead.View(), small)
				loaded, err := restore(meta, chunks)
				require.NoError(t, err)
				require.False(t, loaded.View().CanSucceed(behind.View()))
			})
		}
	}
}

// TestCannotSucceedIsFoundAtTheFloor compacts the time in which the two went
// different ways: what was written then and stays gives it away.
func TestCannotSucceedIsFoundAtTheFloor(t *testing.T) {
	behind, ahead := newBench(t), newBench(t)
	behind.ok(&pb.PutRequest{Key: []byte("a"), Value: []byte("lost")})
	ahead.ok(&pb.PutRequest{Key: []byte("a"), Value: []byte("stays")})
	ahead.ok(&pb.PutRequest{Key: []byte("b"), Value: []byte("x")})
	ahead.ok(&pb.CompactionRequest{Revision: 3})
	meta, chunks := checkpoint(t, ahead.View(), small)
	loaded, err := restore(meta, chunks)
	require.NoError(t, err)
	require.False(t, loaded.View().CanSucceed(behind.View()))
}
