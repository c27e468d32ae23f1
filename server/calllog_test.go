package server

import (
	"testing"
	"time"

	"github.com/sirupsen/logrus"
	logrustest "github.com/sirupsen/logrus/hooks/test"
	"github.com/stretchr/testify/require"
	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"google.golang.org/protobuf/proto"

	"github.com/zkine/zkine/backend"
	"github.com/zkine/zkine/revision/zktest"
)

// slowest returns the parts of a slow request's time, from the first line about a method.
func (m *member) slowest(t *testing.T, method string) map[string]time.Duration {
	t.Helper()
	for _, e := range m.log.AllEntries() {
		if e.Message != "slow request" || e.Data["method"] != method {
			continue
		}
		parts := map[string]time.Duration{}
		for _, name := range []string{"took", "queue", "zookeeper", "apply", "answer"} {
			d, err := time.ParseDuration(e.Data[name].(string))
			require.NoError(t, err)
			require.GreaterOrEqual(t, d, time.Duration(0))
			parts[name] = d
		}
		sum := parts["queue"] + parts["zookeeper"] + parts["apply"] + parts["answer"]
		require.InDelta(t, float64(parts["took"]), float64(sum), float64(10*time.Millisecond), "%v", parts)
		return parts
	}
	t.Fatalf("no line about %s", method)
	return nil
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

	// One append may be under way, which the next has to wait for.
	first, multis := make(chan error, 1), proxy.Requests(zktest.OpMulti)
	go func() { first <- m.put(ctxFor(t), "k") }()
	proxy.AwaitRequests(zktest.OpMulti, multis+1)
	_, err := m.kv.DeleteRange(ctxFor(t), &pb.DeleteRangeRequest{Key: []byte("k")})
	require.NoError(t, err)
	require.NoError(t, <-first)
	waited := m.slowest(t, pb.KV_DeleteRange_FullMethodName)
	require.GreaterOrEqual(t, waited["zookeeper"], late)
	require.Positive(t, waited["queue"])
}

// An incident in which everything is slow costs a few lines.
func TestSlowRequestsAreLimited(t *testing.T) {
	logger, hook := logrustest.NewNullLogger()
	l := &slowLimit{log: logrus.NewEntry(logger)}
	admitted := 0
	for i := range 1200 {
		if l.admit("put", time.Duration(i)) {
			admitted++
		}
	}
	require.Equal(t, slowLines, admitted)
	l.end()
	require.Len(t, hook.AllEntries(), 1)
	require.Equal(t, logrus.Fields{"requests": 1200 - slowLines, "longest": "1.199µs", "method": "put"}, hook.LastEntry().Data)
	require.True(t, l.admit("put", 1), "a new period")
	l.end()
	require.Len(t, hook.AllEntries(), 1, "nothing was left out")
}

// FuzzDescribe describes whatever parses as a Txn: no request may panic in the log.
func FuzzDescribe(f *testing.F) {
	wire, err := proto.Marshal(&pb.TxnRequest{Compare: []*pb.Compare{{Key: []byte("k")}}, Success: []*pb.RequestOp{{}}})
	require.NoError(f, err)
	f.Add(wire)
	f.Fuzz(func(t *testing.T, wire []byte) {
		r := &pb.TxnRequest{}
		if proto.Unmarshal(wire, r) == nil {
			describe(logrus.Fields{}, r)
		}
	})
}
