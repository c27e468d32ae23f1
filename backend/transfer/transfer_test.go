package transfer_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/sirupsen/logrus"
	"github.com/stretchr/testify/require"
	"go.etcd.io/etcd/api/v3/authpb"
	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"go.etcd.io/etcd/api/v3/mvccpb"

	"github.com/zkine/zkine/backend/state"
	"github.com/zkine/zkine/backend/transfer"
	"github.com/zkine/zkine/revision"
	"github.com/zkine/zkine/revision/memzk"
	"github.com/zkine/zkine/revision/recordpb"
	"github.com/zkine/zkine/revision/zklog"
	"github.com/zkine/zkine/revision/zkseed"
)

const root = "/zkine"

func quiet() *logrus.Entry {
	l := logrus.New()
	l.SetOutput(io.Discard)
	return logrus.NewEntry(l)
}

func config(e *memzk.Ensemble) zkseed.Config {
	return zkseed.Config{Dialer: e, Root: root, By: "a test", Log: quiet()}
}

// served is the state that a zkine on the root begins with.
func served(t *testing.T, e *memzk.Ensemble) *state.Machine {
	t.Helper()
	log, err := zklog.Open(t.Context(), zklog.Config{Dialer: e, Root: root, Log: quiet()})
	require.NoError(t, err)
	defer log.Close()
	cp, found := log.Checkpoint()
	require.True(t, found)
	m, err := state.Restore(cp.Meta, cp.Chunks(t.Context()))
	require.NoError(t, err)
	return m
}

// apply has a machine apply a request, in a slot of its own.
func apply(m *state.Machine, r *recordpb.Request) {
	seq := m.View().Seq()
	slot := revision.Slot{Seq: revision.Seq{Segment: 1, Slot: seq.Slot + 1}, Term: 1, Requests: []*recordpb.Request{r}}
	slot.Nonce[0], slot.Nonce[1] = byte(slot.Seq.Slot), byte(slot.Seq.Slot>>8)
	m.Apply(slot)
}

func putRequest(key, value string) *recordpb.Request {
	return &recordpb.Request{Kind: &recordpb.Request_Put{Put: &pb.PutRequest{Key: []byte(key), Value: []byte(value)}}}
}

func rangeOf(key, end string) *pb.RangeRequest {
	return &pb.RangeRequest{Key: []byte(key), RangeEnd: []byte(end)}
}

// history is a machine that has gone through much.
func history(t *testing.T) *state.Machine {
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 0))
	m := state.New()
	apply := func(r *recordpb.Request) { apply(m, r) }
	put := func(key string, lease int64) *pb.PutRequest {
		return &pb.PutRequest{Key: []byte(key), Value: []byte(fmt.Sprint("value ", random.Uint64())), Lease: lease}
	}
	for _, id := range []int64{-3, 5} {
		apply(&recordpb.Request{Kind: &recordpb.Request_LeaseGrant{LeaseGrant: &pb.LeaseGrantRequest{ID: id, TTL: 100}}})
	}
	for i := range 500 {
		key := fmt.Sprint("key ", random.IntN(40))
		switch random.IntN(6) {
		case 0:
			apply(&recordpb.Request{Kind: &recordpb.Request_DeleteRange{DeleteRange: &pb.DeleteRangeRequest{Key: []byte(key), RangeEnd: []byte(key + "z")}}})
		case 1:
			apply(&recordpb.Request{Kind: &recordpb.Request_Txn{Txn: &pb.TxnRequest{Success: []*pb.RequestOp{
				{Request: &pb.RequestOp_RequestPut{RequestPut: put(key, 5)}}, {Request: &pb.RequestOp_RequestPut{RequestPut: put(key+"b", 0)}}}}}})
		default:
			apply(&recordpb.Request{Kind: &recordpb.Request_Put{Put: put(key, []int64{0, 0, -3}[i%3])}})
		}
		if i == 300 {
			apply(&recordpb.Request{Kind: &recordpb.Request_Compaction{Compaction: &pb.CompactionRequest{Revision: int64(m.View().Rev()) - 50}}})
		}
	}
	return m
}

