package move

import (
	"testing"

	"github.com/stretchr/testify/require"
	clientv3 "go.etcd.io/etcd/client/v3"
)

// registry is all that Kubernetes has in a store. A read of everything without a prefix gives nothing in kine.
const registry = "/registry/"

// TestKubernetesMovesFromKine has a cluster come from kine on SQLite to zkine, and go on to etcd. What kine cannot tell is
// written down in docs/migration.md: versions, which are 0 there, and leases, whose ids are their times.
func TestKubernetesMovesFromKine(t *testing.T) {
	long(t)
	j := depart(t, newKine(t))
	j.moveOn(t, "kine to zkine, live", requireSameAsKine, func(from *store) *store {
		into := newRoot(t)
		into.importInto(t, "--endpoints="+from.endpoint, "--prefix="+registry)
		return into.serve(t)
	})
	j.moveOn(t, "zkine to etcd, by a snapshot", requireSameNow, func(from *store) *store {
		return restoreEtcd(t, from.export(t))
	})
}

// requireSameAsKine compares what kine can tell.
func requireSameAsKine(t testing.TB, kine, to *store) {
	t.Helper()
	want, rev := kine.keys(t, 0, registry)
	got, gotRev := to.keys(t, 0)
	require.Equal(t, rev, gotRev)
	for _, kv := range got {
		require.Positive(t, kv.Version, "%q", kv.Key)
		kv.Version = 0
		if kv.Lease != 0 {
			info, err := to.TimeToLive(within(t), clientv3.LeaseID(kv.Lease))
			require.NoError(t, err)
			require.Positive(t, info.TTL, "%q", kv.Key)
			kv.Lease = info.GrantedTTL
		}
	}
	requireSameKeys(t, want, got)
}
