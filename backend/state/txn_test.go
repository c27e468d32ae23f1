package state

import (
	"testing"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"go.etcd.io/etcd/api/v3/mvccpb"
)

func opPut(r *pb.PutRequest) *pb.RequestOp {
	return &pb.RequestOp{Request: &pb.RequestOp_RequestPut{RequestPut: r}}
}

func opDelete(r *pb.DeleteRangeRequest) *pb.RequestOp {
	return &pb.RequestOp{Request: &pb.RequestOp_RequestDeleteRange{RequestDeleteRange: r}}
}

func opRange(r *pb.RangeRequest) *pb.RequestOp {
	return &pb.RequestOp{Request: &pb.RequestOp_RequestRange{RequestRange: r}}
}

func opTxn(r *pb.TxnRequest) *pb.RequestOp {
	return &pb.RequestOp{Request: &pb.RequestOp_RequestTxn{RequestTxn: r}}
}

var key = []byte("k")

// TestTxnHeaders follows the revisions in the headers: those of ranges and of
// empty deletes move with the first change, nested transactions' stay 0.
func TestTxnHeaders(t *testing.T) {
	b := newBench(t)
	get := opRange(&pb.RangeRequest{Key: key})
	resp := b.ok(&pb.TxnRequest{Success: []*pb.RequestOp{
		get,
		opDelete(&pb.DeleteRangeRequest{Key: key}),
		opTxn(&pb.TxnRequest{Success: []*pb.RequestOp{opPut(&pb.PutRequest{Key: key})}}),
		get,
		opDelete(&pb.DeleteRangeRequest{Key: []byte("none")}),
	}}).(*pb.TxnResponse)
	got := []int64{
		resp.Header.Revision,
		resp.Responses[0].GetResponseRange().Header.Revision,
		resp.Responses[1].GetResponseDeleteRange().Header.Revision,
		resp.Responses[2].GetResponseTxn().Header.Revision,
		resp.Responses[2].GetResponseTxn().Responses[0].GetResponsePut().Header.Revision,
		resp.Responses[3].GetResponseRange().Header.Revision,
		resp.Responses[4].GetResponseDeleteRange().Header.Revision,
	}
	for i, want := range []int64{2, 1, 1, 0, 2, 2, 2} {
		if got[i] != want {
			t.Errorf("header %d: revision %d, want %d", i, got[i], want)
		}
	}
	if n := resp.Responses[3].GetResponseRange().Count; n != 1 {
		t.Errorf("a range after the put finds %d keys", n)
	}
}

// TestTxnNestedCompares: a nested comparison sees the state before the
// transaction, whatever was put before it.
func TestTxnNestedCompares(t *testing.T) {
	b := newBench(t)
	resp := b.ok(&pb.TxnRequest{Success: []*pb.RequestOp{
		opPut(&pb.PutRequest{Key: key}),
		opTxn(&pb.TxnRequest{Compare: []*pb.Compare{{Key: key, Target: pb.Compare_VERSION}}}),
	}}).(*pb.TxnResponse)
	if !resp.Responses[1].GetResponseTxn().Succeeded {
		t.Error("a nested comparison saw the put before it")
	}
}

// TestTxnDeletePut deletes and puts a key in one transaction: it is created
// anew, and two events of one revision say so.
func TestTxnDeletePut(t *testing.T) {
	b := newBench(t)
	b.ok(&pb.PutRequest{Key: key, Value: []byte("old")})
	gone := &pb.DeleteRangeRequest{Key: key, RangeEnd: []byte{0}}
	b.ok(&pb.TxnRequest{Success: []*pb.RequestOp{opDelete(gone), opPut(&pb.PutRequest{Key: key, Value: []byte("new")})}})
	v := b.View()
	resp, err := v.Range(&pb.RangeRequest{Key: key})
	if err != nil || len(resp.Kvs) != 1 || resp.Kvs[0].CreateRevision != 3 || resp.Kvs[0].Version != 1 {
		t.Fatalf("%v, %v", resp, err)
	}
	c, _ := v.Change(3)
	if len(c.Events) != 2 || !c.Events[0].IsDelete() || !c.Events[1].IsCreate() {
		t.Fatalf("events %v", c.Events)
	}
	if e := c.Events[0].Proto(true, -1); string(e.PrevKv.GetValue()) != "old" || e.Type != mvccpb.Event_DELETE {
		t.Errorf("the delete: %v", e)
	}
	if e := c.Events[1].Proto(true, -1); e.PrevKv != nil {
		t.Errorf("the put: %v", e)
	}
	// Compacted at that very revision, the key stays. (etcd loses it.)
	b.ok(&pb.CompactionRequest{Revision: 3})
	for b.CompactPhysically(1) {
	}
	if resp, err := b.View().Range(&pb.RangeRequest{Key: key, Revision: 3}); err != nil || resp.Count != 1 {
		t.Errorf("after a compaction: %v, %v", resp, err)
	}
	for _, put := range []*pb.PutRequest{{Key: key, IgnoreValue: true}, {Key: key, IgnoreLease: true}} {
		b.fails(&pb.TxnRequest{Success: []*pb.RequestOp{opDelete(gone), opPut(put)}}, ErrKeyNotFound)
	}
	b.ok(&pb.TxnRequest{Success: []*pb.RequestOp{opPut(&pb.PutRequest{Key: key, IgnoreValue: true}), opDelete(gone)}})
}