func TestAViewBecomesARoot(t *testing.T) {
	m, e := history(t), memzk.New()
	s, err := transfer.OfView(m.View())
	require.NoError(t, err)
	made, err := transfer.Seed(t.Context(), config(e), "a view", s, nil)
	require.NoError(t, err)
	require.Equal(t, m.View().NumKeys(), made.Keys)
	requireSame(t, m.View(), served(t, e).View())
}

// requireSame compares all that clients can see.
func requireSame(t *testing.T, want, got *state.View) {
	t.Helper()
	require.Equal(t, want.Rev(), got.Rev())
	require.Equal(t, want.CompactRev(), got.CompactRev())
	for rev := max(want.CompactRev(), 1); rev <= want.Rev(); rev++ {
		a, err := want.HashKV(rev)
		require.NoError(t, err)
		b, err := got.HashKV(rev)
		require.NoError(t, err)
		require.Equal(t, a, b, "revision %d", rev)
		ours, _ := want.Change(rev)
		theirs, _ := got.Change(rev)
		require.Equal(t, len(ours.Events), len(theirs.Events))
		for i, e := range ours.Events {
			require.Equal(t, e.Proto(true, want.CompactRev()).String(), theirs.Events[i].Proto(true, want.CompactRev()).String())
		}
	}
	for l := range want.Leases() {
		other, found := got.Lease(l.ID)
		require.True(t, found)
		require.Equal(t, []any{l.TTL, l.Remaining, l.NumKeys()}, []any{other.TTL, other.Remaining, other.NumKeys()})
	}
}

// contentsOf is a view's, by way of etcd's entries.
func contentsOf(t *testing.T, v *state.View) *transfer.Contents {
	t.Helper()
	c := &transfer.Contents{Foreign: state.Foreign{Revision: v.Rev(), Compact: v.CompactRev(), AuthRevision: 4,
		Users: []*authpb.User{{Name: []byte("bob"), Roles: []string{"reader"}}}, Roles: []*authpb.Role{{Name: []byte("reader")}}}}
	for l := range v.Leases() {
		c.Leases = append(c.Leases, l)
	}
	change, _ := v.Change(v.CompactRev())
	for i, e := range change.Events {
		c.FloorEvents = append(c.FloorEvents, state.Version{KV: e.Proto(false, 0).Kv, Sub: int32(i)})
	}
	hash, err := v.HashKV(0)
	require.NoError(t, err)
	c.Hash = &hash.Hash
	byKey := map[string][]state.Version{}
	var keys []string
	add := func(version state.Version) {
		key := string(version.KV.Key)
		if byKey[key] == nil {
			keys = append(keys, key)
		}
		byKey[key] = append(byKey[key], version)
	}
	older, err := v.Range(&pb.RangeRequest{Key: []byte{0}, RangeEnd: []byte{0}, Revision: int64(v.CompactRev())})
	require.NoError(t, err)
	subs := map[string]int32{}
	for i, e := range change.Events {
		subs[e.Key()] = int32(i)
	}
	for _, kv := range older.Kvs {
		sub := int32(0)
		if kv.ModRevision == int64(v.CompactRev()) {
			sub = subs[string(kv.Key)]
		} else if strings.HasSuffix(string(kv.Key), "b") {
			sub = 1
		}
		add(state.Version{KV: kv, Sub: sub})
	}
	for rev := v.CompactRev() + 1; rev <= v.Rev(); rev++ {
		change, _ := v.Change(rev)
		for i, e := range change.Events {
			kv := e.Proto(false, 0).Kv
			add(state.Version{KV: kv, Sub: int32(i)})
		}
	}
	c.Keys = func(context.Context) iter.Seq2[state.Version, error] {
		return func(yield func(state.Version, error) bool) {
			for _, key := range slices.Sorted(slices.Values(keys)) {
				for _, version := range byKey[key] {
					if !yield(version, nil) {
						return
					}
				}
			}
		}
	}
	return c
}

