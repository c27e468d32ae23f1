package clients

import (
	"encoding/json"
	"fmt"
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"
)

// patroni asks for what Patroni's etcd3 asks for, in its forms (patroni/dcs/etcd3.py).
type patroni struct {
	*gateway
	name  string
	lease any // a number as text, as it came
}

const patroniScope = "/service/batman/"

func newPatroni(t *testing.T, endpoint, name string, ttl int) *patroni {
	t.Helper()
	p := &patroni{gateway: newGateway(t, endpoint), name: name}
	p.lease = p.must("/v3/lease/grant", object{"TTL": ttl})["ID"]
	require.IsType(t, "", p.lease)
	return p
}

// put writes a key if it has the revision, as creation or as change; without one it just writes.
func (p *patroni) put(key, value string, lease any, target, rev string) (done bool) {
	p.t.Helper()
	fields := object{"key": b64(patroniScope + key), "value": b64(value)}
	if lease != nil {
		fields["lease"] = lease
	}
	if target == "" {
		return p.must("/v3/kv/put", fields)["header"] != nil
	}
	compare := object{"key": fields["key"], "target": target}
	compare[map[string]string{"CREATE": "create_revision", "MOD": "mod_revision"}[target]] = rev
	return p.must("/v3/kv/txn", object{"compare": []object{compare}, "success": []object{{"request_put": fields}}})["succeeded"] == true
}

func (p *patroni) acquire() bool {
	p.t.Helper()
	return p.put("leader", p.name, p.lease, "CREATE", "0")
}

// update renews the lease and holds on to the leader key, or creates it if there is none.
func (p *patroni) update() bool {
	p.t.Helper()
	require.NotNil(p.t, p.keepalive())
	put := object{"request_put": object{"key": b64(patroniScope + "leader"), "value": b64(p.name), "lease": p.lease}}
	key := put["request_put"].(object)["key"]
	answer := p.must("/v3/kv/txn", object{
		"compare": []object{{"key": key, "target": "VALUE", "value": b64(p.name)}},
		"success": []object{put},
		"failure": []object{{"request_txn": object{
			"compare": []object{{"key": key, "target": "CREATE", "create_revision": "0"}}, "success": []object{put},
		}}},
	})
	if answer["succeeded"] == true {
		return true
	}
	nested := answer["responses"].([]any)[0].(object)["response_txn"].(object)
	return nested["succeeded"] == true
}

// keepalive is the TTL after a renewal; nil says that there is no such lease.
func (p *patroni) keepalive() any {
	p.t.Helper()
	return p.must("/v3/lease/keepalive", object{"ID": p.lease})["result"].(object)["TTL"]
}

func (p *patroni) release() bool {
	p.t.Helper()
	key := b64(patroniScope + "leader")
	return p.must("/v3/kv/txn", object{
		"compare": []object{{"key": key, "target": "VALUE", "value": b64(p.name)}},
		"success": []object{{"request_delete_range": object{"key": key}}},
	})["succeeded"] == true
}

// load is all keys of the cluster, as Patroni's cache begins with, and the revision to watch from.
func (p *patroni) load(serializable bool) (nodes map[string]object, rev string) {
	p.t.Helper()
	answer := p.must("/v3/kv/range", object{
		"key": b64(patroniScope), "range_end": b64("/service/batman0"), "serializable": serializable,
	})
	nodes = map[string]object{}
	kvs, _ := answer["kvs"].([]any)
	for _, kv := range kvs {
		node := kv.(object)
		nodes[plain(p.t, node["key"])[len(patroniScope):]] = node
	}
	return nodes, revision(answer)
}

// watch begins where load ended.
func (p *patroni) watch(rev string) *json.Decoder {
	p.t.Helper()
	from := p.stream("/v3/watch", object{"create_request": object{
		"key": b64(patroniScope), "range_end": b64("/service/batman0"), "start_revision": rev, "filters": []object{},
	}})
	require.Equal(p.t, true, p.next(from)["created"])
	return from
}

// TestPatroniStart is what Patroni asks for first: which API, and who the members are.
func TestPatroniStart(t *testing.T) {
	onBoth(t, func(t *testing.T, endpoint string) {
		g := newGateway(t, endpoint)
		var version struct{ Etcdserver, Etcdcluster string }
		eventually(t, "the cluster has no version", func() bool { // an etcd finds it out a moment after its start
			require.NoError(t, json.NewDecoder(g.send(http.MethodGet, "/version", nil).Body).Decode(&version))
			return version.Etcdcluster != "not_decided"
		})
		for _, text := range []string{version.Etcdserver, version.Etcdcluster} { // three numbers, or it does not start
			var major, minor, patch int
			_, err := fmt.Sscanf(text, "%d.%d.%d", &major, &minor, &patch)
			require.NoError(t, err)
			require.Equal(t, []int{3, 7}, []int{major, minor}, "so it uses /v3")
		}
		members := g.must("/v3/cluster/member/list", object{})["members"].([]any)
		require.Equal(t, []any{"http://" + endpoint}, members[0].(object)["clientURLs"])
	})
}

