package server

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/sirupsen/logrus"
	"github.com/stretchr/testify/require"
	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	"go.etcd.io/etcd/server/v3/etcdserver/api/v3election/v3electionpb"
	"go.etcd.io/etcd/server/v3/etcdserver/api/v3lock/v3lockpb"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"

	"github.com/zkine/zkine/backend"
	"github.com/zkine/zkine/backend/housekeep"
	"github.com/zkine/zkine/backend/state"
	"github.com/zkine/zkine/revision/zkclient"
	"github.com/zkine/zkine/revision/zklog"
	"github.com/zkine/zkine/revision/zktest"
)

// What zkine does by itself goes on while users count: nobody asked for it, so
// nobody can be asked who he is.

// onZooKeeper dials a real ZooKeeper that the test has for itself.
func onZooKeeper(t *testing.T) *zkclient.Ensemble {
	t.Helper()
	return dialing(zktest.Start(t).Addr())
}

func dialing(servers ...string) *zkclient.Ensemble {
	quiet := logrus.New()
	quiet.SetOutput(io.Discard)
	return &zkclient.Ensemble{Servers: servers, Timeout: 4 * time.Second, MaxRequest: zklog.DefaultMaxRequest, Log: logrus.NewEntry(quiet)}
}

// getURL returns the code and the text of an answer.
func getURL(t *testing.T, url string) (int, string) {
	t.Helper()
	req, err := http.NewRequestWithContext(ctxFor(t), http.MethodGet, url, nil)
	require.NoError(t, err)
	resp, err := http.DefaultClient.Do(req)
	require.NoError(t, err)
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	return resp.StatusCode, string(text)
}

func TestProbesWhileUsersCount(t *testing.T) {
	m := startMemberOn(t, onZooKeeper(t), "one", backend.Config{})
	probe := func() {
		t.Helper()
		for _, base := range []string{m.web, "http://" + m.addr} {
			for _, path := range []string{
				"/health", "/health?serializable=true", "/livez", "/livez/serializable_read", "/readyz", "/readyz/linearizable_read",
				"/readyz/serializable_read", "/readyz/data_corruption", "/version", "/metrics",
			} {
				// On a busy machine a probe may find ZooKeeper slower than it waits.
				require.Eventually(t, func() bool { code, _ := getURL(t, base+path); return code == http.StatusOK }, soon, 10*time.Millisecond,
					"%s%s", base, path)
			}
		}
		_, text := getURL(t, m.web+"/metrics")
		require.Contains(t, text, "\netcd_server_has_leader 1\n")
		health, err := healthpb.NewHealthClient(m.conn).Check(ctxFor(t), &healthpb.HealthCheckRequest{})
		require.NoError(t, err)
		require.Equal(t, healthpb.HealthCheckResponse_SERVING, health.Status)
	}
	require.Eventually(t, func() bool { code, _ := getURL(t, m.web+"/health"); return code == http.StatusOK }, soon, time.Millisecond)
	probe()
	m.enableAuth(t)
	requireStatus(t, rpctypes.ErrGRPCUserEmpty, m.get(ctxFor(t), "health"))
	probe()
}

// The keeper's work: leases end, history is compacted, members compare their
// states, and a full root raises its alarm.
func TestKeeperWhileUsersCount(t *testing.T) {
	z := onZooKeeper(t)
	back := backend.Config{
		AutoCompaction: housekeep.AutoCompaction{Mode: housekeep.CompactPeriodic, Period: 500 * time.Millisecond},
		DigestInterval: 500 * time.Millisecond,
	}
	var view atomic.Pointer[state.View]
	back.Published = view.Store
	m := startMemberOn(t, z, "one", back)
	root := m.enableAuth(t)
	back.QuotaBytes, back.Published = 1, nil
	full := startMemberOn(t, z, "two", back)
	alice := m.login(t, "alice", "a")

	granted, err := pb.NewLeaseClient(m.conn).LeaseGrant(alice, &pb.LeaseGrantRequest{TTL: 2})
	require.NoError(t, err)
	_, err = m.kv.Put(alice, &pb.PutRequest{Key: []byte("a/leased"), Lease: granted.ID})
	require.NoError(t, err)
	require.Eventually(t, func() bool {
		resp, err := m.kv.Range(alice, &pb.RangeRequest{Key: []byte("a/leased")})
		return err == nil && len(resp.Kvs) == 0
	}, soon, 10*time.Millisecond, "the lease ends")
	require.Eventually(t, func() bool {
		_, err := m.kv.Range(alice, &pb.RangeRequest{Key: []byte("a/leased"), Revision: 1})
		return errors.Is(rpctypes.Error(err), rpctypes.ErrCompacted)
	}, soon, 10*time.Millisecond, "history is compacted")
	reports := func(name byte) bool {
		for _, r := range view.Load().Agreement().Reports {
			if r.Member == uint64(name) {
				return true
			}
		}
		return false
	}
	require.Eventually(t, func() bool { return reports('o') && reports('t') }, soon, time.Millisecond, "both members report their digests")

	requireStatus(t, rpctypes.ErrGRPCNoSpace, full.put(alice, "a/x"))
	alarms, err := pb.NewMaintenanceClient(m.conn).Alarm(root, &pb.AlarmRequest{})
	require.NoError(t, err)
	require.Equal(t, []*pb.AlarmMember{{MemberID: 't', Alarm: pb.AlarmType_NOSPACE}}, clean(alarms.Alarms))
	code, text := getURL(t, m.web+"/health")
	require.Equal(t, http.StatusServiceUnavailable, code)
	require.Contains(t, text, "ALARM NOSPACE")
	code, text = getURL(t, m.web+"/health?exclude=NOSPACE")
	require.Equal(t, http.StatusOK, code, text)
}

