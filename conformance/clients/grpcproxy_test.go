package clients

import (
	"path/filepath"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	clientv3 "go.etcd.io/etcd/client/v3"
	"go.etcd.io/etcd/client/v3/concurrency"

	"github.com/zkine/zkine/conformance/rig"
	"github.com/zkine/zkine/conformance/rig/rigtest"
)

// startProxy starts etcd's gRPC proxy in front of a store, and returns its endpoint.
func startProxy(t *testing.T, endpoint string, flags ...string) string {
	t.Helper()
	free, err := rig.FreeAddresses(1)
	require.NoError(t, err)
	address := free[0]
	p, err := rig.Start(rig.Program{Path: rigtest.Component(t, "etcd"), Args: append([]string{
		"grpc-proxy", "start", "--endpoints=" + endpoint, "--listen-addr=" + address, "--advertise-client-url=" + address,
		"--data-dir=" + filepath.Join(t.TempDir(), "proxy"),
	}, flags...)})
	require.NoError(t, err)
	t.Cleanup(func() {
		p.Kill()
		if t.Failed() || p.CheckOutput() != nil {
			t.Errorf("the proxy printed:\n%s", p.Output())
		}
	})
	_, err = p.Await(within(t), "started gRPC proxy")
	require.NoError(t, err)
	return address
}

// throughProxy makes a check through a proxy in front of a zkine and of an etcd.
func throughProxy(t *testing.T, check func(t *testing.T, store, proxy string), flags ...string) {
	t.Helper()
	onBoth(t, func(t *testing.T, endpoint string) { check(t, endpoint, startProxy(t, endpoint, flags...)) })
}

// Who talks to the proxy reads and writes the same store as who does not.
func TestGRPCProxyKV(t *testing.T) {
	throughProxy(t, func(t *testing.T, store, proxy string) {
		direct, c := connect(t, store), connect(t, proxy)
		put(t, c, "k", "1")
		require.Equal(t, "k=1", get(t, direct, "k"))
		require.Equal(t, "k=1", get(t, c, "k"))
		require.Equal(t, "k=1", get(t, c, "k", clientv3.WithSerializable()), "from the proxy's cache")
		put(t, direct, "k", "2")
		require.Equal(t, "k=2", get(t, c, "k"))
		txn, err := c.Txn(within(t)).If(clientv3.Compare(clientv3.Value("k"), "=", "2")).Then(
			clientv3.OpPut("k", "3", clientv3.WithPrevKV()), clientv3.OpGet("k"),
			clientv3.OpTxn(nil, []clientv3.Op{clientv3.OpDelete("nothing"), clientv3.OpPut("l", "4")}, nil),
		).Commit()
		require.NoError(t, err)
		require.True(t, txn.Succeeded)
		require.Equal(t, "2", string(txn.Responses[0].GetResponsePut().PrevKv.Value))
		require.Equal(t, "k=3 l=4", get(t, c, "", clientv3.WithPrefix()))
		require.Equal(t, "l=4 k=3", get(t, c, "", clientv3.WithPrefix(), clientv3.WithSort(clientv3.SortByKey, clientv3.SortDescend)))
		require.Equal(t, "k=1", get(t, c, "k", clientv3.WithRev(2)))
		_, err = c.Compact(within(t), 3, clientv3.WithCompactPhysical())
		require.NoError(t, err)
		_, err = c.Get(within(t), "k", clientv3.WithRev(2))
		require.ErrorIs(t, err, rpctypes.ErrCompacted)
		deleted, err := c.Delete(within(t), "", clientv3.WithPrefix(), clientv3.WithPrevKV())
		require.NoError(t, err)
		require.Len(t, deleted.PrevKvs, 2)
		require.Zero(t, count(t, direct, ""))
	})
}

// Many watchers share one watch of the proxy's, and each sees all; one that begins in the past too.
func TestGRPCProxyWatch(t *testing.T) {
	throughProxy(t, func(t *testing.T, store, proxy string) {
		direct, c := connect(t, store), connect(t, proxy)
		put(t, direct, "k", "0")
		var watches []clientv3.WatchChan
		for range 4 {
			watches = append(watches, c.Watch(within(t), "k", clientv3.WithPrevKV(), clientv3.WithCreatedNotify()))
		}
		for _, w := range watches {
			created := <-w
			require.True(t, created.Created)
		}
		watches = append(watches, c.Watch(within(t), "k", clientv3.WithPrevKV(), clientv3.WithRev(3)))
		put(t, c, "k", "1")
		put(t, direct, "k", "2")
		_, err := c.Delete(within(t), "k")
		require.NoError(t, err)
		for _, w := range watches {
			requireEvents(t, w, "PUT k=1 after 0", "PUT k=2 after 1", "DELETE k= after 2")
		}
		_, err = c.Compact(within(t), 4)
		require.NoError(t, err)
		gone := <-c.Watch(within(t), "k", clientv3.WithRev(2))
		require.ErrorIs(t, gone.Err(), rpctypes.ErrCompacted)
		require.Equal(t, int64(4), gone.CompactRevision)
	})
}

// requireEvents reads events of a watch that asked for previous values.
func requireEvents(t *testing.T, w clientv3.WatchChan, want ...string) {
	t.Helper()
	var got []string
	for len(got) < len(want) {
		resp, more := <-w
		require.True(t, more, "the watch ended")
		require.NoError(t, resp.Err())
		for _, e := range resp.Events {
			got = append(got, e.Type.String()+" "+string(e.Kv.Key)+"="+string(e.Kv.Value)+" after "+string(e.PrevKv.GetValue()))
		}
	}
	require.Equal(t, want, got)
}

