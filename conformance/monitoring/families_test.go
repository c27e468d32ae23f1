package monitoring

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	clientv3 "go.etcd.io/etcd/client/v3"
	"go.uber.org/zap"

	"github.com/zkine/zkine/conformance/rig"
	"github.com/zkine/zkine/conformance/rig/rigtest"
	"github.com/zkine/zkine/revision/zktest"
)

// patience bounds every wait for what must come; a loaded machine is slow, not wrong.
const patience = 2 * time.Minute

func TestMain(m *testing.M) { zktest.Main(m) }

func within(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	t.Cleanup(cancel)
	return ctx
}

func dial(t *testing.T, endpoint string) *clientv3.Client {
	t.Helper()
	client, err := clientv3.New(clientv3.Config{Endpoints: []string{endpoint}, DialTimeout: patience, Logger: zap.NewNop()})
	require.NoError(t, err)
	t.Cleanup(func() { client.Close() })
	return client
}

func scrape(t *testing.T, address string) *Scrape {
	t.Helper()
	s, err := Get(within(t), address)
	require.NoError(t, err)
	return s
}

// exercise asks for some of everything that metrics count, and waits until what a watch sees is there.
func exercise(t *testing.T, client *clientv3.Client) {
	t.Helper()
	ctx := within(t)
	watch := client.Watch(ctx, "a", clientv3.WithPrefix())
	_, err := client.Put(ctx, "b", "not watched")
	require.NoError(t, err)
	for _, key := range []string{"a1", "a2", "a3"} {
		_, err := client.Put(ctx, key, "value")
		require.NoError(t, err)
	}
	_, err = client.Get(ctx, "a", clientv3.WithPrefix())
	require.NoError(t, err)
	_, err = client.Get(ctx, "a1", clientv3.WithSerializable())
	require.NoError(t, err)
	_, err = client.Delete(ctx, "a1")
	require.NoError(t, err)
	_, err = client.Txn(ctx).If(clientv3.Compare(clientv3.Version("a2"), ">", 0)).
		Then(clientv3.OpPut("a2", "again"), clientv3.OpGet("a3"), clientv3.OpDelete("a3")).Commit()
	require.NoError(t, err)
	_, err = client.Txn(ctx).Then(clientv3.OpGet("a2"), clientv3.OpGet("a3")).Commit()
	require.NoError(t, err)
	_, err = client.Txn(ctx).Then(clientv3.OpGet("a2"), clientv3.OpPut("a4", "x")).Commit()
	require.NoError(t, err)
	_, err = client.Put(ctx, "c", "x", clientv3.WithLease(7))
	require.Error(t, err)
	for _, ttl := range []int64{60, 600} {
		lease, err := client.Grant(ctx, ttl)
		require.NoError(t, err)
		_, err = client.KeepAliveOnce(ctx, lease.ID)
		require.NoError(t, err)
		_, err = client.Put(ctx, "leased", "x", clientv3.WithLease(lease.ID))
		require.NoError(t, err)
		_, err = client.Revoke(ctx, lease.ID)
		require.NoError(t, err)
	}
	_, err = client.HashKV(ctx, client.Endpoints()[0], 0)
	require.NoError(t, err)
	_, err = client.Defragment(ctx, client.Endpoints()[0])
	require.NoError(t, err)
	for seen := 0; seen < 7; { // 4 puts, 2 deletes, 1 put again
		response, open := <-watch
		require.True(t, open)
		require.NoError(t, response.Err())
		seen += len(response.Events)
	}
}

// otherHelp are the families whose help says what stands for etcd's here.
var otherHelp = map[string]bool{
	"etcd_server_has_leader": true, "etcd_server_is_leader": true,
	"etcd_disk_wal_fsync_duration_seconds": true, "etcd_disk_backend_commit_duration_seconds": true,
}

// absent are etcd's families that have no meaning here, or none yet, by what their names begin with; docs/metrics.md says why.
var absent = []string{
	"etcd_debugging_disk_backend_commit_", "etcd_disk_wal_write_", "etcd_snap_", "etcd_debugging_snap_", "etcd_server_snapshot_apply_in_progress_total",
	"etcd_debugging_store_", "etcd_mvcc_db_open_read_transactions",
	"etcd_debugging_mvcc_db_compaction_", "etcd_debugging_mvcc_index_compaction_",
	"etcd_debugging_server_watch_send_loop_",
	"etcd_grpc_proxy_", "etcd_network_known_peers", "etcd_server_heartbeat_send_failures_total", "etcd_server_learner_promote_successes",
	"etcd_server_feature_enabled",
}