// TestPatroniLeaderRace has two of them compete, hold and hand over.
func TestPatroniLeaderRace(t *testing.T) {
	onBoth(t, func(t *testing.T, endpoint string) {
		one, two := newPatroni(t, endpoint, "one", 30), newPatroni(t, endpoint, "two", 30)
		require.True(t, one.put("initialize", "", nil, "CREATE", "0"))
		require.False(t, two.put("initialize", "", nil, "CREATE", "0"))
		require.True(t, one.put("members/one", `{"role":"primary"}`, one.lease, "", ""))
		require.True(t, two.put("members/two", `{"role":"replica"}`, two.lease, "", ""))
		require.True(t, one.acquire())
		require.False(t, two.acquire())
		require.True(t, one.update())
		require.False(t, two.update(), "another's")

		nodes, rev := two.load(true)
		require.Len(t, nodes, 4)
		require.Equal(t, "one", plain(t, nodes["leader"]["value"]))
		require.Equal(t, one.lease, nodes["leader"]["lease"])
		watch := two.watch(rev)
		require.Equal(t, []string{"PUT /service/batman/leader=one"}, two.events(watch), "the watch begins at the revision itself")
		require.True(t, one.put("config", `{"ttl":30}`, nil, "", ""))
		require.Equal(t, []string{`PUT /service/batman/config={"ttl":30}`}, two.events(watch))
		nodes, _ = one.load(false) // patronictl's way
		config := nodes["config"]["mod_revision"].(string)
		require.True(t, one.put("config", `{"ttl":20}`, nil, "MOD", config))
		require.False(t, two.put("config", `{"ttl":10}`, nil, "MOD", config), "it has changed")
		require.Equal(t, []string{`PUT /service/batman/config={"ttl":20}`}, two.events(watch))

		require.False(t, two.release())
		require.True(t, one.release())
		require.Equal(t, []string{"DELETE /service/batman/leader="}, two.events(watch))
		require.True(t, two.update(), "the key is gone: the nested transaction creates it")
		require.Equal(t, []string{"PUT /service/batman/leader=two"}, two.events(watch))
		require.False(t, one.update())

		key := b64(patroniScope + "config")
		deleted := one.must("/v3/kv/deleterange", object{"key": key})
		require.Equal(t, "1", deleted["deleted"])
		require.Nil(t, one.must("/v3/kv/deleterange", object{"key": key})["deleted"])
		one.must("/v3/kv/deleterange", object{"key": b64(patroniScope), "range_end": b64("/service/batman0")})
		nodes, _ = one.load(true)
		require.Empty(t, nodes)
	})
}

// TestPatroniLeaderDies takes a leader's lease away.
func TestPatroniLeaderDies(t *testing.T) {
	onBoth(t, func(t *testing.T, endpoint string) {
		dead, heir := newPatroni(t, endpoint, "dead", 2), newPatroni(t, endpoint, "heir", 30)
		require.True(t, dead.acquire())
		require.Equal(t, "2", dead.keepalive())
		_, rev := heir.load(true)
		watch := heir.watch(rev)
		require.Equal(t, []string{"PUT /service/batman/leader=dead"}, heir.events(watch))
		require.False(t, heir.acquire())
		require.Equal(t, []string{"DELETE /service/batman/leader="}, heir.events(watch))
		require.True(t, heir.acquire())

		require.Nil(t, dead.keepalive(), "the lease is gone, which is no error")
		dead.refuses(http.StatusNotFound, 5, "etcdserver: requested lease not found", "/v3/kv/put",
			object{"key": b64(patroniScope + "members/dead"), "value": b64("{}"), "lease": dead.lease})
		dead.refuses(http.StatusNotFound, 5, "etcdserver: requested lease not found", "/v3/kv/txn", object{
			"compare": []object{{"key": b64("x"), "target": "CREATE", "create_revision": "0"}},
			"success": []object{{"request_put": object{"key": b64("x"), "value": b64("dead"), "lease": dead.lease}}},
		})
	})
}

// TestPatroniLogsIn uses a store with users, by the errors that Patroni tells apart.
func TestPatroniLogsIn(t *testing.T) {
	onBoth(t, func(t *testing.T, endpoint string) {
		g := newGateway(t, endpoint)
		login := object{"name": "patroni", "password": "secret"}
		g.refuses(http.StatusBadRequest, 9, "etcdserver: authentication is not enabled", "/v3/auth/authenticate", login)
		for _, c := range []struct {
			path string
			body object
		}{
			{"user/add", object{"name": "root", "password": "of all"}}, {"user/add", login},
			{"role/add", object{"name": "root"}}, {"user/grant", object{"user": "root", "role": "root"}},
			{"role/add", object{"name": "service"}}, {"user/grant", object{"user": "patroni", "role": "service"}},
			{"role/grant", object{"name": "service", "perm": object{
				"permType": "READWRITE", "key": b64("/service/"), "range_end": b64("/service0")}}},
			{"enable", object{}},
		} {
			g.must("/v3/auth/"+c.path, c.body)
		}
		put := object{"key": b64("/service/k"), "value": b64("v")}
		g.refuses(http.StatusBadRequest, 3, "etcdserver: user name is empty", "/v3/kv/put", put)
		g.refuses(http.StatusBadRequest, 3, "etcdserver: authentication failed, invalid user ID or password",
			"/v3/auth/authenticate", object{"name": "patroni", "password": "guess"})
		g.token = "of somebody else.1"
		g.refuses(http.StatusUnauthorized, 16, "etcdserver: invalid auth token", "/v3/kv/put", put)
		g.token = ""
		g.token = g.must("/v3/auth/authenticate", login)["token"].(string)
		g.must("/v3/kv/put", put)
		g.must("/v3/lease/grant", object{"TTL": 30})
		g.refuses(http.StatusForbidden, 7, "etcdserver: permission denied", "/v3/kv/put", object{"key": b64("/other"), "value": b64("v")})
		p := &patroni{gateway: g}
		watch := p.watch("1")
		g.must("/v3/kv/put", object{"key": b64(patroniScope + "leader"), "value": b64("me")})
		require.Equal(t, []string{"PUT /service/batman/leader=me"}, g.events(watch))
	})
}
