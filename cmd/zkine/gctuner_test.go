package main

import (
	"runtime"
	"runtime/debug"
	"runtime/metrics"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestGarbagePercent(t *testing.T) {
	for _, c := range []struct {
		heap heap
		room uint64
		want int
	}{
		{heap{0, 0}, leastRoom, 2000},
		{heap{8 << 20, 8 << 20}, leastRoom, 200},
		{heap{8 << 20, 0}, leastRoom, 109},
		{heap{64 << 20, 64 << 20}, mostRoom, 200},
		{heap{8 << 30, 2 << 30}, mostRoom, 33},
	} {
		require.Equal(t, c.want, c.heap.garbagePercent(c.room), c)
	}
}

func TestRoomFollowsTheLoad(t *testing.T) {
	room := uint64(leastRoom)
	for range 10 {
		room = nextRoom(room, quick-1)
	}
	require.Equal(t, uint64(mostRoom), room)
	require.Equal(t, room, nextRoom(room, quick))
	require.Equal(t, room, nextRoom(room, slow))
	require.EqualValues(t, mostRoom/2, nextRoom(room, 2*apt))
	require.EqualValues(t, leastRoom, nextRoom(room, time.Minute))
	for range 10 {
		room = nextRoom(room, slow+1)
	}
	require.Equal(t, uint64(leastRoom), room)
}

// The percentage falls as the heap grows by what has no pointers, and once zkine
// serves; and rises again when collections follow one another.
func TestGarbagePercentFollowsTheHeap(t *testing.T) {
	t.Setenv("GOGC", "")
	t.Setenv("GOMEMLIMIT", "")
	before := debug.SetGCPercent(100)
	t.Cleanup(func() { debug.SetGCPercent(before) })
	tuner := tuneGC()
	now := func() int { // without setting it, which would undo what the tuner sets just then
		sample := []metrics.Sample{{Name: "/gc/gogc:percent"}}
		metrics.Read(sample)
		return int(sample[0].Value.Uint64())
	}
	require.Eventually(t, func() bool { runtime.GC(); return now() > 150 }, 30*time.Second, 10*time.Millisecond)
	held := make([]byte, 640<<20)
	require.Eventually(t, func() bool { runtime.GC(); return now() <= 40 }, 30*time.Second, 10*time.Millisecond)
	require.Greater(t, now(), 10)
	tuner.serving()
	served := now()
	require.LessOrEqual(t, served, 20)
	require.Eventually(t, func() bool { runtime.GC(); return now() >= served+3 }, 30*time.Second, 10*time.Millisecond)
	runtime.KeepAlive(held)
}
