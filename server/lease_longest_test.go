package server

import (
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"

	"github.com/zkine/zkine/backend"
	"github.com/zkine/zkine/backend/state"
)

// The longest TTL comes through every way on which it is told, and back.
func TestLongestTTL(t *testing.T) {
	z := onZooKeeper(t)
	m := startMemberOn(t, z, "one", backend.Config{})
	lease := pb.NewLeaseClient(m.conn)
	granted, err := lease.LeaseGrant(ctxFor(t), &pb.LeaseGrantRequest{ID: 7, TTL: state.MaxLeaseTTL})
	require.NoError(t, err)
	require.EqualValues(t, 9_000_000_000, granted.TTL)
	left := func(m *member) {
		t.Helper()
		resp, err := pb.NewLeaseClient(m.conn).LeaseTimeToLive(ctxFor(t), &pb.LeaseTimeToLiveRequest{ID: 7})
		require.NoError(t, err)
		require.EqualValues(t, 9_000_000_000, resp.GrantedTTL)
		require.InDelta(t, 9_000_000_000, resp.TTL, 60)
	}
	left(m)
	stream, err := lease.LeaseKeepAlive(ctxFor(t))
	require.NoError(t, err)
	require.NoError(t, stream.Send(&pb.LeaseKeepAliveRequest{ID: 7}))
	alive, err := stream.Recv()
	require.NoError(t, err)
	require.EqualValues(t, 9_000_000_000, alive.TTL)
	left(m)
	left(startMemberOn(t, z, "two", backend.Config{})) // which has it from the log

	resp, err := http.Post("http://"+m.addr+"/v3/lease/timetolive", "application/json", strings.NewReader(`{"ID":"7"}`))
	require.NoError(t, err)
	defer resp.Body.Close()
	var text strings.Builder
	require.NoError(t, resp.Write(&text))
	require.Contains(t, text.String(), `"grantedTTL":"9000000000"`)
	require.Contains(t, text.String(), `"TTL":"89999`)

	_, err = lease.LeaseGrant(ctxFor(t), &pb.LeaseGrantRequest{TTL: state.MaxLeaseTTL + 1})
	requireStatus(t, rpctypes.ErrGRPCLeaseTTLTooLarge, err)
}
