package main

import (
	"os"
	"runtime"
	"runtime/debug"
	"runtime/metrics"
)

// The state is one large heap that lives for long, and the garbage comes from
// requests. Go's default, to let the heap double between collections, costs as
// much memory again as the state when that is large, and collects a dozen times
// a second under load when it is small. Here the room for garbage is half of
// what lives, and smallRoom.

// smallRoom is in bytes.
const smallRoom = 64 << 20

// garbagePercent is Go's GC percentage for a heap in which so many bytes live.
func garbagePercent(live uint64) int {
	return int(min(50+100*smallRoom/max(live, 1), 2000))
}

// tuneGC has the percentage follow the heap, from one collection to the next.
// What an operator has set in the environment is left alone.
func tuneGC() {
	if os.Getenv("GOGC") != "" || os.Getenv("GOMEMLIMIT") != "" {
		return
	}
	last := 0
	sample := []metrics.Sample{{Name: "/gc/heap/live:bytes"}}
	var collected func()
	collected = func() {
		metrics.Read(sample)
		if percent := garbagePercent(sample[0].Value.Uint64()); percent < last*9/10 || percent > last*11/10 {
			last = percent
			debug.SetGCPercent(percent)
		}
		// A new object that dies at once is found by the next collection.
		runtime.AddCleanup(new(sentinel), func(struct{}) { collected() }, struct{}{})
	}
	collected()
}

// sentinel has a size of its own: tiny objects share memory, and would live on.
type sentinel [32]byte