// TestFamiliesAreEtcds has an etcd and a zkine do the same, and compares what both show: families, types, help, labels, and
// what was counted.
func TestFamiliesAreEtcds(t *testing.T) {
	etcd, err := rig.NewEtcd(rig.EtcdConfig{Program: rigtest.Component(t, "etcd"), DataDir: t.TempDir(), Args: []string{"--metrics=extensive"}})
	require.NoError(t, err)
	require.NoError(t, etcd.Up(within(t)))
	t.Cleanup(etcd.Kill)
	zkine := rigtest.Start(t, "--metrics=extensive")
	exercise(t, dial(t, etcd.Endpoint))
	exercise(t, dial(t, zkine.Endpoint))
	theirs, ours := scrape(t, etcd.Endpoint), scrape(t, zkine.Metrics)

	for name, family := range theirs.Families {
		own := ours.Families[name]
		if own == nil {
			require.True(t, slices.ContainsFunc(absent, func(prefix string) bool { return strings.HasPrefix(name, prefix) }), "zkine has no %s", name)
			continue
		}
		require.Equal(t, family.Type, own.Type, name)
		require.Equal(t, slices.Sorted(maps.Keys(family.Labels)), slices.Sorted(maps.Keys(own.Labels)), name)
		if strings.HasPrefix(name, "etcd_") {
			require.Equal(t, !otherHelp[name], family.Help == own.Help, "%s: etcd's help is %q, zkine's %q", name, family.Help, own.Help)
		}
	}
	for _, prefix := range absent {
		require.True(t, slices.ContainsFunc(slices.Collect(maps.Keys(theirs.Families)), func(name string) bool { return strings.HasPrefix(name, prefix) }), "etcd has nothing like %s", prefix)
		for name := range ours.Families {
			require.False(t, strings.HasPrefix(name, prefix), "%s is there", name)
		}
	}
	counted := []string{
		"etcd_debugging_mvcc_keys_total{}", "etcd_mvcc_put_total{}", "etcd_mvcc_delete_total{}", "etcd_mvcc_range_total{}", "etcd_mvcc_txn_total{}",
		"etcd_debugging_mvcc_total_put_size_in_bytes{}", "etcd_debugging_mvcc_events_total{}", "etcd_debugging_mvcc_pending_events_total{}",
		"etcd_debugging_mvcc_slow_watcher_total{}", "etcd_debugging_mvcc_watcher_total{}",
		"etcd_debugging_lease_granted_total{}", "etcd_debugging_lease_renewed_total{}", "etcd_debugging_lease_revoked_total{}",
		"etcd_debugging_lease_ttl_total_sum{}", "etcd_debugging_lease_ttl_total_count{}", "etcd_debugging_server_lease_expired_total{}",
		"etcd_server_proposals_failed_total{}", "etcd_server_proposals_pending{}", "etcd_disk_defrag_inflight{}",
		"etcd_disk_backend_defrag_duration_seconds_count{}", "etcd_mvcc_hash_rev_duration_seconds_count{}",
		`etcd_server_apply_duration_seconds_count{op="Put",success="true",version="v3"}`, `etcd_server_apply_duration_seconds_count{op="Put",success="false",version="v3"}`,
		`etcd_server_apply_duration_seconds_count{op="Txn",success="true",version="v3"}`, `etcd_server_apply_duration_seconds_count{op="LeaseRevoke",success="true",version="v3"}`,
		`etcd_server_request_duration_seconds_count{success="true",type="Put"}`, `etcd_server_request_duration_seconds_count{success="true",type="Range"}`,
		`etcd_server_request_duration_seconds_count{success="true",type="Txn"}`, `etcd_server_request_duration_seconds_count{success="true",type="ReadonlyTxn"}`,
		`etcd_cluster_version{cluster_version="3.7"}`, "etcd_server_is_learner{}",
		`grpc_server_handling_seconds_count{grpc_method="Put",grpc_service="etcdserverpb.KV",grpc_type="unary"}`,
	}
	// Some are counted behind the answer, and an etcd settles its cluster's version behind its start.
	require.NoError(t, rig.Poll(within(t), func() error {
		theirs, ours := scrape(t, etcd.Endpoint), scrape(t, zkine.Metrics)
		for _, name := range counted {
			want, there := theirs.Samples[name]
			if got, here := ours.Samples[name]; !there || !here || got != want {
				return fmt.Errorf("%s: etcd has %v (%t), zkine %v (%t)", name, want, there, got, here)
			}
		}
		return nil
	}))
}
