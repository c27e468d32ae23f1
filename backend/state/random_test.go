package state

import (
	"fmt"
	"math/rand/v2"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"

	"github.com/zkine/zkine/revision/recordpb"
)

// gen draws random requests about few keys and few leases, so that they meet.
type gen struct {
	*rand.Rand
	// rev and floor are about where the store is, to draw revisions around.
	rev, floor int64
	// lawful leaves out what the real etcd would panic at.
	lawful bool
}

func (g *gen) oneIn(n int) bool { return g.IntN(n) == 0 }

func (g *gen) key() []byte {
	switch g.IntN(12) {
	case 0:
		return []byte{0}
	case 1:
		return []byte{0xff, 0xff}
	case 2:
		return []byte("k/" + string(rune('a'+g.IntN(4))) + "\x00")
	}
	return fmt.Appendf(nil, "k/%c", 'a'+g.IntN(10))
}

func (g *gen) keyRange() (key, end []byte) {
	switch g.IntN(8) {
	case 0:
		return []byte{0}, []byte{0}
	case 1:
		return g.key(), []byte{0}
	case 2:
		return []byte("k/"), []byte("k0")
	case 3, 4:
		return g.key(), g.key()
	}
	return g.key(), nil
}

func (g *gen) value() []byte {
	if g.oneIn(6) {
		return nil
	}
	return fmt.Appendf(nil, "v%d", g.IntN(20))
}

func (g *gen) lease() int64 {
	if g.oneIn(2) {
		return 0
	}
	return int64(g.IntN(6)) - 1
}

func (g *gen) put() *pb.PutRequest {
	r := &pb.PutRequest{Key: g.key(), PrevKv: g.oneIn(2)}
	if r.IgnoreValue = g.oneIn(8); !r.IgnoreValue {
		r.Value = g.value()
	}
	if r.IgnoreLease = g.oneIn(8); !r.IgnoreLease {
		r.Lease = g.lease()
	}
	return r
}

func (g *gen) deleteRange() *pb.DeleteRangeRequest {
	r := &pb.DeleteRangeRequest{PrevKv: g.oneIn(2)}
	if r.Key = g.key(); g.oneIn(3) {
		r.Key, r.RangeEnd = g.keyRange()
	}
	return r
}

func (g *gen) revision() int64 {
	switch g.IntN(8) {
	case 0:
		return g.rev
	case 1, 2, 3:
		return g.floor + g.Int64N(max(g.rev-g.floor, 0)+1)
	case 4:
		return g.floor - 2 + g.Int64N(g.rev-g.floor+6)
	}
	return 0
}

func (g *gen) rangeRequest() *pb.RangeRequest {
	r := &pb.RangeRequest{Revision: g.revision()}
	r.Key, r.RangeEnd = g.keyRange()
	if g.oneIn(2) {
		r.Limit = int64(g.IntN(8)) - 1
	}
	if g.oneIn(3) {
		r.SortOrder = pb.RangeRequest_SortOrder(g.IntN(3))
		r.SortTarget = pb.RangeRequest_SortTarget(g.IntN(5))
	}
	r.KeysOnly, r.CountOnly = g.oneIn(5), g.oneIn(6)
	for _, bound := range []*int64{&r.MinModRevision, &r.MaxModRevision, &r.MinCreateRevision, &r.MaxCreateRevision} {
		if g.oneIn(12) {
			*bound = g.revision()
		}
	}
	return r
}

func (g *gen) compare() *pb.Compare {
	c := &pb.Compare{
		Result: pb.Compare_CompareResult(g.IntN(4)),
		Target: pb.Compare_CompareTarget(g.IntN(5)),
	}
	c.Key = g.key()
	if g.oneIn(4) {
		c.Key, c.RangeEnd = g.keyRange()
	}
	switch c.Target {
	case pb.Compare_VERSION:
		c.TargetUnion = &pb.Compare_Version{Version: int64(g.IntN(4))}
	case pb.Compare_CREATE:
		c.TargetUnion = &pb.Compare_CreateRevision{CreateRevision: g.revision()}
	case pb.Compare_MOD:
		c.TargetUnion = &pb.Compare_ModRevision{ModRevision: g.revision()}
	case pb.Compare_VALUE:
		c.TargetUnion = &pb.Compare_Value{Value: g.value()}
	case pb.Compare_LEASE:
		c.TargetUnion = &pb.Compare_Lease{Lease: g.lease()}
	}
	if g.oneIn(12) {
		c.TargetUnion = nil
	}
	if g.oneIn(12) {
		c.TargetUnion = &pb.Compare_Version{Version: 1}
	}
	return c
}

