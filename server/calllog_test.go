package server

import (
	"fmt"
	"io"
	"testing"
	"time"

	"github.com/sirupsen/logrus"
	"github.com/stretchr/testify/require"
	pb "go.etcd.io/etcd/api/v3/etcdserverpb"

	"github.com/zkine/zkine/backend"
	"github.com/zkine/zkine/revision/memzk"
	"github.com/zkine/zkine/revision/zktest"
)

// line is the first one about a method; nil if there is none.
func (m *member) line(message, method string) *logrus.Entry {
	for _, e := range m.log.AllEntries() {
		if e.Message == message && e.Data["method"] == method {
			return e
		}
	}
	return nil
}

// slowest returns the parts of a slow request's time, from the first line about a method.
func (m *member) slowest(t *testing.T, method string) map[string]time.Duration {
	t.Helper()
	line := m.line("slow request", method)
	require.NotNil(t, line, "no line about %s", method)
	parts := map[string]time.Duration{}
	for _, name := range []string{"took", "check", "queue", "zookeeper", "apply", "answer", "sending"} {
		told, is := line.Data[name].(string)
		if !is && name == "sending" {
			continue // of streams alone
		}
		d, err := time.ParseDuration(told)
		require.NoError(t, err, name)
		require.GreaterOrEqual(t, d, time.Duration(0))
		parts[name] = d
	}
	sum := parts["check"] + parts["queue"] + parts["zookeeper"] + parts["apply"] + parts["answer"] + parts["sending"]
	require.InDelta(t, float64(parts["took"]), float64(sum), float64(10*time.Millisecond), "%v", parts)
	return parts
}

// A ZooKeeper whose answers take their time is what slow requests are blamed on;
// those that wait for one on its way there say so.
func TestSlowRequestsSayWhereTheTimeWent(t *testing.T) {
	const late = 300 * time.Millisecond
	proxy := zktest.NewProxy(t, zktest.Start(t).Addr())
	m := startMemberOn(t, dialing(proxy.Addr()), "one", backend.Config{MaxInFlight: 1}, func(c *Config) { c.SlowRequest = late / 2 })
	require.NoError(t, m.put(ctxFor(t), "k"))
	m.log.Reset()
	proxy.Delay(zktest.ToClient, late)
	require.NoError(t, m.put(ctxFor(t), "k"))
	require.GreaterOrEqual(t, m.slowest(t, pb.KV_Put_FullMethodName)["zookeeper"], late)
	require.NoError(t, m.get(ctxFor(t), "k"))
	require.GreaterOrEqual(t, m.slowest(t, pb.KV_Range_FullMethodName)["zookeeper"], late)

	// What comes on a stream has its own line, and a list that is streamed.
	lease, err := pb.NewLeaseClient(m.conn).LeaseGrant(ctxFor(t), &pb.LeaseGrantRequest{TTL: 60})
	require.NoError(t, err)
	keepalives, err := pb.NewLeaseClient(m.conn).LeaseKeepAlive(ctxFor(t))
	require.NoError(t, err)
	require.NoError(t, keepalives.Send(&pb.LeaseKeepAliveRequest{ID: lease.ID}))
	_, err = keepalives.Recv()
	require.NoError(t, err)
	require.GreaterOrEqual(t, m.slowest(t, pb.Lease_LeaseKeepAlive_FullMethodName)["zookeeper"], late)
	m.server.callLog.Close() // a new period
	list, err := m.kv.RangeStream(ctxFor(t), &pb.RangeRequest{Key: []byte("/registry/pods/default/"), RangeEnd: []byte("/registry/pods/default0")})
	require.NoError(t, err)
	for err == nil {
		_, err = list.Recv()
	}
	require.ErrorIs(t, err, io.EOF)
	require.Eventually(t, func() bool { return m.line("slow request", pb.KV_RangeStream_FullMethodName) != nil }, soon, time.Millisecond)
	require.GreaterOrEqual(t, counted(t, m.server, "zkine_slow_requests_total"), 5.0)
	require.GreaterOrEqual(t, m.slowest(t, pb.KV_RangeStream_FullMethodName)["zookeeper"], late)
	last := m.line("slow request", pb.KV_RangeStream_FullMethodName).Data
	require.Equal(t, "pods", last["resource"])
	require.Equal(t, "default", last["namespace"])
	require.Equal(t, "127.0.0.1", last["client"])
	require.Contains(t, last["user_agent"], "grpc-go/")
	m.server.callLog.Close()

	// One append may be under way, which the next has to wait for.
	first, multis := make(chan error, 1), proxy.Requests(zktest.OpMulti)
	go func() { first <- m.put(ctxFor(t), "k") }()
	proxy.AwaitRequests(zktest.OpMulti, multis+1)
	_, err = m.kv.DeleteRange(ctxFor(t), &pb.DeleteRangeRequest{Key: []byte("k")})
	require.NoError(t, err)
	require.NoError(t, <-first)
	waited := m.slowest(t, pb.KV_DeleteRange_FullMethodName)
	require.GreaterOrEqual(t, waited["zookeeper"], late)
	require.Positive(t, waited["queue"])
}

