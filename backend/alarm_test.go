package backend_test

import (
	"testing"

	"github.com/stretchr/testify/require"
	pb "go.etcd.io/etcd/api/v3/etcdserverpb"

	"github.com/zkine/zkine/backend"
	"github.com/zkine/zkine/backend/memlog"
	"github.com/zkine/zkine/backend/state"
)

func alarm(t *testing.T, b *backend.Backend, action pb.AlarmRequest_AlarmAction, kind pb.AlarmType, member uint64) []*pb.AlarmMember {
	t.Helper()
	resp, err := b.Alarm(within(t), &pb.AlarmRequest{Action: action, Alarm: kind, MemberID: member})
	require.NoError(t, err)
	require.Equal(t, int64(b.View().Rev()), resp.Header.Revision)
	return resp.Alarms
}

const (
	list, raise, disarm = pb.AlarmRequest_GET, pb.AlarmRequest_ACTIVATE, pb.AlarmRequest_DEACTIVATE
	none, full, rotten  = pb.AlarmType_NONE, pb.AlarmType_NOSPACE, pb.AlarmType_CORRUPT
)

// Alarms are raised for all members, and refuse what etcd's appliers refuse.
func TestAlarms(t *testing.T) {
	z := memlog.New()
	a, b := openMem(t, z, "a"), openMem(t, z, "b")
	put(t, a, "k", "v")
	require.Empty(t, alarm(t, a, list, none, 0))
	require.Empty(t, alarm(t, a, raise, none, 1))
	require.Len(t, alarm(t, a, raise, full, 1), 1)
	require.Len(t, alarm(t, a, raise, full, 1), 1, "again")
	require.Len(t, alarm(t, b, list, none, 0), 1, "linearizable")
	require.Empty(t, alarm(t, b, list, rotten, 0))
	require.Equal(t, []string{"memberID:1 alarm:NOSPACE"}, b.Status().Errors)
	require.Len(t, b.Alarms(), 1)

	writes := map[string]func() error{
		"put":  func() error { _, err := b.Put(within(t), &pb.PutRequest{Key: []byte("x")}); return err },
		"txn":  func() error { _, err := b.Txn(within(t), putTxn(false)); return err },
		"nest": func() error { _, err := b.Txn(within(t), putTxn(true)); return err },
		"grant": func() error {
			_, err := b.LeaseGrant(within(t), &pb.LeaseGrantRequest{TTL: 60})
			return err
		},
	}
	frees := map[string]func() error{
		"delete":  func() error { _, err := b.DeleteRange(within(t), &pb.DeleteRangeRequest{Key: []byte("k")}); return err },
		"compact": func() error { _, err := b.Compact(within(t), &pb.CompactionRequest{Revision: 2}); return err },
	}
	requireAll(t, state.ErrNoSpace, writes)
	requireAll(t, nil, frees)
	_, err := b.LeaseGrant(within(t), &pb.LeaseGrantRequest{TTL: state.MaxLeaseTTL + 1})
	require.ErrorIs(t, err, state.ErrNoSpace, "alarms come before what is wrong with the request")
	_, err = b.Compact(within(t), &pb.CompactionRequest{Revision: 1})
	require.ErrorIs(t, err, state.ErrCompacted, "evaluated, not refused")

	require.Len(t, alarm(t, b, raise, rotten, 2), 1)
	requireAll(t, state.ErrCorrupt, writes)
	requireAll(t, state.ErrCorrupt, frees)
	get(t, b, "k") // etcd's reads go on
	require.Empty(t, alarm(t, a, disarm, rotten, 1), "another member's")
	require.Len(t, alarm(t, a, disarm, rotten, 2), 1)
	require.Len(t, alarm(t, a, disarm, full, 1), 1)
	requireAll(t, nil, writes)
	require.Empty(t, a.Status().Errors)
}

func requireAll(t *testing.T, want error, calls map[string]func() error) {
	t.Helper()
	for name, call := range calls {
		require.ErrorIs(t, call(), want, name)
	}
}

// putTxn has its put on the branch that is not taken; nested, if asked for.
func putTxn(nested bool) *pb.TxnRequest {
	op := &pb.RequestOp{Request: &pb.RequestOp_RequestPut{RequestPut: &pb.PutRequest{Key: []byte("x")}}}
	r := &pb.TxnRequest{Failure: []*pb.RequestOp{op}}
	if nested {
		op := &pb.RequestOp{Request: &pb.RequestOp_RequestTxn{RequestTxn: r}}
		return &pb.TxnRequest{Success: []*pb.RequestOp{op}}
	}
	return r
}
