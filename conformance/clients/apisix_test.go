package clients

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// What APISIX asks for goes through lua-resty-etcd (lib/resty/etcd/v3.lua): paths of two ages, names in camel case,
// numbers as numbers, bodies without a content type, and one call without a body at all.

func TestAPISIXConfiguration(t *testing.T) {
	onBoth(t, func(t *testing.T, endpoint string) {
		g := newGateway(t, endpoint)
		set := func(key, value string) object {
			t.Helper()
			return g.must("/v3/kv/put", object{"key": b64(key), "value": b64(value), "prev_kv": true})
		}
		require.NotContains(t, set("/apisix/routes/1", `{"uri":"/a"}`), "prev_kv")
		require.Equal(t, `{"uri":"/a"}`, plain(t, set("/apisix/routes/1", `{"uri":"/b"}`)["prev_kv"].(object)["value"]))
		set("/apisix/routes/2", `{"uri":"/c"}`)

		directory := g.must("/v3/kv/range", object{"key": b64("/apisix/routes/"), "range_end": b64("/apisix/routes0")})
		require.Equal(t, "2", directory["count"])
		second := directory["kvs"].([]any)[1].(object)
		require.Equal(t, "/apisix/routes/2", plain(t, second["key"]))
		require.NotContains(t, g.must("/v3/kv/range", object{"key": b64("/apisix/none"), "range_end": b64("/apisix/nonf")}), "kvs")

		setnx := func(branch string) object {
			t.Helper()
			return g.must("/v3/kv/txn", object{
				"compare": []object{{"target": "CREATE", "key": b64("/apisix/routes/2"), "createRevision": 0}},
				branch:    []object{{"requestPut": object{"key": b64("/apisix/routes/2"), "value": b64("{}")}}},
			})
		}
		require.NotContains(t, setnx("success"), "succeeded", "it is there")
		require.Contains(t, setnx("failure")["responses"].([]any)[0], "response_put")
		atomic := func(rev int) object {
			t.Helper()
			return g.must("/v3/kv/txn", object{
				"compare": []object{{"key": b64("/apisix/routes/1"), "target": "MOD", "result": "EQUAL", "mod_revision": rev}},
				"success": []object{{"requestPut": object{"key": b64("/apisix/routes/1"), "value": b64("{}")}}},
			})
		}
		require.NotContains(t, atomic(2), "succeeded")
		require.Equal(t, true, atomic(3)["succeeded"])
		require.Equal(t, "1", g.must("/v3/kv/deleterange", object{"key": b64("/apisix/routes/1")})["deleted"])
		require.NotContains(t, g.must("/v3/kv/deleterange", object{"key": b64("/apisix/routes/1")}), "deleted")
	})
}

func TestAPISIXLeases(t *testing.T) {
	onBoth(t, func(t *testing.T, endpoint string) {
		g := newGateway(t, endpoint)
		id := g.must("/v3/lease/grant", object{"TTL": 60, "ID": 0})["ID"]
		g.must("/v3/kv/put", object{"key": b64("/apisix/instances/1"), "value": b64("{}"), "prev_kv": true, "lease": id})
		require.Equal(t, "60", g.must("/v3/lease/keepalive", object{"ID": id})["result"].(object)["TTL"])
		info := g.must("/v3/kv/lease/timetolive", object{"ID": id, "keys": true})
		require.Equal(t, "/apisix/instances/1", plain(t, info["keys"].([]any)[0]))
		require.Equal(t, "60", info["grantedTTL"])

		var leases object
		resp := g.send(http.MethodPost, "/v3/lease/leases", nil)
		require.NoError(t, json.NewDecoder(resp.Body).Decode(&leases))
		require.Equal(t, http.StatusOK, resp.StatusCode)
		require.Equal(t, []any{object{"ID": id}}, leases["leases"])
		g.must("/v3/kv/lease/revoke", object{"ID": id})
		require.NotContains(t, g.must("/v3/kv/range", object{"key": b64("/apisix/instances/1")}), "kvs")
		require.Equal(t, "-1", g.must("/v3/kv/lease/timetolive", object{"ID": id, "keys": false})["TTL"])
	})
}

// TestAPISIXWatch follows a folder. The Lua client takes each chunk of HTTP for one message: they must coincide.
func TestAPISIXWatch(t *testing.T) {
	onBoth(t, func(t *testing.T, endpoint string) {
		g := newGateway(t, endpoint)
		put := func(key string) {
			t.Helper()
			g.must("/v3/kv/put", object{"key": b64(key), "value": b64(`{"id":"` + key + `"}`)})
		}
		for i := range 5 {
			put(fmt.Sprint("/apisix/routes/", i))
		}
		chunks := watchChunks(t, endpoint, `{"create_request":{"key":"`+b64("/apisix/")+`","range_end":"`+b64("/apisix0")+
			`","start_revision":2,"prev_kv":true,"progress_notify":true,"fragment":true}}`)
		require.Equal(t, true, chunks()["created"])
		seen := 0
		for seen < 5 {
			seen += len(chunks()["events"].([]any))
		}
		put("/apisix/routes/0")
		changed := chunks()["events"].([]any)[0].(object)
		require.Equal(t, `{"id":"/apisix/routes/0"}`, plain(t, changed["prev_kv"].(object)["value"]))
		g.must("/v3/kv/deleterange", object{"key": b64("/apisix/routes/0")})
		gone := chunks()["events"].([]any)[0].(object)
		require.Equal(t, "DELETE", gone["type"])
		require.NotContains(t, gone["kv"], "value")

		g.must("/v3/kv/compaction", object{"revision": "8"})
		chunks = watchChunks(t, endpoint, `{"create_request":{"key":"`+b64("/apisix/")+`","start_revision":2}}`)
		require.Equal(t, true, chunks()["created"])
		compacted := chunks()
		require.Equal(t, "8", compacted["compact_revision"], "on which APISIX reads all anew")
		require.Equal(t, true, compacted["canceled"])
	})
}

// watchChunks opens a watch over a plain connection, and returns what reads the next chunk of it.
func watchChunks(t *testing.T, endpoint, body string) func() object {
	t.Helper()
	conn, err := net.Dial("tcp", endpoint)
	require.NoError(t, err)
	t.Cleanup(func() { conn.Close() })
	require.NoError(t, conn.SetDeadline(time.Now().Add(patience)))
	_, err = fmt.Fprintf(conn, "POST /v3/watch HTTP/1.1\r\nHost: %s\r\nContent-Length: %d\r\n\r\n%s", endpoint, len(body), body)
	require.NoError(t, err)
	in := bufio.NewReader(conn)
	for line := "-"; line != "\r\n"; {
		line, err = in.ReadString('\n')
		require.NoError(t, err)
	}
	return func() object {
		t.Helper()
		var size int
		head, err := in.ReadString('\n')
		require.NoError(t, err)
		_, err = fmt.Sscanf(head, "%x", &size)
		require.NoError(t, err)
		chunk := make([]byte, size+len("\r\n"))
		_, err = io.ReadFull(in, chunk)
		require.NoError(t, err)
		var message object
		require.NoError(t, json.Unmarshal(chunk, &message), "a chunk that is no message: %q", chunk)
		return message["result"].(object)
	}
}
