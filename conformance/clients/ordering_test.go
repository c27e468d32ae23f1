package clients

import (
	"errors"
	"testing"

	"github.com/stretchr/testify/require"
	clientv3 "go.etcd.io/etcd/client/v3"
	"go.etcd.io/etcd/client/v3/ordering"

	"github.com/zkine/zkine/conformance/rig/rigtest"
	"github.com/zkine/zkine/revision/zktest"
)

// Reads of one client do not go back in time where the members are up to date, serializable or not.
func TestOrdering(t *testing.T) {
	onBoth(t, func(t *testing.T, endpoint string) {
		c := connect(t, endpoint)
		kv := ordering.NewKV(c.KV, func(op clientv3.Op, _ clientv3.OpResponse, _ int64) error {
			return errors.New("went back in time: " + string(op.KeyBytes()))
		})
		for range 20 {
			put(t, kv, "k", "v")
			_, err := kv.Get(within(t), "k", clientv3.WithSerializable())
			require.NoError(t, err)
			_, err = kv.Txn(within(t)).If(clientv3.Compare(clientv3.Value("k"), "=", "v")).
				Then(clientv3.OpGet("k", clientv3.WithSerializable())).Commit()
			require.NoError(t, err)
		}
	})
}

// A zkine that is cut off from ZooKeeper answers serializable reads with what it knew: that is noticed.
func TestOrderingNoticesAMemberThatIsBehind(t *testing.T) {
	t.Parallel()
	zookeeper, root := zktest.Shared(t).Addr(), zktest.Root(t)
	wire := zktest.NewProxy(t, zookeeper)
	one, cutOff := rigtest.StartOn(t, zookeeper, root, patient), rigtest.StartOn(t, wire.Addr(), root)
	both := []string{one.Endpoint, cutOff.Endpoint}
	put(t, connect(t, one.Endpoint), "k", "old")
	require.Equal(t, "k=old", get(t, connect(t, cutOff.Endpoint), "k"))
	wire.Freeze(zktest.ToServer)
	put(t, connect(t, one.Endpoint), "k", "new")

	c := connect(t, one.Endpoint)
	violation := errors.New("an answer from the past")
	strict := ordering.NewKV(c.KV, func(clientv3.Op, clientv3.OpResponse, int64) error { return violation })
	require.Equal(t, "k=new", get(t, strict, "k"))
	c.SetEndpoints(cutOff.Endpoint)
	eventually(t, "the client does not move", func() bool {
		resp, err := c.Get(within(t), "k", clientv3.WithSerializable())
		return err == nil && string(resp.Kvs[0].Value) == "old"
	})
	_, err := strict.Get(within(t), "k", clientv3.WithSerializable())
	require.ErrorIs(t, err, violation)
	_, err = strict.Txn(within(t)).Then(clientv3.OpGet("k", clientv3.WithSerializable())).Commit()
	require.ErrorIs(t, err, violation)

	// What clientv3 has for it: ask another member.
	c = connect(t, both...)
	retrying := ordering.NewKV(c.KV, ordering.NewOrderViolationSwitchEndpointClosure(c))
	put(t, connect(t, one.Endpoint), "k", "newest")
	eventually(t, "the newest is not seen", func() bool {
		return get(t, retrying, "k", clientv3.WithSerializable()) == "k=newest"
	})
	for range 5 {
		require.Equal(t, "k=newest", get(t, retrying, "k", clientv3.WithSerializable()))
	}
	wire.Thaw(zktest.ToServer)
}
