package robustness

import (
	"testing"

	"github.com/stretchr/testify/require"
	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"go.etcd.io/etcd/tests/v3/robustness/model"

	"github.com/zkine/zkine/revision"
	"github.com/zkine/zkine/revision/recordpb"
)

func put(key, value string, lease int64) *recordpb.Request {
	return &recordpb.Request{Kind: &recordpb.Request_Put{
		Put: &pb.PutRequest{Key: []byte(key), Value: []byte(value), Lease: lease},
	}}
}

func deletion(key, end string) *recordpb.Request {
	return &recordpb.Request{Kind: &recordpb.Request_DeleteRange{
		DeleteRange: &pb.DeleteRangeRequest{Key: []byte(key), RangeEnd: []byte(end)},
	}}
}

func grant(id int64) *recordpb.Request {
	return &recordpb.Request{Kind: &recordpb.Request_LeaseGrant{LeaseGrant: &pb.LeaseGrantRequest{ID: id, TTL: 10}}}
}

func expire(id int64, renewed uint64) *recordpb.Request {
	return &recordpb.Request{Kind: &recordpb.Request_LeaseExpire{LeaseExpire: &recordpb.LeaseExpire{Id: id, Renewed: renewed}}}
}

func renew(id int64) *recordpb.Request {
	return &recordpb.Request{Kind: &recordpb.Request_LeaseRenew{LeaseRenew: &recordpb.LeaseRenew{Id: id}}}
}

func compaction(rev int64) *recordpb.Request {
	return &recordpb.Request{Kind: &recordpb.Request_Compaction{Compaction: &pb.CompactionRequest{Revision: rev}}}
}

func transaction(t *pb.TxnRequest) *recordpb.Request {
	return &recordpb.Request{Kind: &recordpb.Request_Txn{Txn: t}}
}

func putModel(key, value string, lease int64) model.EtcdRequest {
	return model.EtcdRequest{Type: model.Txn, Txn: &model.TxnRequest{OperationsOnSuccess: []model.EtcdOperation{{
		Type: model.PutOperation,
		Put:  model.PutOptions{Key: key, Value: model.ToValueOrHash(value), LeaseID: lease},
	}}}}
}

func TestTranslateATransaction(t *testing.T) {
	got, err := translate(transaction(&pb.TxnRequest{
		Compare: []*pb.Compare{
			{Target: pb.Compare_MOD, Key: []byte("a"), TargetUnion: &pb.Compare_ModRevision{ModRevision: 7}},
			{Target: pb.Compare_VERSION, Key: []byte("b"), TargetUnion: &pb.Compare_Version{Version: 3}},
		},
		Success: []*pb.RequestOp{
			{Request: &pb.RequestOp_RequestPut{RequestPut: &pb.PutRequest{Key: []byte("a"), Value: []byte("1")}}},
			{Request: &pb.RequestOp_RequestDeleteRange{RequestDeleteRange: &pb.DeleteRangeRequest{Key: []byte("b")}}},
		},
		Failure: []*pb.RequestOp{
			{Request: &pb.RequestOp_RequestRange{RequestRange: &pb.RangeRequest{Key: []byte("a"), RangeEnd: []byte("c"), Limit: 2}}},
		},
	}))
	require.NoError(t, err)
	require.Equal(t, &model.EtcdRequest{Type: model.Txn, Txn: &model.TxnRequest{
		Conditions: []model.EtcdCondition{{Key: "a", ExpectedRevision: 7}, {Key: "b", ExpectedVersion: 3}},
		OperationsOnSuccess: []model.EtcdOperation{
			{Type: model.PutOperation, Put: model.PutOptions{Key: "a", Value: model.ValueOrHash{Value: "1"}}},
			{Type: model.DeleteOperation, Delete: model.DeleteOptions{Key: "b"}},
		},
		OperationsOnFailure: []model.EtcdOperation{
			{Type: model.RangeOperation, Range: model.RangeOptions{Start: "a", End: "c", Limit: 2}},
		},
	}}, got)
}

