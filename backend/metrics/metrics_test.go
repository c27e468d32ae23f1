package metrics

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"

	"github.com/zkine/zkine/backend/state"
	"github.com/zkine/zkine/revision"
	"github.com/zkine/zkine/revision/recordpb"
)

// gather is what one collector shows.
func gather(t *testing.T, c prometheus.Collector) (values []float64) {
	t.Helper()
	r := prometheus.NewPedanticRegistry()
	r.MustRegister(c)
	families, err := r.Gather()
	require.NoError(t, err)
	for _, f := range families {
		for _, m := range f.GetMetric() {
			values = append(values, m.GetCounter().GetValue()+m.GetGauge().GetValue())
		}
	}
	return values
}

func value(t *testing.T, c prometheus.Collector) float64 {
	t.Helper()
	values := gather(t, c)
	require.Len(t, values, 1)
	return values[0]
}

func count(t *testing.T, c prometheus.Collector) int { return len(gather(t, c)) }

func TestAppends(t *testing.T) {
	r := prometheus.NewRegistry()
	m := New(r)
	m.AppendBegins()
	m.AppendBegins()
	require.EqualValues(t, 2, value(t, m.inFlight))
	m.AppendEnds(3, 700*time.Millisecond, nil)
	require.EqualValues(t, 1, value(t, m.inFlight))
	for reason, err := range map[string]error{
		"quota": fmt.Errorf("wrapped: %w", revision.ErrQuota), "refused": revision.ErrRefused, "unavailable": revision.ErrUnavailable,
		"unknown": fmt.Errorf("%w: %w", revision.ErrUnknown, revision.ErrUnavailable), "other": errors.New("new"),
		"too_large": revision.ErrTooLarge, "unauthenticated": revision.ErrUnauthenticated, "closed": fmt.Errorf("%w: %w", revision.ErrUnknown, revision.ErrClosed),
	} {
		m.AppendBegins()
		m.AppendEnds(1, 0, err)
		require.EqualValues(t, 1, value(t, m.appendErrors[reason]), reason)
	}
	families, err := r.Gather()
	require.NoError(t, err)
	shown := 0
	for _, f := range families {
		switch f.GetName() {
		case "zkine_append_duration_seconds", "etcd_disk_wal_fsync_duration_seconds", "etcd_disk_backend_commit_duration_seconds":
			shown++
			require.EqualValues(t, 1, f.GetMetric()[0].GetHistogram().GetSampleCount(), f.GetName())
			require.InDelta(t, 0.7, f.GetMetric()[0].GetHistogram().GetSampleSum(), 1e-9, f.GetName())
			bounds := map[float64]bool{}
			for _, b := range f.GetMetric()[0].GetHistogram().GetBucket() {
				bounds[b.GetUpperBound()] = true
			}
			for _, bound := range prometheus.ExponentialBuckets(0.001, 2, 14) { // etcd's
				require.True(t, bounds[bound], "%s has no bound at %v", f.GetName(), bound)
			}
		}
	}
	require.Equal(t, 3, shown, "the same under each name")
}

// TestOnlyWhatIsAppliedLiveCounts leaves the replay at a start out, as etcd's counters begin at 0.
func TestOnlyWhatIsAppliedLiveCounts(t *testing.T) {
	m := New(nil)
	put := &recordpb.Request{Kind: &recordpb.Request_Put{}}
	v := state.New().View()
	slot := func() {
		m.Applying(time.Now())
		m.Evaluated(put, nil)
		m.Applied(v, v, state.Applied{Work: state.Work{Puts: 2, Txns: 1, PutBytes: 10}})
	}
	slot()
	require.Zero(t, value(t, m.puts))
	require.Zero(t, count(t, m.durations))
	m.Serving()
	slot()
	require.EqualValues(t, 2, value(t, m.puts))
	require.EqualValues(t, 1, value(t, m.txns))
	require.EqualValues(t, 10, value(t, m.putBytes))
	require.Equal(t, 1, count(t, m.durations))

	before := value(t, m.slow) // a busy machine may have been slow before
	m.Applying(time.Now().Add(-2 * SlowApply))
	m.Evaluated(put, errors.New("refused"))
	require.Equal(t, before+1, value(t, m.slow))
}

func TestLag(t *testing.T) {
	at := func(slot int64) revision.Seq { return revision.Seq{Segment: 1, Slot: slot} }
	start := time.Now()
	after := func(seconds int) time.Time { return start.Add(time.Duration(seconds) * time.Second) }
	var l Lag
	require.Zero(t, l.Observe(at(3), at(3), start))
	require.Zero(t, l.Observe(at(5), at(3), start), "it is behind from now on")
	require.Equal(t, 2*time.Second, l.Observe(at(9), at(4), after(2)), "the first that is not applied counts")
	require.Equal(t, time.Second, l.Observe(at(9), at(5), after(3)), "that one is applied; the others have been known for a second")
	require.Equal(t, 2*time.Second, l.Observe(at(9), at(8), after(4)))
	require.Zero(t, l.Observe(at(9), at(9), after(5)))
	require.Zero(t, l.Observe(at(9), at(9), after(50)))
	require.EqualValues(t, 4, unapplied(at(9), at(5)))
	require.EqualValues(t, 3, unapplied(revision.Seq{Segment: 2, Slot: 2}, at(5)), "of the last segment, at least")
	require.Zero(t, unapplied(at(5), at(5)))
}

// TestASteadyLag follows a log that grows, three seconds late; falls behind for an hour; and catches up.
func TestASteadyLag(t *testing.T) {
	at := func(n int) revision.Seq { return revision.Seq{Segment: 1, Slot: int64(n)} }
	start, tick := time.Now(), 100*time.Millisecond
	var l Lag
	n := 0
	observe := func(applied int) time.Duration {
		n++
		return l.Observe(at(n), at(applied), start.Add(time.Duration(n)*tick))
	}
	for range 30 {
		observe(0)
	}
	for range 1000 {
		require.Equal(t, 29*tick, observe(n-29), "it neither grows nor begins anew")
	}
	stuck := n - 29
	for range 36000 {
		observe(stuck)
	}
	require.Equal(t, 36029*tick, observe(stuck), "the oldest is not forgotten")
	require.Less(t, len(l.marks), 600)
	for _, behind := range []int{30000, 18000, 6000, 600} {
		require.InDelta(t, (time.Duration(behind) * tick).Seconds(), observe(n-behind).Seconds(), 3600.0/gapPart+1)
	}
	require.Zero(t, observe(n+1))
	require.Empty(t, l.marks)
}
