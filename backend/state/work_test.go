package state

import (
	"testing"

	"github.com/stretchr/testify/require"
	pb "go.etcd.io/etcd/api/v3/etcdserverpb"

	"github.com/zkine/zkine/revision"
	"github.com/zkine/zkine/revision/recordpb"
)

// TestWork counts what requests did as etcd's metrics do: a delete of a range is one, and a transaction has more than one
// operation.
func TestWork(t *testing.T) {
	m := New()
	slot := int64(0)
	do := func(requests ...*recordpb.Request) Work {
		slot++
		return m.Apply(revision.Slot{Seq: revision.Seq{Segment: 1, Slot: slot}, Nonce: revision.Nonce{byte(slot)}, Requests: requests}).Work
	}
	put := func(key string, lease int64) *pb.PutRequest {
		return &pb.PutRequest{Key: []byte(key), Value: []byte("value"), Lease: lease}
	}
	record := func(r *pb.PutRequest) *recordpb.Request {
		return &recordpb.Request{Kind: &recordpb.Request_Put{Put: r}}
	}
	require.Equal(t, Work{Puts: 2, PutBytes: 13}, do(record(put("a", 0)), record(put("bb", 0))))
	require.Zero(t, do(record(put("a", 7))), "there is no such lease")
	require.Equal(t, Work{Deletes: 1}, do(&recordpb.Request{Kind: &recordpb.Request_DeleteRange{
		DeleteRange: &pb.DeleteRangeRequest{Key: []byte("a"), RangeEnd: []byte("c")}}}))
	txn := func(ops ...*pb.RequestOp) *recordpb.Request {
		return &recordpb.Request{Kind: &recordpb.Request_Txn{Txn: &pb.TxnRequest{Success: ops}}}
	}
	putOp := &pb.RequestOp{Request: &pb.RequestOp_RequestPut{RequestPut: put("a", 0)}}
	rangeOp := &pb.RequestOp{Request: &pb.RequestOp_RequestRange{RequestRange: &pb.RangeRequest{Key: []byte("a")}}}
	require.Equal(t, Work{Puts: 1, Ranges: 1, PutBytes: 6, Txns: 1}, do(txn(putOp, rangeOp)))
	require.Equal(t, Work{Puts: 1, PutBytes: 6}, do(txn(putOp)), "one operation is no transaction to etcd")

	grant := &recordpb.Request{Kind: &recordpb.Request_LeaseGrant{LeaseGrant: &pb.LeaseGrantRequest{ID: 7, TTL: 10}}}
	require.Zero(t, do(grant))
	do(record(put("x", 7)), record(put("y", 7)))
	l, _ := m.View().Lease(7)
	require.Equal(t, Work{Deletes: 2, Txns: 1, Expired: 1}, do(&recordpb.Request{Kind: &recordpb.Request_LeaseExpire{
		LeaseExpire: &recordpb.LeaseExpire{Id: 7, Renewed: l.Renewed}}}))
}
