package main

import (
	"runtime"
	"runtime/debug"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestGarbagePercent(t *testing.T) {
	for live, want := range map[uint64]int{0: 2000, 1 << 20: 2000, 32 << 20: 250, 64 << 20: 150, 128 << 20: 100, 8 << 30: 50} {
		require.Equal(t, want, garbagePercent(live, servingRoom), live)
		require.Equal(t, min(want+50, 2000), garbagePercent(live, startingRoom), live)
	}
}

// The percentage falls as the heap grows, and once zkine serves.
func TestGarbagePercentFollowsTheHeap(t *testing.T) {
	t.Setenv("GOGC", "")
	t.Setenv("GOMEMLIMIT", "")
	before := debug.SetGCPercent(100)
	t.Cleanup(func() { debug.SetGCPercent(before) })
	tuner := tuneGC()
	now := func() int {
		percent := debug.SetGCPercent(100)
		debug.SetGCPercent(percent)
		return percent
	}
	require.Eventually(t, func() bool { runtime.GC(); return now() > 150 }, 30*time.Second, 10*time.Millisecond)
	held := make([]byte, 640<<20)
	require.Eventually(t, func() bool { runtime.GC(); return now() <= 110 }, 30*time.Second, 10*time.Millisecond)
	require.Greater(t, now(), 60)
	tuner.serving()
	require.LessOrEqual(t, now(), 60)
	runtime.KeepAlive(held)
}
