package clients

import (
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/require"
	clientv3 "go.etcd.io/etcd/client/v3"
	"go.uber.org/zap"
)

// service is what SkyDNS, and CoreDNS after it, store for a name.
type service struct {
	Host string `json:"host"`
	Port int    `json:"port,omitempty"`
	TTL  uint32 `json:"ttl,omitempty"`
	Text string `json:"text,omitempty"`
}

// TestCoreDNS looks names up as CoreDNS's etcd plugin does (plugin/etcd/etcd.go): a folder first, a key then, by what
// the answer counts.
func TestCoreDNS(t *testing.T) {
	onBoth(t, func(t *testing.T, endpoint string) {
		c := connect(t, endpoint)
		lease, err := c.Grant(within(t), 2)
		require.NoError(t, err)
		for key, s := range map[string]service{
			"/skydns/org/example/db/x1": {Host: "10.0.0.1", Port: 5432}, "/skydns/org/example/db/x2": {Host: "10.0.0.2", TTL: 60},
			"/skydns/org/example/dbx": {Host: "10.0.0.9"}, "/skydns/org/example/txt": {Text: "hello"},
		} {
			value, err := json.Marshal(s)
			require.NoError(t, err)
			put(t, c, key, string(value))
		}
		put(t, c, "/skydns/org/example/gone/x1", `{"host":"10.0.0.3"}`, clientv3.WithLease(lease.ID))

		hosts := func(path string) (hosts []string) {
			t.Helper()
			resp, err := c.Get(within(t), path+"/", clientv3.WithPrefix())
			require.NoError(t, err)
			if resp.Count == 0 {
				resp, err = c.Get(within(t), path)
				require.NoError(t, err)
			}
			require.Len(t, resp.Kvs, int(resp.Count))
			for _, kv := range resp.Kvs {
				var s service
				require.NoError(t, json.Unmarshal(kv.Value, &s))
				hosts = append(hosts, s.Host+s.Text)
			}
			return hosts
		}
		require.Equal(t, []string{"10.0.0.1", "10.0.0.2"}, hosts("/skydns/org/example/db"))
		require.Equal(t, []string{"10.0.0.2"}, hosts("/skydns/org/example/db/x2"))
		require.Equal(t, []string{"hello"}, hosts("/skydns/org/example/txt"))
		require.Empty(t, hosts("/skydns/org/example/nothing"))
		leased, err := c.Get(within(t), "/skydns/org/example/gone/", clientv3.WithPrefix())
		if err == nil && leased.Count > 0 { // it may have ended already, on a slow machine
			require.Equal(t, int64(lease.ID), leased.Kvs[0].Lease, "which it makes a TTL of")
		}
		eventually(t, "a name whose lease has ended is still there", func() bool { return hosts("/skydns/org/example/gone") == nil })
	})
}

// TestEndpointsFromTheMembers lets a client learn the members' URLs, and go on with these.
func TestEndpointsFromTheMembers(t *testing.T) {
	onBoth(t, func(t *testing.T, endpoint string) {
		c, err := clientv3.New(clientv3.Config{Endpoints: []string{"http://" + endpoint}, Logger: zap.NewNop(), DialTimeout: patience, RejectOldCluster: true})
		require.NoError(t, err)
		t.Cleanup(func() { c.Close() })
		require.NoError(t, c.Sync(within(t)))
		require.Equal(t, []string{"http://" + endpoint}, c.Endpoints())
		put(t, c, "k", "v")
	})
}
