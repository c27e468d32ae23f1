package server

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"

	"github.com/zkine/zkine/backend"
	"github.com/zkine/zkine/revision/zktest"
)

// What each call is told that has waited in vain for ZooKeeper: what etcd passes
// on to its leader finds none, everything else runs out of time.
func TestCallsWithoutALeader(t *testing.T) {
	server := zktest.Start(t)
	m := startMemberOn(t, dialing(server.Addr()), "one", backend.Config{}, func(c *Config) { c.RequestTimeout = 2 * time.Second })
	lease, cluster, maintenance := pb.NewLeaseClient(m.conn), pb.NewClusterClient(m.conn), pb.NewMaintenanceClient(m.conn)
	granted, err := lease.LeaseGrant(ctxFor(t), &pb.LeaseGrantRequest{TTL: 600})
	require.NoError(t, err)
	alive, err := lease.LeaseKeepAlive(ctxFor(t))
	require.NoError(t, err)
	require.NoError(t, alive.Send(&pb.LeaseKeepAliveRequest{ID: granted.ID}))
	_, err = alive.Recv()
	require.NoError(t, err)

	server.Kill()
	noLeader, timeout, key := rpctypes.ErrGRPCNoLeader, rpctypes.ErrGRPCTimeout, []byte("k")
	for _, c := range []struct {
		name string
		want error
		call func() error
	}{
		{"LeaseKeepAlive", noLeader, func() error {
			require.NoError(t, alive.Send(&pb.LeaseKeepAliveRequest{ID: granted.ID}))
			_, err := alive.Recv()
			return err
		}},
		{"LeaseTimeToLive", noLeader, func() error {
			_, err := lease.LeaseTimeToLive(ctxFor(t), &pb.LeaseTimeToLiveRequest{ID: granted.ID})
			return err
		}},
		{"LeaseGrant", timeout, func() error {
			_, err := lease.LeaseGrant(ctxFor(t), &pb.LeaseGrantRequest{TTL: 600})
			return err
		}},
		{"LeaseRevoke", timeout, func() error {
			_, err := lease.LeaseRevoke(ctxFor(t), &pb.LeaseRevokeRequest{ID: granted.ID})
			return err
		}},
		{"Range", timeout, func() error { return m.get(ctxFor(t), "k") }},
		{"RangeStream", timeout, func() error {
			stream, err := m.kv.RangeStream(ctxFor(t), &pb.RangeRequest{Key: key})
			require.NoError(t, err)
			_, err = stream.Recv()
			return err
		}},
		{"Put", timeout, func() error { return m.put(ctxFor(t), "k") }},
		{"DeleteRange", timeout, func() error {
			_, err := m.kv.DeleteRange(ctxFor(t), &pb.DeleteRangeRequest{Key: key})
			return err
		}},
		{"Txn", timeout, func() error {
			get := &pb.RequestOp{Request: &pb.RequestOp_RequestRange{RequestRange: &pb.RangeRequest{Key: key}}}
			_, err := m.kv.Txn(ctxFor(t), &pb.TxnRequest{Success: []*pb.RequestOp{get}})
			return err
		}},
		{"Compact", timeout, func() error {
			_, err := m.kv.Compact(ctxFor(t), &pb.CompactionRequest{Revision: 1})
			return err
		}},
		{"MemberList", timeout, func() error {
			_, err := cluster.MemberList(ctxFor(t), &pb.MemberListRequest{Linearizable: true})
			return err
		}},
		{"Alarm", timeout, func() error {
			_, err := maintenance.Alarm(ctxFor(t), &pb.AlarmRequest{})
			return err
		}},
		{"AuthStatus", timeout, func() error {
			_, err := m.auth.AuthStatus(ctxFor(t), &pb.AuthStatusRequest{})
			return err
		}},
		{"MoveLeader", rpctypes.ErrGRPCNotLeader, func() error {
			_, err := maintenance.MoveLeader(ctxFor(t), &pb.MoveLeaderRequest{TargetID: 1})
			return err
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			requireStatus(t, c.want, c.call())
		})
	}
}

// etcd looks at the URLs of a new member before it asks who adds it.
func TestMemberAddLooksAtURLsFirst(t *testing.T) {
	m := startMemberOn(t, onZooKeeper(t), "one", backend.Config{})
	root := m.enableAuth(t)
	add := func(urls ...string) error {
		_, err := pb.NewClusterClient(m.conn).MemberAdd(ctxFor(t), &pb.MemberAddRequest{PeerURLs: urls})
		return err
	}
	for _, bad := range [][]string{nil, {"ftp://a:1"}, {"http://a"}, {"http://a:1/path"}} {
		requireStatus(t, rpctypes.ErrGRPCMemberBadURLs, add(bad...))
	}
	requireStatus(t, rpctypes.ErrGRPCUserEmpty, add("http://a:1"))
	_, err := pb.NewClusterClient(m.conn).MemberAdd(root, &pb.MemberAddRequest{PeerURLs: []string{"http://a:1"}})
	require.ErrorContains(t, err, "MemberAdd is not supported")
}