func TestWhatTheModelWouldMisunderstandIsAnError(t *testing.T) {
	nested := &pb.RequestOp{Request: &pb.RequestOp_RequestTxn{RequestTxn: &pb.TxnRequest{}}}
	old := &pb.RequestOp{Request: &pb.RequestOp_RequestRange{RequestRange: &pb.RangeRequest{Key: []byte("a"), Revision: 2}}}
	for name, r := range map[string]*recordpb.Request{
		"delete of a range":   deletion("a", "b"),
		"ignore_value":        {Kind: &recordpb.Request_Put{Put: &pb.PutRequest{Key: []byte("a"), IgnoreValue: true}}},
		"ignore_lease":        {Kind: &recordpb.Request_Put{Put: &pb.PutRequest{Key: []byte("a"), IgnoreLease: true}}},
		"nested transaction":  transaction(&pb.TxnRequest{Success: []*pb.RequestOp{nested}}),
		"range at a revision": transaction(&pb.TxnRequest{Failure: []*pb.RequestOp{old}}),
		"greater than":        transaction(&pb.TxnRequest{Compare: []*pb.Compare{{Key: []byte("a"), Result: pb.Compare_GREATER, Target: pb.Compare_MOD}}}),
		"range compare":       transaction(&pb.TxnRequest{Compare: []*pb.Compare{{Key: []byte("a"), RangeEnd: []byte("b"), Target: pb.Compare_MOD}}}),
		"value compare":       transaction(&pb.TxnRequest{Compare: []*pb.Compare{{Key: []byte("a"), Target: pb.Compare_VALUE}}}),
		"nothing":             {},
	} {
		_, err := translate(r)
		require.Error(t, err, name)
	}
}

// slot is the nth of a log, with a nonce of its own unless one is given.
func slot(n int64, nonce byte, requests ...*recordpb.Request) revision.Slot {
	return revision.Slot{Seq: revision.Seq{Segment: 1, Slot: n}, Nonce: revision.Nonce{nonce}, Requests: requests}
}

func TestOnlyWhatTookEffectIsInTheHistory(t *testing.T) {
	h := newHistory()
	for _, s := range []revision.Slot{
		slot(0, 1, put("a", "1", 0), grant(5), put("b", "2", 5)),
		slot(1, 1, put("a", "1", 0), grant(5), put("b", "2", 5)), // sent twice
		slot(2, 2, put("c", "no such lease", 6), grant(5), compaction(9)),
		slot(3, 3, renew(5)),
		slot(4, 4, expire(5, 2)), // renewed meanwhile
		slot(5, 5, expire(5, 7), expire(5, 7)),
		slot(6, 6, compaction(2), deletion("nothing", "")),
	} {
		require.NoError(t, h.apply(s))
	}
	revoked := model.EtcdRequest{Type: model.LeaseRevoke, LeaseRevoke: &model.LeaseRevokeRequest{LeaseID: 5}}
	want := []model.EtcdRequest{
		putModel("a", "1", 0),
		{Type: model.LeaseGrant, LeaseGrant: &model.LeaseGrantRequest{LeaseID: 5}},
		putModel("b", "2", 5),
		revoked, revoked, // the second finds no lease, in the model as here
		{Type: model.Compact, Compact: &model.CompactRequest{Revision: 2}},
		{Type: model.Txn, Txn: &model.TxnRequest{OperationsOnSuccess: []model.EtcdOperation{
			{Type: model.DeleteOperation, Delete: model.DeleteOptions{Key: "nothing"}},
		}}},
	}
	require.Equal(t, want, h.Requests)
	require.Equal(t, 1, h.Duplicates)
	require.Equal(t, 3, h.Refused)
	require.Len(t, h.Slots, 7)
	require.EqualValues(t, 4, h.Rev())
	require.NoError(t, h.CheckModel())
}

func TestCheckModelSeesADifference(t *testing.T) {
	whole := func() *History {
		h := newHistory()
		require.NoError(t, h.apply(slot(0, 1, put("a", "1", 0), put("b", "2", 0), put("a", "3", 0))))
		return h
	}
	for name, spoil := range map[string]func(*History){
		"lost":    func(h *History) { h.Requests = h.Requests[:2] },
		"swapped": func(h *History) { h.Requests[0], h.Requests[2] = h.Requests[2], h.Requests[0] },
		"added":   func(h *History) { h.Requests = append(h.Requests, putModel("c", "4", 0)) },
		"altered": func(h *History) { h.Requests[1] = putModel("b", "9", 0) },
		"leased":  func(h *History) { h.Requests[1] = putModel("b", "2", 8) },
	} {
		h := whole()
		require.NoError(t, h.CheckModel())
		spoil(h)
		require.Error(t, h.CheckModel(), name)
	}
}
