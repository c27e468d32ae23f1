package watch

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
)

// TestLoad follows events from the moment at which they are due to that at which the next response is asked for.
func TestLoad(t *testing.T) {
	s := newStore(t)
	stream := watch(t, s, &pb.WatchCreateRequest{Key: []byte("a")})
	require.Equal(t, Load{}, s.Load())

	before := time.Now()
	put(t, s, "a", "1")
	rev := put(t, s, "a", "2")
	require.Eventually(t, func() bool { return s.Load().Due == 1 }, patience, time.Millisecond)
	waiting := s.Load()
	require.Zero(t, waiting.Unsent)
	require.Positive(t, waiting.Lag)
	require.LessOrEqual(t, waiting.Lag, time.Since(before))

	events := collect(t, stream, rev)
	handed := s.Load()
	require.Zero(t, handed.Due)
	require.EqualValues(t, len(events), handed.Events)
	require.Positive(t, handed.Unsent)
	require.Greater(t, handed.Lag, waiting.Lag, "they have not been sent yet, and wait since they were due")

	stream.RequestProgress()
	next(t, stream)
	require.Equal(t, Load{Events: 2}, s.Load())

	stream.Close()
	require.Equal(t, Load{Events: 2}, s.Load())
}

// TestLoadOfAWatcherThatIsBehind has one pull after the other, and the lag is that of the first.
func TestLoadOfAWatcherThatIsBehind(t *testing.T) {
	s := newStore(t)
	rev := int64(0)
	for range 2*pullRevisions + 1 {
		rev = put(t, s, "a", "x")
	}
	stream := watch(t, s, &pb.WatchCreateRequest{Key: []byte("a"), StartRevision: 2})
	lag := time.Duration(0)
	for seen := int64(1); seen < rev; {
		response := next(t, stream)
		seen += int64(len(response.Events))
		now := s.Load()
		require.Greater(t, now.Lag, lag, "at %d of %d", seen, rev)
		lag = now.Lag
	}
	stream.RequestProgress() // comes after all that is due
	next(t, stream)
	require.Equal(t, Load{Events: rev - 1}, s.Load())
}
