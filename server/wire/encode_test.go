package wire

import (
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"go.etcd.io/etcd/api/v3/mvccpb"
	"google.golang.org/protobuf/proto"
)

// The encoding by hand is protobuf's, byte for byte.
func TestEncode(t *testing.T) {
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	g := responses{rand.New(rand.NewPCG(seed, 0))}
	for range 2000 {
		m := g.any()
		want, err := proto.Marshal(m)
		require.NoError(t, err)
		data, known := encode(m)
		require.True(t, known)
		require.Equal(t, len(want), data.Len(), "%v", m)
		require.Equal(t, string(want), string(data.Materialize()), "%v", m)
		data.Free()
	}
}

// A message larger than a buffer is spread over several, and so is one with a
// value larger than a buffer.
func TestEncodeLarge(t *testing.T) {
	g := responses{rand.New(rand.NewPCG(1, 0))}
	list := &pb.RangeResponse{Header: g.header(), Count: 5000, More: true}
	for i := range 5000 {
		kv := g.keyValue()
		kv.Value = make([]byte, 1000)
		if i%1000 == 7 {
			kv.Value = make([]byte, largeBytes+i)
		}
		list.Kvs = append(list.Kvs, kv)
	}
	txn := &pb.TxnResponse{Header: g.header(), Responses: []*pb.ResponseOp{
		{Response: &pb.ResponseOp_ResponseRange{ResponseRange: list}},
		{Response: &pb.ResponseOp_ResponsePut{ResponsePut: &pb.PutResponse{PrevKv: list.Kvs[7]}}},
	}}
	for _, m := range []proto.Message{list, txn, &pb.RangeStreamResponse{RangeResponse: list}} {
		want, err := proto.Marshal(m)
		require.NoError(t, err)
		data, known := encode(m)
		require.True(t, known)
		require.Greater(t, len(data), 5)
		require.True(t, string(want) == string(data.Materialize()))
		data.Free()
	}
}

// What it does not know it leaves alone.
func TestEncodeOthers(t *testing.T) {
	for _, m := range []proto.Message{&pb.StatusResponse{}, &pb.WatchResponse{CancelReason: "why"}} {
		_, known := encode(m)
		require.False(t, known)
	}
}

// responses makes random responses.
type responses struct{ *rand.Rand }

func (g responses) any() proto.Message {
	switch g.IntN(6) {
	case 0:
		return g.rangeResponse()
	case 1:
		return g.put()
	case 2:
		return g.delete()
	case 3:
		return g.txn(3)
	case 4:
		m := &pb.RangeStreamResponse{}
		if g.IntN(4) > 0 {
			m.RangeResponse = g.rangeResponse()
		}
		return m
	}
	m := &pb.WatchResponse{
		Header: g.header(), WatchId: g.number(), Created: g.coin(), Canceled: g.coin(),
		CompactRevision: g.number(), Fragment: g.coin(),
	}
	for range g.IntN(5) {
		e := &mvccpb.Event{Type: mvccpb.Event_EventType(g.IntN(2)), Kv: g.keyValue()}
		if g.coin() {
			e.PrevKv = g.keyValue()
		}
		m.Events = append(m.Events, e)
	}
	return m
}

func (g responses) rangeResponse() *pb.RangeResponse {
	return &pb.RangeResponse{Header: g.header(), Kvs: g.keyValues(), More: g.coin(), Count: g.number()}
}

func (g responses) put() *pb.PutResponse {
	m := &pb.PutResponse{Header: g.header()}
	if g.coin() {
		m.PrevKv = g.keyValue()
	}
	return m
}

func (g responses) delete() *pb.DeleteRangeResponse {
	return &pb.DeleteRangeResponse{Header: g.header(), Deleted: g.number(), PrevKvs: g.keyValues()}
}

func (g responses) txn(depth int) *pb.TxnResponse {
	m := &pb.TxnResponse{Header: g.header(), Succeeded: g.coin()}
	for range g.IntN(4) {
		op := &pb.ResponseOp{}
		switch kind := g.IntN(5); {
		case kind == 0:
			op.Response = &pb.ResponseOp_ResponseRange{ResponseRange: g.rangeResponse()}
		case kind == 1:
			op.Response = &pb.ResponseOp_ResponsePut{ResponsePut: g.put()}
		case kind == 2:
			op.Response = &pb.ResponseOp_ResponseDeleteRange{ResponseDeleteRange: g.delete()}
		case kind == 3 && depth > 0:
			op.Response = &pb.ResponseOp_ResponseTxn{ResponseTxn: g.txn(depth - 1)}
		}
		m.Responses = append(m.Responses, op)
	}
	return m
}

func (g responses) header() *pb.ResponseHeader {
	if g.IntN(4) == 0 {
		return nil
	}
	return &pb.ResponseHeader{ClusterId: g.Uint64(), MemberId: g.Uint64(), Revision: g.number(), RaftTerm: uint64(g.number())}
}

func (g responses) keyValues() []*mvccpb.KeyValue {
	var kvs []*mvccpb.KeyValue
	for range g.IntN(20) {
		kvs = append(kvs, g.keyValue())
	}
	return kvs
}

func (g responses) keyValue() *mvccpb.KeyValue {
	return &mvccpb.KeyValue{
		Key: make([]byte, g.IntN(200)), Value: make([]byte, g.IntN(300)), CreateRevision: g.number(),
		ModRevision: g.number(), Version: g.number(), Lease: g.number(),
	}
}

func (g responses) coin() bool { return g.IntN(2) == 0 }

// number is of any length on the wire, and negative at times.
func (g responses) number() int64 { return g.Int64() >> g.IntN(64) * int64(1-2*(g.IntN(8)/7)) }
