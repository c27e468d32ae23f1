package throttle

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

// TestLinesAreNotRepeatedWithinAPeriod: each key has a period of its own, and
// the next line tells how many were left out.
func TestLinesAreNotRepeatedWithinAPeriod(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var l Lines
		allow := func(key string) string {
			left, ok := l.Allow(key)
			return fmt.Sprintf("%v%s", ok, left)
		}
		require.Equal(t, "true", allow("a"))
		require.Equal(t, "true", allow("b"))
		require.Equal(t, "false", allow("a"))
		time.Sleep(DefaultPeriod - time.Nanosecond)
		require.Equal(t, "false", allow("a"))
		time.Sleep(time.Nanosecond)
		require.Equal(t, "true (and 2 times before)", allow("a"))
		time.Sleep(DefaultPeriod)
		require.Equal(t, "true", allow("a"))
	})
}

// TestKeysAreBounded: once a period has seen as many keys as it may, others are
// left out until one is old.
func TestKeysAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := Lines{Period: time.Second, MaxKeys: 2}
		for i, want := range []bool{true, true, false} {
			_, ok := l.Allow(fmt.Sprint(i))
			require.Equal(t, want, ok, i)
		}
		time.Sleep(time.Second)
		_, ok := l.Allow("3")
		require.True(t, ok)
		require.Len(t, l.keys, 1, "what is over is forgotten")
	})
}
