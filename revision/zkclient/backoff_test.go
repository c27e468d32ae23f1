package zkclient

import (
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
