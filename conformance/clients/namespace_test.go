package clients

import (
	"testing"

	"github.com/stretchr/testify/require"
	"go.etcd.io/etcd/api/v3/mvccpb"
	clientv3 "go.etcd.io/etcd/client/v3"
	"go.etcd.io/etcd/client/v3/namespace"
)

// Whoever works in a namespace sees nothing else, and does nothing elsewhere, even with ranges without an end.
func TestNamespace(t *testing.T) {
	onBoth(t, func(t *testing.T, endpoint string) {
		c := connect(t, endpoint)
		kv, watcher, leases := namespace.NewKV(c.KV, "ns/"), namespace.NewWatcher(c.Watcher, "ns/"), namespace.NewLease(c.Lease, "ns/")
		for _, outside := range []string{"a", "ns", "ns.", "ns0", "z"} {
			put(t, c, outside, "outside")
		}
		outside := get(t, c, "", clientv3.WithPrefix())
		ctx := within(t)
		events := watcher.Watch(ctx, "", clientv3.WithPrefix(), clientv3.WithPrevKV(), clientv3.WithRev(1))

		lease, err := leases.Grant(ctx, 60)
		require.NoError(t, err)
		put(t, kv, "a", "1")
		put(t, kv, "b", "2", clientv3.WithLease(lease.ID))
		require.Equal(t, "ns/a=1 ns/b=2", get(t, c, "ns/", clientv3.WithPrefix()))
		for name, options := range map[string][]clientv3.OpOption{
			"prefix": {clientv3.WithPrefix()}, "from key": {clientv3.WithFromKey()},
		} {
			require.Equal(t, "a=1 b=2", get(t, kv, "", options...), name)
		}
		require.Equal(t, "b=2", get(t, kv, "b", clientv3.WithFromKey()))
		require.Equal(t, "a=1", get(t, kv, "a", clientv3.WithRange("b")))
		info, err := leases.TimeToLive(ctx, lease.ID, clientv3.WithAttachedKeys())
		require.NoError(t, err)
		require.Equal(t, [][]byte{[]byte("b")}, info.Keys)

		txn, err := kv.Txn(ctx).If(
			clientv3.Compare(clientv3.Value("a"), "=", "1"), clientv3.Compare(clientv3.Version("").WithPrefix(), "=", 1),
		).Then(
			clientv3.OpPut("a", "3", clientv3.WithPrevKV()), clientv3.OpGet("", clientv3.WithFromKey()),
			clientv3.OpTxn(nil, []clientv3.Op{clientv3.OpPut("c", "4")}, nil),
		).Commit()
		require.NoError(t, err)
		require.True(t, txn.Succeeded)
		require.Equal(t, "a", string(txn.Responses[0].GetResponsePut().PrevKv.Key))
		require.Equal(t, "b", string(txn.Responses[1].GetResponseRange().Kvs[1].Key))

		_, err = leases.Revoke(ctx, lease.ID)
		require.NoError(t, err)
		deleted, err := kv.Delete(ctx, "", clientv3.WithFromKey(), clientv3.WithPrevKV())
		require.NoError(t, err)
		require.Equal(t, int64(2), deleted.Deleted)
		require.Equal(t, "c", string(deleted.PrevKvs[1].Key))
		require.Equal(t, outside, get(t, c, "", clientv3.WithPrefix()))

		var seen []string
		for len(seen) < 7 {
			resp := <-events
			require.NoError(t, resp.Err())
			for _, e := range resp.Events {
				word := string(e.Kv.Key) + "=" + string(e.Kv.Value)
				if e.Type == mvccpb.Event_DELETE {
					word = string(e.Kv.Key) + " gone, was " + string(e.PrevKv.Key) + "=" + string(e.PrevKv.Value)
				}
				seen = append(seen, word)
			}
		}
		require.Equal(t, []string{"a=1", "b=2", "a=3", "c=4", "b gone, was b=2", "a gone, was a=3", "c gone, was c=4"}, seen)
	})
}
