package backend_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"

	"github.com/zkine/zkine/backend/memlog"
	"github.com/zkine/zkine/backend/state"
)

func TestLeaseExpiresWithAllItsKeysInOneRevision(t *testing.T) {
	e := memlog.New()
	a, b := openMem(t, e, "a"), openMem(t, e, "b")
	began := time.Now() // it lasts from when it is granted, which is known here later
	granted, err := b.LeaseGrant(within(t), &pb.LeaseGrantRequest{TTL: 1})
	require.NoError(t, err)
	require.EqualValues(t, 2, granted.TTL, "the minimum")
	require.Positive(t, granted.ID)
	s := watchOn(t, a, &pb.WatchCreateRequest{Key: []byte("k"), RangeEnd: []byte("l"), Filters: []pb.WatchCreateRequest_FilterType{pb.WatchCreateRequest_NOPUT}})
	put(t, a, "k1", "v", granted.ID)
	put(t, b, "k2", "v", granted.ID)
	put(t, b, "k3", "v", granted.ID)
	put(t, b, "k2", "v2") // detached
	response := next(t, s)
	require.GreaterOrEqual(t, time.Since(began), 2*time.Second, "never early")
	require.Equal(t, []string{"6 DELETE k1= prev=", "6 DELETE k3= prev="}, show(response.Events))
	require.Len(t, get(t, a, "k2").Kvs, 1, "a key put anew without the lease stays")
	_, err = a.LeaseRevoke(within(t), &pb.LeaseRevokeRequest{ID: granted.ID})
	require.ErrorIs(t, err, state.ErrLeaseNotFound)
}

func TestKeepAliveKeepsAlive(t *testing.T) {
	e := memlog.New()
	b := openMem(t, e, "a")
	_, err := b.LeaseGrant(within(t), &pb.LeaseGrantRequest{ID: 7, TTL: 2})
	require.NoError(t, err)
	_, err = b.LeaseGrant(within(t), &pb.LeaseGrantRequest{ID: 8, TTL: 2})
	require.NoError(t, err)
	// Lease 8 is a clock: as long as it lives, no time worth mentioning has
	// passed for 7, which is renewed all along.
	eventually(t, "lease 8 expires", func() bool {
		response, err := b.LeaseKeepAlive(within(t), &pb.LeaseKeepAliveRequest{ID: 7})
		require.NoError(t, err)
		require.EqualValues(t, 2, response.TTL)
		other, err := b.LeaseTimeToLive(within(t), &pb.LeaseTimeToLiveRequest{ID: 8})
		require.NoError(t, err)
		return other.TTL == -1
	})
	left, err := b.LeaseTimeToLive(within(t), &pb.LeaseTimeToLiveRequest{ID: 7, Keys: true})
	require.NoError(t, err)
	require.EqualValues(t, 2, left.GrantedTTL)
	require.Positive(t, left.TTL)
	leases, err := b.LeaseLeases(within(t), &pb.LeaseLeasesRequest{})
	require.NoError(t, err)
	require.Len(t, leases.Leases, 1)

	unknown, err := b.LeaseKeepAlive(within(t), &pb.LeaseKeepAliveRequest{ID: 99})
	require.NoError(t, err)
	require.Zero(t, unknown.TTL)
}

// TestOutageDoesNotExpireLeases keeps the ensemble away for longer than the
// lease: its client could not renew it, so its time must not pass.
func TestOutageDoesNotExpireLeases(t *testing.T) {
	e := memlog.New()
	log := e.Open()
	b := openLog(t, log, "a")
	_, err := b.LeaseGrant(within(t), &pb.LeaseGrantRequest{ID: 7, TTL: 2})
	require.NoError(t, err)
	put(t, b, "k", "v", 7)
	log.Disconnect()
	began := time.Now()
	eventually(t, "the lease's time is over", func() bool { return time.Since(began) > 4*time.Second })
	log.Reconnect()
	response, err := b.LeaseKeepAlive(within(t), &pb.LeaseKeepAliveRequest{ID: 7})
	require.NoError(t, err)
	require.EqualValues(t, 2, response.TTL, "the lease must have survived the outage")
	require.Len(t, get(t, b, "k").Kvs, 1)
	eventually(t, "it expires once nobody renews it", func() bool { return len(get(t, b, "k").Kvs) == 0 })
}
