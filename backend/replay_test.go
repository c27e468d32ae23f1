package backend_test

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"
	pb "go.etcd.io/etcd/api/v3/etcdserverpb"

	"github.com/zkine/zkine/backend"
	"github.com/zkine/zkine/revision/memzk"
	"github.com/zkine/zkine/revision/zklog"
)

// TestComparisonsMakeACheckpointDue: a short log that takes long to replay is
// checkpointed, once, though it is short.
func TestComparisonsMakeACheckpointDue(t *testing.T) {
	e := memzk.New()
	const limit = 1000 // keys
	b := openWith(t, e, "a", func(c *backend.Config) { c.ReplayLimit = limit })
	covered := func() int64 {
		v, err := zklog.Verify(within(t), zklog.Config{Dialer: e, Root: "/zkine", Log: silent()})
		require.NoError(t, err)
		require.Empty(t, v.Findings)
		return v.CheckpointSegment
	}
	for i := range 100 {
		put(t, b, fmt.Sprintf("k%02d", i), "v")
	}
	compare := func(times int) {
		for range times {
			_, err := b.Txn(within(t), &pb.TxnRequest{
				Compare: []*pb.Compare{{Key: []byte("k"), RangeEnd: []byte("l"), Target: pb.Compare_VERSION, Result: pb.Compare_GREATER}},
				Success: []*pb.RequestOp{{Request: &pb.RequestOp_RequestPut{RequestPut: &pb.PutRequest{Key: []byte("x")}}}},
			})
			require.NoError(t, err)
		}
	}
	compare(10)
	b.BoundReplay(within(t))
	put(t, b, "x", "v")
	require.Zero(t, covered(), "not due yet")
	compare(1)
	b.BoundReplay(within(t))
	eventually(t, "a checkpoint", func() bool { return covered() > 0 })
	was := covered()
	b.BoundReplay(within(t))
	put(t, b, "x", "v")
	require.Equal(t, was, covered(), "it covers what was compared")
}