// clean leaves out what gRPC keeps in a message.
func clean(alarms []*pb.AlarmMember) (out []*pb.AlarmMember) {
	for _, a := range alarms {
		out = append(out, &pb.AlarmMember{MemberID: a.MemberID, Alarm: a.Alarm})
	}
	return out
}

// What root asks for is done to its end, though that goes on after the question
// who asks was answered.
func TestMaintenanceWhileUsersCount(t *testing.T) {
	m := startMemberOn(t, onZooKeeper(t), "one", backend.Config{})
	root := m.enableAuth(t)
	maintenance := pb.NewMaintenanceClient(m.conn)
	for range 20 {
		require.NoError(t, m.put(root, "a/x"))
	}
	_, err := m.kv.Compact(root, &pb.CompactionRequest{Revision: 15, Physical: true})
	require.NoError(t, err)
	_, err = maintenance.Defragment(root, &pb.DefragmentRequest{})
	require.NoError(t, err)

	snapshot := func(ctx context.Context) (bytes int, err error) {
		stream, err := maintenance.Snapshot(ctx, &pb.SnapshotRequest{})
		require.NoError(t, err)
		for {
			part, err := stream.Recv()
			if err == io.EOF {
				return bytes, nil
			}
			if err != nil {
				return bytes, err
			}
			bytes += len(part.Blob)
		}
	}
	bytes, err := snapshot(root)
	require.NoError(t, err)
	require.NotZero(t, bytes)
	_, err = snapshot(m.login(t, "alice", "a"))
	requireStatus(t, rpctypes.ErrGRPCPermissionDenied, err)
	_, err = snapshot(ctxFor(t))
	requireStatus(t, rpctypes.ErrGRPCUserEmpty, err)
}

// What is a client of the server's own passes on who asks, and nothing else.
func TestLoopbackWhileUsersCount(t *testing.T) {
	m := startMemberOn(t, onZooKeeper(t), "one", backend.Config{})
	m.enableAuth(t)
	alice := m.login(t, "alice", "a")
	gateway := func(path, body, token string) (int, string) {
		req, err := http.NewRequestWithContext(ctxFor(t), http.MethodPost, "http://"+m.addr+path, strings.NewReader(body))
		require.NoError(t, err)
		if token != "" {
			req.Header.Set("Authorization", token)
		}
		resp, err := http.DefaultClient.Do(req)
		require.NoError(t, err)
		defer resp.Body.Close()
		text, err := io.ReadAll(resp.Body)
		require.NoError(t, err)
		return resp.StatusCode, string(text)
	}
	const put = `{"key":"YS94","value":"eA=="}` // a/x
	code, text := gateway("/v3/kv/put", put, tokenOf(alice))
	require.Equal(t, http.StatusOK, code, text)
	code, text = gateway("/v3/kv/put", put, "")
	require.Equal(t, http.StatusBadRequest, code, text)
	require.Contains(t, text, "user name is empty")

	locks, elections := v3lockpb.NewLockClient(m.conn), v3electionpb.NewElectionClient(m.conn)
	held, err := locks.Lock(alice, &v3lockpb.LockRequest{Name: []byte("a/lock")})
	require.NoError(t, err)
	_, err = locks.Unlock(alice, &v3lockpb.UnlockRequest{Key: held.Key})
	require.NoError(t, err)
	// The services are etcd's, whose errors have lost their codes.
	_, err = locks.Lock(alice, &v3lockpb.LockRequest{Name: []byte("b/lock")})
	require.ErrorContains(t, err, rpctypes.ErrorDesc(rpctypes.ErrGRPCPermissionDenied))
	_, err = locks.Lock(ctxFor(t), &v3lockpb.LockRequest{Name: []byte("a/lock")})
	require.ErrorContains(t, err, rpctypes.ErrorDesc(rpctypes.ErrGRPCUserEmpty))
	won, err := elections.Campaign(alice, &v3electionpb.CampaignRequest{Name: []byte("a/election"), Value: []byte("alice")})
	require.NoError(t, err)
	observe, err := elections.Observe(alice, &v3electionpb.LeaderRequest{Name: []byte("a/election")})
	require.NoError(t, err)
	seen, err := observe.Recv()
	require.NoError(t, err)
	require.Equal(t, "alice", string(seen.Kv.Value))
	_, err = elections.Resign(alice, &v3electionpb.ResignRequest{Leader: won.Leader})
	require.NoError(t, err)
}