func TestContentsBecomeARoot(t *testing.T) {
	m, e := history(t), memzk.New()
	c := contentsOf(t, m.View())
	s, err := c.State()
	require.NoError(t, err)
	made, err := transfer.Seed(t.Context(), config(e), "contents", s, nil)
	require.NoError(t, err)
	require.Equal(t, *c.Hash, made.Hash)
	v := served(t, e).View()
	requireSame(t, m.View(), v)
	require.EqualValues(t, 4, v.AuthRevision())
}

// TestRaisedContents are what a state becomes by the record that raises it.
func TestRaisedContents(t *testing.T) {
	m, e := history(t), memzk.New()
	c := contentsOf(t, m.View())
	require.NoError(t, c.Raise(transfer.SafeRaise))
	s, err := c.State()
	require.NoError(t, err)
	_, err = transfer.Seed(t.Context(), config(e), "contents", s, nil)
	require.NoError(t, err)
	to := int64(m.View().Rev()) + transfer.SafeRaise
	m.Apply(revision.Slot{Seq: revision.Seq{Segment: 2}, Requests: []*recordpb.Request{
		{Kind: &recordpb.Request_RevisionRaise{RevisionRaise: &recordpb.RevisionRaise{To: to}}}}})
	got := served(t, e)
	requireSame(t, m.View(), got.View())
	require.EqualValues(t, to, got.View().Rev())
	require.Error(t, c.Raise(1<<60))
	require.Error(t, c.Raise(0))
}

// TestWhatIsNoState is refused, and leaves no root.
func TestWhatIsNoState(t *testing.T) {
	kv := func(key string, create, mod, version int64) *mvccpb.KeyValue {
		return &mvccpb.KeyValue{Key: []byte(key), CreateRevision: create, ModRevision: mod, Version: version}
	}
	failed := errors.New("the source has ended")
	cases := map[string]struct {
		kvs  []*mvccpb.KeyValue
		err  error
		want error
	}{
		"out of order":          {kvs: []*mvccpb.KeyValue{kv("b", 2, 2, 1), kv("a", 3, 3, 1)}, want: state.ErrBadCheckpoint},
		"older after newer":     {kvs: []*mvccpb.KeyValue{kv("a", 2, 3, 2), kv("a", 2, 2, 1)}, want: state.ErrBadCheckpoint},
		"created later":         {kvs: []*mvccpb.KeyValue{kv("a", 3, 2, 1), kv("b", 3, 3, 1)}, want: state.ErrBadCheckpoint},
		"without a key":         {kvs: []*mvccpb.KeyValue{kv("", 2, 2, 1), kv("b", 3, 3, 1)}, want: state.ErrBadCheckpoint},
		"a revision is missing": {kvs: []*mvccpb.KeyValue{kv("a", 2, 2, 1)}, want: state.ErrBadCheckpoint},
		"above the revision":    {kvs: []*mvccpb.KeyValue{kv("a", 2, 2, 1), kv("b", 3, 3, 1), kv("c", 4, 4, 1)}, want: state.ErrBadCheckpoint},
		"another hash":          {kvs: []*mvccpb.KeyValue{kv("a", 2, 2, 1), kv("b", 3, 3, 1)}, want: transfer.ErrDiffers},
		"the source fails":      {kvs: []*mvccpb.KeyValue{kv("a", 2, 2, 1)}, err: failed, want: failed},
	}
	for name, c := range cases {
		hash := uint32(1)
		contents := &transfer.Contents{Foreign: state.Foreign{Revision: 3, Compact: -1}, Hash: &hash}
		contents.Keys = func(context.Context) iter.Seq2[state.Version, error] {
			return func(yield func(state.Version, error) bool) {
				for _, kv := range c.kvs {
					if !yield(state.Version{KV: kv}, nil) {
						return
					}
				}
				if c.err != nil {
					yield(state.Version{}, c.err)
				}
			}
		}
		e := memzk.New()
		s, err := contents.State()
		require.NoError(t, err)
		_, err = transfer.Seed(t.Context(), config(e), name, s, nil)
		require.ErrorIs(t, err, c.want, name)
		require.Zero(t, e.Count(root+"/format"), name)
	}
}
