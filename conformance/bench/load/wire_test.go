package load

import (
	"encoding/binary"
	"testing"

	"github.com/stretchr/testify/require"
	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"go.etcd.io/etcd/api/v3/mvccpb"
	"google.golang.org/protobuf/proto"

	"github.com/zkine/zkine/conformance/bench/load/wiregrpc"
)

// scan scans a message, and then overwrites its bytes: a scanner must not keep them.
func scan(t *testing.T, m proto.Message, s wiregrpc.Scanner) error {
	t.Helper()
	data, err := proto.Marshal(m)
	require.NoError(t, err)
	defer clear(data)
	return s.Scan(data)
}

func stamped(stamp uint64, length int) []byte {
	value := make([]byte, length)
	binary.BigEndian.PutUint64(value, stamp)
	return value
}

func TestScanRange(t *testing.T) {
	m := &pb.RangeResponse{
		Header: &pb.ResponseHeader{ClusterId: 1, MemberId: 2, Revision: 300, RaftTerm: 4},
		Kvs: []*mvccpb.KeyValue{
			{Key: []byte("a"), CreateRevision: 5, ModRevision: 200, Version: 3, Value: stamped(77, 100)},
			{Key: []byte("b"), ModRevision: 201, Value: []byte("short"), Lease: 9},
		},
		More: true, Count: 1000,
	}
	var seen []string
	r := &rangeReply{visit: func(kv keyValue) { seen = append(seen, string(kv.key)) }}
	require.NoError(t, scan(t, m, r))
	require.EqualValues(t, 300, r.revision)
	require.EqualValues(t, 1000, r.count)
	require.Equal(t, 2, r.kvs)
	require.Equal(t, []string{"a", "b"}, seen)
	require.Equal(t, "b", string(r.last.key))
	require.EqualValues(t, 201, r.last.mod)
	require.Equal(t, 5, r.last.length)
	require.Zero(t, r.last.stamp)
}

func TestScanRefusesKeysOutOfOrder(t *testing.T) {
	m := &pb.RangeResponse{Kvs: []*mvccpb.KeyValue{{Key: []byte("b")}, {Key: []byte("a")}}}
	require.ErrorContains(t, scan(t, m, &rangeReply{}), "comes after")
	m.Kvs[1].Key = []byte("b")
	require.ErrorContains(t, scan(t, m, &rangeReply{}), "comes after")
}

func TestScanStreamGathers(t *testing.T) {
	r := &streamReply{}
	require.NoError(t, scan(t, &pb.RangeStreamResponse{RangeResponse: &pb.RangeResponse{
		Kvs: []*mvccpb.KeyValue{{Key: []byte("a")}}}}, r))
	require.NoError(t, scan(t, &pb.RangeStreamResponse{RangeResponse: &pb.RangeResponse{
		Kvs: []*mvccpb.KeyValue{{Key: []byte("b")}, {Key: []byte("c")}}, Count: 3}}, r))
	require.Equal(t, 3, r.kvs)
	require.EqualValues(t, 3, r.count)
	require.ErrorContains(t, scan(t, &pb.RangeStreamResponse{RangeResponse: &pb.RangeResponse{
		Kvs: []*mvccpb.KeyValue{{Key: []byte("a")}}}}, r), "comes after")
}

func TestScanTxn(t *testing.T) {
	var r txnReply
	require.NoError(t, scan(t, &pb.TxnResponse{Header: &pb.ResponseHeader{Revision: 1 << 40}, Succeeded: true}, &r))
	require.Equal(t, txnReply{revision: 1 << 40, succeeded: true}, r)
	require.NoError(t, scan(t, &pb.TxnResponse{Header: &pb.ResponseHeader{Revision: 8}, Responses: []*pb.ResponseOp{
		{Response: &pb.ResponseOp_ResponseRange{ResponseRange: &pb.RangeResponse{Count: 1}}}}}, &r))
	require.Equal(t, txnReply{revision: 8}, r)
}

func TestScanWatch(t *testing.T) {
	type event struct {
		mod      int64
		stamp    uint64
		previous bool
	}
	var events []event
	r := watchReply{visit: func(kv keyValue, previous bool) error {
		events = append(events, event{kv.mod, kv.stamp, previous})
		return nil
	}}
	require.NoError(t, scan(t, &pb.WatchResponse{Created: true}, &r))
	require.True(t, r.created)
	require.NoError(t, scan(t, &pb.WatchResponse{Events: []*mvccpb.Event{
		{Kv: &mvccpb.KeyValue{Key: []byte("k"), ModRevision: 10, Value: stamped(5, 20)}},
		{Kv: &mvccpb.KeyValue{Key: []byte("k"), ModRevision: 11, Value: stamped(6, 20)},
			PrevKv: &mvccpb.KeyValue{Key: []byte("k"), ModRevision: 10, Value: stamped(5, 20)}},
	}}, &r))
	require.Equal(t, []event{{10, 5, false}, {11, 6, true}}, events)
	require.NoError(t, scan(t, &pb.WatchResponse{Canceled: true, CompactRevision: 3}, &r))
	require.True(t, r.canceled)
	require.EqualValues(t, 3, r.compacted)
}

func TestScanRefusesWhatIsNoMessage(t *testing.T) {
	for _, data := range []string{"\x0a", "\x0a\x05abc", "\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff", "\x0d1234"} {
		err := (&rangeReply{}).Scan([]byte(data))
		require.ErrorIs(t, err, errWire, "%q", data)
	}
}