func (g *gen) txn(depth int) *pb.TxnRequest {
	r := new(pb.TxnRequest)
	for range g.IntN(3) {
		r.Compare = append(r.Compare, g.compare())
	}
	for range g.IntN(4) {
		r.Success = append(r.Success, g.op(depth))
	}
	for range g.IntN(4) {
		r.Failure = append(r.Failure, g.op(depth))
	}
	return r
}

func (g *gen) op(depth int) *pb.RequestOp {
	switch g.IntN(8) {
	case 0:
		return &pb.RequestOp{Request: &pb.RequestOp_RequestDeleteRange{RequestDeleteRange: g.deleteRange()}}
	case 1, 2, 3:
		put := g.put()
		if g.lawful {
			put.IgnoreLease, put.IgnoreValue = false, false
		}
		return &pb.RequestOp{Request: &pb.RequestOp_RequestPut{RequestPut: put}}
	case 4, 5:
		if depth > 0 {
			return &pb.RequestOp{Request: &pb.RequestOp_RequestTxn{RequestTxn: g.txn(depth - 1)}}
		}
	}
	r := g.rangeRequest()
	if !g.oneIn(8) && r.Revision > g.rev {
		r.Revision = 0
	}
	return &pb.RequestOp{Request: &pb.RequestOp_RequestRange{RequestRange: r}}
}

// request draws any request that etcd has too.
func (g *gen) request() *recordpb.Request {
	switch n := g.IntN(100); {
	case n < 40:
		return request(g.put())
	case n < 50:
		return request(g.deleteRange())
	case n < 85:
		return request(g.txn(2))
	case n < 88:
		return request(&pb.CompactionRequest{Revision: g.revision()})
	case n < 95:
		return request(&pb.LeaseGrantRequest{ID: g.lease(), TTL: int64(g.IntN(100))})
	default:
		return request(&pb.LeaseRevokeRequest{ID: g.lease()})
	}
}

// own draws a request of zkine's own kinds.
func (g *gen) own(v *View) *recordpb.Request {
	id := g.lease()
	l, _ := v.Lease(id)
	stamp := l.Renewed
	if g.oneIn(3) {
		stamp--
	}
	switch g.IntN(6) {
	case 5:
		if !g.oneIn(4) { // all of the history is compacted with it
			break
		}
		return request(&recordpb.RevisionRaise{To: g.rev - 20 + g.Int64N(3*chunkLen)})
	case 4:
		return request(g.authChange())
	case 0:
		return request(&recordpb.LeaseRenew{Id: id})
	case 1:
		return request(&recordpb.LeaseExpire{Id: id, Renewed: stamp})
	case 2:
		return request(&recordpb.LeaseRemaining{Id: id, Renewed: stamp, RemainingTtl: 7})
	}
	r := &pb.AlarmRequest{MemberID: 1 + g.Uint64N(2), Alarm: pb.AlarmType(g.IntN(2))}
	r.Action = pb.AlarmRequest_DEACTIVATE // mostly: an alarm keeps much from happening
	if g.oneIn(3) {
		r.Action = pb.AlarmRequest_AlarmAction(g.IntN(2))
	}
	return request(r)
}

// request wraps a message of any kind into a record.
func request(message any) *recordpb.Request {
	switch r := message.(type) {
	case *pb.PutRequest:
		return &recordpb.Request{Kind: &recordpb.Request_Put{Put: r}}
	case *pb.DeleteRangeRequest:
		return &recordpb.Request{Kind: &recordpb.Request_DeleteRange{DeleteRange: r}}
	case *pb.TxnRequest:
		return &recordpb.Request{Kind: &recordpb.Request_Txn{Txn: r}}
	case *pb.CompactionRequest:
		return &recordpb.Request{Kind: &recordpb.Request_Compaction{Compaction: r}}
	case *pb.LeaseGrantRequest:
		return &recordpb.Request{Kind: &recordpb.Request_LeaseGrant{LeaseGrant: r}}
	case *pb.LeaseRevokeRequest:
		return &recordpb.Request{Kind: &recordpb.Request_LeaseRevoke{LeaseRevoke: r}}
	case *recordpb.RevisionRaise:
		return &recordpb.Request{Kind: &recordpb.Request_RevisionRaise{RevisionRaise: r}}
	case *recordpb.LeaseRenew:
		return &recordpb.Request{Kind: &recordpb.Request_LeaseRenew{LeaseRenew: r}}
	case *recordpb.LeaseExpire:
		return &recordpb.Request{Kind: &recordpb.Request_LeaseExpire{LeaseExpire: r}}
	case *recordpb.LeaseRemaining:
		return &recordpb.Request{Kind: &recordpb.Request_LeaseRemaining{LeaseRemaining: r}}
	case *pb.AlarmRequest:
		return &recordpb.Request{Kind: &recordpb.Request_Alarm{Alarm: r}}
	}
	return authRecord(message)
}
