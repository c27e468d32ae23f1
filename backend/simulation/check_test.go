package simulation

import (
	"crypto/rand"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"go.etcd.io/etcd/api/v3/mvccpb"
	"google.golang.org/protobuf/proto"

	"github.com/zkine/zkine/backend/state"
	"github.com/zkine/zkine/revision"
	"github.com/zkine/zkine/revision/recordpb"
)

// The judges themselves are judged here: each gets a true history, and then one
// that is false in a single point, which it must find.

// sample is a small log: revision r is written at r seconds.
func sample() *replayed {
	t := newTruth(&world{})
	keeper := &life{z: &zkine{name: "a"}, heard: []time.Duration{0, 4 * time.Second, 8 * time.Second, 11 * time.Second}}
	for i, q := range []*recordpb.Request{
		putOf("k0", "w/0"), // 2
		putOf("k0", "w/1"), // 3
		{Kind: &recordpb.Request_DeleteRange{DeleteRange: &pb.DeleteRangeRequest{Key: []byte("k0")}}}, // 4
		putOf("k1", "w/3"), // 5
		putOf("k0", "w/4"), // 6
		{Kind: &recordpb.Request_Compaction{Compaction: &pb.CompactionRequest{Revision: 3}}},
		{Kind: &recordpb.Request_LeaseGrant{LeaseGrant: &pb.LeaseGrantRequest{ID: 7, TTL: 2}}},
		{Kind: &recordpb.Request_LeaseRevoke{LeaseRevoke: &pb.LeaseRevokeRequest{ID: 7}}},
		{Kind: &recordpb.Request_LeaseGrant{LeaseGrant: &pb.LeaseGrantRequest{ID: 8, TTL: 2}}}, // at 10 s
		{Kind: &recordpb.Request_LeaseExpire{LeaseExpire: &recordpb.LeaseExpire{Id: 8, Renewed: 9}}},
		{Kind: &recordpb.Request_RevisionRaise{RevisionRaise: &recordpb.RevisionRaise{To: 1000}}}, // at 12 s
		putOf("k1", "w/11"), // 1001, at 13 s
	} {
		seq := revision.Seq{Segment: 1, Slot: int64(i)}
		nonce := revision.DrawNonce(rand.Reader)
		t.slots[seq] = revision.Slot{Seq: seq, Nonce: nonce, Requests: []*recordpb.Request{q}}
		t.committed[seq] = time.Duration(i+2) * time.Second
		t.attempts[nonce] = &attempt{who: keeper, began: t.committed[seq], at: seq}
	}
	return t.replay()
}

func putOf(key, value string) *recordpb.Request {
	return &recordpb.Request{Kind: &recordpb.Request_Put{Put: &pb.PutRequest{Key: []byte(key), Value: []byte(value)}}}
}

// wrote is a put that was acknowledged at a revision.
func wrote(key, value string, rev int64) *op {
	at := time.Duration(rev) * time.Second
	return &op{kind: opPut, key: key, value: value, rev: rev, floor: rev - 1, began: at - time.Millisecond, ended: at + time.Millisecond}
}

// trueHistory is what could have been seen of the sample.
func trueHistory(r *replayed) *history {
	removed := wrote("k0", "", 4)
	removed.kind, removed.deleted = opDelete, 1
	swapped := wrote("k0", "w/1", 3)
	swapped.kind, swapped.expected, swapped.succeeded = opSwap, 2, true
	failed := wrote("k0", "w/9", 6)
	failed.kind, failed.expected, failed.floor = opSwap, 2, 6
	read := wrote("", "", 5)
	read.kind, read.kvs, read.floor = opGet, []*mvccpb.KeyValue{r.at("k1", 5)}, 5
	local := wrote("", "", 3)
	local.kind, local.kvs = opSerializable, []*mvccpb.KeyValue{r.at("k0", 3)}
	local.who, local.began, local.ended = &life{}, 8*time.Second, 9*time.Second
	after := wrote("k1", "w/11", 1001)
	after.floor, after.began, after.ended = 1000, 12500*time.Millisecond, 14*time.Second
	tooOld := &op{kind: opGet, at: 5, compacted: true, floor: 1001, began: 14 * time.Second, ended: 15 * time.Second}
	w := &watched{from: 2, end: 1001}
	for rev := int64(2); rev <= 6; rev++ {
		w.seen = append(w.seen, sighting{event: proto.CloneOf(r.events[rev][0])})
	}
	w.seen = append(w.seen, sighting{promised: 6}, sighting{at: 14 * time.Second, skipped: 1000},
		sighting{event: proto.CloneOf(r.events[1001][0])})
	return &history{
		ops: []*op{wrote("k0", "w/0", 2), swapped, removed, wrote("k1", "w/3", 5), wrote("k0", "w/4", 6), failed, read, local, after, tooOld,
			{kind: opPut, value: "w/unknown", unknown: true}, {kind: opPut, value: "w/refused", refused: true}},
		watches: []*watched{w},
		leases:  []*leased{{id: 7, ttl: 2, key: "lease/a", alive: []time.Duration{7 * time.Second}}},
		raises:  []*raised{{to: 1000, nonce: r.entries[10].slot.Nonce, began: 11 * time.Second, ended: 13 * time.Second}},
	}
}