// A slow transaction, as kube-apiserver sends them, has its own line: what it is about, by
// the folder of its keys, how it went, and none of the names and values.
func TestASlowTransaction(t *testing.T) {
	const late = 300 * time.Millisecond
	proxy := zktest.NewProxy(t, zktest.Start(t).Addr())
	m := startMemberOn(t, dialing(proxy.Addr()), "one", backend.Config{}, func(c *Config) { c.SlowRequest = late / 2 })
	require.NoError(t, m.put(ctxFor(t), "k"))
	m.server.callLog.Close() // a new period
	m.log.Reset()
	proxy.Delay(zktest.ToClient, late)
	key := []byte("/registry/secrets/shop/hush")
	_, err := m.kv.Txn(ctxFor(t), &pb.TxnRequest{
		Compare: []*pb.Compare{{Key: key, Target: pb.Compare_MOD, TargetUnion: &pb.Compare_ModRevision{}}},
		Success: []*pb.RequestOp{{Request: &pb.RequestOp_RequestPut{RequestPut: &pb.PutRequest{Key: key, Value: []byte("hush")}}}},
		Failure: []*pb.RequestOp{{Request: &pb.RequestOp_RequestRange{RequestRange: &pb.RangeRequest{Key: key}}}},
	})
	require.NoError(t, err)
	require.GreaterOrEqual(t, m.slowest(t, pb.KV_Txn_FullMethodName)["zookeeper"], late)
	line := m.line("slow request", pb.KV_Txn_FullMethodName)
	require.Equal(t, logrus.WarnLevel, line.Level)
	wanted := logrus.Fields{
		"code": "OK", "prefix": "/registry/secrets/shop/", "resource": "secrets", "namespace": "shop",
		"compares": 1, "success_ops": 1, "failure_ops": 1, "batch": 1, "client": "127.0.0.1",
	}
	for name, want := range wanted {
		require.Equal(t, want, line.Data[name], name)
	}
	require.NotContains(t, fmt.Sprint(line.Data), "hush")
}

// The client that does not read its watch is named, without what it watches.
func TestASlowClientOfAStream(t *testing.T) {
	const slow = 200 * time.Millisecond
	m := startMemberOn(t, memzk.New(), "one", backend.Config{}, func(c *Config) { c.SlowRequest = slow })
	w, err := m.watch.Watch(ctxFor(t))
	require.NoError(t, err)
	require.NoError(t, w.Send(&pb.WatchRequest{RequestUnion: &pb.WatchRequest_CreateRequest{CreateRequest: &pb.WatchCreateRequest{Key: []byte("/hush/k")}}}))
	_, err = w.Recv()
	require.NoError(t, err)
	m.log.Reset()                  // the start of a busy machine may have been slow
	value := make([]byte, 256<<10) // more than a stream has room for
	for range 8 {
		_, err := m.kv.Put(ctxFor(t), &pb.PutRequest{Key: []byte("/hush/k"), Value: value})
		require.NoError(t, err)
	}
	m.server.callLog.Close() // a new period: that of the puts may be full of slow ones
	const message = "a client was slow to take what it was sent"
	for m.line(message, pb.Watch_Watch_FullMethodName) == nil {
		time.Sleep(2 * slow) // which makes this client a slow one
		_, err := w.Recv()
		require.NoError(t, err)
	}
	require.Positive(t, counted(t, m.server, "zkine_slow_sends_total"))
	line := m.line(message, pb.Watch_Watch_FullMethodName)
	require.Equal(t, logrus.WarnLevel, line.Level)
	require.Equal(t, "127.0.0.1", line.Data["client"])
	require.Contains(t, line.Data["user_agent"], "grpc-go/")
	took, err := time.ParseDuration(line.Data["sending"].(string))
	require.NoError(t, err)
	require.Greater(t, took, slow)
	require.NotContains(t, fmt.Sprint(line.Data), "hush")
}
