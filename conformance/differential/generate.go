package differential

import (
	"bytes"
	"fmt"
	"math/rand/v2"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	clientv3 "go.etcd.io/etcd/client/v3"
	"google.golang.org/protobuf/proto"
)

// generator makes up requests. Keys, leases and revisions are few, so that requests meet.
type generator struct {
	*rand.Rand
	revision, compacted int64          // of etcd, as far as its answers told
	compactions         map[int64]bool // the pair's
	watches             int            // opened so far
}

// operation is a request; what it is decides to which call it goes.
type operation struct {
	proto.Message
	streamed bool // a RangeRequest for RangeStream
	watch    int  // the watch that a WatchCancelRequest is for
}

func (o operation) String() string {
	name := string(o.ProtoReflect().Descriptor().Name())
	if o.streamed {
		name = "streamed " + name
	}
	if _, ok := o.Message.(*pb.WatchCancelRequest); ok {
		name = fmt.Sprint(name, " ", o.watch)
	}
	text := fmt.Sprint(o.Message)
	return fmt.Sprintf("%s{%.500s}", name, text)
}

var (
	keys = []string{
		"a", "a\x00", "a\x00\x00", "a/", "a/1", "a/2", "a\xff", "b", "b/1", "b/2", "c", "\x00", "\x00\x00", "\xff", "\xff\xff", "\xff\x00",
	}
	values = []string{"", "0", "1", "2", "value", "\x00", "\xff\xfe"}
	leases = []int64{1, 2, 3, 4, 1 << 62, -1}
)

func pick[T any](g *generator, from []T) T { return from[g.IntN(len(from))] }

// one says yes once in n times.
func (g *generator) one(n int) bool { return g.IntN(n) == 0 }

func (g *generator) next() operation {
	switch n := g.IntN(100); {
	case n < 28:
		return operation{Message: g.put()}
	case n < 48:
		return operation{Message: g.rangeRequest()}
	case n < 52:
		return operation{Message: g.rangeStream(), streamed: true}
	case n < 58:
		return operation{Message: g.deleteRange(true)}
	case n < 80:
		return operation{Message: g.txn(2)}
	case n < 83:
		return operation{Message: &pb.CompactionRequest{Revision: g.compaction(), Physical: g.one(2)}}
	case n < 91:
		return operation{Message: g.lease()}
	case n < 93:
		return operation{Message: g.hash()}
	case n < 97:
		g.watches++
		return operation{Message: g.watch()}
	case g.watches > 0:
		return operation{Message: &pb.WatchCancelRequest{}, watch: g.IntN(g.watches)}
	default:
		return operation{Message: g.rangeRequest()}
	}
}

func (g *generator) key() []byte {
	if g.one(100) {
		return nil
	}
	return []byte(pick(g, keys))
}

// bounds is a key and the end of a range.
func (g *generator) bounds() (key, end []byte) {
	key = g.key()
	switch g.IntN(10) {
	case 0:
		return key, []byte{0}
	case 1:
		return []byte{0}, []byte{0}
	case 2, 3:
		return key, []byte(clientv3.GetPrefixRangeEnd(string(key)))
	case 4:
		return key, g.key()
	default:
		return key, nil
	}
}

func (g *generator) value() []byte {
	if g.one(300) {
		return bytes.Repeat([]byte{byte(g.IntN(256))}, pick(g, []int{100_000, 1 << 20, 1_400_000, 1_572_864, 2 << 20}))
	}
	return []byte(pick(g, values))
}

func (g *generator) leaseID() int64 {
	if g.IntN(3) > 0 {
		return 0
	}
	return pick(g, leases)
}

// at is a revision to read at: mostly the current one or one shortly before.
func (g *generator) at() int64 {
	switch g.IntN(12) {
	case 0, 1, 2, 3:
		return max(0, g.revision-g.Int64N(20))
	case 4:
		return g.revision + g.Int64N(3)
	case 5:
		return g.compacted + g.Int64N(3) - 1
	case 6:
		return -g.Int64N(4)
	default:
		return 0
	}
}

func (g *generator) compaction() int64 {
	switch g.IntN(6) {
	case 0:
		return g.revision + g.Int64N(2)
	case 1:
		return g.compacted + g.Int64N(3) - 1
	default:
		return g.compacted + 1 + g.Int64N(max(1, g.revision-g.compacted))
	}
}

func (g *generator) put() *pb.PutRequest {
	r := &pb.PutRequest{Key: g.key(), Value: g.value(), Lease: g.leaseID(), PrevKv: g.one(3)}
	if g.one(8) {
		r.IgnoreValue = true
		if !g.one(5) {
			r.Value = nil
		}
	}
	if g.one(8) {
		r.IgnoreLease = true
		if !g.one(5) {
			r.Lease = 0
		}
	}
	return r
}

func (g *generator) rangeRequest() *pb.RangeRequest {
	r := &pb.RangeRequest{Revision: g.at(), Serializable: g.one(3)}
	r.Key, r.RangeEnd = g.bounds()
	if g.one(2) {
		r.Limit = g.Int64N(7) - 1
	}
	if g.one(4) {
		r.SortOrder = pb.RangeRequest_SortOrder(g.IntN(3))
		r.SortTarget = pb.RangeRequest_SortTarget(g.IntN(5))
	}
	if g.one(100) {
		r.SortOrder = 7
	}
	if g.one(100) {
		r.SortTarget = -3
	}
	r.KeysOnly = g.one(6)
	r.CountOnly = g.one(8)
	for _, filter := range []*int64{&r.MinModRevision, &r.MaxModRevision, &r.MinCreateRevision, &r.MaxCreateRevision} {
		if g.one(12) {
			*filter = g.revision - g.Int64N(15)
		}
	}
	return r
}

