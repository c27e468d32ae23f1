package server

import (
	"context"
	"encoding/hex"
	"fmt"
	"net"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	clientv3 "go.etcd.io/etcd/client/v3"
	tracepb "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/grpc/metadata"

	"github.com/zkine/zkine/backend"
	"github.com/zkine/zkine/revision/memzk"
	"github.com/zkine/zkine/server/servertest"
	"github.com/zkine/zkine/server/tracing"
)

// What etcd's client asks is, in its own trace, where the time went at ZooKeeper and here;
// the rate is for calls that are in no trace.
func TestTracesJoinTheClients(t *testing.T) {
	c := startTraced(t, "", 0)
	ctx, operator := c.tracer.Tracer("operator").Start(ctxFor(t), "kubectl")
	kv := c.etcd.KV
	_, err := kv.Put(ctx, "/registry/secrets/default/hush", "value")
	require.NoError(t, err)
	_, err = kv.Get(ctx, "/registry/secrets/default/hush")
	require.NoError(t, err)
	_, err = kv.Get(ctx, "k", clientv3.WithSerializable())
	require.NoError(t, err)
	_, err = kv.Txn(ctx).If(clientv3.Compare(clientv3.Value("/a/hush"), "=", "value")).Else(clientv3.OpPut("/a/hush", "value")).Commit()
	require.NoError(t, err)
	_, err = kv.Delete(ctx, "/a/hush")
	require.NoError(t, err)
	_, err = kv.Compact(ctx, 1<<40)
	require.Error(t, err)
	lease, err := c.etcd.Grant(ctx, 60)
	require.NoError(t, err)
	_, err = c.etcd.KeepAliveOnce(ctx, lease.ID)
	require.NoError(t, err)
	watching, stop := context.WithCancel(ctx)
	<-c.etcd.Watch(watching, "/a/", clientv3.WithPrefix(), clientv3.WithCreatedNotify())
	stop()
	operator.End()
	require.NoError(t, c.put(ctxFor(t), "not-in-a-trace"))
	c.flush(t)

	require.Contains(t, c.about, "service.instance.id")
	trees := map[string]bool{}
	for _, s := range c.client.Started() { // that of a stream may end a little later
		id := s.SpanContext().SpanID()
		for _, call := range c.below(id[:]) {
			require.Equal(t, operator.SpanContext().TraceID().String(), hex.EncodeToString(call.TraceId))
			require.Equal(t, tracepb.Span_SPAN_KIND_SERVER, call.Kind)
			trees[c.tree(call)] = true
		}
	}
	for _, want := range []string{
		"etcdserverpb.KV/Put(put(queue append apply answer))",
		"etcdserverpb.KV/Range(range(queue barrier apply answer))",
		"etcdserverpb.KV/Range(range)",
		"etcdserverpb.KV/Txn(txn(queue append apply answer))",
		"etcdserverpb.KV/DeleteRange(delete_range(queue append apply answer))",
		"etcdserverpb.KV/Compact(compact(queue append apply answer))",
		"etcdserverpb.Lease/LeaseGrant(lease_grant(queue append apply answer))",
		"etcdserverpb.Lease/LeaseKeepAlive(lease_renew(queue append apply answer))",
		"etcdserverpb.Watch/Watch(watch)",
	} {
		require.Contains(t, trees, want)
		delete(trees, want)
	}
	require.Empty(t, trees)

	for _, s := range c.spans {
		require.NotEmpty(t, s.ParentSpanId, "%s is in no trace of a client", s.Name)
		require.NotContains(t, fmt.Sprint(s), "hush")
		require.NotContains(t, attributesOf(s), "value")
		for _, child := range c.below(s.SpanId) {
			require.GreaterOrEqual(t, child.StartTimeUnixNano+uint64(time.Millisecond), s.StartTimeUnixNano, "%s in %s", child.Name, s.Name)
			require.LessOrEqual(t, child.EndTimeUnixNano, s.EndTimeUnixNano+uint64(time.Millisecond), "%s in %s", child.Name, s.Name)
		}
	}
	put := c.one(t, "put")
	require.Equal(t, "/registry/secrets/default/", attributesOf(put)["zkine.key.prefix"])
	parts := slices.DeleteFunc(c.below(put.SpanId), func(s *tracepb.Span) bool { return s.Name == "check" })
	require.Equal(t, put.EndTimeUnixNano, parts[3].EndTimeUnixNano)
	for i := range 3 {
		require.InDelta(t, parts[i].EndTimeUnixNano, parts[i+1].StartTimeUnixNano, float64(time.Millisecond), "%s ends where %s begins", parts[i].Name, parts[i+1].Name)
	}
	told := attributesOf(parts[1])
	require.Equal(t, "multi", told["zookeeper.operation"])
	require.Equal(t, "1", told["zkine.batch.requests"])
	require.NotEmpty(t, told["zkine.log.place"])
	require.Equal(t, tracepb.Status_STATUS_CODE_ERROR, c.one(t, "compact").Status.GetCode())
}

