package backend

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/zkine/zkine/backend/state"
)

// clock drives a lessor's service clock by hand.
type clock struct {
	l   *lessor
	now time.Time
}

func (c *clock) pass(d time.Duration) {
	c.now = c.now.Add(d)
	c.l.quorumWrite(c.now)
}

func (c *clock) expired() (ids []int64) {
	for _, d := range c.l.expired(0, 10) {
		ids = append(ids, d.id)
	}
	return ids
}

func newClock() *clock {
	c := &clock{l: newLessor(4 * time.Second), now: time.Now()}
	c.l.quorumWrite(c.now)
	return c
}

func TestServiceClockCountsOnlyWhileAQuorumAnswers(t *testing.T) {
	c := newClock()
	c.l.applied([]state.LeaseChange{{ID: 1, Kind: state.Granted, TTL: 10, Renewed: 1}})
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
	c.l.applied([]state.LeaseChange{{ID: 1, Kind: state.Renewed, TTL: 10, Renewed: 2}})
	require.Empty(t, c.expired())
	c.l.applied([]state.LeaseChange{{ID: 1, Kind: state.Revoked}})
	require.Empty(t, c.l.queue)
	require.Empty(t, c.l.byID)
}

func TestLongLeasesAreNotedAndOverflowIsNot(t *testing.T) {
	c := newClock()
	c.l.applied([]state.LeaseChange{
		{ID: 1, Kind: state.Granted, TTL: 3600, Renewed: 1},
		{ID: 2, Kind: state.Granted, TTL: 60, Renewed: 2},
		{ID: 3, Kind: state.Granted, TTL: 9_000_000_000, Renewed: 3},
	})
	for range 31 {
		c.pass(2 * time.Second)
	}
	require.Equal(t, []int64{2}, c.expired())
	require.Empty(t, c.l.unnoted(noteEvery, 10))
	for range 130 {
		c.pass(2 * time.Second)
	}
	noted := c.l.unnoted(noteEvery, 10)
	require.Len(t, noted, 2)
	require.Empty(t, c.l.unnoted(noteEvery, 10), "once each")
	for _, d := range noted {
		if d.id == 1 {
			require.InDelta(t, 3600-322, d.at.Seconds(), 3)
		}
	}
	// A member that restarted learns what is left.
	fresh := newClock()
	fresh.l.applied([]state.LeaseChange{
		{ID: 1, Kind: state.Granted, TTL: 3600, Renewed: 1},
		{ID: 1, Kind: state.Remaining, TTL: 3600, Remaining: 100, Renewed: 1},
	})
	require.LessOrEqual(t, fresh.l.remaining(state.Lease{ID: 1, TTL: 3600, Renewed: 1}), int64(100))
}
