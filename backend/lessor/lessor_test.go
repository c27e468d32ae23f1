package lessor

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/zkine/zkine/backend/state"
)

// manual drives a lessor's service clock by hand.
type manual struct {
	l   *Lessor
	now time.Time
}

func (c *manual) pass(d time.Duration) {
	c.now = c.now.Add(d)
	c.l.QuorumWrite(c.now)
}

func (c *manual) expired() (ids []int64) {
	for _, d := range c.l.expired(0, 10) {
		ids = append(ids, d.id)
	}
	return ids
}

func newManual() *manual {
	c := &manual{l: New(4 * time.Second), now: time.Now()}
	c.l.QuorumWrite(c.now)
	return c
}

func TestServiceClockCountsOnlyWhileAQuorumAnswers(t *testing.T) {
	c := newManual()
	c.l.Applied([]state.LeaseChange{{ID: 1, Kind: state.Granted, TTL: 10, Renewed: 1}})
	for range 5 {
		c.pass(time.Second)
	}
	require.Empty(t, c.expired())
	c.pass(time.Hour) // an outage
	require.Empty(t, c.expired(), "the outage must not count")
	for range 3 {
		c.pass(2 * time.Second)
	}
	require.Empty(t, c.expired(), "after a gap the lease regained two session timeouts")
	c.pass(2 * time.Second)
	require.Equal(t, []int64{1}, c.expired())
	c.l.Applied([]state.LeaseChange{{ID: 1, Kind: state.Renewed, TTL: 10, Renewed: 2}})
	require.Empty(t, c.expired())
	c.l.Applied([]state.LeaseChange{{ID: 1, Kind: state.Revoked}})
	require.Empty(t, c.l.queue)
	require.Empty(t, c.l.byID)
}

func TestLongLeasesAreNotedAndOverflowIsNot(t *testing.T) {
	c := newManual()
	c.l.Applied([]state.LeaseChange{
		{ID: 1, Kind: state.Granted, TTL: 3600, Renewed: 1},
		{ID: 2, Kind: state.Granted, TTL: 60, Renewed: 2},
		{ID: 3, Kind: state.Granted, TTL: 9_000_000_000, Renewed: 3},
	})
	for range 31 {
		c.pass(2 * time.Second)
	}
	require.Equal(t, []int64{2}, c.expired())
	require.Empty(t, c.l.unnoted(10))
	for range 130 {
		c.pass(2 * time.Second)
	}
	noted := c.l.unnoted(10)
	require.Len(t, noted, 2)
	require.Empty(t, c.l.unnoted(10), "once each")
	for _, d := range noted {
		if d.id == 1 {
			require.InDelta(t, 3600-322, d.at.Seconds(), 3)
		}
	}
	// A member that restarted learns what is left.
	fresh := newManual()
	fresh.l.Applied([]state.LeaseChange{
		{ID: 1, Kind: state.Granted, TTL: 3600, Renewed: 1},
		{ID: 1, Kind: state.Remaining, TTL: 3600, Remaining: 100, Renewed: 1},
	})
	require.LessOrEqual(t, fresh.l.Remaining(state.Lease{ID: 1, TTL: 3600, Renewed: 1}), int64(100))
}

// The longest lease has as much left as etcd says, also on a zkine that has run
// for longer than its TTL leaves room in a duration.
func TestLongestLease(t *testing.T) {
	for _, age := range []time.Duration{0, 10 * 365 * 24 * time.Hour, 250 * 365 * 24 * time.Hour} {
		c := newManual()
		c.l.clock.now = age
		lease := state.Lease{ID: 1, TTL: state.MaxLeaseTTL, Renewed: 1}
		for _, change := range []state.LeaseChange{
			{ID: 1, Kind: state.Granted, TTL: lease.TTL, Renewed: 1},
			{ID: 1, Kind: state.Renewed, TTL: lease.TTL, Renewed: 1},
			{ID: 1, Kind: state.Remaining, TTL: lease.TTL, Remaining: lease.TTL - 1, Renewed: 1},
		} {
			c.l.Applied([]state.LeaseChange{change})
			got := c.l.Remaining(lease)
			require.LessOrEqual(t, got, lease.TTL)
			if age == 0 {
				require.GreaterOrEqual(t, got, lease.TTL-2)
			} else {
				require.Positive(t, got)
			}
			require.Empty(t, c.expired())
			require.Empty(t, c.l.expired(Overdue, 10))
		}
		c.pass(time.Hour) // a gap, after which leases regain time
		require.Empty(t, c.expired())
	}
	require.Equal(t, state.MaxLeaseTTL*time.Second, seconds(1<<62))
	require.Zero(t, seconds(-5))
}
