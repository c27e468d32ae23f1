package clients

import (
	"testing"

	"github.com/stretchr/testify/require"
	clientv3 "go.etcd.io/etcd/client/v3"
	"go.etcd.io/etcd/client/v3/leasing"
)

func leasingKV(t *testing.T, c *clientv3.Client) clientv3.KV {
	t.Helper()
	kv, end, err := leasing.NewKV(c, "leases/")
	require.NoError(t, err)
	t.Cleanup(end)
	return kv
}

// Whoever has leased a key reads it from memory, and gives the lease up before anybody writes the key.
func TestLeasing(t *testing.T) {
	onBoth(t, func(t *testing.T, endpoint string) {
		c := connect(t, endpoint)
		one, two := leasingKV(t, c), leasingKV(t, connect(t, endpoint))
		put(t, c, "k", "v")
		read := func(kv clientv3.KV) (string, int64) {
			t.Helper()
			resp, err := kv.Get(within(t), "k")
			require.NoError(t, err)
			return string(resp.Kvs[0].Value), resp.Header.Revision
		}
		_, rev := read(one)
		require.Equal(t, "leases/k=", get(t, c, "leases/", clientv3.WithPrefix()))
		put(t, c, "other", "x")
		_, again := read(one)
		require.Equal(t, rev, again, "from memory")
		value, _ := read(two)
		require.Equal(t, "v", value)

		put(t, two, "k", "w")
		value, _ = read(one)
		require.Equal(t, "w", value)
		txn, err := one.Txn(within(t)).If(clientv3.Compare(clientv3.Value("k"), "=", "w")).
			Then(clientv3.OpPut("k", "x"), clientv3.OpGet("k")).Else(clientv3.OpGet("k")).Commit()
		require.NoError(t, err)
		require.True(t, txn.Succeeded)
		value, _ = read(two)
		require.Equal(t, "x", value)
		put(t, one, "k2", "y")
		deleted, err := two.Delete(within(t), "k", clientv3.WithPrefix())
		require.NoError(t, err)
		require.Equal(t, int64(2), deleted.Deleted)
		require.Empty(t, get(t, one, "k"))
	})
}

// What is leased can be read while the zkine is away, and written again when it is back.
func TestLeasingThroughARestart(t *testing.T) {
	t.Parallel()
	z := newZkine(t)
	c := connect(t, z.Endpoint)
	one, two := leasingKV(t, c), leasingKV(t, connect(t, z.Endpoint))
	put(t, one, "k", "v")
	require.Equal(t, "k=v", get(t, one, "k"))
	z.Kill()
	require.Equal(t, "k=v", get(t, one, "k"))
	z.Start()
	put(t, two, "k", "w")
	require.Equal(t, "k=w", get(t, one, "k"))
}
