package backend_test

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	pb "go.etcd.io/etcd/api/v3/etcdserverpb"

	"github.com/zkine/zkine/backend"
	"github.com/zkine/zkine/backend/state"
	"github.com/zkine/zkine/revision/memzk"
)

func withQuota(bytes int64) func(*backend.Config) {
	return func(c *backend.Config) { c.QuotaBytes = bytes }
}

// noise is a value that does not compress.
func noise(n int) string {
	value := make([]byte, n)
	for i := range value {
		value[i] = byte(i * i * 7919 >> (i % 11))
	}
	return string(value)
}

// TestQuota fills a root, then makes room as an operator does: with deletes, a
// compaction and a defragmentation, and disarms the alarm.
func TestQuota(t *testing.T) {
	z := memzk.New()
	const quota = 200 << 10
	a := openWith(t, z, "a", withQuota(quota))
	b := openWith(t, z, "b", withQuota(quota))
	var err error
	for i := 0; err == nil; i++ {
		require.Less(t, i, 100, "there is no quota")
		_, err = a.Put(within(t), &pb.PutRequest{Key: fmt.Appendf(nil, "key%d", i), Value: []byte(noise(10_000))})
	}
	require.ErrorIs(t, err, state.ErrNoSpace)
	require.Equal(t, []*pb.AlarmMember{{MemberID: a.Status().Leader, Alarm: full}}, alarm(t, b, list, none, 0))
	require.Less(t, z.Bytes("/zkine"), int64(quota))
	require.EqualValues(t, quota, a.Status().Quota)

	// The alarm counts on all members, for what costs space.
	_, err = b.Put(within(t), &pb.PutRequest{Key: []byte("k")})
	require.ErrorIs(t, err, state.ErrNoSpace)
	_, err = b.LeaseGrant(within(t), &pb.LeaseGrantRequest{TTL: 60})
	require.ErrorIs(t, err, state.ErrNoSpace)
	deleted, err := b.DeleteRange(within(t), &pb.DeleteRangeRequest{Key: []byte("key"), RangeEnd: []byte("kez")})
	require.NoError(t, err)
	_, err = b.Compact(within(t), &pb.CompactionRequest{Revision: deleted.Header.Revision})
	require.NoError(t, err)

	// Disarmed too early, it is raised again.
	require.Len(t, alarm(t, b, disarm, full, a.Status().Leader), 1)
	require.Empty(t, alarm(t, a, list, none, 0), "a has seen that")
	_, err = a.Put(within(t), &pb.PutRequest{Key: []byte("k"), Value: []byte(noise(60_000))})
	require.ErrorIs(t, err, state.ErrNoSpace)
	require.NoError(t, b.Defragment(within(t)))
	require.Less(t, z.Bytes("/zkine"), int64(quota/10))
	require.Len(t, alarm(t, b, disarm, full, a.Status().Leader), 1)
	put(t, a, "k", noise(10_000))
	put(t, b, "k", noise(10_000))
	require.Empty(t, alarm(t, a, list, none, 0))
	sameState(t, a, b)
}

// TestQuotaOff writes beyond what a quota would allow.
func TestQuotaOff(t *testing.T) {
	a := openWith(t, memzk.New(), "a", withQuota(-1))
	require.EqualValues(t, -1, a.Status().Quota)
	put(t, a, "k", noise(10_000))
	require.EqualValues(t, backend.DefaultQuotaBytes, openWith(t, memzk.New(), "b", withQuota(0)).Status().Quota)
}

// TestQuotaCosts refuses by etcd's reckoning, before a byte is sent: a
// transaction counts as its dearer branch.
func TestQuotaCosts(t *testing.T) {
	a := openWith(t, memzk.New(), "a", withQuota(10_000))
	txn := func(success, failure int) error {
		_, err := a.Txn(within(t), &pb.TxnRequest{
			Success: []*pb.RequestOp{{Request: &pb.RequestOp_RequestPut{RequestPut: &pb.PutRequest{Key: []byte("k"), Value: make([]byte, success)}}}},
			Failure: []*pb.RequestOp{{Request: &pb.RequestOp_RequestPut{RequestPut: &pb.PutRequest{Key: []byte("k"), Value: make([]byte, failure)}}}},
		})
		return err
	}
	require.NoError(t, txn(1000, 1000))
	read := &pb.TxnRequest{Success: []*pb.RequestOp{{Request: &pb.RequestOp_RequestDeleteRange{RequestDeleteRange: &pb.DeleteRangeRequest{Key: make([]byte, 20_000)}}}}}
	_, err := a.Txn(within(t), read)
	require.NoError(t, err, "no put, no cost")
	require.ErrorIs(t, txn(1, 10_000), state.ErrNoSpace)
	require.Len(t, a.Alarms(), 1)
}

// TestQuotaCountsWhatOthersHold has a store that holds something besides the
// root.
func TestQuotaCountsWhatOthersHold(t *testing.T) {
	z := memzk.New()
	var others atomic.Int64
	a := openWith(t, z, "a", func(c *backend.Config) {
		c.QuotaBytes = 100_000
		c.Held = func(context.Context) (int64, error) { return z.Bytes("/zkine") + others.Load(), nil }
	})
	put(t, a, "k", noise(50_000))
	others.Store(60_000)
	require.NoError(t, a.Defragment(within(t)), "which measures")
	_, err := a.Put(within(t), &pb.PutRequest{Key: []byte("k"), Value: []byte(noise(50_000))})
	require.ErrorIs(t, err, state.ErrNoSpace)
	require.Less(t, a.Status().Sizes.Total(), int64(60_000), "the root's size is the root's")
	others.Store(0)
	require.Len(t, alarm(t, a, disarm, full, a.Status().Leader), 1)
	require.NoError(t, a.Defragment(within(t)))
	_, err = a.Put(within(t), &pb.PutRequest{Key: []byte("k"), Value: []byte(noise(10_000))})
	require.NoError(t, err)
}

// TestManyWhoFindItFullRaiseOneAlarm has the alarm in the log once.
func TestManyWhoFindItFullRaiseOneAlarm(t *testing.T) {
	a := openWith(t, memzk.New(), "a", withQuota(1000))
	var wg sync.WaitGroup
	for range 50 {
		wg.Go(func() {
			_, err := a.Put(within(t), &pb.PutRequest{Key: []byte("k"), Value: []byte(noise(10_000))})
			assert.ErrorIs(t, err, state.ErrNoSpace)
		})
	}
	wg.Wait()
	require.Len(t, a.Alarms(), 1)
	require.Less(t, a.Status().AppliedIndex, uint64(1<<32+10), "a record for each; segments count from 1")
}
