package mirror

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	pb "go.etcd.io/etcd/api/v3/etcdserverpb"

	"github.com/zkine/zkine/backend/etcdapi"
	"github.com/zkine/zkine/backend/memlog"
	"github.com/zkine/zkine/revision"
	"github.com/zkine/zkine/revision/recordpb"
)

// requireSame compares a root with its source: keys by hash, and revisions.
func requireSame(t *testing.T, m *model, a *Alone) Verified {
	t.Helper()
	require.NoError(t, Related(within(t), m, a.View()))
	v, err := Verify(within(t), m, a.View(), nil)
	require.NoError(t, err)
	require.Equal(t, m.rev, v.Revision)
	require.EqualValues(t, len(m.keys), v.Keys)
	return v
}

// A root has the revisions, versions, leases and history of its source, and goes on after
// an end at any place.
func TestARootFollowsItsSource(t *testing.T) {
	m := newModel()
	store := memlog.New()
	m.change(write{key: "a", value: "1"}, write{key: "b", value: "1", lease: 7}, write{key: "c", value: "1"})
	m.change(write{key: "a", value: "2", lease: 7})
	require.NoError(t, follow(t, m, alone(t, store)))

	m.change(write{key: "b", deletes: true}, write{key: "a", deletes: true})
	m.change(write{key: "a", value: "3"})
	m.granted[9] = 99
	a := alone(t, store)
	require.NoError(t, follow(t, m, a))
	requireSame(t, m, a)

	require.EqualValues(t, -1, a.View().CompactRev(), "the history is there")
	change, _ := a.View().Change(4)
	require.Len(t, change.Events, 2)
	require.Equal(t, "b", change.Events[0].Key(), "in the source's order")
	l, found := a.View().Lease(9)
	require.True(t, found)
	require.EqualValues(t, 99, l.TTL)
	_, found = a.View().Lease(7)
	require.False(t, found, "which the source has no more, and no key")
}

// TestLeasesThatAreGrantedAgain with another lifetime have that, whenever that is found
// out, and no key goes with the one before.
func TestLeasesThatAreGrantedAgain(t *testing.T) {
	m, store := newModel(), memlog.New()
	m.granted[7], m.granted[8], m.granted[9] = 100, 100, 100
	m.change(write{key: "a", lease: 7}, write{key: "b", lease: 8})
	m.change(write{key: "k", lease: 9})
	require.NoError(t, follow(t, m, alone(t, store)))

	// 7 ends with its key, and has one again; 8 is let go, and has none; 9 gives its key to
	// another in one revision, and ends and is granted again later.
	m.change(write{key: "a", deletes: true})
	m.change(write{key: "c", lease: 7})
	m.change(write{key: "b", value: "without"})
	m.change(write{key: "k", deletes: true}, write{key: "l", lease: 9})
	m.change(write{key: "l", deletes: true})
	m.change(write{key: "m", lease: 9}, write{key: "n", lease: 9})
	m.granted[7], m.granted[8], m.granted[9] = 500, 600, 700
	a := alone(t, store)
	require.NoError(t, follow(t, m, a))
	requireSame(t, m, a)
	for id, want := range map[int64]int{7: 1, 8: 0, 9: 2} {
		l, found := a.View().Lease(id)
		require.True(t, found)
		require.Equal(t, []any{m.granted[id], want}, []any{l.TTL, l.NumKeys()}, id)
	}
}

func TestRandomChangesAreFollowed(t *testing.T) {
	for _, kind := range []string{"etcd", "kine", "prefix"} {
		t.Run(kind, func(t *testing.T) {
			seed := rand.Uint64()
			t.Logf("seed %d", seed)
			random := rand.New(rand.NewPCG(seed, 0))
			m := newModel()
			m.kine, m.whole = kind == "kine", kind != "prefix"
			store := memlog.New()
			for range 8 {
				for range random.IntN(200) {
					if kind != "etcd" && random.IntN(5) == 0 {
						m.gap()
						continue
					}
					m.change(randomWrites(random, m)...)
				}
				a := alone(t, store)
				require.NoError(t, follow(t, m, a))
				requireSame(t, m, a)
			}
		})
	}
}

func randomWrites(random *rand.Rand, m *model) (writes []write) {
	seen := map[string]bool{}
	for range 1 + random.IntN(3) {
		w := write{key: fmt.Sprint("k", random.IntN(50)), value: fmt.Sprint(random.Uint64()), lease: random.Int64N(4)}
		if seen[w.key] {
			continue
		}
		seen[w.key] = true
		w.deletes = m.keys[w.key] != nil && random.IntN(3) == 0
		writes = append(writes, w)
	}
	return writes
}