// TestTxnChecks: whatever fails on the path leaves nothing behind of what comes
// before; off the path nothing fails.
func TestTxnChecks(t *testing.T) {
	b := newBench(t)
	b.ok(&pb.PutRequest{Key: key})
	for _, test := range []struct {
		name string
		op   *pb.RequestOp
		want error
	}{
		{"lease", opPut(&pb.PutRequest{Key: key, Lease: 5}), ErrLeaseNotFound},
		{"lease before value", opPut(&pb.PutRequest{Key: []byte("x"), Lease: 5, IgnoreValue: true}), ErrLeaseNotFound},
		{"ignore_value", opPut(&pb.PutRequest{Key: []byte("x"), IgnoreValue: true}), ErrKeyNotFound},
		{"ignore_lease", opPut(&pb.PutRequest{Key: []byte("x"), IgnoreLease: true}), ErrKeyNotFound},
		{"future", opRange(&pb.RangeRequest{Key: key, Revision: 3}), ErrFutureRev},
		{"negative", opRange(&pb.RangeRequest{Key: key, Revision: -2}), ErrCompacted},
	} {
		t.Run(test.name, func(t *testing.T) {
			put := opPut(&pb.PutRequest{Key: []byte("first")})
			nested := opTxn(&pb.TxnRequest{Success: []*pb.RequestOp{test.op}})
			b.fails(&pb.TxnRequest{Success: []*pb.RequestOp{put, test.op}}, test.want)
			b.fails(&pb.TxnRequest{Success: []*pb.RequestOp{put, nested}}, test.want)
			b.ok(&pb.TxnRequest{Failure: []*pb.RequestOp{put, test.op, nested}})
		})
	}
	// -1 is not below the compact revision of a fresh store; in a Range, any
	// negative revision is the current one.
	b.ok(&pb.TxnRequest{Success: []*pb.RequestOp{opRange(&pb.RangeRequest{Key: key, Revision: -1})}})
	if _, err := b.View().Range(&pb.RangeRequest{Key: key, Revision: -2}); err != nil {
		t.Error(err)
	}
}

func TestReadOnly(t *testing.T) {
	get := opRange(&pb.RangeRequest{Key: key})
	serializable := opRange(&pb.RangeRequest{Key: key, Serializable: true})
	for _, test := range []struct {
		r                      *pb.TxnRequest
		readOnly, serializable bool
	}{
		{&pb.TxnRequest{}, true, true},
		{&pb.TxnRequest{Success: []*pb.RequestOp{get}}, true, false},
		{&pb.TxnRequest{Failure: []*pb.RequestOp{serializable}}, true, true},
		{&pb.TxnRequest{Success: []*pb.RequestOp{serializable}, Failure: []*pb.RequestOp{get}}, true, false},
		{&pb.TxnRequest{Failure: []*pb.RequestOp{opPut(&pb.PutRequest{})}}, false, false},
		{&pb.TxnRequest{Success: []*pb.RequestOp{opTxn(&pb.TxnRequest{})}}, false, false},
	} {
		if IsReadOnly(test.r) != test.readOnly || IsSerializable(test.r) != test.serializable {
			t.Errorf("%v: read-only %v, serializable %v", test.r, IsReadOnly(test.r), IsSerializable(test.r))
		}
	}
}
