package server

import (
	"io"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"go.etcd.io/etcd/server/v3/etcdserver/api/v3lock/v3lockpb"
	"google.golang.org/grpc"

	"github.com/zkine/zkine/revision/memzk"
	"github.com/zkine/zkine/server/servertest"
	"github.com/zkine/zkine/server/usage"
)

func putOf(key string, bytes int) *pb.PutRequest {
	return &pb.PutRequest{Key: []byte(key), Value: make([]byte, bytes-len(key))}
}

func opPut(r *pb.PutRequest) *pb.RequestOp {
	return &pb.RequestOp{Request: &pb.RequestOp_RequestPut{RequestPut: r}}
}

func opRange(r *pb.RangeRequest) *pb.RequestOp {
	return &pb.RequestOp{Request: &pb.RequestOp_RequestRange{RequestRange: r}}
}

// TestUsageIsExact makes each kind of call and compares what is counted of it.
func TestUsageIsExact(t *testing.T) {
	m := startMember(t, memzk.New(), "one", nil)
	ctx := ctxFor(t)
	const web, other = "/registry/pods/shop/web", "/registry/leases/kube-system/l"
	watcher, err := m.watch.Watch(ctx)
	require.NoError(t, err)
	create := servertest.CreateWatch("/registry/pods/")
	create.GetCreateRequest().RangeEnd = []byte("/registry/pods0")
	require.NoError(t, watcher.Send(create))
	_, err = watcher.Recv()
	require.NoError(t, err)

	put := func(key string, bytes int) {
		_, err := m.kv.Put(ctx, putOf(key, bytes))
		require.NoError(t, err)
	}
	put(web, 100)
	put(web, 200)
	put("/service/batman/leader", 50)
	// As kube-apiserver writes: a compare, a put, or else a range.
	update := &pb.TxnRequest{
		Compare: []*pb.Compare{{Key: []byte(other), Target: pb.Compare_MOD, TargetUnion: &pb.Compare_ModRevision{ModRevision: 0}}},
		Success: []*pb.RequestOp{opPut(putOf(other, 300))},
		Failure: []*pb.RequestOp{opRange(&pb.RangeRequest{Key: []byte(other)})},
	}
	for i := range 3 { // the first one puts
		resp, err := m.kv.Txn(ctx, update)
		require.NoError(t, err)
		require.Equal(t, i == 0, resp.Succeeded)
	}
	_, err = m.kv.Txn(ctx, &pb.TxnRequest{Success: []*pb.RequestOp{
		opPut(putOf(web, 400)),
		{Request: &pb.RequestOp_RequestTxn{RequestTxn: &pb.TxnRequest{Success: []*pb.RequestOp{opPut(putOf(other, 500))}}}},
	}})
	require.NoError(t, err)
	_, err = m.kv.Range(ctx, &pb.RangeRequest{Key: []byte("/registry/pods/"), RangeEnd: []byte("/registry/pods0")})
	require.NoError(t, err)
	_, err = m.kv.Range(ctx, &pb.RangeRequest{Key: []byte("/registry/pods/"), RangeEnd: []byte("/registry/pods0"), CountOnly: true})
	require.NoError(t, err)
	list, err := m.kv.RangeStream(ctx, &pb.RangeRequest{Key: []byte("/registry/"), RangeEnd: []byte("/registry0")})
	require.NoError(t, err)
	for err == nil {
		_, err = list.Recv()
	}
	require.ErrorIs(t, err, io.EOF)
	_, err = m.kv.DeleteRange(ctx, &pb.DeleteRangeRequest{Key: []byte(web), PrevKv: true})
	require.NoError(t, err)
	_, err = m.kv.Put(ctx, &pb.PutRequest{Key: []byte(web), Lease: 7})
	require.Error(t, err)
	for came := 0; came < 4; { // a watcher that is late has several in one response
		resp, err := watcher.Recv()
		require.NoError(t, err)
		came += len(resp.Events)
	}
	lease, err := pb.NewLeaseClient(m.conn).LeaseGrant(ctx, &pb.LeaseGrantRequest{TTL: 60})
	require.NoError(t, err)
	alive, err := pb.NewLeaseClient(m.conn).LeaseKeepAlive(ctx)
	require.NoError(t, err)
	for range 2 {
		require.NoError(t, alive.Send(&pb.LeaseKeepAliveRequest{ID: lease.ID}))
		_, err = alive.Recv()
		require.NoError(t, err)
	}

	// What ends a stream comes a little later than its last message.
	report := reportWhen(t, m.server, func(r usage.Report) bool { return r.All.Total.Calls == 16 })
	byPrefix := map[string]usage.Totals{}
	for _, p := range report.Prefixes {
		byPrefix[p.Prefix] = p.Total
	}
	events := int64(100 + 200 + 400 + len(web))
	require.Equal(t, map[string]usage.Totals{
		"/registry/pods/shop/":          {Writes: 4, BytesWritten: 700, BytesRead: 400, Errors: 1},
		"/registry/pods/":               {Reads: 2, BytesRead: 400, Events: 4, BytesWatched: events},
		"/registry/":                    {Reads: 1, BytesRead: 900},
		"/registry/leases/kube-system/": {Writes: 2, BytesWritten: 800, Reads: 2, BytesRead: 600},
		"/service/batman/":              {Writes: 1, BytesWritten: 50},
	}, byPrefix)
	require.Len(t, report.Clients, 1)
	c := report.Clients[0]
	require.Equal(t, []string{"127.0.0.1", "", ""}, []string{c.Address, c.User, c.Certificate})
	require.Equal(t, "grpc-go/"+grpc.Version, c.UserAgent)
	require.Equal(t, int64(1), c.Watchers)
	require.Equal(t, usage.Totals{
		Writes: 7, Reads: 5, Events: 4, BytesWritten: 1550, BytesRead: 2300, BytesWatched: events, Errors: 1,
		Calls: 16, KeepAlives: 2,
	}, c.Total)
	require.Equal(t, report.All, c.Activity)
	_, metrics := getURL(t, m.web+"/metrics")
	for _, line := range []string{
		`zkine_resource_watchers{resource="leases"} 0`, `zkine_resource_watchers{resource="other"} 0`, `zkine_resource_watchers{resource="pods"} 1`,
		`zkine_resource_written_bytes_total{resource="leases"} 800`, `zkine_resource_written_bytes_total{resource="other"} 50`,
		`zkine_resource_written_bytes_total{resource="pods"} 700`, `zkine_resource_read_bytes_total{resource="pods"} 800`,
		`zkine_resource_requests_total{kind="write",resource="pods"} 4`, `zkine_resource_requests_total{kind="read",resource="leases"} 2`,
		`zkine_resource_requests_total{kind="error",resource="pods"} 1`, `zkine_resource_events_total{resource="pods"} 4`,
	} {
		require.Contains(t, metrics, line+"\n")
	}
	require.NoError(t, watcher.CloseSend())
	require.NoError(t, alive.CloseSend())
}

