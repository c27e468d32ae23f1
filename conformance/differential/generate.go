package differential

import (
	"bytes"
	"fmt"
	"math"
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

	queue   []operation       // what must come next, in this order
	expired int64             // leases that were made to expire
	streams int               // watch streams so far
	alarms  []*pb.AlarmMember // those that are on
}

var (
	keys = []string{
		"a", "a\x00", "a\x00\x00", "a/", "a/1", "a/2", "a\xff", "b", "b/1", "b/2", "c", "\x00", "\x00\x00", "\xff", "\xff\xff", "\xff\x00",
	}
	values = []string{"", "0", "1", "2", "value", "\x00", "\xff\xfe"}
	leases = []int64{1, 2, 3, 4, 1 << 62, -1}
	// sizes are those of large values, in bytes: the last but one is over the limit of a request, the last over that of
	// a message.
	sizes = []int{100_000, 1 << 20, 1_400_000, requestLimit - 200, requestLimit, 2 << 20}
)

// requestLimit is etcd's --max-request-bytes, and zkine's.
const requestLimit = 1_572_864

func pick[T any](g *generator, from []T) T { return from[g.IntN(len(from))] }

// one says yes once in n times.
func (g *generator) one(n int) bool { return g.IntN(n) == 0 }

// next is an operation whose answer the API decides.
func (g *generator) next() operation {
	for {
		if o := g.draw(); !atTheLimit(o.Message) {
			return o
		}
	}
}

// atTheLimit says of a write that etcd takes it or not by how long its member's request ids happen to be: they count.
func atTheLimit(m proto.Message) bool {
	within := func(id uint64) bool {
		raft := &pb.InternalRaftRequest{Header: &pb.RequestHeader{ID: id}}
		switch m := m.(type) {
		case *pb.PutRequest:
			raft.Put = m
		case *pb.TxnRequest:
			raft.Txn = m
		}
		return proto.Size(raft) <= requestLimit
	}
	return within(1) != within(math.MaxUint64)
}

func (g *generator) draw() operation {
	if len(g.queue) > 0 {
		o := g.queue[0]
		g.queue = g.queue[1:]
		return o
	}
	if len(g.alarms) > 0 {
		switch {
		case g.one(12):
			return operation{Message: g.disarm()}
		case g.one(20):
			return operation{Message: g.alarm()}
		}
	}
	switch n := g.IntN(1000); {
	case n < 270:
		return operation{Message: g.put()}
	case n < 470:
		return operation{Message: g.rangeRequest()}
	case n < 510:
		return operation{Message: g.rangeRequest(), streamed: true}
	case n < 570:
		return operation{Message: g.deleteRange(true)}
	case n < 785:
		return operation{Message: g.txn(2)}
	case n < 790:
		return operation{Message: g.fullTxn()}
	case n < 820:
		return operation{Message: &pb.CompactionRequest{Revision: g.compaction(), Physical: g.one(2)}}
	case n < 890:
		return operation{Message: g.lease()}
	case n < 891 && len(g.alarms) == 0:
		return g.expiry()
	case n < 900:
		return operation{Message: g.hash()}
	case n < 908:
		return operation{Message: g.alarm()}
	case n < 920:
		return operation{Message: g.maintenance()}
	case n < 965:
		return g.watch()
	default:
		return g.cancel()
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
		return bytes.Repeat([]byte{byte(g.IntN(256))}, pick(g, sizes))
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
		if g.one(200) {
			*filter = -1
		}
	}
	return r
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

// many are keys that nothing else writes to, for transactions that are full.
func many(n int) []byte { return fmt.Appendf(nil, "many/%03d", n) }
