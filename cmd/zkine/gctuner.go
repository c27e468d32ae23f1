package main

import (
	"os"
	"runtime"
	"runtime/debug"
	"runtime/metrics"
	"sync"
)

// The state is one large heap that lives long; garbage comes from requests. Go
// lets the heap double between collections. With a large state that costs as much
// memory again. With a small one it means a dozen collections a second under load.
// Here the room for garbage is half of what lives, and smallRoom. Until zkine
// serves it is as much as lives, since a replay makes garbage fast.

const (
	// smallRoom is in bytes.
	smallRoom = 64 << 20
	// startingRoom and servingRoom are added to it, in percent of what lives.
	startingRoom, servingRoom = 100, 50
)

// garbagePercent is Go's GC percentage for a heap in which so many bytes live.
func garbagePercent(live uint64, room int) int {
	return int(min(uint64(room)+100*smallRoom/max(live, 1), 2000))
}

// gcTuner sets the percentage again as the heap grows.
type gcTuner struct {
	mu   sync.Mutex
	room int
	last int // the percentage that was set
}

// tuneGC tunes from now on, after each collection. It changes nothing if an
// operator has set GOGC or GOMEMLIMIT.
func tuneGC() *gcTuner {
	t := &gcTuner{room: startingRoom}
	if os.Getenv("GOGC") == "" && os.Getenv("GOMEMLIMIT") == "" {
		t.collected()
	}
	return t
}

func (t *gcTuner) collected() {
	t.set()
	// A new object that dies at once is found by the next collection.
	runtime.AddCleanup(new(sentinel), func(struct{}) { t.collected() }, struct{}{})
}

func (t *gcTuner) set() {
	sample := []metrics.Sample{{Name: "/gc/heap/live:bytes"}}
	metrics.Read(sample)
	t.mu.Lock()
	defer t.mu.Unlock()
	if percent := garbagePercent(sample[0].Value.Uint64(), t.room); percent < t.last*9/10 || percent > t.last*11/10 {
		t.last = percent
		debug.SetGCPercent(percent)
	}
}

// serving ends the larger room of the start.
func (t *gcTuner) serving() {
	t.mu.Lock()
	t.room = servingRoom
	tunes := t.last != 0
	t.mu.Unlock()
	if tunes {
		t.set()
	}
}

// sentinel has a size of its own: tiny objects share memory, and would live on.
type sentinel [32]byte