// reportWhen waits for a report.
func reportWhen(t *testing.T, s *Server, good func(usage.Report) bool) usage.Report {
	t.Helper()
	var report usage.Report
	require.Eventually(t, func() bool {
		report = s.Usage(0, 0)
		return good(report)
	}, soon, time.Millisecond, "%+v", &report.All)
	return report
}

// TestUsageKnowsClients comes in through each door.
func TestUsageKnowsClients(t *testing.T) {
	clients, open := openDoors(t)
	m := startMember(t, memzk.New(), "one", nil, open)
	root := m.enableAuth(t)
	s := &accessSetup{member: m, clients: clients}
	require.NoError(t, m.put(root, "a/1"))
	_, err := pb.NewKVClient(s.secureConn(t, "alice")).Put(ctxFor(t), putOf("a/2", 10))
	require.NoError(t, err)
	token := tokenOf(root)
	r, err := http.NewRequestWithContext(ctxFor(t), http.MethodPost, "http://"+m.addr+"/v3/kv/put", strings.NewReader(`{"key":"YS8z"}`))
	require.NoError(t, err)
	r.Header.Set("Authorization", token)
	r.Header.Set("User-Agent", "browser/1.0")
	// What a client says of where it comes from does not count.
	r.Header.Set("X-Forwarded-For", "10.6.6.6")
	r.Header.Set("Grpc-Metadata-Zkine-Origin-Address", "10.6.6.6")
	r.Header.Set("Grpc-Metadata-Zkine-Origin-User-Agent", "forged")
	resp, err := http.DefaultClient.Do(r)
	require.NoError(t, err)
	resp.Body.Close()
	require.Equal(t, http.StatusOK, resp.StatusCode)
	lease, err := pb.NewLeaseClient(m.conn).LeaseGrant(root, &pb.LeaseGrantRequest{TTL: 600})
	require.NoError(t, err)
	_, err = v3lockpb.NewLockClient(m.conn).Lock(root, &v3lockpb.LockRequest{Name: []byte("a/lock"), Lease: lease.ID})
	require.NoError(t, err)

	agent := "grpc-go/" + grpc.Version
	wrote := map[usage.Peer]int64{}
	for _, c := range m.server.Usage(0, 0).Clients {
		require.NotEqual(t, "10.6.6.6", c.Address)
		if c.Total.Writes > 0 {
			wrote[usage.Peer{Address: c.Address, User: c.User, Certificate: c.Certificate, UserAgent: c.UserAgent}] += c.Total.Writes
		}
	}
	require.Equal(t, map[usage.Peer]int64{
		{Address: "127.0.0.1", User: "root", UserAgent: agent}:                        2, // a put, and the lock's
		{Address: "127.0.0.1", User: "alice", Certificate: "alice", UserAgent: agent}: 1,
		{Address: "127.0.0.1", User: "root", UserAgent: "browser/1.0"}:                1,
	}, wrote, "%v", slices.Collect(maps.Keys(wrote)))
}