// Sessions live, and end, through the proxy; locks and elections work, by the library and by the services.
func TestGRPCProxyLeases(t *testing.T) {
	throughProxy(t, func(t *testing.T, store, proxy string) {
		direct, c := connect(t, store), connect(t, proxy)
		lease, err := c.Grant(within(t), 2)
		require.NoError(t, err)
		put(t, c, "short", "", clientv3.WithLease(lease.ID))
		info, err := c.TimeToLive(within(t), lease.ID, clientv3.WithAttachedKeys())
		require.NoError(t, err)
		require.Equal(t, [][]byte{[]byte("short")}, info.Keys)

		s := session(t, c, concurrency.WithTTL(2)) // renewed while the other lease ends
		put(t, c, "kept", "", clientv3.WithLease(s.Lease()))
		eventually(t, "a lease does not end", func() bool { return get(t, direct, "short") == "" })
		require.Equal(t, "kept=", get(t, direct, "kept"))
		var wg sync.WaitGroup
		put(t, c, "counter", "0")
		failures := make([]error, 3)
		for i := range failures {
			m := concurrency.NewMutex(session(t, c), "m")
			wg.Go(func() { failures[i] = countUnder(within(t), c, m) })
		}
		wg.Wait()
		for _, err := range failures {
			require.NoError(t, err)
		}
		require.Equal(t, "counter=3", get(t, direct, "counter"))
		e := concurrency.NewElection(s, "e")
		require.NoError(t, e.Campaign(within(t), "me"))
		seen := <-e.Observe(within(t))
		require.Equal(t, "me", string(seen.Kvs[0].Value))
		require.NoError(t, s.Close())
		require.Zero(t, count(t, direct, "kept"))
		_, err = c.Revoke(within(t), s.Lease())
		require.ErrorIs(t, err, rpctypes.ErrLeaseNotFound)
	})
}

// etcdctl at the proxy.
func TestGRPCProxyEtcdctl(t *testing.T) {
	throughProxy(t, func(t *testing.T, _, proxy string) {
		play(t, proxy, transcript(t, `$ etcdctl put k v
OK
$ etcdctl get k
k
v
$ etcdctl lock l echo held
held
$ etcdctl endpoint health
<proxy> is healthy: successfully committed proposal: took = <>
$ etcdctl endpoint status | cut -d, -f1,3,4
<proxy>, 3.7.3, 3.7.0
$ etcdctl endpoint hashkv | cut -d, -f1,3
<proxy>, 4
$ etcdctl member list | cut -d, -f2,5
 started, <proxy>
$ etcdctl alarm list
$ etcdctl compact 3
compacted revision 3
$ d=$(mktemp -d); etcdctl snapshot save $d/s | sed "s|$d|FOLDER|"; etcdutl snapshot status $d/s -w json; rm -r $d
Snapshot saved at FOLDER/s
Server version 3.7.0
{"hash":<>,"revision":4,"totalKey":1,"totalSize":<>,"version":"3.7.0"}
`))
	})
}

// Proxies with a namespace keep to it; those that announce themselves are the member list; those with a leasing prefix
// read what they have leased from memory.
func TestGRPCProxyOptions(t *testing.T) {
	t.Run("namespace", func(t *testing.T) {
		throughProxy(t, func(t *testing.T, store, proxy string) {
			direct, c := connect(t, store), connect(t, proxy)
			put(t, direct, "outside", "x")
			put(t, c, "k", "v")
			require.Equal(t, "ns/k=v", get(t, direct, "ns/", clientv3.WithPrefix()))
			require.Equal(t, "k=v", get(t, c, "", clientv3.WithFromKey()))
		}, "--namespace=ns/")
	})
	t.Run("resolver", func(t *testing.T) {
		onBoth(t, func(t *testing.T, endpoint string) {
			one := startProxy(t, endpoint, "--resolver-prefix=proxies", "--resolver-ttl=60")
			two := startProxy(t, endpoint, "--resolver-prefix=proxies", "--resolver-ttl=60")
			c := connect(t, one)
			eventually(t, "the proxies do not find each other", func() bool {
				list, err := c.MemberList(within(t))
				require.NoError(t, err)
				urls := map[string]bool{}
				for _, m := range list.Members {
					urls[m.ClientURLs[0]] = true
				}
				return urls[one] && urls[two]
			})
		})
	})
	t.Run("leasing", func(t *testing.T) {
		throughProxy(t, func(t *testing.T, store, proxy string) {
			direct, c := connect(t, store), connect(t, proxy)
			put(t, c, "k", "1")
			require.Equal(t, "k=1", get(t, c, "k"))
			require.Equal(t, "leased/k=", get(t, direct, "leased/", clientv3.WithPrefix()))
			require.Equal(t, "k=1", get(t, c, "k"))
			put(t, c, "k", "2")
			require.Equal(t, "k=2", get(t, c, "k"))
		}, "--experimental-leasing-prefix=leased/", "--experimental-serializable-ordering")
	})
}

// A zkine that restarts behind the proxy: clients of the proxy go on.
func TestGRPCProxyThroughARestart(t *testing.T) {
	t.Parallel()
	z := newZkine(t)
	c := connect(t, startProxy(t, z.Endpoint))
	w := c.Watch(within(t), "k", clientv3.WithPrevKV(), clientv3.WithRev(1))
	put(t, c, "k", "1")
	requireEvents(t, w, "PUT k=1 after ")
	z.Kill()
	z.Start()
	eventually(t, "writes do not go on", func() bool {
		_, err := c.Put(within(t), "k", "2")
		return err == nil
	})
	requireEvents(t, w, "PUT k=2 after 1")
}