func judgeAll(r *replayed, h *history) (wrong []string) {
	for _, check := range []func(*replayed, *history) []string{checkRevisions, checkAppends, checkWrites, checkReads, checkWatches, checkLeases, checkService, checkRaises} {
		wrong = append(wrong, check(r, h)...)
	}
	return wrong
}

func TestTrueHistoryPasses(t *testing.T) {
	r := sample()
	require.Empty(t, judgeAll(r, trueHistory(r)))
}

func TestFalseHistoriesAreFound(t *testing.T) {
	drop := func(list []sighting, i int) []sighting { return append(list[:i:i], list[i+1:]...) }
	cases := map[string]func(r *replayed, h *history){
		"a write is lost":         func(_ *replayed, h *history) { h.ops = append(h.ops, wrote("k0", "w/lost", 6)) },
		"a write has two effects": func(r *replayed, _ *history) { r.events[5] = append(r.events[5], r.events[6]...) },
		"an unknown write has two effects": func(r *replayed, h *history) {
			h.ops[0].unknown = true
			r.events[5] = append(r.events[5], r.events[2]...)
		},
		"a refused write has an effect":    func(_ *replayed, h *history) { h.ops[0].refused = true },
		"written at another revision":      func(_ *replayed, h *history) { h.ops[0].rev, h.ops[0].floor = 3, 2 },
		"written before it began":          func(_ *replayed, h *history) { h.ops[0].began = 3 * time.Second },
		"written below what had been seen": func(_ *replayed, h *history) { h.ops[0].floor = 2 },
		"nobody wrote it":                  func(_ *replayed, h *history) { h.ops = h.ops[1:] },
		"two swaps win":                    func(_ *replayed, h *history) { h.ops[1].expected = 1 },
		"a swap should have won":           func(_ *replayed, h *history) { h.ops[5].expected = 6 },
		"a swap that lost has an effect":   func(_ *replayed, h *history) { h.ops[1].succeeded = false },
		"a delete that was not":            func(_ *replayed, h *history) { h.ops[2].rev, h.ops[2].floor = 3, 2 },
		"half of a transaction":            func(_ *replayed, h *history) { h.ops[0].kind, h.ops[0].value = opPair, "w"; h.ops[0].unknown = false },
		"a revision changes nothing":       func(r *replayed, _ *history) { r.events[5] = nil },
		"a stale read":                     func(_ *replayed, h *history) { h.ops[6].floor = 6 },
		"a read from the future":           func(_ *replayed, h *history) { h.ops[6].ended = 4 * time.Second },
		"a read of another value": func(r *replayed, h *history) {
			h.ops[6].kvs[0] = proto.CloneOf(h.ops[6].kvs[0])
			h.ops[6].kvs[0].Value = []byte("x")
		},
		"a read misses a key":        func(_ *replayed, h *history) { h.ops[6].kvs = nil },
		"a read shows a deleted key": func(r *replayed, h *history) { h.ops[6].kvs = append(h.ops[6].kvs, r.at("k0", 3)) },
		"a zkine goes back": func(_ *replayed, h *history) {
			back := *h.ops[7]
			back.rev, back.kvs, back.began, back.ended = 2, h.ops[7].kvs, 10*time.Second, 11*time.Second
			h.ops = append(h.ops, &back)
		},
		"compacted above the floor":          func(_ *replayed, h *history) { h.ops[6].compacted, h.ops[6].at = true, 4 },
		"a watch skips":                      func(_ *replayed, h *history) { h.watches[0].seen = drop(h.watches[0].seen, 2) },
		"a watch repeats":                    func(_ *replayed, h *history) { s := h.watches[0].seen; h.watches[0].seen = slices.Concat(s[:2], s[1:]) },
		"a watch reorders":                   func(_ *replayed, h *history) { s := h.watches[0].seen; s[1], s[2] = s[2], s[1] },
		"a watch misses the end":             func(_ *replayed, h *history) { h.watches[0].seen = h.watches[0].seen[:4] },
		"a watch has another previous value": func(_ *replayed, h *history) { h.watches[0].seen[1].event.PrevKv.Value = []byte("x") },
		"a watch lacks the previous value":   func(_ *replayed, h *history) { h.watches[0].seen[2].event.PrevKv = nil },
		"a watch promises too much": func(_ *replayed, h *history) {
			h.watches[0].seen = append([]sighting{{promised: 2}}, h.watches[0].seen...)
		},
		"a watch is compacted too far": func(_ *replayed, h *history) { h.watches[0].seen = []sighting{{skipped: 7}} },
		"a lease ends early":           func(_ *replayed, h *history) { h.leases[0].alive[0] = 8 * time.Second },
		"a lease never ends":           func(_ *replayed, h *history) { h.leases[0].id = 9 },
		"nobody appended it":           func(r *replayed, _ *history) { r.entries[0].by = nil },
		"what was refused is there":    func(r *replayed, _ *history) { r.entries[0].by.refused = revision.ErrUnavailable },
		"it is at another place":       func(r *replayed, _ *history) { r.entries[0].by.at = r.entries[1].seq },
		"a lease ends after a silence": func(r *replayed, _ *history) { r.entries[9].by.who.heard[2] = 4 * time.Second },
		"a lease ends after a start":   func(r *replayed, _ *history) { r.entries[9].by.who.heard = []time.Duration{10 * time.Second} },
		"a key outlives its lease":     func(_ *replayed, h *history) { h.leases[0].key = "k1" },
		"a read from before a raise": func(r *replayed, h *history) {
			h.ops[9].compacted, h.ops[9].rev, h.ops[9].kvs = false, 1001, []*mvccpb.KeyValue{r.at("k1", 5)}
		},
		"a read in the hole of a raise":     func(_ *replayed, h *history) { h.ops[9].compacted, h.ops[9].at, h.ops[9].rev = false, 0, 1<<9 },
		"compacted before a raise":          func(_ *replayed, h *history) { h.ops[9].ended = 11 * time.Second },
		"a watch is not told of a raise":    func(_ *replayed, h *history) { h.watches[0].seen = drop(h.watches[0].seen, 6) },
		"a watch is told before a raise":    func(_ *replayed, h *history) { h.watches[0].seen[6].at = 11 * time.Second },
		"a watch is promised past a raise":  func(_ *replayed, h *history) { h.watches[0].seen[5].promised = 1000 },
		"a raise is lost":                   func(_ *replayed, h *history) { h.raises[0].nonce[0]++ },
		"a raise is made twice":             func(r *replayed, _ *history) { r.entries = append(r.entries, r.entries[10]) },
		"raised to another revision":        func(_ *replayed, h *history) { h.raises[0].to++ },
		"raised before anyone wanted it to": func(_ *replayed, h *history) { h.raises[0].began = 13 * time.Second },
	}
	for name, harm := range cases {
		t.Run(name, func(t *testing.T) {
			r := sample()
			h := trueHistory(r)
			harm(r, h)
			require.NotEmpty(t, judgeAll(r, h))
		})
	}
}

// TestStatesThatDifferAreFound has two lives publish different states at a place.
func TestStatesThatDifferAreFound(t *testing.T) {
	w := &world{}
	w.truth = newTruth(w)
	one, two := &life{z: &zkine{w: w, name: "a"}}, &life{z: &zkine{w: w, name: "b"}}
	seq := revision.Seq{Segment: 1}
	w.truth.delivered(one, revision.Slot{Seq: seq, Nonce: revision.Nonce{1}})
	w.truth.delivered(two, revision.Slot{Seq: seq, Nonce: revision.Nonce{2}})
	require.Len(t, w.wrong, 1)
	for i, l := range []*life{one, two} {
		w.truth.applied(l, nil, viewAfter(putOf("k", fmt.Sprint(i))))
	}
	require.Len(t, w.wrong, 2)
}

func viewAfter(q *recordpb.Request) *state.View {
	m := state.New()
	m.Apply(revision.Slot{Seq: revision.Seq{Segment: 1}, Requests: []*recordpb.Request{q}})
	return m.View()
}
