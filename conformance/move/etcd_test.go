package move

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"
	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	clientv3 "go.etcd.io/etcd/client/v3"
)

// What an etcd holds comes into zkine by a snapshot with its whole history, and goes back to an etcd with all of it:
// every revision from the floor on, hash for hash and event for event, leases, and users who log in.
func TestSnapshotInAndOut(t *testing.T) {
	t.Parallel()
	source := newEtcd(t)
	w := newWriter(t, source)
	floor := w.everything()
	into := newRoot(t)
	into.importInto(t, "--snapshot="+source.save(t))
	zkine := into.serve(t)
	requireSame(t, source, zkine, floor)
	require.Equal(t, source.who(t), zkine.who(t))

	back := restoreEtcd(t, zkine.export(t))
	requireSame(t, zkine, back, floor)
	require.Equal(t, source.who(t), back.who(t))

	// They go on alike.
	before := zkine.revision(t)
	for _, s := range []*store{source, zkine, back} {
		_, err := s.Put(within(t), "app/1", "next")
		require.NoError(t, err)
		require.Equal(t, before+1, s.revision(t))
	}
	requireSameNow(t, source, zkine)
	requireSameNow(t, source, back)
}

// A snapshot of hardly anything is one: its few keys lie elsewhere in the file than those of a large one.
func TestSmallSnapshots(t *testing.T) {
	t.Parallel()
	source := newEtcd(t)
	for n := range 4 {
		into := newRoot(t)
		into.importInto(t, "--snapshot="+source.save(t))
		requireSameNow(t, source, into.serve(t))
		for i := range 1 + 4*n {
			put(t, source, fmt.Sprint("key/", n, "/", i), fmt.Sprint("value ", n))
		}
	}
}

// With the users comes what they may do, and their passwords.
func TestUsersCome(t *testing.T) {
	t.Parallel()
	source := newEtcd(t)
	w := newWriter(t, source)
	w.users()
	w.closeToOthers()
	into := newRoot(t)
	into.importInto(t, "--snapshot="+source.save(t, "--user=root:of all"))
	zkine := into.serve(t)

	_, err := zkine.Get(within(t), "granted/k")
	require.ErrorIs(t, err, rpctypes.ErrUserEmpty)
	alice := connect(t, zkine.process, zkine.endpoint, "alice", "secret")
	got, err := alice.Get(within(t), "granted/k")
	require.NoError(t, err)
	require.Equal(t, "v", string(got.Kvs[0].Value))
	_, err = alice.Put(within(t), "granted/k", "w")
	require.ErrorIs(t, err, rpctypes.ErrPermissionDenied)
}

// A live etcd comes with what is there now: keys with their revisions and versions, leases with their ids. A client's
// watch goes on at the revision where it was.
func TestLiveIn(t *testing.T) {
	t.Parallel()
	source := newEtcd(t)
	w := newWriter(t, source)
	w.everything()
	into := newRoot(t)
	into.importInto(t, "--endpoints="+source.endpoint)
	zkine := into.serve(t)
	requireSameNow(t, source, zkine)
	last := source.revision(t)
	require.Equal(t, source.events(t, last, last), zkine.events(t, last, last))

	// What the API does not tell is in which order a transaction changed several keys, which hashes and databases show.
	// All keys are there all the same, and go on to an etcd.
	requireSameNow(t, zkine, restoreEtcd(t, zkine.export(t)))
}

// With the same history an etcd and a zkine have the same hash: that of the keys that are there, once the past is
// compacted, and of what comes after.
func TestLiveHash(t *testing.T) {
	t.Parallel()
	source := newEtcd(t)
	for i := range 50 {
		put(t, source, fmt.Sprint("key/", i%20), fmt.Sprint("value ", i))
	}
	into := newRoot(t)
	into.importInto(t, "--endpoints="+source.endpoint)
	requireSameHash(t, source, into.serve(t))
}

// requireSameHash compacts the past of a store that was moved live, which the other one does not have, and has both
// write the same.
func requireSameHash(t testing.TB, from, to *store) {
	t.Helper()
	last := from.revision(t)
	_, err := from.Compact(within(t), last, clientv3.WithCompactPhysical())
	require.NoError(t, err)
	for _, s := range []*store{from, to} {
		put(t, s, "moved", "on")
	}
	require.Equal(t, from.hash(t, last+1), to.hash(t, last+1))
}
