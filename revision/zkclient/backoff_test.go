package zkclient

import (
	"math/rand/v2"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

// TestManyShareAPause fails as many calls at once as may be under way, again and
// again: each time the pause grows once, not once for each of them.
func TestManyShareAPause(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		next := new(Backoff).Next
		for longest := backoffMin * 3 / 2; longest < 2*time.Second; longest *= 2 {
			var last time.Duration
			for range 16 {
				last = next()
				require.Positive(t, last)
				require.LessOrEqual(t, last, longest)
			}
			time.Sleep(last)
		}
	})
}

// TestPausesRepeatWithTheirSource: so do simulations, which give one that is
// seeded. The jitter stays a quarter of the pause each way.
func TestPausesRepeatWithTheirSource(t *testing.T) {
	drawn := func(seed byte) (pauses []time.Duration) {
		random := rand.NewChaCha8([32]byte{seed})
		for range 100 {
			pause := jitter(random, time.Second)
			require.GreaterOrEqual(t, pause, 750*time.Millisecond)
			require.Less(t, pause, 1250*time.Millisecond)
			pauses = append(pauses, pause)
		}
		return pauses
	}
	require.Equal(t, drawn(1), drawn(1))
	require.NotEqual(t, drawn(1), drawn(2))
}