// At a rate of a million in a million, calls have traces of their own; the gateway's are
// joined to those of its clients.
func TestTracesWithoutAClients(t *testing.T) {
	c := startTraced(t, "", tracing.MaxSamplingRate)
	require.NoError(t, c.put(ctxFor(t), "k"))
	const parent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
	ask := func(parent string) {
		r, err := http.NewRequestWithContext(ctxFor(t), http.MethodPost, "http://"+c.member.addr+"/v3/kv/deleterange", strings.NewReader(`{"key":"aw=="}`))
		require.NoError(t, err)
		r.Header.Set("traceparent", parent)
		resp, err := http.DefaultClient.Do(r)
		require.NoError(t, err)
		require.NoError(t, resp.Body.Close())
		require.Equal(t, http.StatusOK, resp.StatusCode)
	}
	ask(parent)
	require.NoError(t, unlock(metadataOf(ctxFor(t), "traceparent", parent), c.member.conn))
	refused := metadata.AppendToOutgoingContext(ctxFor(t), "traceparent", strings.TrimSuffix(parent, "1")+"0")
	_, err := c.kv.Put(refused, &pb.PutRequest{Key: []byte("not-sampled")})
	require.NoError(t, err)
	http.DefaultClient.CloseIdleConnections()
	c.flush(t)

	roots := c.below(nil)
	require.Len(t, roots, 1)
	require.Equal(t, "etcdserverpb.KV/Put(put(queue append apply answer))", c.tree(roots[0]))
	id, err := hex.DecodeString("00f067aa0ba902b7")
	require.NoError(t, err)
	var trees []string
	for _, s := range c.below(id) {
		trees = append(trees, c.tree(s))
	}
	require.ElementsMatch(t, []string{
		"etcdserverpb.KV/DeleteRange(delete_range(queue append apply answer))",
		"v3lockpb.Lock/Unlock(Unlock etcdserverpb.KV/DeleteRange(delete_range(queue append apply answer)))",
	}, trees)
}

// A collector that is not there, or takes nothing, costs neither time nor memory, and a
// line.
func TestTracesWithoutACollector(t *testing.T) {
	mute, err := net.Listen("tcp", "127.0.0.1:0") // it takes connections, and says nothing
	require.NoError(t, err)
	defer mute.Close()
	gone, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	require.NoError(t, gone.Close())
	for name, addr := range map[string]string{"gone": gone.Addr().String(), "mute": mute.Addr().String()} {
		t.Run(name, func(t *testing.T) {
			m := startMemberOn(t, memzk.New(), "one", backend.Config{}, func(cfg *Config) {
				cfg.Tracing = tracing.Config{Enabled: true, Address: addr, ServiceName: "zkine", SamplingRate: tracing.MaxSamplingRate}
			})
			for range 1000 { // 6,000 spans, more than wait
				require.NoError(t, m.put(ctxFor(t), "k"))
			}
			began := time.Now()
			ctx, cancel := context.WithTimeout(context.Background(), 3*time.Second)
			defer cancel()
			require.NoError(t, m.conn.Close())
			require.NoError(t, m.server.Stop(ctx))
			require.Less(t, time.Since(began), servertest.Soon)
			require.Zero(t, counted(t, m.server, "zkine_trace_spans_sent_total"))
			require.GreaterOrEqual(t, counted(t, m.server, "zkine_trace_spans_total"), 6000.0)
			lines := 0
			for _, e := range m.log.AllEntries() {
				if strings.Contains(e.Message, "traces cannot be sent") {
					lines++
				}
			}
			require.LessOrEqual(t, lines, 2)
		})
	}
}

// counted is a counter of a server's.
func counted(t *testing.T, s *Server, name string) (sum float64) {
	t.Helper()
	families, err := s.cfg.Registry.Gather()
	require.NoError(t, err)
	for _, f := range families {
		if f.GetName() == name {
			for _, m := range f.Metric {
				sum += m.GetCounter().GetValue()
			}
			return sum
		}
	}
	t.Fatalf("no metric %s", name)
	return 0
}
