package housekeep

import (
	"context"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/zkine/zkine/backend/memlog"
)

// shelf is an archive that covers what it is told to.
type shelf struct {
	covers  atomic.Bool
	asked   atomic.Int64
	running atomic.Bool
	hangs   atomic.Bool
	active  func() bool
}

func (s *shelf) Run(ctx context.Context, active func() bool) {
	s.active = active
	s.running.Store(true)
	<-ctx.Done()
	s.running.Store(false)
}

func (s *shelf) Covers(ctx context.Context, segment int64) bool {
	s.asked.Store(segment)
	if s.hangs.Load() {
		<-ctx.Done()
	}
	return s.covers.Load()
}

// What is not archived is not trimmed, and a defragmentation says so. Packing goes on.
func TestTrimmingWaitsForTheArchive(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := new(shelf)
		m := open(t, memlog.New(), 1, func(c *Config) { c.Archive = s })
		m.overwrite(t, 200)
		require.ErrorIs(t, m.Defragment(within(t)), ErrUnarchived)
		require.Positive(t, m.needless())
		require.Equal(t, m.log.Newest().Segment, s.asked.Load())
		synctest.Wait()
		require.True(t, s.running.Load() && s.active(), "it is the keeper")
		s.covers.Store(true)
		m.overwrite(t, 200)
		require.NoError(t, m.Defragment(within(t)))
		require.Zero(t, m.needless())
		m.Close(errTestOver)
		require.False(t, s.running.Load())
	})
}

// With little room the log is trimmed, whether it is archived or not. But what can be
// archived at once is: an archive that is well gets no hole.
func TestTrimmingDoesNotWaitLongWithoutRoom(t *testing.T) {
	for _, hangs := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			s := new(shelf)
			s.hangs.Store(hangs)
			m := open(t, memlog.New(), 1, func(c *Config) { c.Archive = s })
			m.quota.cramped.Store(true)
			m.overwrite(t, 200)
			began := time.Now()
			require.NoError(t, m.Defragment(within(t)))
			require.Less(t, time.Since(began), time.Minute)
			require.Zero(t, m.needless())
			require.Positive(t, s.asked.Load())
			time.Sleep(time.Minute) // in the bubble
		})
	}
}