// A kine answers that it has deleted a key that was not there, and says so in its watch.
func TestAnAbsentKeyIsDeletedByAKine(t *testing.T) {
	m := newModel()
	m.kine = true
	m.change(write{key: "a", value: "1"})
	m.change(write{key: "b", deletes: true})
	m.change(write{key: "c", value: "1"})
	a := alone(t, memlog.New())
	require.NoError(t, follow(t, m, a))
	requireSame(t, m, a)
}

func TestWhatASourceLeavesOutIsNoticed(t *testing.T) {
	for name, test := range map[string]struct {
		kine bool
		lost int64
		then []write
	}{
		"a revision of an etcd":       {false, 3, []write{{key: "z", value: "1"}}},
		"a kine's put of the same":    {true, 3, []write{{key: "a", value: "3"}}},
		"a kine's delete of the same": {true, 3, []write{{key: "a", deletes: true}}},
	} {
		t.Run(name, func(t *testing.T) {
			m := newModel()
			m.kine, m.lost = test.kine, test.lost
			m.change(write{key: "a", value: "1"})
			m.change(write{key: "a", value: "2"})
			m.change(test.then...)
			store := memlog.New()
			a := alone(t, store)
			require.ErrorIs(t, follow(t, m, a), ErrSkipped)
			require.EqualValues(t, 2, a.View().Rev(), "what came before is there, and nothing after")
		})
	}
}

// A change that a kine loses for good, as it does with a commit that comes late, is found at
// the end by the hash of both sides.
func TestALostChangeIsFoundByTheHash(t *testing.T) {
	m := newModel()
	m.kine, m.lost = true, 3
	m.change(write{key: "a", value: "1"})
	m.change(write{key: "b", value: "2"})
	a := alone(t, memlog.New())
	require.NoError(t, follow(t, m, a))
	m.lost = 0
	m.changes = append(m.changes, etcdapi.Changes{Revision: 3, Events: newModelPut(3, "b", "2")})
	_, err := Verify(within(t), m, a.View(), nil)
	require.ErrorIs(t, err, etcdapi.ErrDiffers)
}

func TestARootOfAnotherStoreIsNotFollowedOn(t *testing.T) {
	m, other := newModel(), newModel()
	m.change(write{key: "a", value: "1"})
	other.change(write{key: "a", value: "2"})
	store := memlog.New()
	a := alone(t, store)
	require.NoError(t, follow(t, m, a))
	require.NoError(t, Related(within(t), m, a.View()))
	require.ErrorIs(t, Related(within(t), other, a.View()), ErrUnrelated)
	require.ErrorIs(t, Related(within(t), newModel(), a.View()), ErrUnrelated, "which is behind")
}

// What another program writes to the root ends it.
func TestOthersAreNoticed(t *testing.T) {
	m := newModel()
	m.change(write{key: "a", value: "1"})
	store := memlog.New()
	a := alone(t, store)
	require.NoError(t, follow(t, m, a))

	other := store.Open()
	defer other.Close()
	require.NoError(t, other.Join(within(t), revision.Member{Name: "z", ID: 1}))
	require.ErrorIs(t, a.Look(within(t)), ErrOthers)
	_, err := LoadAlone(within(t), store.Open())
	require.ErrorIs(t, err, ErrOthers)
	require.NoError(t, other.Leave(within(t)))
	require.NoError(t, a.Look(within(t)))

	put := &recordpb.Request{Kind: &recordpb.Request_Put{Put: &pb.PutRequest{Key: []byte("x")}}}
	_, err = other.Append(within(t), &revision.Batch{Nonce: revision.Nonce{1}, Requests: []*recordpb.Request{put}})
	require.NoError(t, err)
	m.change(write{key: "b", value: "1"})
	require.ErrorIs(t, follow(t, m, a), ErrOthers)
}

func TestLag(t *testing.T) {
	var l lag
	start := time.Unix(100, 0)
	require.Zero(t, l.of(5, start))
	l.source(start, 10)
	l.source(start.Add(time.Second), 10)
	l.source(start.Add(2*time.Second), 12)
	require.Equal(t, 3*time.Second, l.of(9, start.Add(3*time.Second)))
	require.Equal(t, time.Second, l.of(10, start.Add(3*time.Second)))
	require.Zero(t, l.of(12, start.Add(3*time.Second)))
}
