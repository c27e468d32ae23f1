package move

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	clientv3 "go.etcd.io/etcd/client/v3"
)

// TestACopyOfAnEtcdGoesOnWhereLeasesHaveEnded since it began: an etcd tells which leases its keys had then, but not where
// keys alone are asked for.
func TestACopyOfAnEtcdGoesOnWhereLeasesHaveEnded(t *testing.T) {
	t.Parallel()
	etcd := newEtcd(t)
	for i := range 100 {
		var puts []clientv3.Op
		for n := range 50 {
			puts = append(puts, clientv3.OpPut(fmt.Sprintf("/registry/%02d/%03d", i, n), strings.Repeat(fmt.Sprint(i*n), 1000)))
		}
		require.NoError(t, first(etcd.Txn(within(t)).Then(puts...).Commit()))
	}
	lease, err := etcd.Grant(within(t), 1000)
	require.NoError(t, err)
	then, err := etcd.Put(within(t), "/masterleases/1", "here", clientv3.WithLease(lease.ID))
	require.NoError(t, err)
	into := cutOff(t, etcd)
	require.NoError(t, first(etcd.Revoke(within(t), lease.ID)))

	r := into.importInto(t, "--endpoints="+etcd.endpoint)
	require.Contains(t, r.out, fmt.Sprintf("revision %d; 5001 keys; 1 leases", then.Header.Revision))
	got, err := into.serve(t).Get(within(t), "/masterleases/1")
	require.NoError(t, err)
	require.EqualValues(t, lease.ID, got.Kvs[0].Lease)
}

// cutOff is a root with what an import has left that was killed on the way.
func cutOff(t testing.TB, source *store) root {
	t.Helper()
	for ctx := within(t); ; require.NoError(t, ctx.Err()) {
		into := newRoot(t)
		p := into.startZkine(t, "import", "--endpoints="+source.endpoint)
		eventually(t, func() error {
			if len(into.znodes(t)) == 0 {
				return fmt.Errorf("%s has written nothing", p.Name)
			}
			return nil
		})
		p.Kill()
		if slices.Contains(into.znodes(t), into.path+"/unfinished") {
			return into
		}
	}
}

// grantAgain has a lease end, with its keys, and be granted again under its id, which no change tells.
func grantAgain(t testing.TB, s *store, id clientv3.LeaseID, ttl int64) {
	t.Helper()
	require.NoError(t, first(s.Revoke(within(t), id)))
	require.NoError(t, first(pb.NewLeaseClient(s.ActiveConnection()).LeaseGrant(within(t), &pb.LeaseGrantRequest{ID: int64(id), TTL: ttl})))
	require.NoError(t, first(s.Put(within(t), "/registry/granted/again", "x", clientv3.WithLease(id))))
}
