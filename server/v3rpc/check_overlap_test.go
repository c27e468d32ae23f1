package v3rpc

import (
	"bytes"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"google.golang.org/protobuf/proto"
)

// dumb is checkOverlap with lists instead of sets and trees.
type dumb struct {
	puts [][]byte
	dels []*pb.DeleteRangeRequest
}

func (d *dumb) put(key []byte, sibling *dumb) bool {
	for _, p := range d.puts {
		if bytes.Equal(p, key) && !(sibling != nil && sibling.has(key)) {
			return false
		}
	}
	for _, r := range d.dels {
		covered := bytes.Equal(r.Key, key)
		if len(r.RangeEnd) > 0 {
			covered = bytes.Compare(r.Key, key) <= 0 && bytes.Compare(key, r.RangeEnd) < 0
		}
		if covered {
			return false
		}
	}
	if !d.has(key) {
		d.puts = append(d.puts, key)
	}
	return true
}

func (d *dumb) has(key []byte) bool {
	for _, p := range d.puts {
		if bytes.Equal(p, key) {
			return true
		}
	}
	return false
}

func dumbOverlap(list []*pb.RequestOp) (*dumb, bool) {
	d := &dumb{}
	for _, op := range list {
		if r := op.GetRequestDeleteRange(); r != nil {
			d.dels = append(d.dels, r)
		}
	}
	for _, op := range list {
		t := op.GetRequestTxn()
		if t == nil {
			continue
		}
		then, ok1 := dumbOverlap(t.Success)
		otherwise, ok2 := dumbOverlap(t.Failure)
		if !ok1 || !ok2 {
			return d, false
		}
		for _, k := range then.puts {
			if !d.put(k, nil) {
				return d, false
			}
		}
		for _, k := range otherwise.puts {
			if !d.put(k, then) {
				return d, false
			}
		}
		d.dels = append(append(d.dels, then.dels...), otherwise.dels...)
	}
	for _, op := range list {
		if p := op.GetRequestPut(); p != nil && !d.put(p.Key, nil) {
			return d, false
		}
	}
	return d, true
}

func randomOps(rng *rand.Rand, depth int) []*pb.RequestOp {
	key := func() string {
		k := make([]byte, 1+rng.IntN(2))
		for i := range k {
			k[i] = "\x00abcdefgh\xff"[rng.IntN(10)]
		}
		return string(k)
	}
	return many(rng.IntN(4), func(int) *pb.RequestOp {
		switch n := rng.IntN(8); {
		case n < 3:
			return put(key())
		case n < 4:
			return del(key(), "")
		case n < 5:
			return del(key(), key())
		case depth > 0:
			return nest(randomOps(rng, depth-1), randomOps(rng, depth-1))
		default:
			return get(key())
		}
	})
}

func TestOverlapAgainstLists(t *testing.T) {
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	rng := rand.New(rand.NewPCG(seed, 0))
	refused := 0
	const rounds = 20000
	for range rounds {
		list := randomOps(rng, 3)
		_, want := dumbOverlap(list)
		err := checkOverlap(list)
		require.Equal(t, want, err == nil, "seed %d: %v", seed, list)
		if err != nil {
			refused++
		}
	}
	require.Greater(t, refused, rounds/100, "the random requests test nothing")
	require.Less(t, refused, rounds*99/100, "the random requests test nothing")
}

// FuzzCheckTxn feeds whatever parses as a Txn: no check may panic, and the
// overlap check must agree with the lists.
func FuzzCheckTxn(f *testing.F) {
	for _, c := range checkCases {
		if r, ok := c.req.(*pb.TxnRequest); ok {
			wire, err := proto.Marshal(r)
			require.NoError(f, err)
			f.Add(wire)
		}
	}
	f.Fuzz(func(t *testing.T, wire []byte) {
		r := &pb.TxnRequest{}
		if proto.Unmarshal(wire, r) != nil {
			return
		}
		shape := checkTxnShape(r, maxTxnOps)
		whole := checkTxn(r, maxTxnOps)
		if shape != nil {
			require.Equal(t, shape, whole)
			return
		}
		_, then := dumbOverlap(r.Success)
		_, otherwise := dumbOverlap(r.Failure)
		require.Equal(t, then && otherwise, whole == nil)
		_ = checkSize(&pb.InternalRaftRequest{Txn: r}, maxRequestBytes)
	})
}