// rangeStream asks for no target without an order: etcd takes that for no sorting at all in its checks, sorts each chunk
// by itself and so misses keys and repeats others; zkine refuses it.
func (g *generator) rangeStream() *pb.RangeRequest {
	r := g.rangeRequest()
	if r.SortOrder == pb.RangeRequest_NONE {
		r.SortTarget = pb.RangeRequest_KEY
	}
	return r
}

// hash asks for a hash. It does not ask at revisions of compactions, for which etcd answers, while it remembers it, with
// the hash that it took during the compaction, of the history as it was before. By that a compaction at 0 spoils
// revision 0, which stands for the current one.
func (g *generator) hash() proto.Message {
	for _, revision := range []int64{max(0, g.at()), 0, g.revision} {
		if !g.compactions[revision] {
			return &pb.HashKVRequest{Revision: revision}
		}
	}
	return g.put()
}

// deleteRange does not make ranges without an end inside of transactions: etcd does not see that they overlap with
// puts, loses keys by that in a compaction, and can be made to panic.
func (g *generator) deleteRange(endless bool) *pb.DeleteRangeRequest {
	r := &pb.DeleteRangeRequest{PrevKv: g.one(2)}
	for r.Key, r.RangeEnd = g.bounds(); !endless && bytes.Equal(r.RangeEnd, []byte{0}); {
		r.Key, r.RangeEnd = g.bounds()
	}
	return r
}

// txn makes a transaction with others in it, depth levels deep.
func (g *generator) txn(depth int) *pb.TxnRequest {
	r := &pb.TxnRequest{}
	for range g.IntN(3) {
		r.Compare = append(r.Compare, g.compare())
	}
	most := 4
	if g.one(200) {
		most = 140
	}
	for range g.IntN(most) {
		r.Success = append(r.Success, g.op(depth))
	}
	for range g.IntN(most) {
		r.Failure = append(r.Failure, g.op(depth))
	}
	return r
}

func (g *generator) op(depth int) *pb.RequestOp {
	switch n := g.IntN(20); {
	case n < 9:
		return &pb.RequestOp{Request: &pb.RequestOp_RequestPut{RequestPut: g.put()}}
	case n < 14:
		return &pb.RequestOp{Request: &pb.RequestOp_RequestRange{RequestRange: g.rangeRequest()}}
	case n < 17:
		return &pb.RequestOp{Request: &pb.RequestOp_RequestDeleteRange{RequestDeleteRange: g.deleteRange(false)}}
	case depth > 0:
		return &pb.RequestOp{Request: &pb.RequestOp_RequestTxn{RequestTxn: g.txn(depth - 1)}}
	case g.one(20):
		return &pb.RequestOp{}
	default:
		return &pb.RequestOp{Request: &pb.RequestOp_RequestPut{RequestPut: g.put()}}
	}
}

func (g *generator) compare() *pb.Compare {
	c := &pb.Compare{
		Result: pb.Compare_CompareResult(g.IntN(4)),
		Target: pb.Compare_CompareTarget(g.IntN(5)),
	}
	c.Key, c.RangeEnd = g.bounds()
	target := c.Target
	if g.one(30) {
		target = pb.Compare_CompareTarget(g.IntN(6)) // the wrong one, or none
	}
	switch target {
	case pb.Compare_VERSION:
		c.TargetUnion = &pb.Compare_Version{Version: g.Int64N(4)}
	case pb.Compare_CREATE:
		c.TargetUnion = &pb.Compare_CreateRevision{CreateRevision: pick(g, []int64{0, g.revision - g.Int64N(20)})}
	case pb.Compare_MOD:
		c.TargetUnion = &pb.Compare_ModRevision{ModRevision: pick(g, []int64{0, g.revision - g.Int64N(20)})}
	case pb.Compare_VALUE:
		c.TargetUnion = &pb.Compare_Value{Value: []byte(pick(g, values))}
	case pb.Compare_LEASE:
		c.TargetUnion = &pb.Compare_Lease{Lease: g.leaseID()}
	}
	return c
}

// lease makes leases that outlive the run: what depends on time is the matter of other checks.
func (g *generator) lease() proto.Message {
	id := pick(g, leases)
	switch g.IntN(10) {
	case 0, 1, 2, 3:
		return &pb.LeaseGrantRequest{ID: id, TTL: pick(g, []int64{100_000, 200_000, 300_000, 9_000_000_000, 9_000_000_001})}
	case 4, 5:
		return &pb.LeaseRevokeRequest{ID: pick(g, append(leases, 0, 99))}
	case 6, 7:
		return &pb.LeaseTimeToLiveRequest{ID: pick(g, append(leases, 0, 99)), Keys: g.one(2)}
	case 8:
		return &pb.LeaseKeepAliveRequest{ID: pick(g, append(leases, 0, 99))}
	default:
		return &pb.LeaseLeasesRequest{}
	}
}

func (g *generator) watch() *pb.WatchCreateRequest {
	r := &pb.WatchCreateRequest{PrevKv: g.one(2), Fragment: g.one(4), WatchId: pick(g, []int64{0, 0, 5, -2})}
	r.Key, r.RangeEnd = g.bounds()
	switch g.IntN(8) {
	case 0, 1, 2:
		r.StartRevision = max(1, g.revision-g.Int64N(30))
	case 3:
		r.StartRevision = g.revision + g.Int64N(10)
	case 4:
		r.StartRevision = max(1, g.compacted+g.Int64N(3)-1)
	case 5:
		r.StartRevision = -g.Int64N(3)
	}
	if g.one(5) {
		r.Filters = append(r.Filters, pb.WatchCreateRequest_FilterType(g.IntN(2)))
	}
	return r
}
