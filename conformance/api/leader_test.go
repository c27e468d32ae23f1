package api

import (
	"testing"

	"github.com/stretchr/testify/require"
	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/zkine/zkine/conformance/rig/rigtest"
	"github.com/zkine/zkine/revision/zktest"
)

// TestALeaderThatStopsExtendsNoLeases stops the zkine that Status names. A lease has the time left that it had: etcd's next
// leader would give it its whole TTL again.
func TestALeaderThatStopsExtendsNoLeases(t *testing.T) {
	t.Parallel() // it waits, most of the time
	zookeeper, root := zktest.Shared(t).Addr(), zktest.Root(t)
	const patient = "--zookeeper-session-timeout=20s" // it leads until it is stopped, on a machine that is busy too
	leader := rigtest.StartOn(t, zookeeper, root, patient)
	other := client(t, rigtest.StartOn(t, zookeeper, root, patient).Endpoint)
	leads := func() bool {
		s, err := other.Status(within(t), other.Endpoints()[0])
		require.NoError(t, err)
		return s.Leader == s.Header.MemberId
	}
	require.False(t, leads())
	left := func(lease clientv3.LeaseID) int64 {
		r, err := other.TimeToLive(within(t), lease)
		require.NoError(t, err)
		return r.TTL
	}
	lease, err := other.Grant(within(t), 600)
	require.NoError(t, err)
	eventually(t, "time passes", func() bool { return left(lease.ID) < 598 })
	_, err = leader.Stop(within(t))
	require.NoError(t, err)
	eventually(t, "the other one leads", leads)
	require.Less(t, left(lease.ID), int64(598))
}
