package archive_test

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/sirupsen/logrus"
	logrustest "github.com/sirupsen/logrus/hooks/test"
	"github.com/stretchr/testify/require"

	"github.com/zkine/zkine/revision/archive"
)

var errAway = errors.New("the store is away")

// awaiting is a store that is away at times.
type awaiting struct {
	archive.Store
	away atomic.Bool
}

func (s *awaiting) Put(ctx context.Context, name string, data []byte) error {
	if s.away.Load() {
		return errAway
	}
	return s.Store.Put(ctx, name, data)
}

// TestTrimmingWaitsWithinABound: for an archive that lags, and no longer than is said.
func TestTrimmingWaitsWithinABound(t *testing.T) {
	r := newRoot(t)
	under, _ := folder(t)
	s := &awaiting{Store: under}
	var clock atomic.Int64
	logger, hook := logrustest.NewNullLogger()
	registry := prometheus.NewRegistry()
	a := r.archiver(s, func(c *archive.Config) {
		c.Clock = func() time.Time { return time.Unix(clock.Load(), 0) }
		c.TrimWait = 10 * time.Minute
		c.Log = logrus.NewEntry(logger)
		c.Registerer = registry
	})
	r.append(10)
	require.True(t, a.Covers(t.Context(), 1))
	require.Zero(t, a.Lag())

	s.away.Store(true)
	r.append(10)
	for minute := range 10 {
		clock.Store(int64(minute+1) * 60)
		require.False(t, a.Covers(t.Context(), 2))
		require.Equal(t, time.Duration(minute+1)*time.Minute, a.Lag())
	}
	require.Len(t, hook.AllEntries(), 1, "it is not said again and again")
	require.Contains(t, hook.LastEntry().Message, "the log is not trimmed until it is archived, for 10m0s at most")
	clock.Store(11 * 60)
	require.True(t, a.Covers(t.Context(), 2))
	require.Contains(t, hook.LastEntry().Message, "it will have a hole")
	require.EqualValues(t, 1, value(t, registry, "zkine_archive_trims_forced_total"))
	require.EqualValues(t, 11*60, value(t, registry, "zkine_archive_lag_seconds"))

	s.away.Store(false)
	require.True(t, a.Covers(t.Context(), 2))
	require.Zero(t, a.Lag())
	_, slots, err := read(t, under, archive.Until{})
	require.NoError(t, err)
	same(t, r.slots, slots)
}

func value(t *testing.T, registry *prometheus.Registry, name string) float64 {
	t.Helper()
	families, err := registry.Gather()
	require.NoError(t, err)
	for _, f := range families {
		if f.GetName() == name {
			return f.GetMetric()[0].GetCounter().GetValue() + f.GetMetric()[0].GetGauge().GetValue()
		}
	}
	require.FailNow(t, "no such metric", name)
	return 0
}

// TestRunFollowsWhileItIsToldTo, and ends with its context.
func TestRunFollowsWhileItIsToldTo(t *testing.T) {
	r := newRoot(t)
	under, _ := folder(t)
	s := &awaiting{Store: under}
	s.away.Store(true)
	logger, hook := logrustest.NewNullLogger()
	a := r.archiver(s, func(c *archive.Config) { c.Interval, c.Log = 20*time.Millisecond, logrus.NewEntry(logger) })
	var active atomic.Bool
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() { defer close(done); a.Run(ctx, active.Load) }()
	r.append(5)
	active.Store(true)
	said := func(message string) bool {
		for _, e := range hook.AllEntries() {
			if e.Message == message {
				return true
			}
		}
		return false
	}
	require.Eventually(t, func() bool { return a.Lag() > 0 && len(hook.AllEntries()) > 0 }, 30*time.Second, time.Millisecond)
	s.away.Store(false)
	require.Eventually(t, func() bool { return said("the archive follows again, up to " + r.slots[4].Seq.String()) }, 30*time.Second, time.Millisecond)
	active.Store(false)
	require.Eventually(t, func() bool { return a.Lag() == 0 }, 30*time.Second, time.Millisecond, "it has nothing to do")
	cancel()
	<-done
	_, slots, err := read(t, under, archive.Until{})
	require.NoError(t, err)
	same(t, r.slots, slots)
}
