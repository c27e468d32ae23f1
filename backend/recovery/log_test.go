package recovery

import (
	"context"
	"encoding/binary"
	"iter"
	"testing"

	"github.com/stretchr/testify/require"
	pb "go.etcd.io/etcd/api/v3/etcdserverpb"

	"github.com/zkine/zkine/backend/state"
	"github.com/zkine/zkine/revision"
	"github.com/zkine/zkine/revision/recordpb"
)

// log is a log in memory, written by a test.
type log struct {
	slots []Slot
	now   int64
}

// write appends a batch, a second after the one before.
func (l *log) write(requests ...*recordpb.Request) *Slot {
	l.now += 1000
	s := Slot{Slot: revision.Slot{Seq: revision.Seq{Segment: 1 + int64(len(l.slots))/10, Slot: int64(len(l.slots)) % 10}, Requests: requests,
		Origin: &revision.Origin{Written: l.now, Writer: "one"}}}
	binary.BigEndian.PutUint64(s.Nonce[:], uint64(len(l.slots)+1))
	l.slots = append(l.slots, s)
	return &l.slots[len(l.slots)-1]
}

// past is the log after so many slots, of which a checkpoint holds what they led to.
func (l *log) past(t *testing.T, covered int) *Past {
	p := &Past{ClusterID: 7}
	if covered > 0 {
		m := state.New()
		for _, s := range l.slots[:covered] {
			m.Apply(s.Slot)
		}
		p.Checkpoint = checkpointOf(t, m.View())
	}
	p.Slots = func(context.Context) iter.Seq2[Slot, error] {
		return func(yield func(Slot, error) bool) {
			for _, s := range l.slots[covered:] {
				if !yield(s, nil) {
					return
				}
			}
		}
	}
	return p
}

func checkpointOf(t *testing.T, v *state.View) *revision.Checkpoint {
	meta, err := v.CheckpointMeta()
	require.NoError(t, err)
	var chunks [][]byte
	require.NoError(t, v.CheckpointKeys(func(c []byte) bool { chunks = append(chunks, c); return true }))
	return &revision.Checkpoint{Segment: v.Seq().Segment, Meta: meta, Chunks: func(context.Context) iter.Seq2[[]byte, error] {
		return func(yield func([]byte, error) bool) {
			for _, c := range chunks {
				if !yield(c, nil) {
					return
				}
			}
		}
	}}
}

func put(key, value string, lease int64) *recordpb.Request {
	return by("", &pb.PutRequest{Key: []byte(key), Value: []byte(value), Lease: lease})
}

func by(user string, put *pb.PutRequest) *recordpb.Request {
	return &recordpb.Request{Header: &pb.RequestHeader{Username: user}, Kind: &recordpb.Request_Put{Put: put}}
}

func remove(key string) *recordpb.Request {
	return &recordpb.Request{Kind: &recordpb.Request_DeleteRange{DeleteRange: &pb.DeleteRangeRequest{Key: []byte(key)}}}
}

func compact(rev int64) *recordpb.Request {
	return &recordpb.Request{Kind: &recordpb.Request_Compaction{Compaction: &pb.CompactionRequest{Revision: rev}}}
}

func grant(id int64) *recordpb.Request {
	return &recordpb.Request{Kind: &recordpb.Request_LeaseGrant{LeaseGrant: &pb.LeaseGrantRequest{ID: id, TTL: 60}}}
}

func expire(id int64, renewed uint64) *recordpb.Request {
	return &recordpb.Request{Kind: &recordpb.Request_LeaseExpire{LeaseExpire: &recordpb.LeaseExpire{Id: id, Renewed: renewed}}}
}

func txn(puts ...string) *recordpb.Request {
	r := new(pb.TxnRequest)
	for _, key := range puts {
		r.Success = append(r.Success, &pb.RequestOp{Request: &pb.RequestOp_RequestPut{RequestPut: &pb.PutRequest{Key: []byte(key), Value: []byte("txn")}}})
	}
	return &recordpb.Request{Kind: &recordpb.Request_Txn{Txn: r}}
}

// story is a log of all that a history tells apart.
func story() *log {
	l := new(log)
	l.write(grant(5), put("/a", "1", 0))                                  // 2
	l.write(by("ann", &pb.PutRequest{Key: []byte("/a")}))                 // 3
	l.write(put("/b", "22", 5), put("/other", "x", 0), put("/c", "3", 5)) // 4, 5, 6
	l.write(remove("/a"), remove("/a"))                                   // 7
	l.write(txn("/a", "/d", "/other"))                                    // 8
	again := *l.write(put("/a", "333", 0))                                // 9
	again.Seq.Slot++
	l.slots = append(l.slots, again)                                        // sent twice
	l.write(expire(5, 1))                                                   // 10
	l.write(put("/a", "4", 0), compact(11), put("/a", "5", 0), compact(12)) // 11, 12
	return l
}
